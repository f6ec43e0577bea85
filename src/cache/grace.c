/* grace.c - removed entries are freed when every worker has ticked since.
 *
 *     epoch   e              e+1            e+2
 *     A       retires x ---------------------- frees x
 *     B       reads x | tick: seen e+1 | tick: seen e+2
 *
 * Workers tick when they hold nothing: at the end of a loop's turn. The epoch moves from e to e+1
 * when every worker that is awake has ticked in e. Whoever found x before it was removed (in epoch
 * e at the latest) must tick twice before the epoch is e+2, and lets go of x by the first. So a hit
 * pays nothing for its safety: no lock, no count, no fence.
 *
 * A worker that sleeps in its loop rests, and isn't waited for; one that hangs holds all memory
 * that is removed meanwhile, and puts are refused in the end: never freed too early.
 *
 * INVARIANTS
 * G1  A worker that is awake has seen the epoch or the one before.
 * G2  A bag holds entries of one epoch; it is emptied when the epoch is two further.
 * G3  An entry is retired once, after it left index and lists.
 */
#include "cache/grace.h"

#include "base/assert.h"
#include "base/mem.h"
#include "cache/internal.h"

enum {
    BAG_FIRST = 64,       /* entries that a bag has room for at first */
    BAG_KEPT = 128 * 1024 /* a larger one gives its memory back when it is empty */
};

static const uint64_t RESTING = UINT64_MAX;

static void epoch_advance(struct kw_cache *cache);
static void bag_add(struct kw_bag *bag, uint32_t ref, uint32_t size_bytes);
static void bag_empty(struct kw_cache_worker *worker, struct kw_bag *bag);
static void owned_release(struct kw_cache_worker *worker, struct kw_entry *entry);

void kw__grace_retire(struct kw_cache_worker *worker, struct kw_entry *entry)
{
    uint64_t epoch = atomic_load_explicit(&worker->cache->epoch, memory_order_seq_cst);
    struct kw_bag *bag = &worker->bags[epoch % KW_BAGS];

    KW_ASSERT(entry->place == KW_PLACE_NONE); /* G3 */
    if (bag->epoch != epoch) {
        bag_empty(worker, bag); /* three epochs old at least: G2 */
        bag->epoch = epoch;
    }
    size_t size_bytes = kw__entry_size_of(entry);
    kw__live_add(worker, -(int64_t)kw_arena_block_bytes(size_bytes));
    if ((entry->flags & KW_ENTRY_OWNED) != 0) {
        owned_release(worker, entry);
    }
    /* Owned ones are long. */
    bool is_plain = (entry->flags & KW_ENTRY_LONG) == 0;
    bag_add(bag, kw_arena_ref(worker->arena, entry), is_plain ? (uint32_t)size_bytes : 0);
}

void kw__grace_tick(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;
    uint64_t epoch = atomic_load_explicit(&cache->epoch, memory_order_seq_cst);

    KW_ASSERT(!worker->is_telling);
    KW_ASSERT(worker->gone[0].first == 0 && worker->gone[1].first == 0); /* gone.c N1 */
    if (atomic_load_explicit(&worker->seen, memory_order_relaxed) != epoch) {
        /* From RESTING the epoch may move on between the load and the store: again until seen. */
        do {
            epoch = atomic_load_explicit(&cache->epoch, memory_order_seq_cst);
            atomic_store_explicit(&worker->seen, epoch, memory_order_seq_cst);
        } while (atomic_load_explicit(&cache->epoch, memory_order_seq_cst) != epoch);
    }
    if (kw__grace_is_waited_for(worker)) {
        epoch_advance(cache);
        kw__grace_reclaim(worker);
    }
}

void kw__grace_rest(struct kw_cache_worker *worker)
{
    KW_ASSERT(!worker->is_telling);
    KW_ASSERT(worker->gone[0].first == 0 && worker->gone[1].first == 0); /* gone.c N1 */
    atomic_store_explicit(&worker->seen, RESTING, memory_order_seq_cst);
}

void kw__grace_reclaim(struct kw_cache_worker *worker)
{
    uint64_t epoch = kw__grace_now(worker->cache);

    if (epoch == worker->epoch_seen) {
        return; /* nothing has become free since the last time */
    }
    worker->epoch_seen = epoch;
    for (size_t i = 0; i < KW_BAGS; i++) {
        if (worker->bags[i].count != 0 && kw__grace_is_past(worker->cache, worker->bags[i].epoch)) {
            bag_empty(worker, &worker->bags[i]);
        }
    }
}

