/* pick.c - few of many: any element, until there are enough different ones; else all are looked at,
 * and each is taken with the chance that is left for it.
 */
#include "store/tables/pick.h"

#include "base/assert.h"

enum {
    FEW = 3,                     /* up to a third are few: redis's number, too */
    AGAIN_MAX = 16 * 1024 * 1024 /* redis has no bound: one command could fill all memory */
};

static const struct kw_table_limits limits = {128, 64}; /* of the table of those picked */

static void pick_few(struct kw_store_worker *worker, const struct kw_table *table, uint64_t *random,
                     size_t count, kw_table_on_item *on_item, void *user);

bool kw__pick_count(struct kw_exec *exec, struct kw_bytes text, int64_t *count)
{
    if (!kw_exec_int(exec, text, count)) {
        return false;
    }
    if (*count == INT64_MIN) {
        kw_exec_error(exec, KW_ERROR_COUNT_RANGE, NULL);
        return false;
    }
    if (*count < -AGAIN_MAX) {
        kw_exec_error(exec, KW_ERROR_COUNT_TOO_BIG, NULL);
        return false;
    }
    return true;
}

void kw__table_pick_some(struct kw_store_worker *worker, const struct kw_table *table,
                         uint64_t *random, size_t count, kw_table_on_item *on_item, void *user)
{
    struct kw_table_walk walk;
    struct kw_table_item item;
    size_t left = table->count;

    KW_ASSERT(count <= left);
    if (table->is_spread && count * FEW < left) {
        pick_few(worker, table, random, count, on_item, user);
        return;
    }
    kw_table_walk_begin(&walk, table);
    while (count > 0 && kw_table_walk_next(&walk, &item)) {
        if (kw_table_random(random, left--) < count) {
            on_item(user, &item);
            count--;
        }
    }
}

static void pick_few(struct kw_store_worker *worker, const struct kw_table *table, uint64_t *random,
                     size_t count, kw_table_on_item *on_item, void *user)
{
    struct kw_table picked;
    struct kw_table_item item;

    kw_table_init(&picked, 0, false);
    while (picked.count < count) {
        kw_table_pick(table, random, &item);
        if (kw_table_put(worker, &picked, &limits, item.key, KW_BYTES(""), NULL)) {
            on_item(user, &item);
        }
    }
    kw_table_deinit(worker, &picked);
}
