/* Timers that are file descriptors. Which clock one goes by is known to whoever made it, and to the kernel. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Descriptors beyond this are looked up each time. */
#define KNOWN_MAX 4096

enum { UNKNOWN, WALL, OTHER };

static _Atomic unsigned char known[KNOWN_MAX];

/* Asks the kernel, which has a line `clockid: 0` in the description of a timer on the wall clock. */
static bool look_up(int fd)
{
	char text[512], path[64];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	ssize_t length = read(file, text, sizeof text - 1);
	close(file);
	text[length > 0 ? length : 0] = '\0';
	const char *line = strstr(text, "clockid:");
	int clock = -1;
	return line && sscanf(line, "clockid: %d", &clock) == 1 && is_wall(clock);
}

static bool goes_by_wall(int fd)
{
	unsigned char clock = fd >= 0 && fd < KNOWN_MAX ? known[fd] : UNKNOWN;
	int before = errno;
	bool wall = clock == UNKNOWN ? look_up(fd) : clock == WALL;
	errno = before;
	return wall;
}

INTERPOSE int timerfd_create(int clock, int flags)
{
	int fd = real()->timerfd_create(clock, flags);
	if (fd >= 0 && fd < KNOWN_MAX)
		known[fd] = is_wall(clock) ? WALL : OTHER;
	return fd;
}

INTERPOSE int timerfd_settime(int fd, int flags, const struct itimerspec *timer, struct itimerspec *before)
{
	/* A time of zero is no deadline: it stops the timer. */
	bool has_deadline = (flags & TFD_TIMER_ABSTIME) && timer && (timer->it_value.tv_sec || timer->it_value.tv_nsec);
	if (!has_deadline || !goes_by_wall(fd))
		return real()->timerfd_settime(fd, flags, timer, before);
	struct itimerspec moved = *timer;
	struct timespec room;
	moved.it_value = *deadline_in(&timer->it_value, &room);
	/* What lies in the past is due now, and must not stop the timer. */
	if (!moved.it_value.tv_sec && !moved.it_value.tv_nsec)
		moved.it_value.tv_nsec = 1;
	return real()->timerfd_settime(fd, flags, &moved, before);
}
