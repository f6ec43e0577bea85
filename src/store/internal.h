/* internal.h - the store, its stripes and its workers, for the files of this room.
 *
 * Thread: what each field says. Memory: the store owns stripes, workers and rows.
 */
#ifndef KW_STORE_INTERNAL_H
#define KW_STORE_INTERNAL_H

#include "base/assert.h"
#include "base/prefetch.h"
#include "cache/cache_extra.h"
#include "command/keys.h"
#include "store/exec.h"
#include "store/heap.h"
#include "store/keyspace.h"
#include "store/object.h"
#include "store/store.h"
#include "store/tables/deadlines.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    KW_STRIPES_COUNT = 256,
    KW_STRIPE_WORDS = KW_STRIPES_COUNT / 64,
    KW_STRIPE_SHIFT = 48, /* of a hash: bits that neither shards, tags nor buckets live by */
    KW_STRING_MAX_BYTES = 512 * 1024 * 1024,
    KW_SCRATCH_KEPT_BYTES = 64 * 1024 /* of a worker, between commands */
};

/* How entries of the cache say what kind they are: enum kw_kind, and two more kinds of strings,
 * which differ for OBJECT ENCODING only.
 */
enum {
    KW_FORM_PLAIN = KW_KIND_STRING, /* a number, short or long: as its bytes say */
    KW_FORM_RAW = KW_KIND_COUNT,    /* changed in place: redis says "raw" */
    KW_FORM_EMBEDDED                /* a float's text: redis says "embstr" */
};

/* Which stripes a command takes. */
enum kw_store_stripes {
    KW_STRIPES_NONE = 0, /* plain reads of one key: see keyspace.c */
    KW_STRIPES_KEYS,     /* those of its keys */
    KW_STRIPES_ALL,
    KW_STRIPES_PATTERNS /* those of its keys; all, when keys are named by patterns: SORT */
};

struct kw_store_row {
    kw_exec_run *run; /* NULL: the store has no such command */
    uint8_t stripes;  /* enum kw_store_stripes */
};

/* A lock, for the names whose hashes have its number. */
struct kw_stripe {
    _Alignas(KW_LINE_BYTES) pthread_mutex_t lock;
    _Atomic uint32_t turn; /* odd while names under it change together: written under the lock */
    _Atomic uint32_t tickets_count;
    struct kw_store_ticket *tickets; /* under the store's tickets_lock */
};

struct kw_stripe_set {
    uint64_t bits[KW_STRIPE_WORDS];
};

/* When keys have parts that end: due.c. */
struct kw_due {
    pthread_mutex_t lock;
    _Atomic uint64_t first_ms;
    struct kw_deadlines names; /* under the lock, on the process's heap */
};

struct kw_discard;
struct kw_snapshot;

/* What the value of an entry points to when it is no string. */
struct kw_cell {
    void *object;          /* NULL: it has another cell now (RENAME) */
    _Atomic int64_t bytes; /* about what the object takes: changed by who holds the stripe */
};

struct kw_store_worker {
    struct kw_store *store;
    struct kw_cell *cell_last; /* of the object looked at last by this command */
    int64_t heap_bytes;        /* got for objects and not yet put down to a cell */
    struct kw_cache_worker *cache;
    struct kw_store_watcher watcher;
    uint64_t now_ms;
    struct kw_cache_key key_last; /* the name hashed last; its bytes live as long as the command */
    struct kw_stripe_set held;
    struct kw_stripe_set batch;
    char *scratch; /* owned: where next values are put together */
    size_t scratch_bytes;
    struct kw_discard *discards; /* objects that are being freed: discard.c */
    uint64_t random;             /* state of kw_table_random() */
    struct kw_packing packing;   /* what is small: kw_store_set_packing() */
    unsigned stripes_taken;      /* by how many more of the last commands than took none */
    bool is_batching;            /* between _batch_begin() and _end() */
    bool is_joined;
    bool tells_new; /* kw_store_tell() */
    bool tells_missed;
    bool is_reading; /* while it tells of missed ones: what this command does not find is one */
    _Atomic uint64_t changes_count; /* of keys, read by others; last: stays when it leaves */
};

/* What is small to WORKER. NULL worker: redis's defaults, for tests. */
static inline const struct kw_packing *kw__packing_of(const struct kw_store_worker *worker)
{
    static const struct kw_packing by_default = {512, 64, 512, 128, 64};

    return worker != NULL ? &worker->packing : &by_default;
}

struct kw_store {
    struct kw_stripe stripes[KW_STRIPES_COUNT];
    /* set once */
    struct kw_cache *cache;
    struct kw_store_options options; /* but policy and is_timed_only: workers_lock */
    struct kw_store_row *rows;       /* by command id; one more for the learned */
    struct kw_store_worker *workers;
    /* shared */
    _Atomic uint64_t saved_changes; /* of all workers, when the last snapshot began */
    _Atomic uint64_t spilled_bytes; /* of objects, on the process's heap */
    _Atomic bool is_lfu;            /* the policy is, now: asked without the lock */
    pthread_mutex_t tickets_lock;
    pthread_mutex_t workers_lock;
    struct kw_due due;
    struct kw_snapshot *snapshot; /* set before workers join; NULL: keys are kept nowhere */
};

