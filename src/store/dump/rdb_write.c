/* rdb_write.c - values to payloads: the plain form of each kind, see rdb.h. */
#include "base/mem.h"
#include "store/dump/rdb.h"
#include "store/hashes/hash.h"
#include "store/lists/list.h"
#include "store/sets/set.h"
#include "store/zsets/zset.h"

#include <isa-l/crc64.h>
#include <liblzf/lzf.h>

enum {
    NUMBER_MAX_BYTES = 11,             /* of a text that may be kept as a number of 32 bits */
    COMPRESSED_MIN_BYTES = 21,         /* shorter texts are not worth it */
    COMPRESSED_SAVED_BYTES = 4,        /* at least, or the text stays as it is */
    COMPRESSED_MAX_BYTES = 1024 * 1024 /* longer ones would keep everybody waiting */
};

static void write_object(struct kw_buf *out, enum kw_kind kind, const void *object);
static void write_hash(struct kw_buf *out, const struct kw_hash *hash);
static void write_list(struct kw_buf *out, const struct kw_list_object *list);
static void write_set(struct kw_buf *out, const struct kw_set *set);
static void write_zset(struct kw_buf *out, const struct kw_zset *zset);
static void write_text(struct kw_buf *out, struct kw_bytes text);
static bool write_as_number(struct kw_buf *out, struct kw_bytes text);
static bool write_compressed(struct kw_buf *out, struct kw_bytes text);
static void write_length(struct kw_buf *out, uint64_t length);
static void write_highest_first(struct kw_buf *out, uint64_t number, size_t len);
static void write_lowest_first(struct kw_buf *out, uint64_t number, size_t len);

void kw__rdb_write(struct kw_buf *out, const struct kw_cache_found *found)
{
    uint64_t sum = UINT64_MAX; /* the library's inversion of nothing */

    if (kw__kind_of(found) == KW_KIND_STRING) {
        write_lowest_first(out, KW_RDB_STRING, 1);
        write_text(out, found->value);
    } else {
        write_object(out, kw__kind_of(found), kw__object_of(found));
    }
    write_lowest_first(out, KW_RDB_VERSION, 2);
    for (const struct kw_chunk *chunk = out->head; chunk != NULL; chunk = chunk->next) {
        sum = crc64_jones_refl(sum, (const unsigned char *)chunk->data + chunk->start,
                               chunk->end - chunk->start);
    }
    write_lowest_first(out, ~sum, sizeof sum);
}

static void write_object(struct kw_buf *out, enum kw_kind kind, const void *object)
{
    switch (kind) {
    case KW_KIND_HASH:
        write_hash(out, object);
        break;
    case KW_KIND_LIST:
        write_list(out, object);
        break;
    case KW_KIND_SET:
        write_set(out, object);
        break;
    case KW_KIND_ZSET:
    case KW_KIND_STRING:
    case KW_KIND_COUNT:
    default:
        write_zset(out, object);
    }
}

static void write_hash(struct kw_buf *out, const struct kw_hash *hash)
{
    struct kw_table_walk walk;
    struct kw_table_item item;

    write_lowest_first(out, KW_RDB_HASH, 1);
    write_length(out, hash->fields.count);
    kw_table_walk_begin(&walk, &hash->fields);
    while (kw_table_walk_next(&walk, &item)) {
        write_text(out, item.key);
        write_text(out, item.value);
    }
}

static void write_list(struct kw_buf *out, const struct kw_list_object *list)
{
    struct kw_list_spot spot = kw_list_object_end(list, KW_LIST_HEAD);
    char scratch[KW_TEXT_INT_MAX];

    write_lowest_first(out, KW_RDB_LIST, 1);
    write_length(out, list->count);
    while (spot.page != NULL) {
        write_text(out, kw_list_spot_text(spot, scratch));
        spot = kw_list_spot_next(spot, KW_LIST_TAIL);
    }
}

static void write_set(struct kw_buf *out, const struct kw_set *set)
{
    struct kw_set_walk walk;
    struct kw_bytes member;

    write_lowest_first(out, KW_RDB_SET, 1);
    write_length(out, kw__set_count(set));
    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        write_text(out, member);
    }
}

/* From the highest score on, as redis writes it. */
static void write_zset(struct kw_buf *out, const struct kw_zset *zset)
{
    struct kw_zset_walk walk;
    struct kw_zset_item item;
    uint64_t bits = 0;

    write_lowest_first(out, KW_RDB_ZSET, 1);
    write_length(out, zset->count);
    kw_zset_walk_begin(&walk, zset, zset->count - 1, true);
    while (kw_zset_walk_next(&walk, &item)) {
        write_text(out, item.member);
        memcpy(&bits, &item.score, sizeof bits);
        write_lowest_first(out, bits, sizeof bits);
    }
}

static void write_text(struct kw_buf *out, struct kw_bytes text)
{
    if (!write_as_number(out, text) && !write_compressed(out, text)) {
        write_length(out, text.len);
        kw_buf_append_bytes(out, text);
    }
}

/* False: it is none, or too large. */
static bool write_as_number(struct kw_buf *out, struct kw_bytes text)
{
    int64_t number = 0;

    if (text.len > NUMBER_MAX_BYTES || kw_text_to_int(text, &number) != KW_OK ||
        number < INT32_MIN || number > INT32_MAX) {
        return false;
    }
    unsigned form = number >= INT8_MIN && number <= INT8_MAX     ? KW_RDB_FORM_INT8
                    : number >= INT16_MIN && number <= INT16_MAX ? KW_RDB_FORM_INT16
                                                                 : KW_RDB_FORM_INT32;
    write_lowest_first(out, KW_RDB_FORM << 6 | form, 1);
    write_lowest_first(out, (uint64_t)number, (size_t)1 << form);
    return true;
}

/* False: it would not be shorter. */
static bool write_compressed(struct kw_buf *out, struct kw_bytes text)
{
    if (text.len < COMPRESSED_MIN_BYTES || text.len > COMPRESSED_MAX_BYTES) {
        return false;
    }
    size_t room = text.len - COMPRESSED_SAVED_BYTES;
    char *packed = kw_try_alloc(room);
    unsigned len =
        packed == NULL ? 0 : lzf_compress(text.data, (unsigned)text.len, packed, (unsigned)room);
    if (len > 0) {
        write_lowest_first(out, KW_RDB_FORM << 6 | KW_RDB_FORM_LZF, 1);
        write_length(out, len);
        write_length(out, text.len);
        kw_buf_append(out, packed, len);
    }
    kw_free(packed);
    return len > 0;
}

static void write_length(struct kw_buf *out, uint64_t length)
{
    if (length < 1u << 6) {
        write_highest_first(out, length, 1);
    } else if (length < 1u << 14) {
        write_highest_first(out, length | KW_RDB_LENGTH_14 << 14, 2);
    } else if (length <= UINT32_MAX) {
        write_highest_first(out, KW_RDB_LENGTH_32, 1);
        write_highest_first(out, length, 4);
    } else {
        write_highest_first(out, KW_RDB_LENGTH_64, 1);
        write_highest_first(out, length, 8);
    }
}

static void write_highest_first(struct kw_buf *out, uint64_t number, size_t len)
{
    uint64_t bytes = htobe64(number << (8 * (sizeof number - len)));

    kw_buf_append(out, (const char *)&bytes, len);
}

static void write_lowest_first(struct kw_buf *out, uint64_t number, size_t len)
{
    uint64_t bytes = htole64(number);

    kw_buf_append(out, (const char *)&bytes, len);
}
