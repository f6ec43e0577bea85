/* order_node.h - a node of an order's tree: a leaf with elements, or a branch with nodes below it.
 *
 * Thread: who holds the key's stripe. Memory: a block of the store's heap, counted by the order.
 * See also: order.c (what the tree looks like, and its invariants).
 */
#ifndef KW_STORE_ZSETS_ORDER_NODE_H
#define KW_STORE_ZSETS_ORDER_NODE_H

#include "store/zsets/order.h"

enum {
    KW_LEAF_MAX = 62,  /* 1016 bytes */
    KW_BRANCH_MAX = 63 /* 1776 bytes */
};

struct kw_leaf {
    struct kw_leaf *prev;
    struct kw_leaf *next;
    uint32_t count;
    struct kw_ranked ranked[KW_LEAF_MAX];
};

/* What is searched together lies together. */
struct kw_branch {
    uint32_t count;
    uint32_t counts[KW_BRANCH_MAX]; /* of elements below the child */
    double scores[KW_BRANCH_MAX];
    const char *items[KW_BRANCH_MAX];
    void *children[KW_BRANCH_MAX];
};

/* Where an insert is on its way down. */
struct kw_branch_step {
    const struct kw_probe *probe;
    void *node;
    uint32_t level; /* of NODE; leaves are at 0 */
    bool is_edge;   /* nothing is right of NODE */
};

/* Does an element of SCORE and ITEM come before the place? */
static inline bool kw__ranked_is_past(const struct kw_probe *probe, double score, const char *item)
{
    if (probe->kind != KW_PROBE_MEMBER && (score < probe->score || score > probe->score)) {
        return score < probe->score; /* without a look at the element */
    }
    return kw_probe_is_past(probe, score, kw_ranked_member(item));
}

/* A node of SIZE bytes, not initialized; and back. */
static inline void *kw__order_node_get(struct kw_store_worker *worker, struct kw_order *order,
                                       size_t size)
{
    order->nodes_bytes += size;
    return kw_heap_get(worker, size);
}

static inline void kw__order_node_put(struct kw_store_worker *worker, struct kw_order *order,
                                      void *node, size_t size)
{
    order->nodes_bytes -= size;
    kw_heap_put(worker, node, size);
}

/* The child that an element at the place of PROBE belongs to, and where in LEAF it does. */
uint32_t kw__branch_child(const struct kw_branch *branch, const struct kw_probe *probe);
uint32_t kw__leaf_place(const struct kw_leaf *leaf, const struct kw_probe *probe);

/* CHILD, which is at LEVEL, as the one with INDEX: what BRANCH knows of it is as it is now. */
void kw__branch_set(struct kw_branch *branch, uint32_t index, void *child, uint32_t level);

/* The child of the step's branch to go on to; it is split first when it is full. The branch itself
 * has room.
 */
uint32_t kw__branch_split_if_full(struct kw_store_worker *worker, struct kw_order *order,
                                  const struct kw_branch_step *step);

/* Move what the child right of INDEX has into the one with INDEX, when that leaves it some room. Of
 * a branch at LEVEL.
 */
bool kw__branch_join(struct kw_branch *branch, uint32_t index, uint32_t level);

/* The child with INDEX, which is empty, goes. */
void kw__branch_drop_child(struct kw_store_worker *worker, struct kw_order *order,
                           struct kw_branch *branch, uint32_t index, uint32_t level);

#endif
