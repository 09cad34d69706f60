/* What the files of the library have of each other. */
#ifndef FIREASSAY_SHIM_H
#define FIREASSAY_SHIM_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <threads.h>
#include <time.h>

/* The only symbols that others see are those that they would find in the C library. */
#define INTERPOSE __attribute__((visibility("default")))
#define SECOND_NS INT64_C(1000000000)

/* The C library's own functions (real.c). */
struct real {
	int (*clock_gettime)(clockid_t, struct timespec *);
	int (*gettimeofday)(struct timeval *, void *);
	int (*timespec_get)(struct timespec *, int);
	int (*pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	int (*pthread_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
	int (*pthread_mutex_timedlock)(pthread_mutex_t *, const struct timespec *);
	int (*pthread_mutex_clocklock)(pthread_mutex_t *, clockid_t, const struct timespec *);
	int (*pthread_rwlock_timedrdlock)(pthread_rwlock_t *, const struct timespec *);
	int (*pthread_rwlock_timedwrlock)(pthread_rwlock_t *, const struct timespec *);
	int (*sem_timedwait)(sem_t *, const struct timespec *);
	int (*sem_clockwait)(sem_t *, clockid_t, const struct timespec *);
	int (*cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);
	int (*mtx_timedlock)(mtx_t *, const struct timespec *);
	int (*clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
	int (*timerfd_create)(int, int);
	int (*timerfd_settime)(int, int, const struct itimerspec *, struct itimerspec *);
};
const struct real *real(void);
/* The machine's clock; works before the C library's function has been found. */
int real_clock(clockid_t clock, struct timespec *now);

/* The harness's word (control.c). */
void control_attach(void);
/* What to add to the time `real_ns` of the machine's wall clock. Says too that this process has asked. */
int64_t error_at(int64_t real_ns);

/* Ours to the harness (witness.c). */
struct witness;
void witness_attach(struct witness *all);
void witness_reading(uint64_t generation, int64_t real_ns, int64_t told_ns);

/* Times (clocks.c, deadlines.c). */
bool is_wall(clockid_t clock);
int64_t wall_now_ns(void);
/* The machine's time for a deadline on the wall clock that the process sees; `room` is where it may be put. */
const struct timespec *deadline_in(const struct timespec *deadline, struct timespec *room);

#endif
