/* order.c - see order.h.
 *
 *     root        [ first element, count | first element, count | ... ]
 *                    |                      |
 *     ...         [ ... ]                [ ... ]
 *     leaves      [ s i | s i | ... ] <-> [ ... ] <-> ...        s: score, i: item
 *
 * A branch knows of each child its first element and how many there are below it: one descent
 * finds an element, a score's place, or a rank. Scores lie in the nodes, so members are looked at
 * only where scores are equal.
 *
 * On the way down to an insert full nodes are split, so that there is room above when it is needed.
 * After a removal nodes that have room for a neighbour's elements take them (order_node.c).
 *
 * INVARIANTS
 *   I1  No node is empty; an empty order has none.
 *   I2  A branch's scores and items are those of its children's first elements, its counts theirs.
 *   I3  Elements ascend by (score, member), within a leaf and from leaf to leaf.
 */
#include "store/zsets/order.h"

#include "base/assert.h"
#include "store/zsets/order_node.h"

enum { DEPTH_MAX = 16 };

/* The way from the root to a leaf. */
struct order_path {
    struct kw_branch *branches[DEPTH_MAX];
    uint32_t indexes[DEPTH_MAX];
    struct kw_leaf *leaf;
};

static void order_free_branches(struct kw_store_worker *worker, struct kw_order *order);
static struct kw_probe ranked_probe(struct kw_ranked ranked, bool is_behind);
static void order_grow(struct kw_store_worker *worker, struct kw_order *order);
static uint32_t order_find(const struct kw_order *order, struct kw_ranked ranked,
                           struct order_path *path);
static void order_shrink(struct kw_store_worker *worker, struct kw_order *order,
                         struct order_path *path);

bool kw_order_free_some(struct kw_store_worker *worker, struct kw_order *order, size_t steps)
{
    while (order->first != NULL && steps > 0) {
        struct kw_leaf *leaf = order->first;
        order->first = leaf->next;
        steps -= leaf->count < steps ? leaf->count : steps;
        kw__order_node_put(worker, order, leaf, sizeof *leaf);
    }
    if (order->first != NULL) {
        return false;
    }
    if (order->height > 0) {
        order_free_branches(worker, order);
    }
    *order = (struct kw_order){.root = NULL};
    return true;
}

void kw_order_add(struct kw_store_worker *worker, struct kw_order *order, struct kw_ranked ranked)
{
    struct kw_probe probe = ranked_probe(ranked, false);

    if (order->root == NULL) {
        order->first = kw__order_node_get(worker, order, sizeof *order->first);
        *order->first = (struct kw_leaf){.count = 0};
        order->last = order->first;
        order->root = order->first;
    }
    order_grow(worker, order);
    struct kw_branch_step step = {.probe = &probe, .node = order->root, .is_edge = true};
    for (uint32_t level = order->height; level > 0; level--) {
        struct kw_branch *branch = step.node;
        step.level = level;
        uint32_t index = kw__branch_split_if_full(worker, order, &step);
        if (!kw__ranked_is_past(&probe, branch->scores[index], branch->items[index])) {
            branch->scores[index] = ranked.score; /* it is the new first one, I2 */
            branch->items[index] = ranked.item;
        }
        branch->counts[index]++;
        step.is_edge = step.is_edge && index + 1 == branch->count;
        step.node = branch->children[index];
    }
    struct kw_leaf *leaf = step.node;
    uint32_t place = kw__leaf_place(leaf, &probe);
    KW_ASSERT(leaf->count < KW_LEAF_MAX);
    memmove(leaf->ranked + place + 1, leaf->ranked + place,
            (leaf->count - place) * sizeof leaf->ranked[0]);
    leaf->ranked[place] = ranked;
    leaf->count++;
}

void kw_order_remove(struct kw_store_worker *worker, struct kw_order *order,
                     struct kw_ranked ranked)
{
    struct order_path path;
    uint32_t place = order_find(order, ranked, &path);
    struct kw_leaf *leaf = path.leaf;

