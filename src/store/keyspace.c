/* keyspace.c - names and what is under them, on top of the cache.
 *
 * A string is an entry's value. Anything else is an object of its own: the entry's value is a
 * pointer to it, and the cache says (on_drop) when nobody can see it any more.
 *
 *     GET k   no lock:  turn of k's stripe, entry, turn again; the same and even: it counts
 *             else      lock, entry, unlock
 *
 * INVARIANTS
 * K1  Who changes a name holds its stripe; who reads an object does, too.
 * K2  Entries that are found stay readable until the worker's next tick (cache rule 2), also when
 *     they are replaced or removed meanwhile.
 */
#include "store/keyspace.h"

#include "store/internal.h"

static void key_tell(struct kw_store_worker *worker, const struct kw_cache_key *key,
                     enum kw_store_class class, const char *event);
static void keyspace_watch(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                           const void *object);
static bool keyspace_put_cell(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                              void *object, uint64_t deadline_ms);
static bool keyspace_is_news(struct kw_exec *exec, const struct kw_cache_key *key);
static bool keyspace_look(struct kw_store_worker *worker, const struct kw_cache_key *key,
                          bool is_use, struct kw_cache_found *found);
static bool keyspace_get(struct kw_store_worker *worker, const struct kw_cache_key *key,
                         bool is_use, struct kw_cache_found *found);

enum kw_found kw_key_string(struct kw_exec *exec, struct kw_bytes name, struct kw_bytes *value)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    struct kw_cache_found found;

    if (!kw__key_look(exec->worker, &key, true, &found)) {
        return KW_FOUND_NOTHING;
    }
    if (kw__kind_of(&found) != KW_KIND_STRING) {
        kw_exec_error(exec, KW_ERROR_WRONGTYPE, NULL);
        return KW_FOUND_OTHER;
    }
    *value = found.value;
    return KW_FOUND;
}

enum kw_found kw_key_object(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                            void **object)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    struct kw_cache_found found;

    KW_DEBUG_ASSERT(kw__stripes_have(&exec->worker->held, kw__stripe_of(key.hash))); /* K1 */
    *object = NULL;
    if (!kw__key_look(exec->worker, &key, true, &found)) {
        return KW_FOUND_NOTHING;
    }
    if (found.kind != kind) {
        kw_exec_error(exec, KW_ERROR_WRONGTYPE, NULL);
        return KW_FOUND_OTHER;
    }
    struct kw_cell *cell = kw__cell_of(found.value);
    kw__cell_touch(exec->worker, cell);
    *object = cell->object;
    return KW_FOUND;
}

enum kw_kind kw_key_kind(struct kw_exec *exec, struct kw_bytes name)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    struct kw_cache_found found;

    return kw__key_look(exec->worker, &key, false, &found) ? kw__kind_of(&found) : KW_KIND_COUNT;
}

bool kw_key_put_string(struct kw_exec *exec, struct kw_bytes name, struct kw_bytes value,
                       uint64_t deadline_ms)
{
    return kw__key_put_form(exec, name, KW_FORM_PLAIN, value, deadline_ms);
}

bool kw__key_put_form(struct kw_exec *exec, struct kw_bytes name, unsigned form,
                      struct kw_bytes value, uint64_t deadline_ms)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    bool is_kept = deadline_ms == KW_DEADLINE_KEEP;
    struct kw_cache_value put = {.bytes = value,
                                 .deadline_ms = is_kept ? KW_DEADLINE_NONE : deadline_ms,
                                 .kind = (uint8_t)form,
                                 .keeps_deadline = is_kept};

    bool is_news = keyspace_is_news(exec, &key);
    enum kw_status status = kw_cache_put(exec->worker->cache, &key, &put);
    if (status == KW_OK) {
        if (__builtin_expect(is_news, 0)) {
            kw_key_event(exec, name, KW_STORE_NEW, "new");
        }
        return true;
    }
    if (status == KW_E_FULL) {
        exec->may_retry = false; /* there is no room for such a value, ever */
    }
    kw_exec_short(exec);
    return false;
}

