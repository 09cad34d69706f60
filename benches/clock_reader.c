/* Reads the wall clock as fast as it can and says how many nanoseconds of the processor a reading takes: `clock_reader <threads>`. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { READINGS = 200000, ROUNDS = 50, THREADS_MAX = 64 };

static double elapsed_ns(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e9 + (double)(now.tv_nsec - start->tv_nsec);
}

static void *read_on(void *best)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct timespec start, now;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
		for (int i = 0; i < READINGS; i++)
			clock_gettime(CLOCK_REALTIME, &now);
		double each = elapsed_ns(&start) / READINGS;
		if (each < *(double *)best)
			*(double *)best = each;
	}
	return NULL;
}

int main(int count, char **arguments)
{
	int threads = count > 1 ? atoi(arguments[1]) : 1;
	pthread_t ids[THREADS_MAX];
	double best[THREADS_MAX], worst = 0;
	for (int i = 0; i < threads && i < THREADS_MAX; i++) {
		best[i] = 1e9;
		pthread_create(&ids[i], NULL, read_on, &best[i]);
	}
	for (int i = 0; i < threads && i < THREADS_MAX; i++) {
		pthread_join(ids[i], NULL);
		worst = best[i] > worst ? best[i] : worst;
	}
	printf("%.1f\n", worst);
	return 0;
}
