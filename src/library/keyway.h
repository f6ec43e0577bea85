/* keyway.h - keyway's cache inside a program: keys, values, deadlines, one ceiling of memory.
 *
 *     struct keyway *cache = NULL;
 *     struct keyway_options options = {.memory_max_bytes = 64 << 20};
 *     struct keyway_view view;
 *
 *     if (keyway_open(&options, &cache) == KEYWAY_OK) {
 *         keyway_set(cache, "greeting", 8, "hello", 5, 60000);
 *         if (keyway_get(cache, "greeting", 8, &view) == KEYWAY_OK) {
 *             fwrite(view.data, 1, view.len, stdout);
 *             keyway_release(cache, &view);
 *         }
 *         keyway_close(&cache);
 *     }
 *
 *     cc program.c libkeyway.a -ljemalloc -lxxhash -lpthread
 *
 * It stands alone: this header and libkeyway.a are all that a program needs. C99 and C++ too.
 *
 * Thread: any number of threads share an open cache, without any preparation. A look-up takes no
 *         lock and waits for nobody. keyway_open() and keyway_close() are for one of them.
 * Memory: keys and values are copied in. What keyway_get() gives is the cache's own memory, to be
 *         read and released. Memory in use never exceeds memory_max_bytes: others are evicted.
 * See also: the manual page keyway(3).
 */
#ifndef KW_LIBRARY_KEYWAY_H
#define KW_LIBRARY_KEYWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KEYWAY_API __attribute__((visibility("default")))

enum keyway_status {
    KEYWAY_OK = 0,
    KEYWAY_NOT_FOUND, /* no such key, or its time is over */
    KEYWAY_INVALID,   /* options that can't be */
    KEYWAY_TOO_LARGE, /* larger than a quarter of the cache, or a key above 512 MiB */
    KEYWAY_NO_ROOM,   /* all memory is in use, and nothing may go: nothing has changed */
    KEYWAY_SYSTEM     /* the system has no such memory, or may not lock it */
};

/* Who leaves when there is no room. */
enum keyway_policy {
    KEYWAY_BALANCED = 0, /* hits by size, behind a probation: best for most */
    KEYWAY_LRU,          /* least recently used */
    KEYWAY_LFU,          /* least frequently used */
    KEYWAY_RANDOM,
    KEYWAY_TTL, /* the nearest deadline */
    KEYWAY_KEEP /* nobody: then sets are refused */
};

struct keyway_options {
    size_t memory_max_bytes; /* from 2 MiB and 128 KiB to 60 GiB */
    enum keyway_policy policy;
    bool has_huge_pages; /* ask for huge pages */
    bool is_locked;      /* keep it in memory, never swapped out */
};

/* What was found, where it lies. Read only; the fields below the line are the cache's. */
struct keyway_view {
    const void *data;
    size_t len;
    uint64_t ttl_ms; /* what is left of its time; 0: it has no deadline */
    /* ---- */
    void *seat;
    void *entry;
};

struct keyway_stats {
    uint64_t entries_count;
    uint64_t memory_bytes; /* in use: never above memory_max_bytes */
    uint64_t memory_max_bytes;
    uint64_t value_bytes; /* of it, entries and what finds them */
    uint64_t hits_count;
    uint64_t misses_count;
    uint64_t sets_count;
    uint64_t refused_count; /* sets without room */
    uint64_t evicted_count;
    uint64_t expired_count;
};

struct keyway; /* an open cache */

/* Open a CACHE as OPTIONS say. Returns KEYWAY_OK, _INVALID or _SYSTEM; then CACHE is NULL. */
KEYWAY_API enum keyway_status keyway_open(const struct keyway_options *options,
                                          struct keyway **cache);

/* The end of it: no thread is inside, no view is held. CACHE becomes NULL. */
KEYWAY_API void keyway_close(struct keyway **cache);

/* A VIEW of the value under KEY, without a copy. Every view that was given is released, by the same
 * thread, soon: while one of up to 16 KiB is held, nothing that is removed by anybody becomes free.
 * (Larger ones hold only themselves.) The view stays as it is whatever happens to the key.
 *
 * Returns KEYWAY_OK or KEYWAY_NOT_FOUND: then there is nothing to release.
 */
KEYWAY_API enum keyway_status keyway_get(struct keyway *cache, const void *key, size_t key_len,
                                         struct keyway_view *view);
KEYWAY_API void keyway_release(struct keyway *cache, struct keyway_view *view);

/* VALUE under KEY for TTL milliseconds, 0 for ever, instead of what was there.
 *
 * Returns KEYWAY_OK, _TOO_LARGE, or _NO_ROOM: under KEYWAY_KEEP, or while views are held.
 */
KEYWAY_API enum keyway_status keyway_set(struct keyway *cache, const void *key, size_t key_len,
                                         const void *value, size_t value_len, uint64_t ttl_ms);

/* Another TTL for what is under KEY, 0 for ever. Returns KEYWAY_OK, _NOT_FOUND or _NO_ROOM. */
KEYWAY_API enum keyway_status keyway_expire(struct keyway *cache, const void *key, size_t key_len,
                                            uint64_t ttl_ms);

/* Remove KEY. Returns KEYWAY_OK or KEYWAY_NOT_FOUND. */
KEYWAY_API enum keyway_status keyway_delete(struct keyway *cache, const void *key, size_t key_len);

/* Remove everything, at once for all who look. */
KEYWAY_API void keyway_clear(struct keyway *cache);

/* Figures since it was opened; some microseconds. */
KEYWAY_API void keyway_stats(struct keyway *cache, struct keyway_stats *stats);

/* STATUS in words. */
KEYWAY_API const char *keyway_status_text(enum keyway_status status);

#ifdef __cplusplus
}
#endif

#endif
