/* order_node.c - how nodes split, join and go, one level of the tree at a time.
 *
 *     split   [ 62 elements ]            --> [ 31 ] [ 31 ]
 *             [ 62 elements ] + one behind --> [ 61 ] [ 1 ]      at the right edge of the tree
 *     join    [ 20 ] [ 26 ]              --> [ 46 ] [ 0 ], which is dropped
 *
 * At the right edge the split is uneven: what grows there leaves full nodes behind. Nodes join when
 * three quarters of one hold both, so that it isn't split by the next insert.
 *
 * What a branch knows of a child (I2 of order.c) is right after each of these.
 */
#include "store/zsets/order_node.h"

static struct kw_leaf *leaf_split(struct kw_store_worker *worker, struct kw_order *order,
                                  struct kw_leaf *leaf, uint32_t keep);
static struct kw_branch *branch_split(struct kw_store_worker *worker, struct kw_order *order,
                                      struct kw_branch *branch, uint32_t keep);
static void branch_move(struct kw_branch *branch, uint32_t at, const struct kw_branch *from,
                        uint32_t index, uint32_t count);
static void leaf_unlink(struct kw_order *order, struct kw_leaf *leaf);

uint32_t kw__branch_child(const struct kw_branch *branch, const struct kw_probe *probe)
{
    uint32_t low = 1; /* the children before it have their first element before the place */
    uint32_t high = branch->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (kw__ranked_is_past(probe, branch->scores[middle], branch->items[middle])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

uint32_t kw__leaf_place(const struct kw_leaf *leaf, const struct kw_probe *probe)
{
    uint32_t low = 0;
    uint32_t high = leaf->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (kw__ranked_is_past(probe, leaf->ranked[middle].score, leaf->ranked[middle].item)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void kw__branch_set(struct kw_branch *branch, uint32_t index, void *child, uint32_t level)
{
    struct kw_ranked first;
    uint32_t count = 0;

    if (level == 0) {
        const struct kw_leaf *leaf = child;
        first = leaf->ranked[0];
        count = leaf->count;
    } else {
        const struct kw_branch *below = child;
        first = (struct kw_ranked){below->scores[0], below->items[0]};
        for (uint32_t i = 0; i < below->count; i++) {
            count += below->counts[i];
        }
    }
    branch->scores[index] = first.score;
    branch->items[index] = first.item;
    branch->counts[index] = count;
    branch->children[index] = child;
}

uint32_t kw__branch_split_if_full(struct kw_store_worker *worker, struct kw_order *order,
                                  const struct kw_branch_step *step)
{
    struct kw_branch *branch = step->node;
    uint32_t index = kw__branch_child(branch, step->probe);
    bool is_edge = step->is_edge && index + 1 == branch->count;
    void *child = branch->children[index];
    void *right = NULL;

    if (step->level == 1) {
        struct kw_leaf *leaf = child;
        if (leaf->count < KW_LEAF_MAX) {
            return index;
        }
        bool is_last = is_edge && kw__leaf_place(leaf, step->probe) == leaf->count;
        right = leaf_split(worker, order, leaf, is_last ? KW_LEAF_MAX - 1 : KW_LEAF_MAX / 2);
    } else {
        struct kw_branch *below = child;
        if (below->count < KW_BRANCH_MAX) {
            return index;
        }
        bool is_last = is_edge && kw__branch_child(below, step->probe) + 1 == below->count;
        right = branch_split(worker, order, below, is_last ? KW_BRANCH_MAX - 1 : KW_BRANCH_MAX / 2);
    }
    branch_move(branch, index + 2, branch, index + 1, branch->count - index - 1);
    branch->count++;
    kw__branch_set(branch, index, child, step->level - 1);
    kw__branch_set(branch, index + 1, right, step->level - 1);
    return kw__branch_child(branch, step->probe);
}

/* The elements of LEAF from KEEP on, in a leaf of their own behind it. */
static struct kw_leaf *leaf_split(struct kw_store_worker *worker, struct kw_order *order,
                                  struct kw_leaf *leaf, uint32_t keep)
{
    struct kw_leaf *right = kw__order_node_get(worker, order, sizeof *right);

    right->count = leaf->count - keep;
    memcpy(right->ranked, leaf->ranked + keep, right->count * sizeof right->ranked[0]);
    leaf->count = keep;
    right->prev = leaf;
    right->next = leaf->next;
    leaf->next = right;
    if (right->next == NULL) {
        order->last = right;
    } else {
        right->next->prev = right;
    }
    return right;
}

static struct kw_branch *branch_split(struct kw_store_worker *worker, struct kw_order *order,
                                      struct kw_branch *branch, uint32_t keep)
{
    struct kw_branch *right = kw__order_node_get(worker, order, sizeof *right);

    right->count = branch->count - keep;
    branch_move(right, 0, branch, keep, right->count);
    branch->count = keep;
    return right;
}

/* Move COUNT entries from INDEX of FROM to AT of BRANCH; they may overlap. */
static void branch_move(struct kw_branch *branch, uint32_t at, const struct kw_branch *from,
                        uint32_t index, uint32_t count)
{
    memmove(branch->counts + at, from->counts + index, count * sizeof branch->counts[0]);
    memmove(branch->scores + at, from->scores + index, count * sizeof branch->scores[0]);
    memmove(branch->items + at, from->items + index, count * sizeof branch->items[0]);
    memmove(branch->children + at, from->children + index, count * sizeof branch->children[0]);
}

bool kw__branch_join(struct kw_branch *branch, uint32_t index, uint32_t level)
{
    if (level == 1) {
        struct kw_leaf *left = branch->children[index];
        struct kw_leaf *right = branch->children[index + 1];
        if (branch->counts[index] + branch->counts[index + 1] > KW_LEAF_MAX * 3 / 4) {
            return false;
        }
        memcpy(left->ranked + left->count, right->ranked, right->count * sizeof left->ranked[0]);
        left->count += right->count;
        right->count = 0;
    } else {
        struct kw_branch *left = branch->children[index];
        struct kw_branch *right = branch->children[index + 1];
        if (left->count + right->count > KW_BRANCH_MAX * 3 / 4) {
            return false;
        }
        branch_move(left, left->count, right, 0, right->count);
        left->count += right->count;
        right->count = 0;
    }
    branch->counts[index] += branch->counts[index + 1];
    return true;
}

void kw__branch_drop_child(struct kw_store_worker *worker, struct kw_order *order,
                           struct kw_branch *branch, uint32_t index, uint32_t level)
{
    if (level == 1) {
        leaf_unlink(order, branch->children[index]);
        kw__order_node_put(worker, order, branch->children[index], sizeof(struct kw_leaf));
    } else {
        kw__order_node_put(worker, order, branch->children[index], sizeof(struct kw_branch));
    }
    branch_move(branch, index, branch, index + 1, branch->count - index - 1);
    branch->count--;
}

static void leaf_unlink(struct kw_order *order, struct kw_leaf *leaf)
{
    if (leaf->prev == NULL) {
        order->first = leaf->next;
    } else {
        leaf->prev->next = leaf->next;
    }
    if (leaf->next == NULL) {
        order->last = leaf->prev;
    } else {
        leaf->next->prev = leaf->prev;
    }
}
