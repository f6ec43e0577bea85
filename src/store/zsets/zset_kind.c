/* zset_kind.c - what the keyspace can do with a sorted set.
 *
 *     packed   1 when it is a skiplist, else 0; count; then member and score of each, ascending
 */
#include "store/object.h"
#include "store/pack.h"
#include "store/zsets/zset.h"

#include <math.h>

enum { PACKED_LEAST_BYTES = 10 }; /* of an element: two lengths and a score */

static void zset_free(struct kw_store_worker *worker, void *object);
static bool zset_free_some(struct kw_store_worker *worker, void *object, size_t steps);
static void *zset_copy(struct kw_store_worker *worker, const void *object);
static size_t zset_bytes(const void *object, size_t samples_count);
static size_t zset_count(const void *object);
static const char *zset_encoding(const void *object);
static void zset_save(const void *object, struct kw_buf *out);
static void *zset_load(struct kw_store_worker *worker, struct kw_bytes bytes);

const struct kw_object_kind kw_zset_kind = {
    .type = "zset",
    .free = zset_free,
    .free_some = zset_free_some,
    .copy = zset_copy,
    .bytes = zset_bytes,
    .count = zset_count,
    .encoding = zset_encoding,
    .save = zset_save,
    .load = zset_load,
};

static void zset_free(struct kw_store_worker *worker, void *object)
{
    struct kw_zset *zset = object;

    kw_zset_free(worker, &zset);
}

static bool zset_free_some(struct kw_store_worker *worker, void *object, size_t steps)
{
    return kw_zset_free_some(worker, object, steps);
}

static void *zset_copy(struct kw_store_worker *worker, const void *object)
{
    const struct kw_zset *zset = object;
    struct kw_zset *copy = kw_zset_new(worker);
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (zset->is_marked) {
        kw_zset_spread(worker, copy);
    }
    kw_zset_walk_begin(&walk, zset, 0, false);
    while (kw_zset_walk_next(&walk, &item)) {
        kw_zset_put(worker, copy, item.member, item.score);
    }
    copy->is_marked = zset->is_marked; /* whatever is small by now */
    return copy;
}

static size_t zset_bytes(const void *object, size_t samples_count)
{
    (void)samples_count; /* it is known exactly */
    return kw_zset_bytes(object);
}

static size_t zset_count(const void *object)
{
    const struct kw_zset *zset = object;

    return zset->count;
}

static const char *zset_encoding(const void *object)
{
    const struct kw_zset *zset = object;

    return zset->is_marked ? "skiplist" : "listpack";
}

static void zset_save(const void *object, struct kw_buf *out)
{
    const struct kw_zset *zset = object;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    kw_pack_number(out, zset->is_marked ? 1 : 0);
    kw_pack_number(out, zset->count);
    kw_zset_walk_begin(&walk, zset, 0, false);
    while (kw_zset_walk_next(&walk, &item)) {
        kw_pack_bytes(out, item.member);
        kw_pack_bytes(out, kw_bytes_of((const char *)&item.score, sizeof item.score));
    }
}

static void *zset_load(struct kw_store_worker *worker, struct kw_bytes bytes)
{
    struct kw_unpack unpack = {.rest = bytes};
    struct kw_zset *zset = kw_zset_new(worker);

    if (kw_unpack_number(&unpack) != 0) {
        kw_zset_spread(worker, zset);
    }
    size_t count = kw_unpack_count(&unpack, PACKED_LEAST_BYTES);
    for (size_t i = 0; i < count && !unpack.is_damaged; i++) {
        struct kw_bytes member = kw_unpack_bytes(&unpack);
        struct kw_bytes packed = kw_unpack_bytes(&unpack);
        double score = NAN;
        if (packed.len == sizeof score) {
            memcpy(&score, packed.data, sizeof score);
        }
        unpack.is_damaged = unpack.is_damaged || isnan(score);
        if (!unpack.is_damaged) {
            kw_zset_put(worker, zset, member, score);
        }
    }
    if (count == 0 || zset->count != count || !kw_unpack_ends_well(&unpack)) {
        kw_zset_free(worker, &zset);
    }
    return zset;
}
