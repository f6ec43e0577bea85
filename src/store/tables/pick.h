/* pick.h - several elements of a table, by chance: HRANDFIELD, SRANDMEMBER, SPOP.
 *
 * Thread: the worker's. Memory: a table of those that were picked, while it lasts, when few of many
 *         are wanted.
 */
#ifndef KW_STORE_TABLES_PICK_H
#define KW_STORE_TABLES_PICK_H

#include "store/exec.h"
#include "store/tables/table_walk.h"

/* TEXT as the count of HRANDFIELD and SRANDMEMBER: below zero, elements may come again. False: the
 * error is written.
 */
bool kw__pick_count(struct kw_exec *exec, struct kw_bytes text, int64_t *count);

/* Hand COUNT different elements of TABLE, which has that many, to ON_ITEM, which must not change
 * it. Each choice of them has the same chance.
 */
void kw__table_pick_some(struct kw_store_worker *worker, const struct kw_table *table,
                         uint64_t *random, size_t count, kw_table_on_item *on_item, void *user);

#endif
