/* cache.c - the public face: finding, putting, removing.
 *
 *     worker --hash--> shard (by the top bits) --index--> entry
 *
 * A hit: one hash, one bucket, one entry; no lock, no shared line is written but the entry's mark,
 * and that only until it is full. Everything that changes a shard takes its lock for less than a
 * microsecond. What is removed is retired (grace.h), so whoever found it may go on reading.
 *
 * Flushing gives each shard an empty index and keeps the full ones aside; ticks empty them, some
 * buckets at a time (sweep.c).
 *
 * INVARIANTS
 * C1  There is at most one entry of a name and variant in a shard's index.
 * C2  An entry in the index has its kw__entry_due() in the bounds above it (expire.c T1).
 * C3  An entry of a domain that is not open is never found, and never put.
 * C4  Locks: the cache's before a shard's; never two shards'.
 */
#include "cache/cache.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cache/cache_extra.h"
#include "cache/internal.h"

static bool cache_options_are_valid(const struct kw_cache_options *options);
static void cache_shape(struct kw_cache *cache);
static void shards_new(struct kw_cache *cache);
static void shards_free(struct kw_cache *cache, struct kw_cache_worker *worker);
static enum kw_status cache_put(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                struct kw_cache_value *value);
static enum kw_status shard_publish(struct kw_cache_worker *worker, struct kw_shard *shard,
                                    const struct kw_cache_key *key, struct kw_cache_value *value,
                                    struct kw_entry *entry);
static bool entry_keep_deadline(const struct kw_cache_worker *worker, struct kw_entry *entry,
                                const struct kw_entry *old, struct kw_cache_value *value);

enum { FULL_SHARE = 4 }; /* an entry takes at most this part of the room */

enum kw_status kw_cache_new(const struct kw_cache_options *options, struct kw_cache **cache)
{
    *cache = NULL;
    if (!cache_options_are_valid(options)) {
        return KW_E_INVALID;
    }
    struct kw_cache *made = kw_alloc_line(1, sizeof *made);
    made->options = *options;
    if (options->memory_reserved_bytes == 0) {
        made->options.memory_reserved_bytes = options->memory_max_bytes;
    }
    cache_shape(made);
    struct kw_arena_options arena = {.ceiling_bytes =
                                         made->options.memory_reserved_bytes - made->fixed_bytes,
                                     .has_huge_pages = options->has_huge_pages,
                                     .is_locked = options->is_locked};
    enum kw_status status = kw_arena_init(&made->arena, &arena);
    if (status != KW_OK) {
        kw_free(made);
        return status;
    }
    made->room_bytes = kw_arena_room_bytes(&made->arena);
    atomic_init(&made->budget_bytes, made->room_bytes - made->room_bytes / 64);
    status = kw_cache_set_memory_max(made, options->memory_max_bytes);
    KW_ASSERT(status == KW_OK);
    atomic_init(&made->policy, options->policy);
    atomic_init(&made->epoch, 2 * KW_BAGS); /* above every bag's first */
    pthread_mutex_init(&made->lock, NULL);
    shards_new(made);
    made->workers = kw_alloc_line(options->workers_max, sizeof made->workers[0]);
    for (unsigned i = 0; i < options->workers_max; i++) {
        atomic_init(&made->workers[i].seen, UINT64_MAX);
    }
    *cache = made;
    return KW_OK;
}

void kw_cache_free(struct kw_cache **cache)
{
    struct kw_cache *old = *cache;

    if (old == NULL) {
        return;
    }
    for (unsigned i = 0; i < old->options.workers_max; i++) {
        KW_ASSERT(!old->workers[i].is_joined);
    }
    struct kw_cache_worker *worker = kw_cache_join(old, 0);
    shards_free(old, worker);
    struct kw_tray tray = worker->tray;
    for (unsigned i = 0; i < old->options.workers_max; i++) {
        old->workers[i].tray = tray;
        kw__grace_end(&old->workers[i]);
        tray = old->workers[i].tray;
    }
    kw_tray_close(&tray);
    pthread_mutex_destroy(&old->lock);
    kw_arena_deinit(&old->arena);
    kw_free(old->workers);
    kw_free(old->shards);
    kw_free(old);
    *cache = NULL;
}

