/* zset.c - see zset.h.
 *
 * INVARIANTS
 *   I1  A flat set has at most KW_FLAT_COUNT_MAX elements, of at most KW_FLAT_MEMBER_MAX bytes.
 *   I2  Of a large one table and order have the same elements, with the same scores.
 *   I3  What is marked is large; what is not marked has no score of -0, as a listpack of redis.
 */
#include "store/zsets/zset.h"

#include "base/assert.h"
#include "store/internal.h"

static void zset_enlarge(struct kw_store_worker *worker, struct kw_zset *zset);
static bool zset_is_listpack(const struct kw_zset *zset, const struct kw_packing *packing);
static bool zset_free_large(struct kw_store_worker *worker, struct kw_zset *zset, size_t steps);
static enum kw_zset_put zset_put_flat(struct kw_store_worker *worker, struct kw_zset *zset,
                                      struct kw_bytes member, double score);
static enum kw_zset_put zset_put_large(struct kw_store_worker *worker, struct kw_zset *zset,
                                       struct kw_bytes member, double score);

struct kw_zset *kw_zset_new(struct kw_store_worker *worker)
{
    struct kw_zset *zset = kw_heap_get(worker, sizeof *zset);

    *zset = (struct kw_zset){.count = 0};
    return zset;
}

void kw_zset_free(struct kw_store_worker *worker, struct kw_zset **zset)
{
    bool is_done = kw_zset_free_some(worker, *zset, SIZE_MAX);

    KW_ASSERT(is_done);
    *zset = NULL;
}

bool kw_zset_free_some(struct kw_store_worker *worker, struct kw_zset *zset, size_t steps)
{
    if (!zset->is_large) {
        kw_flat_free(worker, &zset->flat);
    } else if (!zset_free_large(worker, zset, steps)) {
        return false;
    }
    kw_heap_put(worker, zset, sizeof *zset);
    return true;
}

void kw_zset_spread(struct kw_store_worker *worker, struct kw_zset *zset)
{
    zset->is_marked = true;
    if (!zset->is_large) {
        zset_enlarge(worker, zset); /* I3 */
    }
}

void kw_zset_flatten(struct kw_store_worker *worker, struct kw_zset *zset)
{
    struct kw_zset made = {.count = 0};
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (!zset->is_marked || !zset_is_listpack(zset, kw__packing_of(worker))) {
        return;
    }
    kw_zset_walk_begin(&walk, zset, 0, false);
    while (kw_zset_walk_next(&walk, &item)) {
        kw_zset_put(worker, &made, item.member, item.score);
    }
    zset_free_large(worker, zset, SIZE_MAX);
    *zset = made;
}

enum kw_zset_put kw_zset_put(struct kw_store_worker *worker, struct kw_zset *zset,
                             struct kw_bytes member, double score)
{
    const struct kw_packing *packing = kw__packing_of(worker);
    enum kw_zset_put put = zset->is_large ? zset_put_large(worker, zset, member, score)
                                          : zset_put_flat(worker, zset, member, score);

    if (put == KW_ZSET_ADDED) {
        zset->count++;
        zset->is_marked |= zset->is_large && (zset->count > packing->zset_entries_max ||
                                              member.len > packing->zset_value_max);
    }
    return put;
}

bool kw_zset_remove(struct kw_store_worker *worker, struct kw_zset *zset, struct kw_bytes member)
{
    if (!zset->is_large) {
        struct kw_flat_item item;
        uint64_t rank = 0;
        if (!kw_flat_find(&zset->flat, member, &item, &rank)) {
            return false;
        }
        kw_flat_cut(&zset->flat, item.offset, item.end);
        zset->count--;
        return true;
    }
    struct kw_table_item item;
    struct kw_ranked ranked;
    if (!kw_table_find(&zset->large->table, member, &item)) {
        return false;
    }
    ranked.item = item.extra;
    memcpy(&ranked.score, item.extra, sizeof ranked.score);
    kw_order_remove(worker, &zset->large->order, ranked);
    kw_table_remove(worker, &zset->large->table, member);
    zset->count--;
    return true;
}

