/* admit.c - ghosts: 16 bits of the hash of what was evicted, in sets of four.
 *
 * A set is a queue: who comes in pushes the oldest out. With one place for every 256 bytes of cache
 * a ghost is remembered about as long as it takes to fill the cache once, which is what S3-FIFO
 * asks for. One of 16,000 strangers is taken for a ghost; it gets a better place than it deserves,
 * once.
 */
#include "cache/evict/admit.h"

#include "base/mem.h"

#include <string.h>

enum { BYTES_A_GHOST = 256, SETS_MIN = 16, SETS_MAX = 1 << 24 };

static uint32_t sets_for(size_t memory_bytes);
static uint16_t *set_of(const struct kw_admit *admit, uint64_t hash);
static uint16_t ghost_of(uint64_t hash);

size_t kw__admit_bytes(size_t memory_bytes)
{
    return (size_t)sets_for(memory_bytes) * KW_ADMIT_WAYS * sizeof(uint16_t);
}

void kw__admit_init(struct kw_admit *admit, size_t memory_bytes)
{
    admit->sets_count = sets_for(memory_bytes);
    admit->ghosts =
        kw_alloc_zero((size_t)admit->sets_count * KW_ADMIT_WAYS, sizeof admit->ghosts[0]);
}

void kw__admit_deinit(struct kw_admit *admit)
{
    kw_free(admit->ghosts);
    *admit = (struct kw_admit){0};
}

void kw__admit_remember(struct kw_admit *admit, uint64_t hash)
{
    uint16_t *set = set_of(admit, hash);

    memmove(set + 1, set, (KW_ADMIT_WAYS - 1) * sizeof *set);
    set[0] = ghost_of(hash);
}

bool kw__admit_recall(struct kw_admit *admit, uint64_t hash)
{
    uint16_t *set = set_of(admit, hash);
    uint16_t ghost = ghost_of(hash);

    for (unsigned i = 0; i < KW_ADMIT_WAYS; i++) {
        if (set[i] == ghost) {
            memmove(set + i, set + i + 1, (KW_ADMIT_WAYS - 1 - i) * sizeof *set);
            set[KW_ADMIT_WAYS - 1] = 0;
            return true;
        }
    }
    return false;
}

static uint32_t sets_for(size_t memory_bytes)
{
    uint32_t sets = SETS_MIN;

    while (sets < SETS_MAX && (size_t)sets * 2 * KW_ADMIT_WAYS * BYTES_A_GHOST <= memory_bytes) {
        sets *= 2;
    }
    return sets;
}

static uint16_t *set_of(const struct kw_admit *admit, uint64_t hash)
{
    return &admit->ghosts[(size_t)((uint32_t)(hash >> 16) & (admit->sets_count - 1)) *
                          KW_ADMIT_WAYS];
}

static uint16_t ghost_of(uint64_t hash)
{
    uint16_t ghost = (uint16_t)hash;

    return ghost == 0 ? 1 : ghost;
}
