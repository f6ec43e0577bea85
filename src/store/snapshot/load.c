/* load.c - blocks to keys. First every block's checksum is looked at, then the records are read:
 * by several threads, each of which takes the next block that nobody has taken.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/snapshot/file.h"
#include "store/snapshot/snapshot.h"

enum {
    TRIES_MAX = 64,      /* ticks in which room is made for a key */
    RECORD_MIN_BYTES = 4 /* of kind, deadline, name, value */
};

struct load {
    struct kw_store *store;
    const struct kw_snapshot_picture *picture;
    bool is_checking; /* checksums alone */
    uint64_t now_ms;
    _Atomic size_t next_block;
    _Atomic uint64_t keys_count;
    _Atomic uint64_t left_out_count;
    _Atomic bool is_damaged;
};

static bool load_pass(struct load *load, unsigned threads);
static void *load_thread(void *arg);
static void load_block(struct load *load, struct kw_store_worker *worker, size_t index);
static bool load_record(struct load *load, struct kw_exec *exec, struct kw_unpack *unpack);
static bool put_record(struct kw_exec *exec, unsigned kind, uint64_t deadline_ms,
                       struct kw_bytes name, struct kw_bytes value);

enum kw_status kw_snapshot_load(struct kw_store *store, const char *path, unsigned threads,
                                struct kw_snapshot_figures *figures)
{
    uint64_t begun_ms = kw_clock_ms();
    struct kw_snapshot_picture picture;

    *figures = (struct kw_snapshot_figures){0};
    enum kw_status status = kw__snapshot_map(path, &picture);
    if (status != KW_OK) {
        return status;
    }
    struct load load = {.store = store, .picture = &picture, .now_ms = kw_clock_wall_ms()};
    load.is_checking = true;
    bool is_whole = load_pass(&load, threads);
    load.is_checking = false;
    is_whole = is_whole && load_pass(&load, threads) &&
               atomic_load(&load.keys_count) == picture.keys_count;
    if (!is_whole) {
        struct kw_store_worker *worker = kw_store_join(store, NULL, load.now_ms);
        kw_cache_flush(worker->cache);
        kw_store_leave(&worker);
    }
    *figures = (struct kw_snapshot_figures){.keys_count = atomic_load(&load.keys_count) -
                                                          atomic_load(&load.left_out_count),
                                            .left_out_count = atomic_load(&load.left_out_count),
                                            .bytes_count = picture.bytes.len,
                                            .took_ms = kw_clock_ms() - begun_ms};
    kw__snapshot_unmap(&picture);
    return is_whole ? KW_OK : KW_E_INVALID;
}

/* Look at all blocks with THREADS threads; false when something is damaged. */
static bool load_pass(struct load *load, unsigned threads)
{
    pthread_t others[KW_WORKERS_MAX];
    unsigned count = 0;

    atomic_store(&load->next_block, 0);
    while (count + 1 < threads && count < KW_WORKERS_MAX - 1 &&
           pthread_create(&others[count], NULL, load_thread, load) == 0) {
        count++;
    }
    load_thread(load);
    while (count > 0) {
        pthread_join(others[--count], NULL);
    }
    return !atomic_load(&load->is_damaged);
}

static void *load_thread(void *arg)
{
    struct load *load = arg;
    struct kw_store_worker *worker = NULL;

    if (!load->is_checking) {
        worker = kw_store_join(load->store, NULL, load->now_ms);
    }
    if (load->is_checking || worker != NULL) {
        for (;;) {
            size_t index = atomic_fetch_add(&load->next_block, 1);
            if (index >= load->picture->blocks_count || atomic_load(&load->is_damaged)) {
                break;
            }
            load_block(load, worker, index);
        }
    }
    if (worker != NULL) {
        kw_store_leave(&worker);
    }
    return NULL;
}

static void load_block(struct load *load, struct kw_store_worker *worker, size_t index)
{
    struct kw_unpack unpack = {.rest = load->picture->blocks[index].payload};

    if (load->is_checking) {
        if (!kw__snapshot_is_whole(load->picture, index)) {
            atomic_store(&load->is_damaged, true);
        }
        return;
    }
    struct kw_exec exec = {.worker = worker, .now_ms = load->now_ms, .proto = 2};
    while (unpack.rest.len > 0 && load_record(load, &exec, &unpack)) {
    }
    if (!kw_unpack_ends_well(&unpack)) {
        atomic_store(&load->is_damaged, true);
    }
}

/* False: it is damaged. */
static bool load_record(struct load *load, struct kw_exec *exec, struct kw_unpack *unpack)
{
    uint64_t kind = kw_unpack_number(unpack);
    uint64_t deadline_ms = kw_unpack_number(unpack);
    struct kw_bytes name = kw_unpack_bytes(unpack);
    struct kw_bytes value = kw_unpack_bytes(unpack);

    if (unpack->is_damaged || kind > KW_FORM_EMBEDDED) {
        unpack->is_damaged = true;
        return false;
    }
    atomic_fetch_add(&load->keys_count, 1);
    if (deadline_ms != 0 && deadline_ms <= load->now_ms) {
        return true; /* its time came while keyway was away */
    }
    exec->may_retry = true;
    for (unsigned tries = 0; tries < TRIES_MAX && exec->may_retry; tries++) {
        exec->is_short = false;
        if (!put_record(exec, (unsigned)kind, deadline_ms, name, value)) {
            unpack->is_damaged = true;
            return false;
        }
        kw_cache_tick(exec->worker->cache, load->now_ms);
        if (!exec->is_short) {
            return true;
        }
    }
    atomic_fetch_add(&load->left_out_count, 1);
    return true;
}

/* False: VALUE is no such object. No room: exec->is_short. */
static bool put_record(struct kw_exec *exec, unsigned kind, uint64_t deadline_ms,
                       struct kw_bytes name, struct kw_bytes value)
{
    exec->worker->key_last = (struct kw_cache_key){0};
    if (kind >= KW_KIND_COUNT || kind == KW_KIND_STRING) {
        (void)kw__key_put_form(exec, name, kind, value, deadline_ms);
        return true;
    }
    void *object = kw_object_kind((enum kw_kind)kind)->load(exec->worker, value);
    if (object != NULL) {
        (void)kw_key_put_object(exec, name, (enum kw_kind)kind, object, deadline_ms);
    }
    return object != NULL;
}
