/* Asking for the time. Only the wall clock is wrong: what measures lengths of time is left alone. */
#define _GNU_SOURCE
#include "shim.h"

static int64_t nanoseconds(const struct timespec *time)
{
	return time->tv_sec * SECOND_NS + time->tv_nsec;
}

bool is_wall(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI ||
	       clock == CLOCK_REALTIME_ALARM;
}

int64_t wall_now_ns(void)
{
	struct timespec now = { 0 };
	(void)real_clock(CLOCK_REALTIME, &now);
	return nanoseconds(&now);
}

INTERPOSE int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = real_clock(clock, now);
	if (result || !is_wall(clock))
		return result;
	int64_t real_ns = nanoseconds(now);
	/* Atomic time is some seconds ahead of the clock that the error is reckoned on. */
	int64_t told_ns = real_ns + error_at(clock == CLOCK_TAI ? wall_now_ns() : real_ns);
	now->tv_sec = told_ns / SECOND_NS;
	now->tv_nsec = told_ns % SECOND_NS;
	return 0;
}

INTERPOSE int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int result = zone ? real()->gettimeofday(now, zone) : 0;
	if (now && !result) {
		struct timespec told;
		result = clock_gettime(CLOCK_REALTIME, &told);
		now->tv_sec = told.tv_sec;
		now->tv_usec = told.tv_nsec / 1000;
	}
	return result;
}

INTERPOSE time_t time(time_t *now)
{
	struct timespec told = { 0 };
	/* The real one goes by the coarse clock too: it may be a moment behind. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &told);
	if (now)
		*now = told.tv_sec;
	return told.tv_sec;
}

INTERPOSE int timespec_get(struct timespec *now, int base)
{
	if (base != TIME_UTC)
		return real()->timespec_get(now, base);
	return clock_gettime(CLOCK_REALTIME, now) ? 0 : base;
}
