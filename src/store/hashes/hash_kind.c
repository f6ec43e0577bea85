/* hash_kind.c - what the keyspace can do with a hash.
 *
 *     packed   count, then for each field: field, value, deadline (0 for none)
 */
#include "store/hashes/hash.h"
#include "store/object.h"
#include "store/pack.h"

static bool hash_free_some(struct kw_store_worker *worker, void *object, size_t steps);
static void *hash_copy(struct kw_store_worker *worker, const void *object);
static size_t hash_bytes(const void *object, size_t samples_count);
static size_t hash_count(const void *object);
static const char *hash_encoding(const void *object);
static uint64_t hash_due_ms(const void *object);
static void hash_save(const void *object, struct kw_buf *out);
static void *hash_load(struct kw_store_worker *worker, struct kw_bytes bytes);

const struct kw_object_kind kw_hash_kind = {
    .type = "hash",
    .free = kw__hash_free,
    .free_some = hash_free_some,
    .copy = hash_copy,
    .bytes = hash_bytes,
    .count = hash_count,
    .encoding = hash_encoding,
    .due_ms = hash_due_ms,
    .save = hash_save,
    .load = hash_load,
};

static bool hash_free_some(struct kw_store_worker *worker, void *object, size_t steps)
{
    struct kw_hash *hash = object;

    if (!kw_table_deinit_some(worker, &hash->fields, steps) ||
        (hash->timed != NULL &&
         !kw_deadlines_deinit_some(worker, &hash->timed->deadlines, steps))) {
        return false;
    }
    kw__hash_free(worker, hash);
    return true;
}

static void *hash_copy(struct kw_store_worker *worker, const void *object)
{
    const struct kw_hash *hash = object;
    struct kw_hash *copy = kw__hash_new(worker);
    struct kw_table_walk walk;
    struct kw_table_item item;

    kw_table_walk_begin(&walk, &hash->fields);
    while (kw_table_walk_next(&walk, &item)) {
        kw__hash_set(worker, copy, item.key, item.value, false);
        uint64_t deadline_ms = kw__hash_deadline(hash, item.key);
        if (deadline_ms != 0) {
            kw__hash_expire_at(worker, copy, item.key, deadline_ms);
        }
    }
    copy->fields.is_marked = hash->fields.is_marked; /* whatever is small by now */
    return copy;
}

static size_t hash_bytes(const void *object, size_t samples_count)
{
    const struct kw_hash *hash = object;
    size_t bytes = sizeof *hash + kw_table_bytes(&hash->fields);

    (void)samples_count; /* it is known exactly */
    if (hash->timed != NULL) {
        bytes += sizeof *hash->timed + kw_deadlines_bytes(&hash->timed->deadlines);
    }
    return bytes;
}

static size_t hash_count(const void *object)
{
    const struct kw_hash *hash = object;

    return hash->fields.count;
}

static const char *hash_encoding(const void *object)
{
    const struct kw_hash *hash = object;

    return hash->fields.is_marked ? "hashtable" : "listpack";
}

static uint64_t hash_due_ms(const void *object)
{
    const struct kw_hash *hash = object;

    return hash->timed == NULL ? UINT64_MAX : kw_deadlines_first(&hash->timed->deadlines, NULL);
}

static void hash_save(const void *object, struct kw_buf *out)
{
    const struct kw_hash *hash = object;
    struct kw_table_walk walk;
    struct kw_table_item item;

    kw_pack_number(out, hash->fields.count);
    kw_table_walk_begin(&walk, &hash->fields);
    while (kw_table_walk_next(&walk, &item)) {
        kw_pack_bytes(out, item.key);
        kw_pack_bytes(out, item.value);
        kw_pack_number(out, kw__hash_deadline(hash, item.key));
    }
}

static void *hash_load(struct kw_store_worker *worker, struct kw_bytes bytes)
{
    struct kw_unpack unpack = {.rest = bytes};
    struct kw_hash *hash = kw__hash_new(worker);
    bool is_damaged = false;

    size_t count = kw_unpack_count(&unpack, 3);
    for (size_t i = 0; i < count && !unpack.is_damaged && !is_damaged; i++) {
        struct kw_bytes field = kw_unpack_bytes(&unpack);
        struct kw_bytes value = kw_unpack_bytes(&unpack);
        uint64_t deadline_ms = kw_unpack_number(&unpack);
        is_damaged = unpack.is_damaged || !kw__hash_set(worker, hash, field, value, false);
        if (deadline_ms != 0 && !is_damaged) {
            kw__hash_expire_at(worker, hash, field, deadline_ms);
        }
    }
    if (is_damaged || count == 0 || !kw_unpack_ends_well(&unpack)) {
        kw__hash_free(worker, hash);
        return NULL;
    }
    return hash;
}