struct kw_cache_worker *kw_cache_join(struct kw_cache *cache, uint64_t now_ms)
{
    struct kw_cache_worker *worker = NULL;

    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < cache->options.workers_max && worker == NULL; i++) {
        if (!cache->workers[i].is_joined) {
            worker = &cache->workers[i];
            worker->is_joined = true;
            if (i >= atomic_load_explicit(&cache->joined_max, memory_order_relaxed)) {
                atomic_store_explicit(&cache->joined_max, i + 1, memory_order_seq_cst);
            }
            worker->shard_next = i;
            worker->random = cache->options.seed + i;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    if (worker != NULL) {
        worker->cache = cache;
        worker->arena = &cache->arena;
        kw_tray_open(&worker->tray, &cache->arena);
        worker->now_ms = now_ms;
        kw__grace_tick(worker);
    }
    return worker;
}

void kw_cache_worker_set_owner(struct kw_cache_worker *worker, void *owner)
{
    worker->owner = owner;
}

void *kw_cache_worker_owner(const struct kw_cache_worker *worker)
{
    return worker->owner;
}

void kw_cache_leave(struct kw_cache_worker **worker)
{
    struct kw_cache_worker *old = *worker;
    struct kw_cache *cache = old->cache;

    /* What others may still see stays in the bags, for who takes this place next. */
    for (unsigned i = 0; i < KW_BAGS; i++) {
        kw__grace_tick(old);
    }
    kw__grace_rest(old);
    kw__live_fold(old);
    kw_tray_close(&old->tray);
    old->owner = NULL;
    pthread_mutex_lock(&cache->lock);
    old->is_joined = false;
    pthread_mutex_unlock(&cache->lock);
    *worker = NULL;
}

void kw_cache_tick(struct kw_cache_worker *worker, uint64_t now_ms)
{
    struct kw_cache *cache = worker->cache;

    kw__grace_tick(worker);
    if (atomic_load_explicit(&cache->flushed_count, memory_order_relaxed) != 0) {
        kw__sweep_flushed(worker);
    }
    if (atomic_load_explicit(&cache->is_sweeping, memory_order_relaxed) != 0) {
        kw__sweep_domains(worker);
    }
    if (atomic_load_explicit(&cache->is_torn, memory_order_relaxed) != 0) {
        kw__move_step(worker);
    }
    if (now_ms != worker->now_ms) {
        worker->now_ms = now_ms;
        kw__sweep_expired(worker);
        kw__room_recover(worker);
        kw__room_trim(worker);
        if (atomic_load_explicit(&cache->is_requeuing, memory_order_relaxed) != 0) {
            kw__sweep_requeue(worker);
        }
    }
    kw__gone_tell(worker);
}

void kw_cache_rest(struct kw_cache_worker *worker)
{
    kw__grace_rest(worker);
}

struct kw_cache_key kw_cache_key(const struct kw_cache_worker *worker, struct kw_bytes name,
                                 struct kw_bytes variant)
{
    return (struct kw_cache_key){name, variant, kw_hash(name, worker->cache->options.seed)};
}

bool kw_cache_get(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                  struct kw_cache_found *found)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);
    struct kw_entry *entry = kw__shard_find(worker, shard, index, key);

    if (entry == NULL || !kw__entry_is_usable(worker, entry)) {
        kw__count(&worker->misses_count, 1);
        return false;
    }
    kw__evict_touch(worker, shard, index, entry);
    kw__count(&worker->hits_count, 1);
    kw__entry_show(worker, entry, found);
    return true;
}

bool kw_cache_may_have(struct kw_cache_worker *worker, uint64_t hash)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, hash);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);

    return kw__index_may_have(index, worker->arena, hash);
}

