/* order.h - the order of a large sorted set: a B+-tree that counts.
 *
 * It refers to elements of the set's table, where member and score are; so an element must leave
 * the order before it leaves the table.
 *
 * Thread: who holds the key's stripe. Memory: the store's heap, a node at a time.
 * See also: order.c (how it works), zset.h (who uses it), store/tables/table.h.
 */
#ifndef KW_STORE_ZSETS_ORDER_H
#define KW_STORE_ZSETS_ORDER_H

#include "store/heap.h"
#include "store/tables/table_element.h"
#include "store/zsets/probe.h"

struct kw_leaf;

struct kw_order {
    void *root; /* NULL: nothing in it */
    struct kw_leaf *first;
    struct kw_leaf *last;
    uint32_t height; /* levels above the leaves */
    size_t nodes_bytes;
};

/* An element: its score, and where its extra bytes are in the table. */
struct kw_ranked {
    double score;
    const char *item;
};

/* Where an element is; good until the order changes. */
struct kw_order_spot {
    const struct kw_leaf *leaf; /* NULL: behind an end */
    uint32_t index;
};

/* The member of ITEM, the extra bytes of an element without value. */
static inline struct kw_bytes kw_ranked_member(const char *item)
{
    uint32_t len;

    memcpy(&len, item - offsetof(struct kw__element, bytes) + offsetof(struct kw__element, key_len),
           sizeof len);
    return kw_bytes_of(item + sizeof(double), len);
}

/* Free up to about STEPS elements of an order that nobody uses any more; true when all is freed. */
bool kw_order_free_some(struct kw_store_worker *worker, struct kw_order *order, size_t steps);

void kw_order_add(struct kw_store_worker *worker, struct kw_order *order, struct kw_ranked ranked);

/* RANKED is in it. */
void kw_order_remove(struct kw_store_worker *worker, struct kw_order *order,
                     struct kw_ranked ranked);

/* RANKED, which is in it, has another SCORE from now on. False: its place changes too far for that,
 * nothing is done.
 */
bool kw_order_move(struct kw_order *order, struct kw_ranked ranked, double score);

/* How many elements come before the place. */
uint64_t kw_order_rank(const struct kw_order *order, const struct kw_probe *probe);

/* The element with RANK, which is there; what is at SPOT; the next one in either direction. */
struct kw_order_spot kw_order_at(const struct kw_order *order, uint64_t rank);
struct kw_ranked kw_order_spot_ranked(struct kw_order_spot spot);
struct kw_order_spot kw_order_spot_next(struct kw_order_spot spot, bool is_reverse);

/* Check all of it, for tests. Returns the count of elements. */
uint64_t kw_order_check(const struct kw_order *order);

#endif
