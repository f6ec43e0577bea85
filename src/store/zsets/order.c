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
 * On the way down to an insert full nodes are split, so that there is room above when it is needed;
 * at the right edge the split is uneven: what grows there leaves full nodes behind. After a removal
 * nodes that have room for a neighbour's elements take them.
 *
 * INVARIANTS
 *   I1  No node is empty; an empty order has none.
 *   I2  A branch's scores and items are those of its children's first elements, its counts theirs.
 *   I3  Elements ascend by (score, member), within a leaf and from leaf to leaf.
 */
#include "store/zsets/order.h"

#include "base/assert.h"

enum {
    LEAF_MAX = 62,   /* 1016 bytes */
    BRANCH_MAX = 63, /* 1776 bytes */
    DEPTH_MAX = 16
};

struct kw_leaf {
    struct kw_leaf *prev;
    struct kw_leaf *next;
    uint32_t count;
    struct kw_ranked ranked[LEAF_MAX];
};

/* What is searched together lies together. */
struct branch {
    uint32_t count;
    uint32_t counts[BRANCH_MAX]; /* of elements below the child */
    double scores[BRANCH_MAX];
    const char *items[BRANCH_MAX];
    void *children[BRANCH_MAX];
};

/* The way from the root to a leaf. */
struct order_path {
    struct branch *branches[DEPTH_MAX];
    uint32_t indexes[DEPTH_MAX];
    struct kw_leaf *leaf;
};

/* Where an insert is on its way down. */
struct order_step {
    const struct kw_probe *probe;
    void *node;
    uint32_t level; /* of NODE; leaves are at 0 */
    bool is_edge;   /* nothing is right of NODE */
};

static inline bool ranked_is_past(const struct kw_probe *probe, double score, const char *item)
{
    if (probe->kind != KW_PROBE_MEMBER && (score < probe->score || score > probe->score)) {
        return score < probe->score; /* without a look at the element */
    }
    return kw_probe_is_past(probe, score, kw_ranked_member(item));
}

static void *order_node(struct kw_store_worker *worker, struct kw_order *order, size_t size);
static void order_drop_node(struct kw_store_worker *worker, struct kw_order *order, void *node,
                            size_t size);
static void order_free_branches(struct kw_store_worker *worker, struct kw_order *order);
static struct kw_probe ranked_probe(struct kw_ranked ranked, bool is_behind);
static void order_grow(struct kw_store_worker *worker, struct kw_order *order);
static uint32_t branch_child(const struct branch *branch, const struct kw_probe *probe);
static uint32_t branch_split_if_full(struct kw_store_worker *worker, struct kw_order *order,
                                     const struct order_step *step);
static uint32_t leaf_place(const struct kw_leaf *leaf, const struct kw_probe *probe);
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
        order_drop_node(worker, order, leaf, sizeof *leaf);
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
        order->first = order_node(worker, order, sizeof *order->first);
        *order->first = (struct kw_leaf){.count = 0};
        order->last = order->first;
        order->root = order->first;
    }
    order_grow(worker, order);
    struct order_step step = {.probe = &probe, .node = order->root, .is_edge = true};
    for (uint32_t level = order->height; level > 0; level--) {
        struct branch *branch = step.node;
        step.level = level;
        uint32_t index = branch_split_if_full(worker, order, &step);
        if (!ranked_is_past(&probe, branch->scores[index], branch->items[index])) {
            branch->scores[index] = ranked.score; /* it is the new first one, I2 */
            branch->items[index] = ranked.item;
        }
        branch->counts[index]++;
        step.is_edge = step.is_edge && index + 1 == branch->count;
        step.node = branch->children[index];
    }
    struct kw_leaf *leaf = step.node;
    uint32_t place = leaf_place(leaf, &probe);
    KW_ASSERT(leaf->count < LEAF_MAX);
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
        if (!ranked_is_past(&probe, other.score, other.item)) {
            return false;
        }
    }
    if (behind.leaf != NULL) {
        struct kw_ranked other = behind.leaf->ranked[behind.index];
        if (ranked_is_past(&probe, other.score, other.item)) {
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
        const struct branch *branch = node;
        uint32_t index = branch_child(branch, probe);
        for (uint32_t i = 0; i < index; i++) {
            rank += branch->counts[i];
        }
        node = branch->children[index];
    }
    return rank + leaf_place(node, probe);
}

