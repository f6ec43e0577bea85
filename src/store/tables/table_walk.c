/* table_walk.c - see table_walk.h.
 *
 * A scan's cursor is where it is in the order of hashes read backwards, lowest bit first. In that
 * order a bucket is a stretch without gaps, however many bits tell it apart; splitting a bucket
 * splits its stretch, joining joins neighbours. So what lies behind the cursor has been handed
 * out, what lies before it has not (or once more, if buckets were joined over the cursor).
 */
#include "store/tables/table_walk.h"

#include "base/assert.h"
#include "store/tables/table_element.h"

enum { CHAIN_MAX = 16 }; /* longer chains than this: less than one in 10^12 buckets */

static struct kw__element *chain_at(struct kw__element *element, uint64_t index);
static uint64_t cursor_after(uint64_t cursor, uint64_t mask);
static uint64_t bits_reversed(uint64_t bits);

void kw_table_walk_begin(struct kw_table_walk *walk, const struct kw_table *table)
{
    *walk = (struct kw_table_walk){.table = table};
}

bool kw_table_walk_next(struct kw_table_walk *walk, struct kw_table_item *item)
{
    const struct kw_table *table = walk->table;

    if (!table->is_spread) {
        if (walk->place >= table->flat.used_bytes) {
            return false;
        }
        walk->place = kw__flat_read(table, walk->place, item);
        return true;
    }
    while (walk->element == NULL) {
        if (walk->place == table->buckets.count) {
            return false;
        }
        walk->element = *kw__bucket_at(table, walk->place++);
    }
    const struct kw__element *element = walk->element;
    *item = kw__element_item(table, element);
    walk->element = element->next;
    return true;
}

uint64_t kw_table_scan(const struct kw_table *table, uint64_t cursor, kw_table_on_item *on_item,
                       void *user)
{
    struct kw_table_item item;
    uint64_t mask;

    if (!table->is_spread) {
        for (size_t offset = 0; offset < table->flat.used_bytes;) {
            offset = kw__flat_read(table, offset, &item);
            on_item(user, &item);
        }
        return 0;
    }
    size_t index = kw__bucket_of((uint32_t)cursor, table->buckets.count, &mask);
    for (const struct kw__element *element = *kw__bucket_at(table, index); element != NULL;
         element = element->next) {
        item = kw__element_item(table, element);
        on_item(user, &item);
    }
    return cursor_after(cursor, mask);
}

void kw_table_pick(const struct kw_table *table, uint64_t *random, struct kw_table_item *item)
{
    KW_ASSERT(table->count > 0);
    if (!table->is_spread) {
        size_t offset = 0;
        for (uint64_t left = kw_table_random(random, table->count) + 1; left > 0; left--) {
            offset = kw__flat_read(table, offset, item);
        }
        return;
    }
    /* Any bucket and any place in it, until there is something: so all have the same chance. */
    for (;;) {
        size_t index = kw_table_random(random, table->buckets.count);
        struct kw__element *element = *kw__bucket_at(table, index);
        element = chain_at(element, kw_table_random(random, CHAIN_MAX));
        if (element != NULL) {
            *item = kw__element_item(table, element);
            return;
        }
    }
}

uint64_t kw_table_random(uint64_t *random, uint64_t below)
{
    uint64_t mixed = *random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    return (uint64_t)(((unsigned __int128)mixed * below) >> 64);
}

static struct kw__element *chain_at(struct kw__element *element, uint64_t index)
{
    while (element != NULL && index > 0) {
        element = element->next;
        index--;
    }
    return element;
}

/* The beginning of the next stretch: count up in the bits of MASK, from the highest one. */
static uint64_t cursor_after(uint64_t cursor, uint64_t mask)
{
    return bits_reversed(bits_reversed(cursor | ~mask) + 1);
}

static uint64_t bits_reversed(uint64_t bits)
{
    bits =
        ((bits >> 1) & UINT64_C(0x5555555555555555)) | ((bits & UINT64_C(0x5555555555555555)) << 1);
    bits =
        ((bits >> 2) & UINT64_C(0x3333333333333333)) | ((bits & UINT64_C(0x3333333333333333)) << 2);
    bits =
        ((bits >> 4) & UINT64_C(0x0f0f0f0f0f0f0f0f)) | ((bits & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4);
    return __builtin_bswap64(bits);
}
