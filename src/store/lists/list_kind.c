/* list_kind.c - what the keyspace can do with a list.
 *
 *     packed   count; then the text of each element, from the head on
 */
#include "store/lists/list.h"
#include "store/object.h"
#include "store/pack.h"

static void list_free(struct kw_store_worker *worker, void *object);
static bool list_free_some(struct kw_store_worker *worker, void *object, size_t steps);
static void *list_copy(struct kw_store_worker *worker, const void *object);
static size_t list_bytes(const void *object, size_t samples_count);
static size_t list_count(const void *object);
static const char *list_encoding(const void *object);
static void list_save(const void *object, struct kw_buf *out);
static void *list_load(struct kw_store_worker *worker, struct kw_bytes bytes);

const struct kw_object_kind kw_list_kind = {
    .type = "list",
    .free = list_free,
    .free_some = list_free_some,
    .copy = list_copy,
    .bytes = list_bytes,
    .count = list_count,
    .encoding = list_encoding,
    .save = list_save,
    .load = list_load,
};

static void list_free(struct kw_store_worker *worker, void *object)
{
    struct kw_list_object *list = object;

    kw_list_object_free(worker, &list);
}

static bool list_free_some(struct kw_store_worker *worker, void *object, size_t steps)
{
    return kw_list_object_free_some(worker, object, steps);
}

static void *list_copy(struct kw_store_worker *worker, const void *object)
{
    const struct kw_list_object *list = object;
    struct kw_list_object *copy = kw_list_object_new(worker);
    struct kw_list_spot spot = kw_list_object_end(list, KW_LIST_HEAD);
    char scratch[KW_TEXT_INT_MAX];

    while (spot.page != NULL) {
        kw_list_object_push(worker, copy, KW_LIST_TAIL, kw_list_spot_text(spot, scratch));
        spot = kw_list_spot_next(spot, KW_LIST_TAIL);
    }
    return copy;
}

static size_t list_bytes(const void *object, size_t samples_count)
{
    const struct kw_list_object *list = object;

    (void)samples_count; /* it is known exactly */
    return sizeof *list + list->pages_bytes;
}

static size_t list_count(const void *object)
{
    const struct kw_list_object *list = object;

    return list->count;
}

static const char *list_encoding(const void *object)
{
    (void)object;
    return "quicklist"; /* of one element too: so redis 7.0 says */
}

static void list_save(const void *object, struct kw_buf *out)
{
    const struct kw_list_object *list = object;
    struct kw_list_spot spot = kw_list_object_end(list, KW_LIST_HEAD);
    char scratch[KW_TEXT_INT_MAX];

    kw_pack_number(out, list->count);
    while (spot.page != NULL) {
        kw_pack_bytes(out, kw_list_spot_text(spot, scratch));
        spot = kw_list_spot_next(spot, KW_LIST_TAIL);
    }
}

static void *list_load(struct kw_store_worker *worker, struct kw_bytes bytes)
{
    struct kw_unpack unpack = {.rest = bytes};
    struct kw_list_object *list = kw_list_object_new(worker);
    size_t count = kw_unpack_count(&unpack, 1);

    for (size_t i = 0; i < count && !unpack.is_damaged; i++) {
        struct kw_bytes text = kw_unpack_bytes(&unpack);
        if (!unpack.is_damaged) {
            kw_list_object_push(worker, list, KW_LIST_TAIL, text);
        }
    }
    if (count == 0 || !kw_unpack_ends_well(&unpack)) {
        kw_list_object_free(worker, &list);
    }
    return list;
}
