/* admit.h - remembers who was evicted lately: the second time, an entry is let in for good.
 *
 * Thread: under the shard's lock. Memory: a table of 2 bytes a place, fixed at the start.
 */
#ifndef KW_CACHE_EVICT_ADMIT_H
#define KW_CACHE_EVICT_ADMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_admit {
    uint16_t *ghosts;    /* sets of KW_ADMIT_WAYS, newest first; 0: none */
    uint32_t sets_count; /* a power of two */
};

enum { KW_ADMIT_WAYS = 4 };

/* How many bytes the table for MEMORY bytes of cache takes. */
size_t kw__admit_bytes(size_t memory_bytes);

void kw__admit_init(struct kw_admit *admit, size_t memory_bytes);
void kw__admit_deinit(struct kw_admit *admit);

/* The entry of HASH was evicted. */
void kw__admit_remember(struct kw_admit *admit, uint64_t hash);

/* Was it, lately? Forgets it. */
bool kw__admit_recall(struct kw_admit *admit, uint64_t hash);

#endif