bool kw_zset_score(const struct kw_zset *zset, struct kw_bytes member, double *score)
{
    if (!zset->is_large) {
        struct kw_flat_item item;
        uint64_t rank = 0;
        bool is_there = kw_flat_find(&zset->flat, member, &item, &rank);
        *score = is_there ? item.score : 0;
        return is_there;
    }
    struct kw_table_item item;
    if (!kw_table_find(&zset->large->table, member, &item)) {
        return false;
    }
    memcpy(score, item.extra, sizeof *score);
    return true;
}

bool kw_zset_rank(const struct kw_zset *zset, struct kw_bytes member, uint64_t *rank, double *score)
{
    if (!zset->is_large) {
        struct kw_flat_item item;
        bool is_there = kw_flat_find(&zset->flat, member, &item, rank);
        *score = is_there ? item.score : 0;
        return is_there;
    }
    if (!kw_zset_score(zset, member, score)) {
        return false;
    }
    struct kw_probe probe = {.score = *score, .member = member};
    *rank = kw_order_rank(&zset->large->order, &probe);
    return true;
}

uint64_t kw_zset_rank_of(const struct kw_zset *zset, const struct kw_probe *probe)
{
    return zset->is_large ? kw_order_rank(&zset->large->order, probe)
                          : kw_flat_rank(&zset->flat, probe);
}

void kw_zset_remove_range(struct kw_store_worker *worker, struct kw_zset *zset, uint64_t rank,
                          uint64_t count)
{
    if (count == 0) {
        return;
    }
    KW_ASSERT(rank + count <= zset->count);
    zset->count -= (uint32_t)count;
    if (!zset->is_large) {
        struct kw_flat_item first;
        kw_flat_at(&zset->flat, rank, &first);
        struct kw_flat_item last = first;
        while (--count > 0) {
            kw_flat_read(&zset->flat, last.end, &last);
        }
        kw_flat_cut(&zset->flat, first.offset, last.end);
        return;
    }
    struct kw_zset_large *large = zset->large;
    for (; count > 0; count--) {
        struct kw_ranked ranked = kw_order_spot_ranked(kw_order_at(&large->order, rank));
        kw_order_remove(worker, &large->order, ranked);
        kw_table_remove(worker, &large->table, kw_ranked_member(ranked.item));
    }
}

size_t kw_zset_bytes(const struct kw_zset *zset)
{
    if (!zset->is_large) {
        return sizeof *zset + zset->flat.cap_bytes;
    }
    return sizeof *zset + sizeof *zset->large + zset->large->order.nodes_bytes +
           kw_table_bytes(&zset->large->table);
}

void kw_zset_walk_begin(struct kw_zset_walk *walk, const struct kw_zset *zset, uint64_t rank,
                        bool is_reverse)
{
    walk->zset = zset;
    walk->is_reverse = is_reverse;
    walk->left_count = 0;
    walk->offset = zset->is_large ? 0 : zset->flat.used_bytes;
    walk->spot.leaf = NULL;
    if (rank >= zset->count) {
        return;
    }
    if (zset->is_large) {
        walk->spot = kw_order_at(&zset->large->order, rank);
        return;
    }
    struct kw_flat_item item = {.end = 0};
    for (uint64_t i = 0; i <= rank; i++) {
        KW_ASSERT(i < KW_FLAT_COUNT_MAX); /* I1 */
        kw_flat_read(&zset->flat, item.end, &item);
        walk->offsets[i] = (uint16_t)item.offset;
    }
    walk->offset = item.offset;
    walk->left_count = (uint32_t)rank + 1;
}

bool kw_zset_walk_next(struct kw_zset_walk *walk, struct kw_zset_item *item)
{
    if (walk->zset->is_large) {
        if (walk->spot.leaf == NULL) {
            return false;
        }
        struct kw_ranked ranked = kw_order_spot_ranked(walk->spot);
        item->score = ranked.score;
        item->member = kw_ranked_member(ranked.item);
        walk->spot = kw_order_spot_next(walk->spot, walk->is_reverse);
        return true;
    }
    struct kw_flat_item flat;
    if (walk->is_reverse) {
        if (walk->left_count == 0) {
            return false;
        }
        walk->left_count--;
        kw_flat_read(&walk->zset->flat, walk->offsets[walk->left_count], &flat);
    } else {
        if (walk->offset == walk->zset->flat.used_bytes) {
            return false;
        }
        kw_flat_read(&walk->zset->flat, walk->offset, &flat);
        walk->offset = flat.end;
    }
    item->score = flat.score;
    item->member = flat.member;
    return true;
}