/* Every command: void kw__do_<word>(struct kw_exec *exec). */
#define KW_STORE_COMMAND(name, word, stripes) kw_exec_run kw__do_##word;
#include "store/commands.def"
#undef KW_STORE_COMMAND

/* Rows by command id, from commands.def. */
struct kw_store_row *kw__rows_new(void);

static inline unsigned kw__stripe_of(uint64_t hash)
{
    return (unsigned)(hash >> KW_STRIPE_SHIFT) % KW_STRIPES_COUNT;
}

static inline void kw__stripes_add(struct kw_stripe_set *set, unsigned stripe)
{
    set->bits[stripe / 64] |= UINT64_C(1) << (stripe % 64);
}

static inline bool kw__stripes_have(const struct kw_stripe_set *set, unsigned stripe)
{
    return (set->bits[stripe / 64] >> (stripe % 64) & 1) != 0;
}

static inline uint64_t *kw__random(struct kw_store_worker *worker)
{
    return &worker->random;
}

/* OBJECT, which nobody can see any more, is freed; a large one in steps of _some(). */
void kw__discard(struct kw_store_worker *worker, const struct kw_object_kind *kind, void *object);
void kw__discard_some(struct kw_store_worker *worker, size_t steps);

/* Something under NAME ends at DUE, or after it. */
void kw__due_init(struct kw_due *due);
void kw__due_deinit(struct kw_due *due);
void kw__due_add(struct kw_due *due, struct kw_bytes name, uint64_t due_ms);

/* Of all workers: how often keys have changed. */
uint64_t kw__changes_count(const struct kw_store *store);

/* What has come due by now goes. */
void kw__due_sweep(struct kw_store_worker *worker);

/* Add the stripes that COMMAND needs for ARGV to SET; how many keys that were. */
unsigned kw__stripes_want(struct kw_store_worker *worker, struct kw_stripe_set *set,
                          const struct kw_command *command, const struct kw_bytes *argv,
                          size_t argc);

/* Take SET, in ascending order, and give all that is held back; IS_TURNED: names under it change
 * together, and nobody may see half of it.
 */
void kw__stripes_take(struct kw_store_worker *worker, const struct kw_stripe_set *set,
                      bool is_turned);
void kw__stripes_give(struct kw_store_worker *worker, bool is_turned);

/* NAME as a key of the cache; hashed once when it is asked for again within a command. */
struct kw_cache_key kw__key_of(struct kw_store_worker *worker, struct kw_bytes name);

/* What is under KEY, as others may see it; IS_USE: counts as one. */
bool kw__key_look(struct kw_store_worker *worker, const struct kw_cache_key *key, bool is_use,
                  struct kw_cache_found *found);

/* As kw_key_put_string(), as one of KW_FORM_*. */
bool kw__key_put_form(struct kw_exec *exec, struct kw_bytes name, unsigned form,
                      struct kw_bytes value, uint64_t deadline_ms);

/* SIZE bytes until the command ends; NULL: kw_exec_short(). */
char *kw__scratch(struct kw_exec *exec, size_t size_bytes);

/* As TYPE says; "none" for KW_KIND_COUNT. */
const char *kw__kind_name(enum kw_kind kind);

/* What was FOUND under FROM, under TO instead, deadline and all. False: kw_exec_short(). */
bool kw__key_move(struct kw_exec *exec, struct kw_bytes from, struct kw_bytes to,
                  const struct kw_cache_found *found);

static inline enum kw_kind kw__kind_of(const struct kw_cache_found *found)
{
    return found->kind < KW_KIND_COUNT ? (enum kw_kind)found->kind : KW_KIND_STRING;
}

static inline struct kw_cell *kw__cell_of(struct kw_bytes value)
{
    struct kw_cell *cell = NULL;

    memcpy(&cell, value.data, sizeof cell);
    return cell;
}

static inline void *kw__object_of(const struct kw_cache_found *found)
{
    return kw__cell_of(found->value)->object;
}

/* What objects got or gave back since the command began is CELL's, or that of the last one. */
static inline void kw__cell_touch(struct kw_store_worker *worker, struct kw_cell *cell)
{
    if (worker->heap_bytes != 0 && worker->cell_last != NULL) {
        atomic_fetch_add_explicit(&worker->cell_last->bytes, worker->heap_bytes,
                                  memory_order_relaxed);
    }
    worker->heap_bytes = 0;
    worker->cell_last = cell;
}

/* NAME is gone, but by nobody's command. */
void kw__key_gone(struct kw_store_worker *worker, struct kw_bytes name, enum kw_store_class class,
                  const char *event);

/* Tickets for NAME are broken; for all names. */
void kw__tickets_break(struct kw_store_worker *worker, const struct kw_cache_key *key);
void kw__tickets_break_all(struct kw_store_worker *worker);

#endif
