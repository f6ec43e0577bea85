/* table_walk.h - the elements of a table: all, some, or any of them.
 *
 * Thread: as table.h. Memory: nothing is allocated; items are borrowed as in table.h.
 */
#ifndef KW_STORE_TABLES_TABLE_WALK_H
#define KW_STORE_TABLES_TABLE_WALK_H

#include "store/tables/table.h"

/* All elements, once each; a flat table's in their order. The table must not change meanwhile. */
struct kw_table_walk {
    const struct kw_table *table;
    size_t place;        /* flat: offset; spread: bucket to look at next */
    const void *element; /* spread: the next one in the bucket before, or NULL */
};

void kw_table_walk_begin(struct kw_table_walk *walk, const struct kw_table *table);

/* False: that was all. */
bool kw_table_walk_next(struct kw_table_walk *walk, struct kw_table_item *item);

/* Hand the elements at CURSOR (0 to begin with) to ON_ITEM, which must not change the table.
 * Returns the cursor to go on with, 0 when that was all.
 *
 * What is there from the beginning of a scan to its end is handed out at least once, whatever
 * is put or removed between the calls. A flat table is handed out at once.
 */
typedef void kw_table_on_item(void *user, const struct kw_table_item *item);
uint64_t kw_table_scan(const struct kw_table *table, uint64_t cursor, kw_table_on_item *on_item,
                       void *user);

/* One element, each with the same chance; the table must not be empty. RANDOM is the state of a
 * generator: any number at first, changed by each call.
 */
void kw_table_pick(const struct kw_table *table, uint64_t *random, struct kw_table_item *item);

/* A number below BELOW (not 0) from the same generator. */
uint64_t kw_table_random(uint64_t *random, uint64_t below);

#endif
