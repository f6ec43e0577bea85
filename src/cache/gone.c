/* gone.c - tells the user what expiry and eviction removed, when no lock is held.
 *
 * What is removed is so under a shard's lock, where no callback may run. So the entry is noted: it
 * is out of its list, and can't be freed before this worker's next tick, so it can wait in a queue
 * of the worker's own, one for each reason, linked by `prev`. Whatever call of cache.h removed it
 * tells the user before it returns.
 *
 * A callback may look up, put and remove. What that removes joins the queue; the call that is
 * telling already goes on with it, so callbacks never nest.
 *
 * INVARIANTS
 * N1  The queues are empty when a worker ticks or rests: what is in them is readable.
 * N2  An entry is noted at most once, by the worker that retired it.
 */
#include "base/assert.h"
#include "cache/internal.h"

static void gone_tell(struct kw_cache_worker *worker, enum kw_cache_reason reason);

void kw__gone_note(struct kw_cache_worker *worker, struct kw_entry *entry,
                   enum kw_cache_reason reason)
{
    const struct kw_cache *cache = worker->cache;

    KW_ASSERT(entry->place == KW_PLACE_NONE); /* N2 */
    if ((entry->flags & KW_ENTRY_FILL) != 0) {
        return;
    }
    kw__count(reason == KW_CACHE_EXPIRED ? &worker->expired_count : &worker->evicted_count, 1);
    if (cache->options.on_gone == NULL ||
        (entry->domain != 0 && !kw__domain_is_open(cache, entry->domain))) {
        return; /* of a closed domain: it was gone before */
    }
    uint32_t ref = kw_arena_ref(worker->arena, entry);
    struct kw_gone_queue *queue = &worker->gone[reason];
    entry->prev = 0;
    if (queue->first == 0) {
        queue->first = ref;
    } else {
        ((struct kw_entry *)kw_arena_at(worker->arena, queue->last))->prev = ref;
    }
    queue->last = ref;
}

void kw__gone_tell_all(struct kw_cache_worker *worker)
{
    if (worker->is_telling) {
        return;
    }
    worker->is_telling = true;
    while (worker->gone[KW_CACHE_EXPIRED].first != 0 || worker->gone[KW_CACHE_EVICTED].first != 0) {
        gone_tell(worker, KW_CACHE_EXPIRED);
        gone_tell(worker, KW_CACHE_EVICTED);
    }
    worker->is_telling = false;
}

static void gone_tell(struct kw_cache_worker *worker, enum kw_cache_reason reason)
{
    const struct kw_cache_options *options = &worker->cache->options;
    struct kw_gone_queue *queue = &worker->gone[reason];

    while (queue->first != 0) {
        struct kw_entry *entry = kw_arena_at(worker->arena, queue->first);
        struct kw_entry_parts parts;
        struct kw_cache_found found;

        queue->first = entry->prev;
        parts = kw__entry_cut(entry);
        kw__entry_show(worker, entry, &found);
        options->on_gone(options->user, worker, reason, kw_bytes_of(parts.name, parts.name_len),
                         &found);
    }
}
