/* store.c - THE SPINE of the embedded store: one command from its row to its reply.
 *
 *   kw_store_run
 *     row of the command, by its id
 *     DENYOOM: is there room, or can some be made?        -> -OOM
 *     stripes of its keys (stripes.c), unless a batch holds them
 *     run: parse, look up, change, reply (a kw__do_...() of strings/, hashes/ ...)
 *     no room after all: what was removed is freed by a tick of the cache, once more
 *
 *     names -> hash -> stripe (a lock)          entry in the cache: name, value, deadline
 *                  \-> shard, bucket, entry     value: bytes of a string, or a pointer to an object
 *
 * INVARIANTS
 * E1  A command replies exactly once, and writes nothing before it can fail for want of room.
 * E2  Stripes are taken in ascending order, and before any lock of the cache's; no two commands
 *     that hold some wait for each other.
 * E3  Outside of commands a worker holds nothing it found: it may tick.
 * E4  Objects are changed by who holds their name's stripe, and freed when no worker that might
 *     have found them is still at it (cache/grace.h).
 */
#include "store/store.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "store/internal.h"

#include <sched.h>
#include <sys/random.h>

enum {
    ROOM_BYTES = 16 * 1024, /* what a command may need beside the value it is given */
    TRIES_MAX = 32,         /* ticks in which others let go of what was removed */
    TRIES_EAGER = 2,        /* of these, without leaving the processor to others */
    DISCARD_STEPS = 1024,  /* elements of large objects freed at a tick: a tenth of a millisecond */
    DISCARD_SHORT = 65536, /* and when a command waits for room: it is an object that was evicted */
    DISCARD_REST = 2048,   /* and when the worker is about to sleep */
    STRIPES_LATELY = 32,   /* commands that say what the next ones will be like */
    STRIPES_MANY = 16
};

static void store_on_drop(void *user, struct kw_cache_worker *cache, unsigned kind,
                          struct kw_bytes value);
static void store_on_gone(void *user, struct kw_cache_worker *cache, enum kw_cache_reason reason,
                          struct kw_bytes name, const struct kw_cache_found *found);
static size_t store_owned_bytes(void *user, struct kw_bytes value);
static bool store_has_room(struct kw_exec *exec);
static void store_execute(struct kw_exec *exec, const struct kw_store_row *row);
static void store_run_again(struct kw_exec *exec, const struct kw_store_row *row);

enum kw_status kw_store_new(const struct kw_store_options *options, struct kw_store **store)
{
    struct kw_store *made = kw_alloc_line(1, sizeof *made);
    struct kw_cache_options cache = {.memory_max_bytes = options->memory_max_bytes,
                                     .memory_reserved_bytes = options->memory_reserved_bytes,
                                     .policy = options->policy,
                                     .is_timed_only = options->is_timed_only,
                                     .has_huge_pages = options->has_huge_pages,
                                     .is_locked = options->is_locked,
                                     .workers_max = options->workers_max,
                                     .on_drop = store_on_drop,
                                     .on_gone = store_on_gone,
                                     .owned_bytes = store_owned_bytes,
                                     .user = made};

    *store = NULL;
    while (getrandom(&cache.seed, sizeof cache.seed, 0) != sizeof cache.seed) {
    }
    enum kw_status status = kw_cache_new(&cache, &made->cache);
    if (status != KW_OK) {
        kw_free(made);
        return status;
    }
    made->options = *options;
    atomic_init(&made->is_lfu, options->policy == KW_CACHE_LFU);
    made->rows = kw__rows_new();
    made->workers = kw_alloc_line(options->workers_max, sizeof made->workers[0]);
    pthread_mutex_init(&made->tickets_lock, NULL);
    pthread_mutex_init(&made->workers_lock, NULL);
    kw__due_init(&made->due);
    for (size_t i = 0; i < KW_STRIPES_COUNT; i++) {
        pthread_mutex_init(&made->stripes[i].lock, NULL);
    }
    *store = made;
    return KW_OK;
}

void kw_store_free(struct kw_store **store)
{
    struct kw_store *ending = *store;

    if (ending == NULL) {
        return;
    }
    kw_cache_free(&ending->cache);
    for (size_t i = 0; i < KW_STRIPES_COUNT; i++) {
        KW_ASSERT(ending->stripes[i].tickets == NULL);
        pthread_mutex_destroy(&ending->stripes[i].lock);
    }
    pthread_mutex_destroy(&ending->tickets_lock);
    pthread_mutex_destroy(&ending->workers_lock);
    kw__due_deinit(&ending->due);
    kw_free(ending->workers);
    kw_free(ending->rows);
    kw_free(ending);
    *store = NULL;
}