    leaf->count--;
    memmove(leaf->ranked + place, leaf->ranked + place + 1,
            (leaf->count - place) * sizeof leaf->ranked[0]);
    for (uint32_t depth = 0; depth < order->height; depth++) {
        path.branches[depth]->counts[path.indexes[depth]]--;
    }
    order_shrink(worker, order, &path);
}

bool kw_order_move(struct kw_order *order, struct kw_ranked ranked, double score)
{
    struct order_path path;
    uint32_t place = order_find(order, ranked, &path);
    struct kw_leaf *leaf = path.leaf;
    struct kw_probe probe = ranked_probe((struct kw_ranked){score, ranked.item}, false);
    struct kw_order_spot spot = {leaf, place};
    struct kw_order_spot before = kw_order_spot_next(spot, true);
    struct kw_order_spot behind = kw_order_spot_next(spot, false);

    if (before.leaf != NULL) {
        struct kw_ranked other = before.leaf->ranked[before.index];
        if (!kw__ranked_is_past(&probe, other.score, other.item)) {
            return false;
        }
    }
    if (behind.leaf != NULL) {
        struct kw_ranked other = behind.leaf->ranked[behind.index];
        if (kw__ranked_is_past(&probe, other.score, other.item)) {
            return false;
        }
    }
    leaf->ranked[place].score = score;
    bool is_first = place == 0;
    for (uint32_t depth = order->height; is_first && depth-- > 0;) {
        path.branches[depth]->scores[path.indexes[depth]] = score; /* I2 */
        is_first = path.indexes[depth] == 0;
    }
    return true;
}

uint64_t kw_order_rank(const struct kw_order *order, const struct kw_probe *probe)
{
    const void *node = order->root;
    uint64_t rank = 0;

    if (node == NULL) {
        return 0;
    }
    for (uint32_t level = order->height; level > 0; level--) {
        const struct kw_branch *branch = node;
        uint32_t index = kw__branch_child(branch, probe);
        for (uint32_t i = 0; i < index; i++) {
            rank += branch->counts[i];
        }
        node = branch->children[index];
    }
    return rank + kw__leaf_place(node, probe);
}

struct kw_order_spot kw_order_at(const struct kw_order *order, uint64_t rank)
{
    const void *node = order->root;

    for (uint32_t level = order->height; level > 0; level--) {
        const struct kw_branch *branch = node;
        uint32_t index = 0;
        while (rank >= branch->counts[index]) {
            rank -= branch->counts[index];
            index++;
        }
        node = branch->children[index];
    }
    const struct kw_leaf *leaf = node;
    KW_ASSERT(rank < leaf->count);
    return (struct kw_order_spot){leaf, (uint32_t)rank};
}

struct kw_ranked kw_order_spot_ranked(struct kw_order_spot spot)
{
    return spot.leaf->ranked[spot.index];
}

struct kw_order_spot kw_order_spot_next(struct kw_order_spot spot, bool is_reverse)
{
    if (is_reverse) {
        if (spot.index > 0) {
            return (struct kw_order_spot){spot.leaf, spot.index - 1};
        }
        const struct kw_leaf *leaf = spot.leaf->prev;
        return (struct kw_order_spot){leaf, leaf == NULL ? 0 : leaf->count - 1};
    }
    if (spot.index + 1 < spot.leaf->count) {
        return (struct kw_order_spot){spot.leaf, spot.index + 1};
    }
    return (struct kw_order_spot){spot.leaf->next, 0};
}

uint64_t kw_order_check(const struct kw_order *order)
{
    const struct kw_leaf *prev = NULL;
    uint64_t count = 0;

    for (const struct kw_leaf *leaf = order->first; leaf != NULL; leaf = leaf->next) {
        KW_ASSERT(leaf->count > 0 && leaf->count <= KW_LEAF_MAX); /* I1 */
        KW_ASSERT(leaf->prev == prev);
        for (uint32_t i = 0; i < leaf->count; i++) {
            struct kw_probe probe = ranked_probe(leaf->ranked[i], false);
            struct kw_order_spot spot = kw_order_at(order, count);
            KW_ASSERT(spot.leaf == leaf && spot.index == i);
            KW_ASSERT(kw_order_rank(order, &probe) == count); /* I3 */
            probe.is_behind = true;
            KW_ASSERT(kw_order_rank(order, &probe) == count + 1);
            count++;
        }
        prev = leaf;
    }
    KW_ASSERT(order->last == prev);
    return count;
}