bool kw_cache_hold(struct kw_cache_worker *worker, const struct kw_cache_found *found)
{
    KW_ASSERT(found->entry != NULL);
    (void)worker;
    if ((found->entry->flags & KW_ENTRY_LONG) == 0) {
        return false;
    }
    /* It can't be the last hold that is given up: who found it, before its next tick. */
    atomic_fetch_add_explicit(&kw__entry_long(found->entry)->holds_count, 1, memory_order_relaxed);
    return true;
}

void kw_cache_release(struct kw_cache_worker *worker, struct kw_entry *entry)
{
    kw__entry_free(worker, entry);
}

enum kw_status kw_cache_put(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                            const struct kw_cache_value *value)
{
    struct kw_cache_value wanted = *value;
    enum kw_status status = KW_AGAIN;

    while (status == KW_AGAIN) {
        status = cache_put(worker, key, &wanted);
    }
    kw__gone_tell(worker);
    return status;
}

bool kw_cache_remove(struct kw_cache_worker *worker, const struct kw_cache_key *key)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);

    if (kw__shard_find(worker, shard, index, key) == NULL) {
        return false; /* most are: no lock for them */
    }
    pthread_mutex_lock(&shard->lock);
    index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *entry = kw__index_look(index, worker->arena, key, true);
    bool is_found = entry != NULL && kw__entry_is_usable(worker, entry);
    if (entry != NULL) {
        kw__shard_drop(worker, shard, entry);
    }
    pthread_mutex_unlock(&shard->lock);
    kw__gone_tell(worker);
    return is_found;
}

unsigned kw_cache_invalidate(struct kw_cache_worker *worker, const struct kw_cache_key *key)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    unsigned count = 0;

    pthread_mutex_lock(&shard->lock);
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    for (;;) {
        struct kw_entry *entry = kw__index_look(index, worker->arena, key, false);
        if (entry == NULL) {
            break;
        }
        kw__shard_drop(worker, shard, entry);
        count++;
    }
    pthread_mutex_unlock(&shard->lock);
    kw__count(&worker->invalidated_count, count);
    kw__gone_tell(worker);
    return count;
}

struct kw_entry *kw__shard_find(struct kw_cache_worker *worker, struct kw_shard *shard,
                                const struct kw_index *index, const struct kw_cache_key *key)
{
    bool is_certain = true;
    struct kw_entry *entry = kw__index_find(index, worker->arena, key, &is_certain);

    if (!is_certain) {
        pthread_mutex_lock(&shard->lock);
        entry = kw__index_look(index, worker->arena, key, true);
        pthread_mutex_unlock(&shard->lock);
    }
    return entry;
}

void kw__entry_show(const struct kw_cache_worker *worker, struct kw_entry *entry,
                    struct kw_cache_found *found)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    found->value = kw_bytes_of(parts.value, parts.value_len);
    found->deadline_ms = kw__entry_deadline_ms(entry, worker->now_ms);
    found->kind = entry->flags >> KW_ENTRY_KIND_SHIFT;
    found->domain = entry->domain;
    found->entry = entry;
}

bool kw__entry_is_usable(const struct kw_cache_worker *worker, const struct kw_entry *entry)
{
    if ((entry->flags & KW_ENTRY_FILL) != 0 || kw__entry_is_over(entry, worker->now_ms)) {
        return false;
    }
    return entry->domain == 0 || kw__domain_is_open(worker->cache, entry->domain); /* C3 */
}

enum kw_status kw__entry_make(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                              const struct kw_cache_value *value, struct kw_entry **entry)
{
    struct kw_cache *cache = worker->cache;
    bool is_long = value->is_owned || kw__entry_must_be_long(key, value->bytes.len,
                                                             value->deadline_ms, worker->now_ms);

