/* due.c - keys whose objects have parts that end by themselves: fields of hashes with deadlines.
 *
 * For each such key the store knows when its next part ends, or a time before that. A tick looks
 * whether some have come due, and lets them go. A tick is before the commands of its moment, so
 * those see no key that has nothing left; except when very many come due at once, where the rest is
 * for the next ticks (commands on hashes look themselves).
 *
 * What is known here may be out of date: a key may be gone, or be something else by now. Then
 * nothing happens but that it is forgotten.
 *
 * Invariants:
 * U1  The lock is taken with stripes held, never the other way round.
 * U2  A hash with deadlines is known here, with a time no later than its first deadline.
 */
#include "base/mem.h"
#include "store/hashes/hash.h"
#include "store/internal.h"

enum { KEYS_MAX = 64 }; /* at a tick */

static struct kw_bytes due_take(struct kw_due *due, uint64_t now_ms);
static void due_pass(struct kw_store_worker *worker, struct kw_bytes name);
static void due_renew(struct kw_due *due);

void kw__due_init(struct kw_due *due)
{
    pthread_mutex_init(&due->lock, NULL);
    kw_deadlines_init(&due->names);
    atomic_init(&due->first_ms, UINT64_MAX);
}

void kw__due_deinit(struct kw_due *due)
{
    kw_deadlines_deinit(NULL, &due->names);
    pthread_mutex_destroy(&due->lock);
}

void kw__due_add(struct kw_due *due, struct kw_bytes name, uint64_t due_ms)
{
    pthread_mutex_lock(&due->lock); /* U1 */
    uint64_t known_ms = kw_deadlines_of(&due->names, name);
    if (known_ms == 0 || due_ms < known_ms) {
        kw_deadlines_set(NULL, &due->names, name, due_ms);
        due_renew(due);
    }
    pthread_mutex_unlock(&due->lock);
}

void kw__due_sweep(struct kw_store_worker *worker)
{
    struct kw_due *due = &worker->store->due;

    for (unsigned i = 0; i < KEYS_MAX && !worker->is_batching; i++) {
        if (atomic_load_explicit(&due->first_ms, memory_order_relaxed) > worker->now_ms) {
            return;
        }
        struct kw_bytes name = due_take(due, worker->now_ms);
        if (name.data == NULL) {
            return;
        }
        due_pass(worker, name);
        kw_free((char *)(uintptr_t)name.data);
    }
}

/* A copy of the first name, which is forgotten; nothing when it is not due. */
static struct kw_bytes due_take(struct kw_due *due, uint64_t now_ms)
{
    struct kw_bytes taken = {NULL, 0};
    struct kw_bytes name;

    pthread_mutex_lock(&due->lock);
    if (kw_deadlines_first(&due->names, &name) <= now_ms) {
        taken = kw_bytes_of(kw_text_copy_bytes(name), name.len);
        kw_deadlines_clear(NULL, &due->names, name);
        due_renew(due);
    }
    pthread_mutex_unlock(&due->lock);
    return taken;
}

static void due_pass(struct kw_store_worker *worker, struct kw_bytes name)
{
    struct kw_exec exec = {.worker = worker, .now_ms = worker->now_ms, .proto = 2};
    struct kw_stripe_set set = {{0}};
    struct kw_hash *hash = NULL;

    worker->key_last = (struct kw_cache_key){0};
    kw__stripes_add(&set, kw__stripe_of(kw__key_of(worker, name).hash));
    kw__stripes_take(worker, &set, false);
    if (kw_key_kind(&exec, name) == KW_KIND_HASH && kw__hash_find(&exec, name, &hash) == KW_FOUND) {
        kw__hash_watch(&exec, name, hash, true); /* U2 */
    }
    kw__cell_touch(worker, NULL); /* what was freed is taken off its cell */
    kw__stripes_give(worker, false);
    worker->key_last = (struct kw_cache_key){0}; /* NAME is about to be freed */
}

static void due_renew(struct kw_due *due)
{
    atomic_store_explicit(&due->first_ms, kw_deadlines_first(&due->names, NULL),
                          memory_order_relaxed);
}
