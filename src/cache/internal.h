/* internal.h - the cache, its shards and its workers, for the files of this room.
 *
 * Thread: what each field says. Memory: the cache owns shards and workers.
 */
#ifndef KW_CACHE_INTERNAL_H
#define KW_CACHE_INTERNAL_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/prefetch.h"
#include "base/tray.h"
#include "cache/cache.h"
#include "cache/evict/admit.h"
#include "cache/evict/evict.h"
#include "cache/evict/queue.h"
#include "cache/expire.h"
#include "cache/grace.h"
#include "cache/index.h"

#include <pthread.h>

enum {
    KW_SHARDS_MAX = 64,
    KW_SHARD_MIN_BYTES = 8 * 1024 * 1024, /* smaller ones would part what belongs together */
    KW_LIVE_SLACK_BYTES = 4096            /* that a worker may keep to itself */
};

/* A part of the keys, by the top bits of their hash, with a lock of its own. */
struct kw_shard {
    _Alignas(KW_LINE_BYTES) struct kw_index *_Atomic index; /* read by everybody */
    _Atomic uint64_t queued_bytes;                          /* queues.bytes, for the same */
    /* under the lock */
    _Alignas(KW_LINE_BYTES) pthread_mutex_t lock;
    struct kw_index *flushed; /* indexes that are being emptied */
    uint32_t timed_count;     /* entries of the index with a deadline */
    struct kw_queues queues;
    struct kw_admit admit;
    enum kw_cache_policy policy;
    bool is_timed_only;
};

enum kw_domain_state { KW_DOMAIN_FREE = 0, KW_DOMAIN_OPEN, KW_DOMAIN_CLOSED, KW_DOMAIN_SWEPT };

struct kw_gone_queue {
    uint32_t first; /* refs of entries, linked by `prev`: gone.c */
    uint32_t last;
};

struct kw_cache_worker {
    _Alignas(KW_LINE_BYTES) _Atomic uint64_t seen; /* grace.c */
    /* the worker's own, from here on */
    _Alignas(KW_LINE_BYTES) struct kw_cache *cache;
    const struct kw_arena *arena; /* the cache's */
    uint64_t now_ms;
    uint64_t epoch_seen; /* of the last look at the bags */
    struct kw_bag bags[KW_BAGS];
    struct kw_tray tray;
    unsigned shard_next;         /* where upkeep goes on */
    _Atomic int64_t live_change; /* of the cache's live_bytes, not added to them yet: room.c */
    bool is_joined;
    bool is_telling;              /* on_gone is being called */
    struct kw_gone_queue gone[2]; /* what on_gone is to be told of, by reason */
    void *owner;
    uint64_t random;
    _Atomic uint64_t hits_count;
    _Atomic uint64_t misses_count;
    _Atomic uint64_t puts_count;
    _Atomic uint64_t refused_count;
    _Atomic uint64_t evicted_count;
    _Atomic uint64_t expired_count;
    _Atomic uint64_t invalidated_count;
};

struct kw_cache {
    /* set once */
    struct kw_arena arena;
    struct kw_cache_options options; /* policy, is_timed_only, memory_max_bytes: as it began */
    unsigned shards_count;
    unsigned shard_shift;
    size_t fixed_bytes; /* tables beside the arena */
    size_t room_bytes;  /* the arena's */
    struct kw_shard *shards;
    struct kw_cache_worker *workers;
    /* shared, atomic */
    _Alignas(KW_LINE_BYTES) _Atomic uint64_t epoch;    /* grace.c */
    _Atomic unsigned joined_max;                       /* workers behind it never joined */
    _Alignas(KW_LINE_BYTES) _Atomic size_t live_bytes; /* but for the workers' live_change */
    _Atomic size_t live_most_bytes;                    /* that there were at a time */
    _Atomic size_t index_bytes;                        /* of live_bytes */
    /* written seldom, read with every command */
    _Alignas(KW_LINE_BYTES) _Atomic size_t budget_bytes; /* for the others: room.c */
    _Atomic size_t limit_bytes;                          /* of live_bytes, by memory_max_bytes */
    _Atomic size_t memory_max_bytes;
    _Atomic uint32_t policy; /* for hits; what counts under a shard's lock is the shard's */
    _Atomic uint64_t tokens_count;
    _Atomic uint32_t flushed_count;       /* shards with something to empty */
    _Atomic uint32_t is_sweeping;         /* some domain is closed and not swept */
    _Atomic uint32_t is_torn;             /* walks of move.c to come, at most 2 */
    _Atomic uint32_t is_requeuing;        /* entries are in lists of another policy */
    _Atomic uint32_t dues[KW_SHARDS_MAX]; /* index->due, for those who only want to know */
    _Atomic uint8_t domains[KW_CACHE_DOMAINS];
    /* under the lock */
    pthread_mutex_t lock;
    uint16_t domain_last;
    uint32_t sweep_shard;
    uint32_t sweep_bucket;
    uint64_t sweep_epoch; /* when the walk ended */
    bool is_sweep_begun;
    uint32_t move_shard;
    uint32_t move_bucket;
    uint32_t requeue_shard;
    uint32_t requeue_bucket;
    uint64_t budget_raised_ms;
    uint64_t budget_epoch; /* when it was lowered */
    size_t budget_step;    /* by how much next time */
};

/* index->due of SHARD: when there may be something to collect. All of them lie side by side. */
static inline _Atomic uint32_t *kw__shard_due(struct kw_cache *cache, const struct kw_shard *shard)
{
    return &cache->dues[shard - cache->shards];
}

static inline struct kw_shard *kw__shard_of(const struct kw_cache *cache, uint64_t hash)
{
    return &cache->shards[(hash >> 32) >> cache->shard_shift];
}