void kw__grace_end(struct kw_cache_worker *worker)
{
    for (size_t i = 0; i < KW_BAGS; i++) {
        bag_empty(worker, &worker->bags[i]);
        kw_free(worker->bags[i].items);
        worker->bags[i] = (struct kw_bag){0};
    }
}

bool kw__grace_is_waited_for(const struct kw_cache_worker *worker)
{
    const struct kw_cache *cache = worker->cache;

    return worker->bags[0].count != 0 || worker->bags[1].count != 0 || worker->bags[2].count != 0 ||
           atomic_load_explicit(&cache->flushed_count, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&cache->is_sweeping, memory_order_relaxed) != 0;
}

bool kw__grace_is_past(const struct kw_cache *cache, uint64_t epoch)
{
    return kw__grace_now(cache) >= epoch + 2; /* G2 */
}

uint64_t kw__grace_now(const struct kw_cache *cache)
{
    return atomic_load_explicit(&cache->epoch, memory_order_seq_cst);
}

void kw__entry_free(struct kw_cache_worker *worker, struct kw_entry *entry)
{
    struct kw_cache *cache = worker->cache;

    if ((entry->flags & KW_ENTRY_LONG) != 0 &&
        atomic_fetch_sub_explicit(&kw__entry_long(entry)->holds_count, 1, memory_order_acq_rel) !=
            1) {
        return; /* somebody else holds it, and frees it */
    }
    if ((entry->flags & KW_ENTRY_OWNED) != 0 && cache->options.on_drop != NULL) {
        struct kw_entry_parts parts = kw__entry_cut(entry);
        /* Each block is taken off as it comes back. */
        kw__live_add(worker, kw__entry_long(entry)->owned_bytes);
        cache->options.on_drop(cache->options.user, worker, entry->flags >> KW_ENTRY_KIND_SHIFT,
                               kw_bytes_of(parts.value, parts.value_len));
    }
    kw_tray_put(&worker->tray, entry, kw__entry_size_of(entry));
}

static void epoch_advance(struct kw_cache *cache)
{
    uint64_t epoch = kw__grace_now(cache);

    /* Read after the epoch: who joins later has seen this epoch, or sees the next. */
    unsigned count = atomic_load_explicit(&cache->joined_max, memory_order_seq_cst);
    for (unsigned i = 0; i < count; i++) {
        uint64_t seen = atomic_load_explicit(&cache->workers[i].seen, memory_order_seq_cst);
        if (seen != RESTING && seen != epoch) {
            KW_DEBUG_ASSERT(seen + 1 >= epoch || kw__grace_now(cache) != epoch); /* G1 */
            return;
        }
    }
    atomic_compare_exchange_strong(&cache->epoch, &epoch, epoch + 1);
}

static void bag_add(struct kw_bag *bag, uint32_t ref, uint32_t size_bytes)
{
    if (bag->count == bag->capacity) {
        bag->capacity = bag->capacity == 0 ? BAG_FIRST : 2 * bag->capacity;
        bag->items = kw_realloc(bag->items, bag->capacity * sizeof *bag->items);
    }
    bag->items[bag->count++] = (struct kw_retired){ref, size_bytes};
}

static void bag_empty(struct kw_cache_worker *worker, struct kw_bag *bag)
{
    if (bag->count == 0) {
        return; /* nor has who never joined a cache */
    }
    for (uint32_t i = 0; i < bag->count; i++) {
        void *entry = kw_arena_at(worker->arena, bag->items[i].ref);
        if (bag->items[i].size_bytes != 0) {
            kw_tray_put(&worker->tray, entry, bag->items[i].size_bytes);
        } else {
            kw__entry_free(worker, entry);
        }
    }
    bag->count = 0;
    if (bag->capacity > BAG_KEPT) {
        kw_free(bag->items);
        bag->items = NULL;
        bag->capacity = 0;
    }
}

/* What the value of ENTRY, which is retired, refers to counts as free: else eviction would go on
 * until it is. A figure that is too large for 32 bits is cut; one that can't be is, too.
 */
static void owned_release(struct kw_cache_worker *worker, struct kw_entry *entry)
{
    struct kw_cache *cache = worker->cache;
    struct kw_entry_parts parts;

    if (cache->options.owned_bytes == NULL) {
        return;
    }
    parts = kw__entry_cut(entry);
    size_t bytes =
        cache->options.owned_bytes(cache->options.user, kw_bytes_of(parts.value, parts.value_len));
    size_t live = kw__live_bytes(worker);
    bytes = bytes < live ? bytes : live;
    bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX;
    kw__entry_long(entry)->owned_bytes = (uint32_t)bytes;
    kw__live_add(worker, -(int64_t)bytes);
}
