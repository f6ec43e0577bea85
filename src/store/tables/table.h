/* table.h - a hash table of byte strings: what hashes, sets and sorted sets are made of.
 *
 * An element is a key with, as the table's maker chooses, a value and some extra bytes of a fixed
 * count. A small table is flat: one block, elements in the order in which they came. Beyond limits
 * that the caller gives it is spread: a real hash table, which grows and shrinks by a bucket at a
 * time, so that no operation takes longer because the table is large.
 *
 *     struct kw_table table;
 *     kw_table_init(&table, 0, true);
 *     bool is_new = kw_table_put(worker, &table, &limits, field, value, NULL);
 *
 * Thread: who may change the object that it is in.
 * Memory: of heap.h, the worker's; every put must pair with the same kind of worker. Bytes given
 *         are copied, and must not lie in the table itself; bytes found are borrowed until the
 *         next put or remove (elements of a spread table stay where they are until they are
 *         removed, or get a value of another length).
 * See also: ladder.h (the buckets), table_walk.h (scans, walks, random elements).
 */
#ifndef KW_STORE_TABLES_TABLE_H
#define KW_STORE_TABLES_TABLE_H

#include "base/bytes.h"
#include "store/tables/ladder.h"

struct kw_table {
    union {
        struct {
            char *block; /* NULL when cap is 0 */
            uint32_t used_bytes;
            uint32_t cap_bytes;
        } flat;
        struct kw_ladder buckets; /* spread */
    };
    uint64_t payload_bytes; /* spread: of the elements' blocks */
    uint32_t count;
    uint32_t seed; /* spread: of the hashes */
    uint8_t extra_bytes;
    bool has_values;
    bool is_spread; /* never flat again */
    bool is_marked; /* the owner's, who sets it when he likes */
};

/* A table beyond them is spread; redis's options name them: hash-max-listpack-entries, -value. */
struct kw_table_limits {
    size_t count_max; /* elements of a flat table; 0: it is spread at once */
    size_t bytes_max; /* of a key, of a value */
};

/* An element, where it lies. */
struct kw_table_item {
    struct kw_bytes key;
    struct kw_bytes value; /* empty when there are no values */
    char *extra;           /* use memcpy: it is not aligned */
};

void kw_table_init(struct kw_table *table, size_t extra_bytes, bool has_values);
void kw_table_deinit(struct kw_store_worker *worker, struct kw_table *table);

/* Free up to about STEPS elements of a table that nobody uses any more; true when all is freed. */
bool kw_table_deinit_some(struct kw_store_worker *worker, struct kw_table *table, size_t steps);

/* The element of KEY; ITEM may be NULL. */
bool kw_table_find(const struct kw_table *table, struct kw_bytes key, struct kw_table_item *item);

/* The element whose extra bytes are at EXTRA; of a spread table. */
struct kw_table_item kw_table_item_of(const struct kw_table *table, const char *extra);

/* KEY gets VALUE. True: it is new, and its extra bytes are zeroes; false: it was there, and its
 * extra bytes stay. ITEM may be NULL.
 */
bool kw_table_put(struct kw_store_worker *worker, struct kw_table *table,
                  const struct kw_table_limits *limits, struct kw_bytes key, struct kw_bytes value,
                  struct kw_table_item *item);

/* False: there is no KEY. */
bool kw_table_remove(struct kw_store_worker *worker, struct kw_table *table, struct kw_bytes key);

/* Make it a spread one, whatever its size. */
void kw_table_spread(struct kw_store_worker *worker, struct kw_table *table);

/* What it takes of the heap, struct kw_table itself left out; constant time. */
size_t kw_table_bytes(const struct kw_table *table);

#endif
