/* The file that the harness and the processes of one instance share; `../page.rs` has the same layout.
 *
 * The control half is the harness's: processes map it read-only. The witness half is theirs: each process says there
 * what it has read, so that the harness need not believe but can look. The halves lie far enough apart to be mapped
 * with different rights whatever the size of the machine's pages. */
#ifndef FIREASSAY_PAGE_H
#define FIREASSAY_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define PAGE_MAGIC UINT64_C(0x6669726561737361)
#define PAGE_LAYOUT 1
#define PAGE_HALF_BYTES 65536
#define WITNESSES_MAX 256

_Static_assert(sizeof(void *) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "64-bit machines only");

/* told = real + offset + (real - base) * rate / 2^32, in nanoseconds since 1970. */
struct setting {
	_Atomic int64_t base_ns;
	_Atomic int64_t offset_ns;
	_Atomic int64_t rate_q32;
};

/* A latch: generation `g` is in `settings[g % 2]`. The harness writes the other one and then raises the generation, so
 * there is a whole setting to read at every moment, even if the harness dies while it writes. */
struct control {
	_Atomic uint64_t magic;
	_Atomic uint64_t layout;
	_Atomic uint64_t generation;
	struct setting settings[2];
};

/* What one process has read. `sequence` is odd while somebody writes. */
struct witness {
	_Atomic uint32_t pid;
	_Atomic uint32_t sequence;
	_Atomic uint64_t generation;
	/* Milliseconds in which it has read this generation. */
	_Atomic uint64_t beats;
	/* The latest reading of which this was written down: what the machine said, and what the process was told. */
	_Atomic int64_t real_ns;
	_Atomic int64_t told_ns;
	uint64_t spare[3];
};

_Static_assert(sizeof(struct control) == 72 && sizeof(struct witness) == 64, "as in page.rs");

#endif
