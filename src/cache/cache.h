/* cache.h - the embedded cache: get, put, invalidate, flush, under one ceiling of memory.
 *
 * One cache is shared by all workers. A hit takes no lock and writes no shared line: it finds an
 * immutable entry and looks at it where it lies. What a worker found stays readable until that
 * worker's next kw_cache_tick() or kw_cache_rest(), whatever others do meanwhile.
 *
 *     key     a name (what servers call the key) and a variant (say, the command and its other
 *             arguments). All variants of a name go together when the name is invalidated.
 *     domain  a source of entries that may die as a whole, say one connection that was lost.
 *     fill    a promise to put a value that is being fetched. Invalidation breaks the promise.
 *
 * Thread: a kw_cache_worker belongs to one thread; everything takes one. kw_cache_new(), _free(),
 *         _join() and _leave() are for the thread that owns the cache.
 * Memory: everything but a few hundred bytes a worker counts towards memory_max_bytes, torn pages
 *         and the allocator's own tables included; the ceiling is never exceeded.
 * See also: cache_extra.h (stores, sweeps and figures), README.md (the rules).
 */
#ifndef KW_CACHE_CACHE_H
#define KW_CACHE_CACHE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum kw_cache_policy {
    KW_CACHE_BALANCED = 0, /* hits by size, behind a probation: see evict/evict.c */
    KW_CACHE_S3FIFO,       /* three queues, sizes ignored */
    KW_CACHE_LRU,          /* least recently used, to a tenth of a second */
    KW_CACHE_LFU,          /* least frequently used, with aging */
    KW_CACHE_RANDOM,
    KW_CACHE_TTL,  /* the nearest deadline */
    KW_CACHE_KEEP, /* nothing is evicted: puts are refused when it is full */
    KW_CACHE_POLICY_COUNT
};

struct kw_cache_worker;

/* The end of an entry, called by WORKER, whichever frees it; never while somebody can see it. */
typedef void (*kw_cache_on_drop)(void *user, struct kw_cache_worker *worker, unsigned kind,
                                 struct kw_bytes value);

/* About how many bytes of blocks VALUE refers to. Asked when its entry is removed, under a lock:
 * from then on they count as free, though the blocks come back by on_drop only.
 */
typedef size_t (*kw_cache_owned_bytes)(void *user, struct kw_bytes value);

struct kw_cache_found;

enum kw_cache_reason {
    KW_CACHE_EXPIRED = 0, /* its deadline has come */
    KW_CACHE_EVICTED      /* others needed its room */
};

/* Expiry or eviction removed what was FOUND under NAME. Called once for each entry, on the worker
 * that removed it, without any lock, before the call of this header that removed it returns. NAME
 * and FOUND are readable until that worker's next tick; a newer value may be there under NAME. It
 * may look up, put and remove, and may
 * post to other threads; it must not tick, rest or leave. What callers removed, replaced before its
 * deadline, invalidated or flushed isn't told, nor what belonged to a closed domain.
 *
 * No look-up finds an entry from the millisecond of its deadline on; this call may come later: when
 * somebody writes to that key, or by the ticks of any worker, some 64 buckets of a shard each. So
 * a loop that sleeps should wake and tick some times a second.
 */
typedef void (*kw_cache_on_gone)(void *user, struct kw_cache_worker *worker,
                                 enum kw_cache_reason reason, struct kw_bytes name,
                                 const struct kw_cache_found *found);

struct kw_cache_options {
    size_t memory_max_bytes;      /* at least KW_CACHE_MEMORY_MIN_BYTES */
    size_t memory_reserved_bytes; /* what memory_max_bytes may become later; 0: the same */
    enum kw_cache_policy policy;
    bool is_timed_only;               /* only entries with a deadline may be evicted */
    bool has_huge_pages;              /* ask for huge pages */
    bool is_locked;                   /* keep it in memory: KW_E_SYSTEM when the system forbids */
    uint64_t seed;                    /* of hashes: unknown to those who choose keys */
    unsigned workers_max;             /* 1 .. KW_WORKERS_MAX */
    kw_cache_on_drop on_drop;         /* may be NULL; for entries put with is_owned */
    kw_cache_owned_bytes owned_bytes; /* may be NULL; for the same */
    kw_cache_on_gone on_gone;         /* may be NULL */
    void *user;
};

struct kw_cache_key {
    struct kw_bytes name;
    struct kw_bytes variant; /* may be empty */
    uint64_t hash;           /* of the name, by kw_cache_key() */
};

struct kw_cache_value {
    struct kw_bytes bytes;
    uint64_t deadline_ms; /* on the clock of kw_cache_tick(); 0: none */
    uint16_t domain;      /* 0: none */
    uint8_t kind;         /* the user's, below KW_CACHE_KINDS */
    bool is_owned;        /* on_drop is told when the entry is freed */
    bool keeps_deadline;  /* of the value it replaces, if there is one; for kw_cache_put() */
};

/* What a look-up found. Borrowed until the worker's next tick. */
struct kw_cache_found {
    struct kw_bytes value;
    uint64_t deadline_ms;
    unsigned kind;
    uint16_t domain;        /* 0: none */
    struct kw_entry *entry; /* for kw_cache_hold() */
};

