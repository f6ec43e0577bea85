/* table_element.h - how elements lie in a table, for table.c and table_walk.c only.
 *
 *   flat     key length, value length (both in 1 to 5 bytes; the second one only with values),
 *            extra bytes, key, value; the next element follows at once
 *   spread   struct element, then value length (4 bytes; only with values), extra bytes, key,
 *            value; a bucket is the chain of its elements
 *
 * Thread: as table.h. Memory: the table's.
 */
#ifndef KW_STORE_TABLES_TABLE_ELEMENT_H
#define KW_STORE_TABLES_TABLE_ELEMENT_H

#include "store/tables/table.h"

struct kw__element {
    struct kw__element *next; /* in the bucket */
    uint32_t hash;            /* the low half: decides the bucket */
    uint32_t key_len;
    char bytes[];
};

/* The bucket of HASH among COUNT of them: linear hashing. With 2^k <= COUNT < 2^(k+1), buckets
 * below COUNT - 2^k, and the last as many, are told apart by k+1 bits of the hash, the others by k.
 */
static inline size_t kw__bucket_of(uint32_t hash, size_t count, uint64_t *mask)
{
    uint64_t low = UINT64_C(1) << (63 - __builtin_clzll(count)); /* 2^k */
    bool is_split = (hash & (low - 1)) < count - low;

    *mask = is_split ? 2 * low - 1 : low - 1;
    return hash & *mask;
}

static inline struct kw__element **kw__bucket_at(const struct kw_table *table, size_t index)
{
    return (struct kw__element **)kw_ladder_at(&table->buckets, index);
}

static inline size_t kw__element_head(const struct kw_table *table)
{
    return (table->has_values ? sizeof(uint32_t) : 0) + table->extra_bytes;
}

static inline struct kw_table_item kw__element_item(const struct kw_table *table,
                                                    const struct kw__element *element)
{
    const char *at = element->bytes;
    uint32_t value_len = 0;

    if (table->has_values) {
        memcpy(&value_len, at, sizeof value_len);
        at += sizeof value_len;
    }
    const char *key = at + table->extra_bytes;
    return (struct kw_table_item){
        {key, element->key_len}, {key + element->key_len, value_len}, (char *)at};
}

/* As memcpy(), for what may be NULL when it is empty. */
static inline void kw__bytes_copy(char *at, struct kw_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
}

/* A length in as few bytes as it takes: 7 bits in each, the top bit says that more follow. */
static inline size_t kw__length_read(const char *at, size_t *len)
{
    size_t count = 0;
    size_t value = 0;
    unsigned char byte;

    do {
        byte = (unsigned char)at[count];
        value |= (size_t)(byte & 0x7f) << (7 * count);
        count++;
    } while ((byte & 0x80) != 0);
    *len = value;
    return count;
}

/* The flat element at OFFSET; returns the offset behind it. */
static inline size_t kw__flat_read(const struct kw_table *table, size_t offset,
                                   struct kw_table_item *item)
{
    char *at = table->flat.block + offset;

    item->value.len = 0;
    at += kw__length_read(at, &item->key.len);
    if (table->has_values) {
        at += kw__length_read(at, &item->value.len);
    }
    item->extra = at;
    item->key.data = at + table->extra_bytes;
    item->value.data = item->key.data + item->key.len;
    return (size_t)(item->value.data + item->value.len - table->flat.block);
}

#endif