struct kw_order_spot kw_order_at(const struct kw_order *order, uint64_t rank)
{
    const void *node = order->root;

    for (uint32_t level = order->height; level > 0; level--) {
        const struct branch *branch = node;
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
        KW_ASSERT(leaf->count > 0 && leaf->count <= LEAF_MAX); /* I1 */
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

static void *order_node(struct kw_store_worker *worker, struct kw_order *order, size_t size)
{
    order->nodes_bytes += size;
    return kw_heap_get(worker, size);
}

static void order_drop_node(struct kw_store_worker *worker, struct kw_order *order, void *node,
                            size_t size)
{
    order->nodes_bytes -= size;
    kw_heap_put(worker, node, size);
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
        struct branch *branch = path.branches[depth];
        if (depth + 1 < order->height && path.indexes[depth] < branch->count) {
            path.branches[depth + 1] = branch->children[path.indexes[depth]];
            path.indexes[depth + 1] = 0;
            path.indexes[depth]++;
            depth++;
            continue;
        }
        order_drop_node(worker, order, branch, sizeof *branch);
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

/* CHILD, which is at LEVEL, as the one with INDEX. */
static void branch_set(struct branch *branch, uint32_t index, void *child, uint32_t level)
{
    struct kw_ranked first;
    uint32_t count = 0;

    if (level == 0) {
        const struct kw_leaf *leaf = child;
        first = leaf->ranked[0];
        count = leaf->count;
    } else {
        const struct branch *below = child;
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

/* Move COUNT entries from INDEX of FROM to AT of BRANCH; they may overlap. */
static void branch_move(struct branch *branch, uint32_t at, const struct branch *from,
                        uint32_t index, uint32_t count)
{
    memmove(branch->counts + at, from->counts + index, count * sizeof branch->counts[0]);
    memmove(branch->scores + at, from->scores + index, count * sizeof branch->scores[0]);
    memmove(branch->items + at, from->items + index, count * sizeof branch->items[0]);
    memmove(branch->children + at, from->children + index, count * sizeof branch->children[0]);
}

/* A full root gets a branch above it. */
static void order_grow(struct kw_store_worker *worker, struct kw_order *order)
{
    const struct branch *branch = order->root;
    const struct kw_leaf *leaf = order->root;

    if (order->height == 0 ? leaf->count < LEAF_MAX : branch->count < BRANCH_MAX) {
        return;
    }
    KW_ASSERT(order->height + 1 < DEPTH_MAX);
    struct branch *root = order_node(worker, order, sizeof *root);
    root->count = 1;
    branch_set(root, 0, order->root, order->height);
    order->root = root;
    order->height++;
}

/* The child that an element at the place of PROBE belongs to. */
static uint32_t branch_child(const struct branch *branch, const struct kw_probe *probe)
{
    uint32_t low = 1; /* the children before it have their first element before the place */
    uint32_t high = branch->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ranked_is_past(probe, branch->scores[middle], branch->items[middle])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

static uint32_t leaf_place(const struct kw_leaf *leaf, const struct kw_probe *probe)
{
    uint32_t low = 0;
    uint32_t high = leaf->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ranked_is_past(probe, leaf->ranked[middle].score, leaf->ranked[middle].item)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The elements of LEAF from KEEP on, in a leaf of their own behind it. */
static struct kw_leaf *leaf_split(struct kw_store_worker *worker, struct kw_order *order,
                                  struct kw_leaf *leaf, uint32_t keep)
{
    struct kw_leaf *right = order_node(worker, order, sizeof *right);

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

static struct branch *branch_split(struct kw_store_worker *worker, struct kw_order *order,
                                   struct branch *branch, uint32_t keep)
{
    struct branch *right = order_node(worker, order, sizeof *right);

    right->count = branch->count - keep;
    branch_move(right, 0, branch, keep, right->count);
    branch->count = keep;
    return right;
}

/* The child of the step's branch to go on to; it is split first when it is full. */
static uint32_t branch_split_if_full(struct kw_store_worker *worker, struct kw_order *order,
                                     const struct order_step *step)
{
    struct branch *branch = step->node;
    uint32_t index = branch_child(branch, step->probe);
    bool is_edge = step->is_edge && index + 1 == branch->count;
    void *child = branch->children[index];
    void *right = NULL;

    if (step->level == 1) {
        struct kw_leaf *leaf = child;
        if (leaf->count < LEAF_MAX) {
            return index;
        }
        bool is_last = is_edge && leaf_place(leaf, step->probe) == leaf->count;
        right = leaf_split(worker, order, leaf, is_last ? LEAF_MAX - 1 : LEAF_MAX / 2);
    } else {
        struct branch *below = child;
        if (below->count < BRANCH_MAX) {
            return index;
        }
        bool is_last = is_edge && branch_child(below, step->probe) + 1 == below->count;
        right = branch_split(worker, order, below, is_last ? BRANCH_MAX - 1 : BRANCH_MAX / 2);
    }
    branch_move(branch, index + 2, branch, index + 1, branch->count - index - 1);
    branch->count++;
    branch_set(branch, index, child, step->level - 1);
    branch_set(branch, index + 1, right, step->level - 1);
    return branch_child(branch, step->probe);
}

/* The way to RANKED, which is there. Returns its place in the leaf. */
static uint32_t order_find(const struct kw_order *order, struct kw_ranked ranked,
                           struct order_path *path)
{
    struct kw_probe probe = ranked_probe(ranked, true);
    void *node = order->root;

    for (uint32_t depth = 0; depth < order->height; depth++) {
        struct branch *branch = node;
        path->branches[depth] = branch;
        path->indexes[depth] = branch_child(branch, &probe);
        node = branch->children[path->indexes[depth]];
    }
    path->leaf = node;
    uint32_t place = leaf_place(path->leaf, &probe);
    KW_ASSERT(place > 0);
    KW_ASSERT(path->leaf->ranked[place - 1].item == ranked.item); /* I3 */
    return place - 1;
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

/* The child with INDEX, which is empty, goes. */
static void branch_drop_child(struct kw_store_worker *worker, struct kw_order *order,
                              struct branch *branch, uint32_t index, uint32_t level)
{
    if (level == 1) {
        leaf_unlink(order, branch->children[index]);
        order_drop_node(worker, order, branch->children[index], sizeof(struct kw_leaf));
    } else {
        order_drop_node(worker, order, branch->children[index], sizeof(struct branch));
    }
    branch_move(branch, index, branch, index + 1, branch->count - index - 1);
    branch->count--;
}

/* Move what the child right of INDEX has into the one with INDEX, when that leaves it some room. */
static bool branch_join(struct branch *branch, uint32_t index, uint32_t level)
{
    if (level == 1) {
        struct kw_leaf *left = branch->children[index];
        struct kw_leaf *right = branch->children[index + 1];
        if (branch->counts[index] + branch->counts[index + 1] > LEAF_MAX * 3 / 4) {
            return false;
        }
        memcpy(left->ranked + left->count, right->ranked, right->count * sizeof left->ranked[0]);
        left->count += right->count;
        right->count = 0;
    } else {
        struct branch *left = branch->children[index];
        struct branch *right = branch->children[index + 1];
        if (left->count + right->count > BRANCH_MAX * 3 / 4) {
            return false;
        }
        branch_move(left, left->count, right, 0, right->count);
        left->count += right->count;
        right->count = 0;
    }
    branch->counts[index] += branch->counts[index + 1];
    return true;
}

/* A leaf has lost elements: from there up, what is empty goes, what is small joins a neighbour. */
static void order_shrink(struct kw_store_worker *worker, struct kw_order *order,
                         struct order_path *path)
{
    for (uint32_t level = 1; level <= order->height; level++) {
        struct branch *branch = path->branches[order->height - level];
        uint32_t index = path->indexes[order->height - level];
        if (branch->counts[index] == 0) {
            branch_drop_child(worker, order, branch, index, level);
            continue;
        }
        branch_set(branch, index, branch->children[index], level - 1);
        if (index + 1 < branch->count && branch_join(branch, index, level)) {
            branch_drop_child(worker, order, branch, index + 1, level);
        } else if (index > 0 && branch_join(branch, index - 1, level)) {
            branch_drop_child(worker, order, branch, index, level);
        }
    }
    while (order->height > 0) {
        struct branch *root = order->root;
        if (root->count != 1) {
            break;
        }
        order->root = root->children[0];
        order->height--;
        order_drop_node(worker, order, root, sizeof *root);
    }
    const struct kw_leaf *leaf = order->root;
    if (order->height == 0 && leaf->count == 0) {
        order_drop_node(worker, order, order->root, sizeof *leaf);
        *order = (struct kw_order){.root = NULL};
    }
}
