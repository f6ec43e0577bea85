/* fill.c - promises: what is being fetched, and what breaks it.
 *
 *     (nothing) --fill_begin--> FILL(token) --fill_end--> value
 *                                  |  ^
 *     invalidate, flush, remove,   |  witness: must bring these bytes
 *     put, PROMISE_MS              v
 *                               (nothing): fill_end says KW_E_CLOSED
 *
 * A fetched reply may be older than an invalidation that arrived while it was on its way. So the
 * promise is an entry of its own in the index: whatever removes entries of a name removes it, and
 * only the token that is still there may become a value.
 *
 * INVARIANTS
 * F1  Tokens are never given twice.
 * F2  A fill is in no list: it is not evicted, only broken or over.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "cache/internal.h"

static const uint64_t PROMISE_MS = 10000; /* who fetches longer has lost interest */

enum need { NEED_NOTHING = 0, NEED_HASH, NEED_IMPOSSIBLE };

/* The value of a fill's entry; under the shard's lock. */
struct promise {
    uint64_t token;
    uint64_t hash; /* of the bytes it must bring */
    uint64_t need;
};

static struct promise promise_of(const struct kw_entry *entry);
static void promise_set(struct kw_entry *entry, const struct promise *promise);
static bool promise_is_kept(const struct kw_cache_worker *worker, const struct kw_entry *entry,
                            uint64_t token, const struct kw_cache_value *value);
static void shard_witness(struct kw_cache_worker *worker, struct kw_shard *shard,
                          const struct kw_cache_key *key, struct kw_bytes value);

enum kw_status kw_cache_fill_begin(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                   uint64_t *token)
{
    struct kw_cache *cache = worker->cache;
    struct kw_shard *shard = kw__shard_of(cache, key->hash);
    struct promise promise = {
        atomic_fetch_add_explicit(&cache->tokens_count, 1, memory_order_relaxed) + 1, 0,
        NEED_NOTHING}; /* F1 */
    struct kw_cache_value value = {.bytes = {(const char *)&promise, sizeof promise},
                                   .deadline_ms = worker->now_ms + PROMISE_MS};
    struct kw_entry *entry = NULL;
    enum kw_status status = kw__entry_make(worker, key, &value, &entry);

    if (status != KW_OK) {
        kw__gone_tell(worker);
        return status;
    }
    entry->flags |= KW_ENTRY_FILL;
    entry->place = KW_PLACE_NONE; /* F2 */
    pthread_mutex_lock(&shard->lock);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *old = NULL;
    _Atomic uint32_t *slot = kw__index_slot(index, worker->arena, key, &old);
    if (old == NULL) {
        status = kw__index_add(index, worker, key->hash, entry) ? KW_OK : KW_E_MEMORY;
        shard->timed_count += status == KW_OK ? 1 : 0;
    } else if (kw__entry_is_usable(worker, old) ||
               ((old->flags & KW_ENTRY_FILL) != 0 && !kw__entry_is_over(old, worker->now_ms))) {
        status = KW_AGAIN;
    } else {
        kw__shard_replace(worker, shard, key, slot, old, entry);
    }
    if (status == KW_OK) {
        kw__shard_time(worker, shard, key->hash, entry);
        *token = promise.token;
    }
    pthread_mutex_unlock(&shard->lock);
    if (status != KW_OK) {
        kw__entry_give_up(worker, shard, entry, status);
    }
    kw__gone_tell(worker);
    return status;
}

enum kw_status kw_cache_fill_end(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                 uint64_t token, const struct kw_cache_value *value)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_entry *entry = NULL;
    enum kw_status status = KW_OK;

    if (value != NULL) {
        status = kw__entry_make(worker, key, value, &entry);
    }
    pthread_mutex_lock(&shard->lock);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *fill = NULL;
    _Atomic uint32_t *slot = kw__index_slot(index, worker->arena, key, &fill);
    bool is_ours =
        fill != NULL && (fill->flags & KW_ENTRY_FILL) != 0 && promise_of(fill).token == token;
    if (is_ours && entry != NULL && promise_is_kept(worker, fill, token, value)) {
        kw__shard_replace(worker, shard, key, slot, fill, entry);
        entry = NULL;
    } else if (status == KW_OK) {
        status = entry != NULL || !is_ours ? KW_E_CLOSED : KW_OK;
        if (is_ours) {
            kw__shard_drop(worker, shard, fill);
        }
    } else if (is_ours) {
        kw__shard_drop(worker, shard, fill);
    }
    pthread_mutex_unlock(&shard->lock);
    if (entry != NULL) {
        kw__memory_put(worker, entry, kw__entry_size_of(entry));
    }
    kw__gone_tell(worker);
    return status;
}

bool kw_cache_witness(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                      struct kw_bytes value)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);
    struct kw_entry *entry = kw__shard_find(worker, shard, index, key);
    struct kw_entry_parts parts;

    if (entry == NULL) {
        return false;
    }
    parts = kw__entry_cut(entry);
    if ((entry->flags & KW_ENTRY_FILL) == 0 &&
        kw_bytes_equal(kw_bytes_of(parts.value, parts.value_len), value)) {
        return kw__entry_is_usable(worker, entry);
    }
    pthread_mutex_lock(&shard->lock);
    shard_witness(worker, shard, key, value);
    pthread_mutex_unlock(&shard->lock);
    kw__gone_tell(worker);
    return false;
}

static struct promise promise_of(const struct kw_entry *entry)
{
    struct kw_entry_parts parts;
    struct promise promise;

    parts = kw__entry_cut(entry);
    KW_ASSERT(parts.value_len == sizeof promise);
    memcpy(&promise, parts.value, sizeof promise);
    return promise;
}

static void promise_set(struct kw_entry *entry, const struct promise *promise)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    KW_ASSERT(parts.value_len == sizeof *promise);
    memcpy(parts.value, promise, sizeof *promise);
}

static bool promise_is_kept(const struct kw_cache_worker *worker, const struct kw_entry *entry,
                            uint64_t token, const struct kw_cache_value *value)
{
    struct promise promise = promise_of(entry);
    const struct kw_cache *cache = worker->cache;

    if (promise.token != token || kw__entry_is_over(entry, worker->now_ms) ||
        (value->domain != 0 && !kw__domain_is_open(cache, value->domain))) {
        return false;
    }
    return promise.need == NEED_NOTHING ||
           (promise.need == NEED_HASH &&
            promise.hash == kw_hash(value->bytes, cache->options.seed));
}

/* Under the lock: what is there now must agree with VALUE, or goes. */
static void shard_witness(struct kw_cache_worker *worker, struct kw_shard *shard,
                          const struct kw_cache_key *key, struct kw_bytes value)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *entry = kw__index_look(index, worker->arena, key, true);
    struct kw_entry_parts parts;

    if (entry == NULL) {
        return;
    }
    if ((entry->flags & KW_ENTRY_FILL) != 0) {
        struct promise promise = promise_of(entry);
        uint64_t hash = kw_hash(value, worker->cache->options.seed);
        if (promise.need == NEED_NOTHING) {
            promise.need = NEED_HASH;
            promise.hash = hash;
        } else if (promise.hash != hash) {
            promise.need = NEED_IMPOSSIBLE;
        }
        promise_set(entry, &promise);
        return;
    }
    parts = kw__entry_cut(entry);
    if (!kw_bytes_equal(kw_bytes_of(parts.value, parts.value_len), value)) {
        kw__shard_drop(worker, shard, entry);
        kw__count(&worker->invalidated_count, 1);
    }
}