bool kw_key_put_object(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                       void *taken_object, uint64_t deadline_ms)
{
    if (keyspace_put_cell(exec, name, kind, taken_object, deadline_ms)) {
        return true;
    }
    kw_object_kind(kind)->free(exec->worker, taken_object);
    kw_exec_short(exec);
    return false;
}

bool kw__key_move(struct kw_exec *exec, struct kw_bytes from, struct kw_bytes to,
                  const struct kw_cache_found *found)
{
    struct kw_store_worker *worker = exec->worker;

    if (kw__kind_of(found) == KW_KIND_STRING) {
        if (!kw__key_put_form(exec, to, found->kind, found->value, found->deadline_ms)) {
            return false;
        }
    } else {
        /* The old cell ends without its object. */
        struct kw_cell *cell = kw__cell_of(found->value);
        void *object = cell->object;
        int64_t bytes = atomic_exchange_explicit(&cell->bytes, 0, memory_order_relaxed);
        kw__cell_touch(worker, NULL);
        worker->heap_bytes = bytes;
        if (!keyspace_put_cell(exec, to, (enum kw_kind)found->kind, object, found->deadline_ms)) {
            atomic_store_explicit(&cell->bytes, bytes, memory_order_relaxed);
            worker->heap_bytes = 0;
            kw_exec_short(exec);
            return false;
        }
        cell->object = NULL;
    }
    kw_key_remove(exec, from);
    return true;
}

bool kw_key_remove(struct kw_exec *exec, struct kw_bytes name)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);

    return kw_cache_remove(exec->worker->cache, &key);
}

uint64_t kw_key_deadline(struct kw_exec *exec, struct kw_bytes name)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    struct kw_cache_found found;

    return kw__key_look(exec->worker, &key, false, &found) ? found.deadline_ms : KW_DEADLINE_NONE;
}

void kw_key_expire_at(struct kw_exec *exec, struct kw_bytes name, uint64_t deadline_ms)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);

    /* Not found: evicted just now. No room for a longer entry: it keeps its deadline. */
    enum kw_status status = kw_cache_expire_at(exec->worker->cache, &key, deadline_ms);
    (void)status;
}

void kw_key_changed(struct kw_exec *exec, struct kw_bytes name, enum kw_store_class class,
                    const char *event)
{
    struct kw_cache_key key = kw__key_of(exec->worker, name);

    key_tell(exec->worker, &key, class, event);
}

void kw__key_gone(struct kw_store_worker *worker, struct kw_bytes name, enum kw_store_class class,
                  const char *event)
{
    /* In the midst of some command: what it has hashed last stays. */
    struct kw_cache_key key = kw_cache_key(worker->cache, name, KW_BYTES(""));

    key_tell(worker, &key, class, event);
}

void kw_key_event(struct kw_exec *exec, struct kw_bytes name, enum kw_store_class class,
                  const char *event)
{
    const struct kw_store_watcher *watcher = &exec->worker->watcher;

    if (__builtin_expect(watcher->on_event != NULL, 0)) {
        watcher->on_event(watcher->user, class, event, name);
    }
}

void kw_key_missed(struct kw_exec *exec, struct kw_bytes name)
{
    if (__builtin_expect(exec->worker->tells_missed, 0) && !exec->worker->is_reading) {
        kw_key_event(exec, name, KW_STORE_MISS, "keymiss");
    }
}

void kw_key_ready(struct kw_exec *exec, struct kw_bytes name)
{
    const struct kw_store_watcher *watcher = &exec->worker->watcher;

    if (watcher->on_ready != NULL) {
        watcher->on_ready(watcher->user, name);
    }
}

struct kw_cache_key kw__key_of(struct kw_store_worker *worker, struct kw_bytes name)
{
    if (name.data != worker->key_last.name.data || name.len != worker->key_last.name.len) {
        worker->key_last = kw_cache_key(worker->cache, name, KW_BYTES(""));
    }
    return worker->key_last;
}

bool kw__key_look(struct kw_store_worker *worker, const struct kw_cache_key *key, bool is_use,
                  struct kw_cache_found *found)
{
    bool is_found = keyspace_look(worker, key, is_use, found);

