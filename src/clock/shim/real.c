/* Finding the functions that we stand in front of. */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct real found;
static atomic_bool ready;

#define FIND(name) found.name = (__typeof__(found.name))dlsym(RTLD_NEXT, #name)

/* Whoever comes meanwhile finds the same. */
static void find(void)
{
	FIND(clock_gettime);
	FIND(gettimeofday);
	FIND(timespec_get);
	/* Some machines have an older one under the same name, for conditions of another shape. */
	void *cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	found.pthread_cond_timedwait = (__typeof__(found.pthread_cond_timedwait))cond_timedwait;
	if (!cond_timedwait)
		FIND(pthread_cond_timedwait);
	FIND(pthread_cond_clockwait);
	FIND(pthread_mutex_timedlock);
	FIND(pthread_mutex_clocklock);
	FIND(pthread_rwlock_timedrdlock);
	FIND(pthread_rwlock_timedwrlock);
	FIND(sem_timedwait);
	FIND(sem_clockwait);
	FIND(cnd_timedwait);
	FIND(mtx_timedlock);
	FIND(clock_nanosleep);
	FIND(timerfd_create);
	FIND(timerfd_settime);
	atomic_store_explicit(&ready, true, memory_order_release);
}

const struct real *real(void)
{
	if (!atomic_load_explicit(&ready, memory_order_acquire))
		find();
	return &found;
}

int real_clock(clockid_t clock, struct timespec *now)
{
	/* The search may allocate, and an allocator may look at the clock: not through here again. */
	if (!atomic_load_explicit(&ready, memory_order_acquire))
		return (int)syscall(SYS_clock_gettime, clock, now);
	return found.clock_gettime(clock, now);
}

__attribute__((constructor)) static void start(void)
{
	(void)real();
	control_attach();
}
