/* Answers for its clocks and waits, one line for each line it is asked: see ../subject.rs. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static long long read_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	long long at = read_ns(clock) + ms * 1000000LL;
	return (struct timespec){ at / 1000000000LL, at % 1000000000LL };
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static void *hold_for_ever(void *held)
{
	pthread_rwlock_wrlock(&rwlock);
	sem_post(held);
	for (;;)
		pause();
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, taken = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, monotonic;
static mtx_t c11_mutex, c11_taken;
static cnd_t c11_cond;
static sem_t sem;

static int wait_ms(int kind, long ms)
{
	struct timespec wall = in_ms(CLOCK_REALTIME, ms), steady = in_ms(CLOCK_MONOTONIC, ms), utc;
	long long expired;
	int timer;
	switch (kind) {
	case 0:
		pthread_mutex_lock(&mutex);
		pthread_cond_timedwait(&cond, &mutex, &wall);
		return pthread_mutex_unlock(&mutex);
	case 1:
		pthread_mutex_lock(&mutex);
		pthread_cond_timedwait(&monotonic, &mutex, &steady);
		return pthread_mutex_unlock(&mutex);
	case 2:
		pthread_mutex_lock(&mutex);
		pthread_cond_clockwait(&cond, &mutex, CLOCK_REALTIME, &wall);
		return pthread_mutex_unlock(&mutex);
	case 3:
		timespec_get(&utc, TIME_UTC);
		utc.tv_sec += (utc.tv_nsec + ms * 1000000) / 1000000000;
		utc.tv_nsec = (utc.tv_nsec + ms * 1000000) % 1000000000;
		mtx_lock(&c11_mutex);
		cnd_timedwait(&c11_cond, &c11_mutex, &utc);
		return mtx_unlock(&c11_mutex);
	case 4:
		return mtx_timedlock(&c11_taken, &wall);
	case 5:
		return sem_timedwait(&sem, &wall);
	case 6:
		return pthread_mutex_timedlock(&taken, &wall);
	case 7:
		return pthread_rwlock_timedrdlock(&rwlock, &wall);
	case 8:
		return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &wall, NULL);
	case 9:
		timer = timerfd_create(CLOCK_REALTIME, 0);
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &(struct itimerspec){ .it_value = wall }, NULL);
		if (read(timer, &expired, sizeof expired) < 0)
			perror("timerfd");
		return close(timer);
	case 10:
		timer = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &(struct itimerspec){ .it_value = steady }, NULL);
		if (read(timer, &expired, sizeof expired) < 0)
			perror("timerfd");
		return close(timer);
	default:
		return -1;
	}
}

static const char *const names[] = { "pthread_cond_timedwait", "monotonic_cond", "pthread_cond_clockwait",
				     "cnd_timedwait", "mtx_timedlock", "sem_timedwait", "pthread_mutex_timedlock",
				     "pthread_rwlock_timedrdlock", "clock_nanosleep", "timerfd", "monotonic_timerfd" };

static void tell_waits(void)
{
	long long cpu = read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (int kind = 0; kind < (int)(sizeof names / sizeof *names); kind++) {
		long long start = read_ns(CLOCK_MONOTONIC);
		wait_ms(kind, 100);
		printf("%s=%lld ", names[kind], (read_ns(CLOCK_MONOTONIC) - start) / 1000);
	}
	printf("cpu=%lld\n", (read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1000);
}

enum { WATCHERS = 6, BETWEEN_LOOKS = 1000 };
struct watch {
	long long end, readings, earliest, latest;
};

/* Does nothing but read, so that it is often interrupted in the middle of a reading. */
static void *watch_on(void *argument)
{
	struct watch *watch = argument;
	while (read_ns(CLOCK_MONOTONIC) < watch->end) {
		for (int i = 0; i < BETWEEN_LOOKS; i++) {
			long long told = read_ns(CLOCK_REALTIME);
			watch->earliest = told < watch->earliest ? told : watch->earliest;
			watch->latest = told > watch->latest ? told : watch->latest;
		}
		watch->readings += BETWEEN_LOOKS;
	}
	return NULL;
}

/* Many read on for a while; says how often, and how many of them were told a time that makes no sense: before the
 * machine's time at the start, or a minute after that at the end. */
static void tell_readings(long ms)
{
	struct watch watches[WATCHERS];
	pthread_t ids[WATCHERS];
	struct timespec start, end;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &start);
	for (int i = 0; i < WATCHERS; i++) {
		watches[i] = (struct watch){ read_ns(CLOCK_MONOTONIC) + ms * 1000000LL, 0, INT64_MAX, 0 };
		pthread_create(&ids[i], NULL, watch_on, &watches[i]);
	}
	for (int i = 0; i < WATCHERS; i++)
		pthread_join(ids[i], NULL);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &end);
	long long readings = 0, misled = 0, first = start.tv_sec * 1000000000LL + start.tv_nsec;
	for (int i = 0; i < WATCHERS; i++) {
		readings += watches[i].readings;
		misled += watches[i].earliest < first || watches[i].latest > (end.tv_sec + 60) * 1000000000LL;
	}
	printf("%lld %lld\n", readings, misled);
}

static void tell_clocks(void)
{
	struct timeval day;
	struct timespec utc;
	gettimeofday(&day, NULL);
	timespec_get(&utc, TIME_UTC);
	printf("%lld %lld %lld %lld %lld %lld\n", read_ns(CLOCK_REALTIME), read_ns(CLOCK_MONOTONIC),
	       read_ns(CLOCK_REALTIME_COARSE), day.tv_sec * 1000000000LL + day.tv_usec * 1000LL,
	       time(NULL) * 1000000000LL, utc.tv_sec * 1000000000LL + utc.tv_nsec);
}

int main(int count, char **arguments)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&monotonic, &attributes);
	mtx_init(&c11_mutex, mtx_plain);
	mtx_init(&c11_taken, mtx_timed);
	cnd_init(&c11_cond);
	sem_init(&sem, 0, 0);
	pthread_mutex_lock(&taken);
	mtx_lock(&c11_taken);
	pthread_t holder;
	pthread_create(&holder, NULL, hold_for_ever, &sem);
	sem_wait(&sem);
	if (count > 1)
		puts("another program");

	char line[64];
	for (fflush(stdout); fgets(line, sizeof line, stdin); fflush(stdout)) {
		if (!strncmp(line, "now", 3)) {
			tell_clocks();
		} else if (!strncmp(line, "waits", 5)) {
			tell_waits();
		} else if (!strncmp(line, "hold", 4)) {
			long long start = read_ns(CLOCK_MONOTONIC);
			wait_ms(0, atol(line + 5));
			printf("%lld\n", (read_ns(CLOCK_MONOTONIC) - start) / 1000);
		} else if (!strncmp(line, "watch", 5)) {
			tell_readings(atol(line + 6));
		} else if (!strncmp(line, "fork", 4)) {
			fflush(stdout);
			pid_t child = fork();
			if (!child) {
				printf("%d %lld\n", getpid(), read_ns(CLOCK_REALTIME));
				fflush(stdout);
				_exit(0);
			}
			waitpid(child, NULL, 0);
		} else if (!strncmp(line, "exec", 4)) {
			execl(arguments[0], arguments[0], "again", NULL);
			perror("exec");
		}
	}
	return 0;
}