static inline void kw__count(_Atomic uint64_t *counter, uint64_t by)
{
    /* One writer: no locked instruction. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* BYTES more, or less, are live. All of them, as far as WORKER knows. */
void kw__live_fold(struct kw_cache_worker *worker);

static inline void kw__live_add(struct kw_cache_worker *worker, int64_t bytes)
{
    int64_t change = atomic_load_explicit(&worker->live_change, memory_order_relaxed) + bytes;

    atomic_store_explicit(&worker->live_change, change, memory_order_relaxed);
    if (change > KW_LIVE_SLACK_BYTES || change < -KW_LIVE_SLACK_BYTES) {
        kw__live_fold(worker);
    }
}

static inline size_t kw__live_bytes(const struct kw_cache_worker *worker)
{
    int64_t bytes =
        (int64_t)atomic_load_explicit(&worker->cache->live_bytes, memory_order_relaxed) +
        atomic_load_explicit(&worker->live_change, memory_order_relaxed);

    return bytes > 0 ? (size_t)bytes : 0; /* others may not have added yet what it has removed */
}

/* The cache's memory, counted as live; get: NULL when there is none. */
void *kw__memory_get(struct kw_cache_worker *worker, size_t size_bytes);
void kw__memory_put(struct kw_cache_worker *worker, void *block, size_t size_bytes);

/* The same from the lowest place there is: for move.c. */
void *kw__memory_get_low(struct kw_cache_worker *worker, size_t size_bytes);
void kw__memory_put_low(struct kw_cache_worker *worker, void *block, size_t size_bytes);

/* The arena has refused something: pages are to come together. And a bounded piece of that. */
void kw__move_begin(struct kw_cache *cache);
void kw__move_step(struct kw_cache_worker *worker);

/* Evict a batch when live bytes are above the limit: it was lowered. */
void kw__room_trim(struct kw_cache_worker *worker);
bool kw__room_is_trimming(const struct kw_cache_worker *worker);

/* Make at least NEED bytes of room, beginning with SHARD; false when nothing may go. */
bool kw__room_make(struct kw_cache_worker *worker, struct kw_shard *shard, size_t need_bytes);

/* A block for an entry of SHARD; NULL when there is none now. */
void *kw__room_get(struct kw_cache_worker *worker, struct kw_shard *shard, size_t size_bytes);

/* The arena has refused MISSING bytes, without the lock: more must go. */
void kw__room_refused(struct kw_cache_worker *worker, struct kw_shard *shard, size_t missing_bytes);

/* The budget may rise again when nothing was refused for a while. */
void kw__room_recover(struct kw_cache_worker *worker);

/* ENTRY, just retired, went for this REASON: counted, and told when no lock is held. */
void kw__gone_note(struct kw_cache_worker *worker, struct kw_entry *entry,
                   enum kw_cache_reason reason);
void kw__gone_tell_all(struct kw_cache_worker *worker);

static inline void kw__gone_tell(struct kw_cache_worker *worker)
{
    if (worker->gone[KW_CACHE_EXPIRED].first != 0 || worker->gone[KW_CACHE_EVICTED].first != 0) {
        kw__gone_tell_all(worker);
    }
}

uint64_t kw__hash_of(const struct kw_cache_worker *worker, const struct kw_entry *entry);

/* Under the lock: ENTRY leaves index and lists, and is freed when nobody can see it any more. True
 * when it was over anyhow: then it was noted as such.
 */
bool kw__shard_drop(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry);

/* ENTRY instead of OLD, whose ref is in SLOT, both of KEY; and its deadline into the bounds of its
 * bucket.
 */
void kw__shard_replace(struct kw_cache_worker *worker, struct kw_shard *shard,
                       const struct kw_cache_key *key, _Atomic uint32_t *slot, struct kw_entry *old,
                       struct kw_entry *entry);
void kw__shard_time(struct kw_cache_worker *worker, struct kw_shard *shard, uint64_t hash,
                    const struct kw_entry *entry);

/* Without a lock: the entry or fill of KEY in INDEX, over or not. */
struct kw_entry *kw__shard_find(struct kw_cache_worker *worker, struct kw_shard *shard,
                                const struct kw_index *index, const struct kw_cache_key *key);

/* May ENTRY be found: a value, not over, of an open domain? */
bool kw__entry_is_usable(const struct kw_cache_worker *worker, const struct kw_entry *entry);

/* ENTRY as its finder sees it. */
void kw__entry_show(const struct kw_cache_worker *worker, struct kw_entry *entry,
                    struct kw_cache_found *found);

/* An entry of KEY and VALUE that is in no index yet. Statuses of kw_cache_put(). */
KW_CHECK enum kw_status kw__entry_make(struct kw_cache_worker *worker,
                                       const struct kw_cache_key *key,
                                       const struct kw_cache_value *value, struct kw_entry **entry);

/* Without a lock: ENTRY, just made for SHARD, was not published, and STATUS says why. */
void kw__entry_give_up(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry, enum kw_status status);

static inline bool kw__domain_is_open(const struct kw_cache *cache, uint16_t domain)
{
    return domain < KW_CACHE_DOMAINS &&
           atomic_load_explicit(&cache->domains[domain], memory_order_acquire) == KW_DOMAIN_OPEN;
}

/* Bounded steps of what ticks do. */
void kw__sweep_expired(struct kw_cache_worker *worker);
void kw__sweep_flushed(struct kw_cache_worker *worker);
void kw__sweep_shard(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned buckets);
void kw__sweep_domains(struct kw_cache_worker *worker);
void kw__sweep_requeue(struct kw_cache_worker *worker);

#endif