/* Depth first; the leaves have gone before. */
static void order_free_branches(struct kw_store_worker *worker, struct kw_order *order)
{
    struct order_path path;
    uint32_t depth = 0;
    bool is_done = false;

    path.branches[0] = order->root;
    path.indexes[0] = 0;
    while (!is_done) {
        struct kw_branch *branch = path.branches[depth];
        if (depth + 1 < order->height && path.indexes[depth] < branch->count) {
            path.branches[depth + 1] = branch->children[path.indexes[depth]];
            path.indexes[depth + 1] = 0;
            path.indexes[depth]++;
            depth++;
            continue;
        }
        kw__order_node_put(worker, order, branch, sizeof *branch);
        is_done = depth == 0;
        depth -= is_done ? 0 : 1;
    }
}

static struct kw_probe ranked_probe(struct kw_ranked ranked, bool is_behind)
{
    return (struct kw_probe){.kind = KW_PROBE_ELEMENT,
                             .is_behind = is_behind,
                             .score = ranked.score,
                             .member = kw_ranked_member(ranked.item)};
}

/* A full root gets a branch above it. */
static void order_grow(struct kw_store_worker *worker, struct kw_order *order)
{
    const struct kw_branch *branch = order->root;
    const struct kw_leaf *leaf = order->root;

    if (order->height == 0 ? leaf->count < KW_LEAF_MAX : branch->count < KW_BRANCH_MAX) {
        return;
    }
    KW_ASSERT(order->height + 1 < DEPTH_MAX);
    struct kw_branch *root = kw__order_node_get(worker, order, sizeof *root);
    root->count = 1;
    kw__branch_set(root, 0, order->root, order->height);
    order->root = root;
    order->height++;
}

/* The way to RANKED, which is there. Returns its place in the leaf. */
static uint32_t order_find(const struct kw_order *order, struct kw_ranked ranked,
                           struct order_path *path)
{
    struct kw_probe probe = ranked_probe(ranked, true);
    void *node = order->root;

    for (uint32_t depth = 0; depth < order->height; depth++) {
        struct kw_branch *branch = node;
        path->branches[depth] = branch;
        path->indexes[depth] = kw__branch_child(branch, &probe);
        node = branch->children[path->indexes[depth]];
    }
    path->leaf = node;
    uint32_t place = kw__leaf_place(path->leaf, &probe);
    KW_ASSERT(place > 0);
    KW_ASSERT(path->leaf->ranked[place - 1].item == ranked.item); /* I3 */
    return place - 1;
}

/* A leaf has lost elements: from there up, what is empty goes, what is small joins a neighbour. */
static void order_shrink(struct kw_store_worker *worker, struct kw_order *order,
                         struct order_path *path)
{
    for (uint32_t level = 1; level <= order->height; level++) {
        struct kw_branch *branch = path->branches[order->height - level];
        uint32_t index = path->indexes[order->height - level];
        if (branch->counts[index] == 0) {
            kw__branch_drop_child(worker, order, branch, index, level);
            continue;
        }
        kw__branch_set(branch, index, branch->children[index], level - 1);
        if (index + 1 < branch->count && kw__branch_join(branch, index, level)) {
            kw__branch_drop_child(worker, order, branch, index + 1, level);
        } else if (index > 0 && kw__branch_join(branch, index - 1, level)) {
            kw__branch_drop_child(worker, order, branch, index, level);
        }
    }
    while (order->height > 0) {
        struct kw_branch *root = order->root;
        if (root->count != 1) {
            break;
        }
        order->root = root->children[0];
        order->height--;
        kw__order_node_put(worker, order, root, sizeof *root);
    }
    const struct kw_leaf *leaf = order->root;
    if (order->height == 0 && leaf->count == 0) {
        kw__order_node_put(worker, order, order->root, sizeof *leaf);
        *order = (struct kw_order){.root = NULL};
    }
}