    size_t limit_bytes = atomic_load_explicit(&cache->limit_bytes, memory_order_relaxed);
    if (key->name.len > KW_CACHE_NAME_MAX_BYTES || key->variant.len > KW_CACHE_VARIANT_MAX_BYTES ||
        kw__entry_size(key, value->bytes.len, is_long) > limit_bytes / FULL_SHARE) {
        return KW_E_FULL;
    }
    size_t size_bytes = kw__entry_size(key, value->bytes.len, is_long);
    void *block = kw__room_get(worker, kw__shard_of(cache, key->hash), size_bytes);
    if (block == NULL) {
        return KW_E_MEMORY;
    }
    *entry = kw__entry_write(block, key, value, is_long, worker->now_ms);
    kw__count(&worker->puts_count, 1);
    return KW_OK;
}

void kw__entry_give_up(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry, enum kw_status status)
{
    kw__memory_put(worker, entry, kw__entry_size_of(entry));
    if (status == KW_E_MEMORY) {
        kw__room_refused(worker, shard, KW_SEGMENT_BUCKETS * sizeof(struct kw_bucket));
    }
}

void kw__shard_replace(struct kw_cache_worker *worker, struct kw_shard *shard,
                       const struct kw_cache_key *key, _Atomic uint32_t *slot, struct kw_entry *old,
                       struct kw_entry *entry)
{
    bool is_fill = (old->flags & KW_ENTRY_FILL) != 0;
    bool is_over = kw__entry_is_over(old, worker->now_ms);

    kw__evict_enter(worker, shard, key->hash, entry, is_fill ? NULL : old);
    atomic_store_explicit(slot, kw_arena_ref(worker->arena, entry), memory_order_release);
    kw__evict_leave(worker, shard, old);
    shard->timed_count += kw__entry_is_timed(entry) - kw__entry_is_timed(old);
    kw__grace_retire(worker, old);
    if (is_over) {
        kw__gone_note(worker, old, KW_CACHE_EXPIRED);
    }
    kw__shard_time(worker, shard, key->hash, entry);
}

void kw__shard_time(struct kw_cache_worker *worker, struct kw_shard *shard, uint64_t hash,
                    const struct kw_entry *entry)
{
    uint32_t entry_due = kw__entry_due(entry);

    if (entry_due == 0) {
        return; /* and the line that all who look up read is not written */
    }
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    kw__expire_lower(index, worker->arena, kw__index_number(index, hash), entry_due); /* C2 */
    _Atomic uint32_t *due = kw__shard_due(worker->cache, shard);
    if (atomic_load_explicit(due, memory_order_relaxed) != index->due) {
        atomic_store_explicit(due, index->due, memory_order_relaxed);
    }
}

bool kw__shard_drop(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    bool is_over = kw__entry_is_over(entry, worker->now_ms);

    kw__index_remove(index, worker->arena, kw__hash_of(worker, entry), entry);
    kw__evict_leave(worker, shard, entry);
    shard->timed_count -= kw__entry_is_timed(entry);
    kw__grace_retire(worker, entry);
    if (is_over) {
        kw__gone_note(worker, entry, KW_CACHE_EXPIRED);
    }
    return is_over;
}

uint64_t kw__hash_of(const struct kw_cache_worker *worker, const struct kw_entry *entry)
{
    struct kw_entry_parts parts = kw__entry_cut(entry);

    return kw_hash(kw_bytes_of(parts.name, parts.name_len), worker->cache->options.seed);
}

static bool cache_options_are_valid(const struct kw_cache_options *options)
{
    return options->memory_max_bytes >= KW_CACHE_MEMORY_MIN_BYTES &&
           (options->memory_reserved_bytes == 0 ||
            options->memory_reserved_bytes >= options->memory_max_bytes) &&
           options->workers_max >= 1 && options->workers_max <= KW_WORKERS_MAX &&
           (unsigned)options->policy < KW_CACHE_POLICY_COUNT;
}