struct kw_store_worker *kw_store_join(struct kw_store *store,
                                      const struct kw_store_watcher *watcher, uint64_t now_ms)
{
    struct kw_store_worker *worker = NULL;

    pthread_mutex_lock(&store->workers_lock);
    for (unsigned i = 0; i < store->options.workers_max && worker == NULL; i++) {
        if (!store->workers[i].is_joined) {
            worker = &store->workers[i];
            memset(worker, 0, offsetof(struct kw_store_worker, changes_count));
            worker->store = store;
            worker->now_ms = now_ms;
            worker->packing = store->options.packing;
            worker->is_joined = true;
        }
    }
    pthread_mutex_unlock(&store->workers_lock);
    if (worker == NULL) {
        return NULL;
    }
    while (getrandom(&worker->random, sizeof worker->random, 0) != sizeof worker->random) {
    }
    if (watcher != NULL) {
        worker->watcher = *watcher;
    }
    worker->cache = kw_cache_join(store->cache, now_ms);
    KW_ASSERT(worker->cache != NULL); /* as many as workers_max */
    kw_cache_worker_set_owner(worker->cache, worker);
    return worker;
}

void kw_store_leave(struct kw_store_worker **worker)
{
    struct kw_store_worker *leaving = *worker;
    struct kw_store *store = leaving->store;

    kw__discard_some(leaving, SIZE_MAX);
    kw_cache_worker_set_owner(leaving->cache, NULL);
    kw_cache_leave(&leaving->cache);
    kw_free(leaving->scratch);
    pthread_mutex_lock(&store->workers_lock);
    leaving->is_joined = false;
    pthread_mutex_unlock(&store->workers_lock);
    *worker = NULL;
}

uint64_t kw_store_keys_count(struct kw_store *store)
{
    struct kw_cache_figures figures;

    kw_cache_figures(store->cache, &figures);
    return figures.entries_count;
}

void kw_store_tick(struct kw_store_worker *worker, uint64_t now_ms)
{
    worker->now_ms = now_ms;
    kw_cache_tick(worker->cache, now_ms); /* E3 */
    kw__due_sweep(worker);
    kw__discard_some(worker, DISCARD_STEPS);
}

void kw_store_tell(struct kw_store_worker *worker, bool of_new, bool of_missed)
{
    KW_ASSERT(worker->watcher.on_event != NULL);
    worker->tells_new = of_new;
    worker->tells_missed = of_missed;
    worker->is_reading = false;
}

void kw_store_rest(struct kw_store_worker *worker)
{
    kw__discard_some(worker, DISCARD_REST);
    kw_cache_rest(worker->cache);
}

uint64_t kw_store_upkeep_ms(const struct kw_store_worker *worker)
{
    uint64_t due_ms = atomic_load_explicit(&worker->store->due.first_ms, memory_order_relaxed);
    uint64_t upkeep_ms = kw_cache_upkeep_ms(worker->cache);

    if (worker->discards != NULL) {
        return worker->now_ms;
    }
    return due_ms < upkeep_ms ? due_ms : upkeep_ms;
}

unsigned kw_store_prepare(const struct kw_store_worker *worker, const struct kw_bytes *keys,
                          unsigned count)
{
    uint64_t hashes[KW_CACHE_PREPARE_MAX];
    bool is_write = worker->stripes_taken >= STRIPES_MANY;
    unsigned found = kw_cache_prepare(worker->cache, keys, count, is_write, hashes);

    for (unsigned i = 0; i < count && is_write; i++) {
        kw_prefetch_write(&worker->store->stripes[kw__stripe_of(hashes[i])]);
    }
    return (unsigned)__builtin_popcount(found);
}

enum kw_store_outcome kw_store_run(struct kw_store_worker *worker, const struct kw_command *command,
                                   const struct kw_argv *argv, int proto, struct kw_buf *out)
{
    const struct kw_store_row *row = &worker->store->rows[command->id];
    struct kw_exec exec = {.worker = worker,
                           .command = command,
                           .argv = argv->items,
                           .argc = argv->count,
                           .out = out,
                           .now_ms = worker->now_ms,
                           .proto = proto,
                           .is_batched = worker->is_batching,
                           .may_retry = true};

    if (row->run == NULL) {
        return KW_STORE_LACKS;
    }
    worker->key_last = (struct kw_cache_key){0};
    worker->cell_last = NULL;
    worker->heap_bytes = 0;
    if (__builtin_expect(worker->tells_missed, 0)) {
        worker->is_reading = (command->flags & KW_COMMAND_READ) != 0;
    }
    if ((command->flags & KW_COMMAND_DENYOOM) != 0 && !store_has_room(&exec)) {
        kw_exec_error(&exec, KW_ERROR_STORE_OOM, NULL);
        return KW_STORE_FAILED;
    }
    store_execute(&exec, row);
    if (__builtin_expect(exec.is_short, 0)) {
        store_run_again(&exec, row);
    }
    kw__cell_touch(worker, NULL);
    if (exec.blocks) {
        return KW_STORE_BLOCKS;
    }
    return exec.has_failed ? KW_STORE_FAILED : KW_STORE_DONE;
}

