/* hash.c - see hash.h.
 *
 * Invariants:
 * H1  A hash that others can see has a field.
 * H2  Each name in timed->deadlines is a field; timed is NULL when there would be none in it.
 * H3  fields is marked when the hash has ever been larger than a listpack may be when it was
 *     written to: OBJECT ENCODING calls it a hashtable then, and it is spread.
 */
#include "store/hashes/hash.h"

#include "base/assert.h"
#include "store/internal.h"

static void hash_settle(struct kw_exec *exec, const struct kw_hash_edit *edit, const char *event);
static size_t hash_pass(struct kw_store_worker *worker, struct kw_hash *hash, uint64_t now_ms);

/* Flat tables answer sooner than spread ones up to about so many elements. */
enum { FLAT_COUNT_MAX = 128 };

struct kw_hash *kw__hash_new(struct kw_store_worker *worker)
{
    struct kw_hash *hash = kw_heap_get(worker, sizeof *hash);

    kw_table_init(&hash->fields, 0, true);
    hash->timed = NULL;
    return hash;
}

void kw__hash_free(struct kw_store_worker *worker, void *object)
{
    struct kw_hash *hash = object;

    kw_table_deinit(worker, &hash->fields);
    if (hash->timed != NULL) {
        kw_deadlines_deinit(worker, &hash->timed->deadlines);
        kw_heap_put(worker, hash->timed, sizeof *hash->timed);
    }
    kw_heap_put(worker, hash, sizeof *hash);
}

enum kw_found kw__hash_find(struct kw_exec *exec, struct kw_bytes name, struct kw_hash **hash)
{
    void *object = NULL;
    enum kw_found found = kw_key_object(exec, name, KW_KIND_HASH, &object);

    *hash = object;
    if (found != KW_FOUND || (*hash)->timed == NULL ||
        hash_pass(exec->worker, *hash, exec->now_ms) == 0) {
        return found;
    }
    kw__hash_shrunk(exec, name, *hash, "hexpired");
    if ((*hash)->fields.count > 0) {
        return KW_FOUND;
    }
    *hash = NULL;
    return KW_FOUND_NOTHING;
}

bool kw__hash_open(struct kw_exec *exec, struct kw_bytes name, struct kw_hash_edit *edit)
{
    struct kw_hash *hash;
    enum kw_found found = kw__hash_find(exec, name, &hash);

    if (found == KW_FOUND_OTHER) {
        return false;
    }
    *edit = (struct kw_hash_edit){.name = name, .hash = hash, .is_new = found == KW_FOUND_NOTHING};
    if (edit->is_new) {
        edit->hash = kw__hash_new(exec->worker);
    }
    return true;
}

bool kw__hash_close(struct kw_exec *exec, const struct kw_hash_edit *edit, const char *event)
{
    bool is_empty = edit->hash->fields.count == 0;

    if (edit->is_new && !is_empty &&
        !kw_key_put_object(exec, edit->name, KW_KIND_HASH, edit->hash, KW_DEADLINE_NONE)) {
        return false;
    }
    if (event != NULL) {
        hash_settle(exec, edit, event);
    }
    if (edit->is_new && is_empty) {
        kw__hash_free(exec->worker, edit->hash);
    }
    return true;
}

void kw__hash_shrunk(struct kw_exec *exec, struct kw_bytes name, struct kw_hash *hash,
                     const char *event)
{
    struct kw_hash_edit edit = {.name = name, .hash = hash};

    hash_settle(exec, &edit, event);
}

bool kw__hash_set(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field,
                  struct kw_bytes value, bool is_kept)
{
    const struct kw_packing *packing = kw__packing_of(worker);
    struct kw_table_limits limits = {
        packing->hash_entries_max < FLAT_COUNT_MAX ? packing->hash_entries_max : FLAT_COUNT_MAX,
        packing->hash_value_max};
    bool is_new = kw_table_put(worker, &hash->fields, &limits, field, value, NULL);

    hash->fields.is_marked |= field.len > packing->hash_value_max ||
                              value.len > packing->hash_value_max ||
                              hash->fields.count > packing->hash_entries_max; /* H3 */
    if (!is_new && !is_kept && hash->timed != NULL) {
        kw__hash_expire_at(worker, hash, field, 0);
    }
    return is_new;
}

bool kw__hash_remove(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field)
{
    if (hash->timed != NULL) {
        kw__hash_expire_at(worker, hash, field, 0);
    }
    return kw_table_remove(worker, &hash->fields, field);
}

uint64_t kw__hash_deadline(const struct kw_hash *hash, struct kw_bytes field)
{
    return hash->timed == NULL ? 0 : kw_deadlines_of(&hash->timed->deadlines, field);
}

void kw__hash_expire_at(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field,
                        uint64_t deadline_ms)
{
    if (hash->timed == NULL) {
        if (deadline_ms == 0) {
            return;
        }
        hash->timed = kw_heap_get(worker, sizeof *hash->timed);
        kw_deadlines_init(&hash->timed->deadlines);
        hash->timed->watched_ms = UINT64_MAX;
    }
    if (deadline_ms != 0) {
        kw_deadlines_set(worker, &hash->timed->deadlines, field, deadline_ms);
        return;
    }
    kw_deadlines_clear(worker, &hash->timed->deadlines, field);
    if (kw_deadlines_count(&hash->timed->deadlines) == 0) { /* H2 */
        kw_deadlines_deinit(worker, &hash->timed->deadlines);
        kw_heap_put(worker, hash->timed, sizeof *hash->timed);
        hash->timed = NULL;
    }
}

void kw__hash_watch(struct kw_exec *exec, struct kw_bytes name, struct kw_hash *hash,
                    bool is_forgotten)
{
    if (hash->timed == NULL) {
        return;
    }
    uint64_t first_ms = kw_deadlines_first(&hash->timed->deadlines, NULL);
    if (is_forgotten || first_ms < hash->timed->watched_ms) {
        hash->timed->watched_ms = first_ms;
        kw__due_add(&exec->worker->store->due, name, first_ms);
    }
}

static void hash_settle(struct kw_exec *exec, const struct kw_hash_edit *edit, const char *event)
{
    bool is_empty = edit->hash->fields.count == 0;

    if (is_empty && !edit->is_new) {
        kw_key_remove(exec, edit->name); /* H1 */
    }
    kw__hash_watch(exec, edit->name, edit->hash, false);
    kw_key_changed(exec, edit->name, KW_STORE_HASH, event);
    if (edit->second != NULL) {
        kw_key_event(exec, edit->name, KW_STORE_HASH, edit->second);
    }
    if (is_empty) {
        kw_key_event(exec, edit->name, KW_STORE_GENERIC, "del");
    }
}

/* Remove the fields whose deadline has come; how many they were. */
static size_t hash_pass(struct kw_store_worker *worker, struct kw_hash *hash, uint64_t now_ms)
{
    struct kw_bytes field;
    size_t count = 0;

    while (hash->timed != NULL && kw_deadlines_first(&hash->timed->deadlines, &field) <= now_ms) {
        bool was_there = kw_table_remove(worker, &hash->fields, field);
        KW_ASSERT(was_there); /* H2 */
        kw__hash_expire_at(worker, hash, field, 0);
        count++;
    }
    return count;
}