/* How many shards, and what the tables beside the arena take. */
static void cache_shape(struct kw_cache *cache)
{
    size_t memory_bytes = cache->options.memory_reserved_bytes;
    unsigned bits = 0;

    while ((1u << bits) < KW_SHARDS_MAX && memory_bytes >> (bits + 1) >= KW_SHARD_MIN_BYTES) {
        bits++;
    }
    cache->shards_count = 1u << bits;
    cache->shard_shift = 32 - bits;
    cache->fixed_bytes = sizeof *cache + cache->options.workers_max * sizeof cache->workers[0];
    cache->fixed_bytes +=
        cache->shards_count * (sizeof(struct kw_shard) + sizeof(struct kw_index) +
                               kw__admit_bytes(memory_bytes / cache->shards_count));
}

static void shards_new(struct kw_cache *cache)
{
    cache->shards = kw_alloc_line(cache->shards_count, sizeof cache->shards[0]);
    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *shard = &cache->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        atomic_init(&shard->index, kw__index_new());
        kw__admit_init(&shard->admit, cache->options.memory_reserved_bytes / cache->shards_count);
        shard->policy = cache->options.policy;
        shard->is_timed_only = cache->options.is_timed_only;
    }
}

static void shards_free(struct kw_cache *cache, struct kw_cache_worker *worker)
{
    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *shard = &cache->shards[i];
        struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
        index->next = shard->flushed;
        shard->flushed = index;
        while (shard->flushed != NULL) {
            kw__sweep_shard(worker, shard, UINT32_MAX);
            struct kw_index *empty = shard->flushed;
            shard->flushed = empty->next;
            kw__index_free(&empty, worker);
        }
        kw__admit_deinit(&shard->admit);
        pthread_mutex_destroy(&shard->lock);
    }
}

/* KW_AGAIN: VALUE has got the deadline that is to be kept, for which its entry must be longer. */
static enum kw_status cache_put(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                struct kw_cache_value *value)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_entry *entry = NULL;
    enum kw_status status = kw__entry_make(worker, key, value, &entry);

    if (status != KW_OK) {
        return status;
    }
    pthread_mutex_lock(&shard->lock);
    status = shard_publish(worker, shard, key, value, entry);
    pthread_mutex_unlock(&shard->lock);
    if (status != KW_OK) {
        kw__entry_give_up(worker, shard, entry, status);
    }
    return status;
}

/* Under the lock. On failure ENTRY is nowhere. */
static enum kw_status shard_publish(struct kw_cache_worker *worker, struct kw_shard *shard,
                                    const struct kw_cache_key *key, struct kw_cache_value *value,
                                    struct kw_entry *entry)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);

    if (entry->domain != 0 && !kw__domain_is_open(worker->cache, entry->domain)) {
        return KW_E_CLOSED; /* C3 */
    }
    struct kw_entry *old = NULL;
    _Atomic uint32_t *slot = kw__index_slot(index, worker->arena, key, &old); /* C1 */
    if (value->keeps_deadline && !entry_keep_deadline(worker, entry, old, value)) {
        return KW_AGAIN;
    }
    if (old != NULL) {
        kw__shard_replace(worker, shard, key, slot, old, entry);
        return KW_OK;
    }
    entry->place = KW_PLACE_NONE;
    if (!kw__index_add(index, worker, key->hash, entry)) {
        return KW_E_MEMORY;
    }
    kw__evict_enter(worker, shard, key->hash, entry, NULL);
    shard->timed_count += kw__entry_is_timed(entry);
    kw__shard_time(worker, shard, key->hash, entry);
    return KW_OK;
}

/* ENTRY gets the deadline of OLD; false when it can't hold that. */
static bool entry_keep_deadline(const struct kw_cache_worker *worker, struct kw_entry *entry,
                                const struct kw_entry *old, struct kw_cache_value *value)
{
    bool is_kept = old != NULL && kw__entry_is_usable(worker, old);

    value->deadline_ms = is_kept ? kw__entry_deadline_ms(old, worker->now_ms) : 0;
    return kw__entry_set_deadline(entry, value->deadline_ms, worker->now_ms);
}