static void zset_enlarge(struct kw_store_worker *worker, struct kw_zset *zset)
{
    struct kw_flat flat = zset->flat;
    struct kw_flat_item item = {.end = 0};

    zset->large = kw_heap_get(worker, sizeof *zset->large);
    zset->is_large = true;
    zset->large->order = (struct kw_order){.root = NULL};
    kw_table_init(&zset->large->table, sizeof(double), false);
    while (item.end < flat.used_bytes) {
        kw_flat_read(&flat, item.end, &item);
        zset_put_large(worker, zset, item.member, item.score);
    }
    kw_flat_free(worker, &flat);
}

/* Would redis make a listpack of it? */
static bool zset_is_listpack(const struct kw_zset *zset, const struct kw_packing *packing)
{
    bool is_small = zset->count <= packing->zset_entries_max;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    kw_zset_walk_begin(&walk, zset, 0, false);
    while (is_small && kw_zset_walk_next(&walk, &item)) {
        is_small = item.member.len <= packing->zset_value_max;
    }
    return is_small;
}

static bool zset_free_large(struct kw_store_worker *worker, struct kw_zset *zset, size_t steps)
{
    if (!kw_order_free_some(worker, &zset->large->order, steps) ||
        !kw_table_deinit_some(worker, &zset->large->table, steps)) {
        return false;
    }
    kw_heap_put(worker, zset->large, sizeof *zset->large);
    return true;
}

static enum kw_zset_put zset_put_flat(struct kw_store_worker *worker, struct kw_zset *zset,
                                      struct kw_bytes member, double score)
{
    const struct kw_packing *packing = kw__packing_of(worker);
    struct kw_flat_item item;
    uint64_t rank = 0;

    if (kw_flat_find(&zset->flat, member, &item, &rank)) {
        if (item.score == score) {
            return KW_ZSET_SAME;
        }
        kw_flat_cut(&zset->flat, item.offset, item.end);
        kw_flat_add(worker, &zset->flat, score, member);
        return KW_ZSET_CHANGED;
    }
    if (zset->count >= packing->zset_entries_max || member.len > packing->zset_value_max) {
        kw_zset_spread(worker, zset);
        return zset_put_large(worker, zset, member, score);
    }
    if (zset->count == KW_FLAT_COUNT_MAX || member.len > KW_FLAT_MEMBER_MAX) { /* I1 */
        zset_enlarge(worker, zset);
        return zset_put_large(worker, zset, member, score);
    }
    kw_flat_add(worker, &zset->flat, score, member);
    return KW_ZSET_ADDED;
}

static enum kw_zset_put zset_put_large(struct kw_store_worker *worker, struct kw_zset *zset,
                                       struct kw_bytes member, double score)
{
    static const struct kw_table_limits none = {0}; /* elements stay where they are */
    struct kw_zset_large *large = zset->large;
    struct kw_table_item item;
    struct kw_ranked ranked;

    score = zset->is_marked ? score : score + 0.0; /* I3 */
    if (kw_table_put(worker, &large->table, &none, member, KW_BYTES(""), &item)) {
        memcpy(item.extra, &score, sizeof score);
        kw_order_add(worker, &large->order, (struct kw_ranked){score, item.extra});
        return KW_ZSET_ADDED;
    }
    ranked.item = item.extra;
    memcpy(&ranked.score, item.extra, sizeof ranked.score);
    if (ranked.score == score) {
        return KW_ZSET_SAME;
    }
    if (!kw_order_move(&large->order, ranked, score)) {
        kw_order_remove(worker, &large->order, ranked);
        ranked.score = score;
        kw_order_add(worker, &large->order, ranked);
    }
    memcpy(item.extra, &score, sizeof score);
    return KW_ZSET_CHANGED;
}
