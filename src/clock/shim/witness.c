/* Telling the harness what this process has read. Everything here may be called from a signal handler. */
#define _GNU_SOURCE
#include "page.h"
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* How often a process says that it is still reading: often enough for evidence, seldom enough to cost nothing. */
#define BEAT_NS INT64_C(1000000)

static struct witness *all;
static struct witness *_Atomic mine;

/* Says that nothing has been read, whatever another process, or another program under this number, had read. */
static void start_anew(struct witness *slot)
{
	atomic_store_explicit(&slot->generation, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->beats, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->sequence, 0, memory_order_release);
	atomic_store_explicit(&mine, slot, memory_order_release);
}

/* Finds a place for this process. If there is none, it stays unseen, which the harness takes for "has not read". */
static void claim(void)
{
	uint32_t self = (uint32_t)getpid();
	int before = errno;
	atomic_store_explicit(&mine, NULL, memory_order_relaxed);
	for (int i = 0; i < WITNESSES_MAX; i++)
		if (atomic_load(&all[i].pid) == self)
			return start_anew(&all[i]);
	for (int i = 0; i < WITNESSES_MAX; i++) {
		uint32_t owner = atomic_load(&all[i].pid);
		bool is_free = !owner || (kill((pid_t)owner, 0) && errno == ESRCH);
		if (is_free && atomic_compare_exchange_strong(&all[i].pid, &owner, self)) {
			start_anew(&all[i]);
			break;
		}
	}
	errno = before;
}

void witness_attach(struct witness *witnesses)
{
	all = witnesses;
	claim();
	pthread_atfork(NULL, NULL, claim);
}

void witness_reading(uint64_t generation, int64_t real_ns, int64_t told_ns)
{
	struct witness *slot = atomic_load_explicit(&mine, memory_order_acquire);
	if (!slot)
		return;
	uint64_t known = atomic_load_explicit(&slot->generation, memory_order_relaxed);
	int64_t since_ns = real_ns - atomic_load_explicit(&slot->real_ns, memory_order_relaxed);
	if (generation < known || (generation == known && since_ns > -BEAT_NS && since_ns < BEAT_NS))
		return;
	/* If another thread is writing, its word is as good as ours. */
	uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
	if (sequence % 2 || !atomic_compare_exchange_strong(&slot->sequence, &sequence, sequence + 1))
		return;
	uint64_t beats = generation == known ? atomic_load_explicit(&slot->beats, memory_order_relaxed) : 0;
	atomic_store_explicit(&slot->beats, beats + 1, memory_order_relaxed);
	atomic_store_explicit(&slot->real_ns, real_ns, memory_order_relaxed);
	atomic_store_explicit(&slot->told_ns, told_ns, memory_order_relaxed);
	atomic_store_explicit(&slot->generation, generation, memory_order_relaxed);
	atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}