void kw_store_batch_add(struct kw_store_worker *worker, const struct kw_command *command,
                        const struct kw_argv *argv)
{
    KW_ASSERT(!worker->is_batching);
    worker->key_last = (struct kw_cache_key){0};
    kw__stripes_want(worker, &worker->batch, command, argv->items, argv->count);
}

void kw_store_batch_begin(struct kw_store_worker *worker)
{
    worker->is_batching = true;
    kw__stripes_take(worker, &worker->batch, true);
}

void kw_store_batch_end(struct kw_store_worker *worker)
{
    kw__stripes_give(worker, true);
    worker->batch = (struct kw_stripe_set){{0}};
    worker->is_batching = false;
}

/* An object that nobody can see any more. Its blocks go back through the worker whose tick it is;
 * while the store ends, through one that stands in.
 */
static void store_on_drop(void *user, struct kw_cache_worker *cache, unsigned kind,
                          struct kw_bytes value)
{
    struct kw_store *store = user;
    struct kw_store_worker stand_in = {.store = store, .cache = cache};
    struct kw_store_worker *worker = &stand_in;

    if (kw_cache_worker_owner(cache) != NULL) {
        worker = kw_cache_worker_owner(cache);
    }
    struct kw_cell *cell = kw__cell_of(value);
    if (cell->object != NULL) { /* else it was moved */
        kw__discard(worker, kw_object_kind((enum kw_kind)kind), cell->object);
    }
    kw_heap_put(worker, cell, sizeof *cell);
}

static size_t store_owned_bytes(void *user, struct kw_bytes value)
{
    int64_t bytes = atomic_load_explicit(&kw__cell_of(value)->bytes, memory_order_relaxed);

    (void)user;
    return bytes > 0 ? (size_t)bytes : 0;
}

/* Time or others took it: as redis tells of it. */
static void store_on_gone(void *user, struct kw_cache_worker *cache, enum kw_cache_reason reason,
                          struct kw_bytes name, const struct kw_cache_found *found)
{
    struct kw_store_worker *worker = kw_cache_worker_owner(cache);
    bool is_expired = reason == KW_CACHE_EXPIRED;

    (void)user;
    (void)found;
    if (worker != NULL) {
        kw__key_gone(worker, name, is_expired ? KW_STORE_EXPIRED : KW_STORE_EVICTED,
                     is_expired ? "expired" : "evicted");
    }
}

/* Room for the command and what it is given; made by evicting others, where the policy allows. */
static bool store_has_room(struct kw_exec *exec)
{
    return kw_cache_make_room(exec->worker->cache, ROOM_BYTES);
}

static void store_execute(struct kw_exec *exec, const struct kw_store_row *row)
{
    struct kw_store_worker *worker = exec->worker;
    struct kw_stripe_set set = {{0}};

    if (worker->is_batching || row->stripes == KW_STRIPES_NONE) {
        worker->stripes_taken -= worker->stripes_taken > 0;
        row->run(exec);
        return;
    }
    worker->stripes_taken += worker->stripes_taken < STRIPES_LATELY;
    unsigned single = row->stripes == KW_STRIPES_KEYS ? kw_keys_single(exec->command) : 0;
    if (single != 0) {
        struct kw_cache_key key = kw__key_of(worker, exec->argv[single]);
        unsigned number = kw__stripe_of(key.hash);
        struct kw_stripe *stripe = &worker->store->stripes[number];
        pthread_mutex_lock(&stripe->lock);
        kw__stripes_add(&worker->held, number);
        row->run(exec);
        worker->held.bits[number / 64] = 0;
        pthread_mutex_unlock(&stripe->lock);
        return;
    }
    unsigned count = kw__stripes_want(worker, &set, exec->command, exec->argv, exec->argc);
    bool is_turned = count > 1 && (exec->command->flags & KW_COMMAND_WRITE) != 0;
    kw__stripes_take(worker, &set, is_turned); /* E2 */
    row->run(exec);
    kw__stripes_give(worker, is_turned);
}

/* Room was made by removing others, and is free when every worker has let go of what it found. */
static void store_run_again(struct kw_exec *exec, const struct kw_store_row *row)
{
    for (unsigned tries = 1; exec->is_short; tries++) {
        exec->is_short = false;
        exec->may_retry = tries < TRIES_MAX; /* the last one answers: E1 */
        kw_cache_tick(exec->worker->cache, exec->now_ms);
        kw__discard_some(exec->worker, DISCARD_SHORT);
        if (tries > TRIES_EAGER) {
            sched_yield();
        }
        store_execute(exec, row);
    }
}
