/* Waiting until a time of day.
 *
 * A caller adds what it wants to wait to the time that it was told, and the kernel goes by its own clock. So each such
 * deadline is moved by the error of the clock: what is left of the time then is what the caller meant. It is left as
 * it is while the wait is under way, even if the clock is changed, slow or frozen: nobody hangs for hours, and nobody
 * spins. Without this librdkafka hangs for good after a step. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>

/* Set in a condition that waits by the monotonic clock: glibc 2.25 and later. */
#define COND_IS_MONOTONIC 2

const struct timespec *deadline_in(const struct timespec *deadline, struct timespec *room)
{
	/* What is no time, the C library has to refuse. */
	if (!deadline || deadline->tv_sec < 0 || deadline->tv_nsec < 0 || deadline->tv_nsec >= SECOND_NS)
		return deadline;
	int64_t error_ns = error_at(wall_now_ns());
	if (!error_ns)
		return deadline;
	/* "For ever" is written as the largest time there is. */
	__int128 moved = (__int128)deadline->tv_sec * SECOND_NS + deadline->tv_nsec - error_ns;
	if (moved < 0)
		moved = 0;
	if (moved > (__int128)INT64_MAX * SECOND_NS)
		return deadline;
	room->tv_sec = (time_t)(moved / SECOND_NS);
	room->tv_nsec = (long)(moved % SECOND_NS);
	return room;
}

static const struct timespec *deadline_on(clockid_t clock, const struct timespec *deadline, struct timespec *room)
{
	return is_wall(clock) ? deadline_in(deadline, room) : deadline;
}

INTERPOSE int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
				     const struct timespec *restrict deadline)
{
	struct timespec room;
	if (!(cond->__data.__wrefs & COND_IS_MONOTONIC))
		deadline = deadline_in(deadline, &room);
	return real()->pthread_cond_timedwait(cond, mutex, deadline);
}

INTERPOSE int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
				     const struct timespec *restrict deadline)
{
	struct timespec room;
	if (!real()->pthread_cond_clockwait)
		return EINVAL;
	return real()->pthread_cond_clockwait(cond, mutex, clock, deadline_on(clock, deadline, &room));
}

INTERPOSE int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->pthread_mutex_timedlock(mutex, deadline_in(deadline, &room));
}

INTERPOSE int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock,
				      const struct timespec *restrict deadline)
{
	struct timespec room;
	if (!real()->pthread_mutex_clocklock)
		return EINVAL;
	return real()->pthread_mutex_clocklock(mutex, clock, deadline_on(clock, deadline, &room));
}

INTERPOSE int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->pthread_rwlock_timedrdlock(lock, deadline_in(deadline, &room));
}

INTERPOSE int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->pthread_rwlock_timedwrlock(lock, deadline_in(deadline, &room));
}

INTERPOSE int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->sem_timedwait(sem, deadline_in(deadline, &room));
}

INTERPOSE int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict deadline)
{
	struct timespec room;
	if (!real()->sem_clockwait) {
		errno = EINVAL;
		return -1;
	}
	return real()->sem_clockwait(sem, clock, deadline_on(clock, deadline, &room));
}

/* The C library's own calls do not come by here, so these two are needed besides those above. */
INTERPOSE int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->cnd_timedwait(cond, mutex, deadline_in(deadline, &room));
}

INTERPOSE int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict deadline)
{
	struct timespec room;
	return real()->mtx_timedlock(mutex, deadline_in(deadline, &room));
}

INTERPOSE int clock_nanosleep(clockid_t clock, int flags, const struct timespec *deadline, struct timespec *left)
{
	struct timespec room;
	if (flags & TIMER_ABSTIME)
		deadline = deadline_on(clock, deadline, &room);
	return real()->clock_nanosleep(clock, flags, deadline, left);
}
