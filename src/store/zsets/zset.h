/* zset.h - a sorted set: members with scores, in the order of both.
 *
 * A small one is flat (flat.h). A larger one is a table of members with their scores, and an order
 * that refers to its elements (order.h); it stays so, as in redis. Whether clients are told of a
 * listpack or of a skiplist is the options' matter: a large one may be called a listpack, but no
 * flat one a skiplist.
 *
 * Ranks count from 0, in ascending order.
 *
 * Thread: who holds the key's stripe. Memory: the store's heap. Members found are borrowed until
 *         the set changes; members given must not lie in it.
 * See also: zsets.h (what the commands share).
 */
#ifndef KW_STORE_ZSETS_ZSET_H
#define KW_STORE_ZSETS_ZSET_H

#include "store/tables/table_walk.h"
#include "store/zsets/flat.h"
#include "store/zsets/order.h"

struct kw_zset_large {
    struct kw_table table; /* the extra bytes are the score */
    struct kw_order order;
};

struct kw_zset {
    union {
        struct kw_flat flat;
        struct kw_zset_large *large;
    };
    uint32_t count;
    bool is_large;
    bool is_marked; /* it has been more than a listpack may be: a skiplist */
};

struct kw_zset_item {
    double score;
    struct kw_bytes member;
};

enum kw_zset_put { KW_ZSET_ADDED = 0, KW_ZSET_CHANGED, KW_ZSET_SAME };

struct kw_zset *kw_zset_new(struct kw_store_worker *worker);
void kw_zset_free(struct kw_store_worker *worker, struct kw_zset **zset);

/* Free up to about STEPS elements of a set that nobody uses any more; true when all is freed, the
 * set itself too.
 */
bool kw_zset_free_some(struct kw_store_worker *worker, struct kw_zset *zset, size_t steps);

/* Make it a skiplist, whatever its size. */
void kw_zset_spread(struct kw_store_worker *worker, struct kw_zset *zset);

/* Make it a listpack, if it is small enough: for results that nobody has seen yet. */
void kw_zset_flatten(struct kw_store_worker *worker, struct kw_zset *zset);

/* MEMBER has SCORE, no NaN, from now on; what that has changed. */
enum kw_zset_put kw_zset_put(struct kw_store_worker *worker, struct kw_zset *zset,
                             struct kw_bytes member, double score);

/* False: there is no MEMBER. */
bool kw_zset_remove(struct kw_store_worker *worker, struct kw_zset *zset, struct kw_bytes member);
bool kw_zset_score(const struct kw_zset *zset, struct kw_bytes member, double *score);
bool kw_zset_rank(const struct kw_zset *zset, struct kw_bytes member, uint64_t *rank,
                  double *score);

/* How many elements come before the place. */
uint64_t kw_zset_rank_of(const struct kw_zset *zset, const struct kw_probe *probe);

/* Remove the COUNT elements from RANK on; they are there. */
void kw_zset_remove_range(struct kw_store_worker *worker, struct kw_zset *zset, uint64_t rank,
                          uint64_t count);

/* What it takes of the heap; constant time. */
size_t kw_zset_bytes(const struct kw_zset *zset);

/* Elements from one on, upwards or downwards. The set must not change meanwhile. */
struct kw_zset_walk {
    const struct kw_zset *zset;
    struct kw_order_spot spot;           /* large */
    uint32_t offset;                     /* flat, upwards */
    uint32_t left_count;                 /* flat, downwards: what OFFSETS has */
    uint16_t offsets[KW_FLAT_COUNT_MAX]; /* of the elements below */
    bool is_reverse;
};

/* From RANK on; there may be nothing. */
void kw_zset_walk_begin(struct kw_zset_walk *walk, const struct kw_zset *zset, uint64_t rank,
                        bool is_reverse);

/* False: that was all. */
bool kw_zset_walk_next(struct kw_zset_walk *walk, struct kw_zset_item *item);

#endif