    if (__builtin_expect(!is_found && worker->is_reading, 0)) {
        worker->watcher.on_event(worker->watcher.user, KW_STORE_MISS, "keymiss", key->name);
    }
    return is_found;
}

static void key_tell(struct kw_store_worker *worker, const struct kw_cache_key *key,
                     enum kw_store_class class, const char *event)
{
    const struct kw_store_watcher *watcher = &worker->watcher;

    atomic_store_explicit(&worker->changes_count,
                          atomic_load_explicit(&worker->changes_count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    kw__tickets_break(worker, key);
    if (__builtin_expect(watcher->on_changed != NULL, 0)) {
        watcher->on_changed(watcher->user, class, key->name);
    }
    if (__builtin_expect(watcher->on_event != NULL, 0)) {
        watcher->on_event(watcher->user, class, event, key->name);
    }
}

/* A cell for OBJECT under NAME; false: no memory, and OBJECT is the caller's. */
static bool keyspace_put_cell(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                              void *object, uint64_t deadline_ms)
{
    struct kw_store_worker *worker = exec->worker;
    struct kw_cache_key key = kw__key_of(worker, name);
    bool is_kept = deadline_ms == KW_DEADLINE_KEEP;
    struct kw_cell *cell = kw_heap_get(worker, sizeof *cell);
    struct kw_cache_value put = {.bytes = kw_bytes_of((const char *)&cell, sizeof(void *)),
                                 .deadline_ms = is_kept ? KW_DEADLINE_NONE : deadline_ms,
                                 .kind = (uint8_t)kind,
                                 .is_owned = true,
                                 .keeps_deadline = is_kept};

    cell->object = object;
    atomic_init(&cell->bytes, worker->heap_bytes); /* this command has made it */
    bool is_news = keyspace_is_news(exec, &key);
    if (kw_cache_put(worker->cache, &key, &put) != KW_OK) {
        kw_heap_put(worker, cell, sizeof *cell);
        return false;
    }
    if (__builtin_expect(is_news, 0)) {
        kw_key_event(exec, name, KW_STORE_NEW, "new");
    }
    worker->heap_bytes = 0;
    worker->cell_last = cell;
    keyspace_watch(exec, name, kind, object);
    return true;
}

/* Parts of OBJECT, now under NAME, may end by themselves. */
static void keyspace_watch(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                           const void *object)
{
    const struct kw_object_kind *row = kw_object_kind(kind);
    uint64_t due_ms = row->due_ms == NULL ? UINT64_MAX : row->due_ms(object);

    if (due_ms != UINT64_MAX) {
        kw__due_add(&exec->worker->store->due, name, due_ms);
    }
}

static bool keyspace_look(struct kw_store_worker *worker, const struct kw_cache_key *key,
                          bool is_use, struct kw_cache_found *found)
{
    unsigned number = kw__stripe_of(key->hash);
    struct kw_stripe *stripe = &worker->store->stripes[number];

    if (kw__stripes_have(&worker->held, number)) {
        return keyspace_get(worker, key, is_use, found);
    }
    uint32_t turn = atomic_load_explicit(&stripe->turn, memory_order_acquire);
    bool is_found = keyspace_get(worker, key, is_use, found);
    if ((turn & 1) == 0 && atomic_load_explicit(&stripe->turn, memory_order_acquire) == turn) {
        return is_found;
    }
    pthread_mutex_lock(&stripe->lock);
    is_found = keyspace_get(worker, key, is_use, found);
    pthread_mutex_unlock(&stripe->lock);
    return is_found; /* K2 */
}

/* True when somebody is to be told that what is put under KEY is a new key. */
static bool keyspace_is_news(struct kw_exec *exec, const struct kw_cache_key *key)
{
    struct kw_cache_found found;

    return __builtin_expect(exec->worker->tells_new, 0) && exec->news != KW_NEWS_HELD &&
           (exec->news == KW_NEWS_SURE || !kw_cache_peek(exec->worker->cache, key, &found));
}

static bool keyspace_get(struct kw_store_worker *worker, const struct kw_cache_key *key,
                         bool is_use, struct kw_cache_found *found)
{
    return is_use ? kw_cache_get(worker->cache, key, found)
                  : kw_cache_peek(worker->cache, key, found);
}
