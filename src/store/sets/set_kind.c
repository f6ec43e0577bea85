/* set_kind.c - what the keyspace can do with a set.
 *
 *     packed   1 for numbers, 2 for strings; count; the members as text
 */
#include "store/object.h"
#include "store/pack.h"
#include "store/sets/set.h"

enum { PACKED_NUMBERS = 1, PACKED_STRINGS };

static bool set_free_some(struct kw_store_worker *worker, void *object, size_t steps);
static void *set_copy(struct kw_store_worker *worker, const void *object);
static size_t set_bytes(const void *object, size_t samples_count);
static size_t set_count(const void *object);
static const char *set_encoding(const void *object);
static void set_save(const void *object, struct kw_buf *out);
static void *set_load(struct kw_store_worker *worker, struct kw_bytes bytes);

const struct kw_object_kind kw_set_kind = {
    .type = "set",
    .free = kw__set_free,
    .free_some = set_free_some,
    .copy = set_copy,
    .bytes = set_bytes,
    .count = set_count,
    .encoding = set_encoding,
    .save = set_save,
    .load = set_load,
};

static bool set_free_some(struct kw_store_worker *worker, void *object, size_t steps)
{
    struct kw_set *set = object;

    if (set->has_table && !kw_table_deinit_some(worker, &set->table, steps)) {
        return false;
    }
    kw__set_free(worker, set);
    return true;
}

static void *set_copy(struct kw_store_worker *worker, const void *object)
{
    const struct kw_set *set = object;
    struct kw_set *copy = kw__set_new(worker);
    struct kw_set_walk walk;
    struct kw_bytes member;

    if (!set->has_table) { /* also if they are too many by now */
        for (uint32_t i = 0; i < set->numbers.count; i++) {
            kw_intset_add(worker, &copy->numbers, kw_intset_at(&set->numbers, i));
        }
        return copy;
    }
    kw__set_spread(worker, copy);
    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        kw__set_add(worker, copy, member);
    }
    return copy;
}

static size_t set_bytes(const void *object, size_t samples_count)
{
    const struct kw_set *set = object;

    (void)samples_count; /* it is known exactly */
    return sizeof *set +
           (set->has_table ? kw_table_bytes(&set->table) : kw_intset_bytes(&set->numbers));
}

static size_t set_count(const void *object)
{
    return kw__set_count(object);
}

static const char *set_encoding(const void *object)
{
    const struct kw_set *set = object;

    return set->has_table ? "hashtable" : "intset";
}

static void set_save(const void *object, struct kw_buf *out)
{
    const struct kw_set *set = object;
    struct kw_set_walk walk;
    struct kw_bytes member;

    kw_pack_number(out, set->has_table ? PACKED_STRINGS : PACKED_NUMBERS);
    kw_pack_number(out, kw__set_count(set));
    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        kw_pack_bytes(out, member);
    }
}

static void *set_load(struct kw_store_worker *worker, struct kw_bytes bytes)
{
    struct kw_unpack unpack = {.rest = bytes};
    struct kw_set *set = kw__set_new(worker);
    bool is_damaged = false;

    uint64_t form = kw_unpack_number(&unpack);
    size_t count = kw_unpack_count(&unpack, 1);
    if (form == PACKED_STRINGS) {
        kw__set_spread(worker, set);
    }
    for (size_t i = 0; i < count && !is_damaged; i++) {
        struct kw_bytes member = kw_unpack_bytes(&unpack);
        is_damaged = unpack.is_damaged || !kw__set_add(worker, set, member);
    }
    if (is_damaged || count == 0 || !kw_unpack_ends_well(&unpack) ||
        (form != PACKED_STRINGS && form != PACKED_NUMBERS)) {
        kw__set_free(worker, set);
        return NULL;
    }
    return set;
}