struct kw_cache;
struct kw_entry;

enum {
    KW_CACHE_MEMORY_MIN_BYTES = 2 * 1024 * 1024,
    KW_CACHE_KINDS = 16,
    KW_CACHE_DOMAINS = 4096,
    KW_CACHE_COPY_MAX_BYTES = 16 * 1024, /* larger values may be held: see rule 2 of README.md */
    KW_CACHE_NAME_MAX_BYTES = 512 * 1024 * 1024,
    KW_CACHE_VARIANT_MAX_BYTES = 65535
};

/* Returns KW_OK; KW_E_INVALID for options that can't be; KW_E_SYSTEM when the system refuses. */
KW_CHECK enum kw_status kw_cache_new(const struct kw_cache_options *options,
                                     struct kw_cache **cache);

/* All workers have left. */
void kw_cache_free(struct kw_cache **cache);

/* A worker's access; NULL when workers_max are in. It begins awake, at NOW. */
struct kw_cache_worker *kw_cache_join(struct kw_cache *cache, uint64_t now_ms);
void kw_cache_leave(struct kw_cache_worker **worker);

/* Whose worker it is, for callbacks: NULL until it is set. */
void kw_cache_worker_set_owner(struct kw_cache_worker *worker, void *owner);
void *kw_cache_worker_owner(const struct kw_cache_worker *worker);

/* The worker holds nothing it found before, and it is NOW: frees what nobody can see any more,
 * and does a bounded piece of what is due (expiry, the rest of a flush). Cheap; once a loop's
 * tick, or after each command. A worker that was resting wakes.
 */
void kw_cache_tick(struct kw_cache_worker *worker, uint64_t now_ms);

/* The worker holds nothing and goes to sleep: others don't wait for it. Then kw_cache_tick(). */
void kw_cache_rest(struct kw_cache_worker *worker);

/* NAME and VARIANT as a key of this cache. Borrows both. */
struct kw_cache_key kw_cache_key(const struct kw_cache_worker *worker, struct kw_bytes name,
                                 struct kw_bytes variant);

/* The value under KEY. Lock-free; counts as a use of the entry. */
bool kw_cache_get(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                  struct kw_cache_found *found);

/* False when there is neither a value nor a fill of any name with HASH. Lock-free, one look at the
 * index; true may be chance.
 */
bool kw_cache_may_have(struct kw_cache_worker *worker, uint64_t hash);

/* Keep what was FOUND beyond the tick, for values above KW_CACHE_COPY_MAX_BYTES; false for
 * smaller ones, which are copied. Ends with kw_cache_release(), on any worker.
 */
bool kw_cache_hold(struct kw_cache_worker *worker, const struct kw_cache_found *found);
void kw_cache_release(struct kw_cache_worker *worker, struct kw_entry *entry);

/* VALUE under KEY, instead of what was there; copies both.
 *
 * Returns KW_OK; KW_E_FULL for what is larger than the cache takes; KW_E_MEMORY when there is no
 *         room now: then nothing has changed, room is being made, and who holds nothing may tick
 *         and try again.
 */
KW_CHECK enum kw_status kw_cache_put(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                     const struct kw_cache_value *value);

/* Remove the entry of exactly this name and variant. True when there was one. */
bool kw_cache_remove(struct kw_cache_worker *worker, const struct kw_cache_key *key);

/* Remove every variant of KEY's name and break its fills. How many entries went. */
unsigned kw_cache_invalidate(struct kw_cache_worker *worker, const struct kw_cache_key *key);

/* Remove everything, break all fills. At once for all who look; memory follows in small steps. */
void kw_cache_flush(struct kw_cache_worker *worker);

/* Promise a value for KEY. TOKEN is for kw_cache_fill_end().
 *
 * Returns KW_OK; KW_AGAIN when there is a value or a promise already; else as kw_cache_put().
 */
KW_CHECK enum kw_status kw_cache_fill_begin(struct kw_cache_worker *worker,
                                            const struct kw_cache_key *key, uint64_t *token);

/* Keep the promise with VALUE, or give it up when VALUE is NULL.
 *
 * Returns KW_OK; KW_E_CLOSED when the promise was broken since (VALUE is not stored); else as
 *         kw_cache_put(), and then the promise is over.
 */
KW_CHECK enum kw_status kw_cache_fill_end(struct kw_cache_worker *worker,
                                          const struct kw_cache_key *key, uint64_t token,
                                          const struct kw_cache_value *value);

/* Somebody read VALUE under KEY past the cache. An entry that says otherwise is removed; a fill
 * must bring these bytes or is broken. True when there is an entry, and it says the same.
 */
bool kw_cache_witness(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                      struct kw_bytes value);

/* A domain of its own, from 1; KW_E_FULL when all are in use. */
KW_CHECK enum kw_status kw_cache_domain_open(struct kw_cache_worker *worker, uint16_t *domain);

/* Everything put with DOMAIN is gone at once. Its memory, and its number, follow. */
void kw_cache_domain_close(struct kw_cache_worker *worker, uint16_t domain);

#endif
