/* flat.h - a small sorted set: its elements in their order, in one block without pointers.
 *
 * Thread: who holds the key's stripe. Memory: a block of the store's heap.
 * See also: flat.c (the layout), zset.h (who uses it, and its limits).
 */
#ifndef KW_STORE_ZSETS_FLAT_H
#define KW_STORE_ZSETS_FLAT_H

#include "store/heap.h"
#include "store/zsets/probe.h"

enum {
    KW_FLAT_COUNT_MAX = 128, /* as redis's zset-max-listpack-entries and -value by default */
    KW_FLAT_MEMBER_MAX = 64
};

struct kw_flat {
    char *block; /* NULL when cap is 0 */
    uint32_t used_bytes;
    uint32_t cap_bytes;
};

struct kw_flat_item {
    double score;
    struct kw_bytes member;
    uint32_t offset;
    uint32_t end; /* the offset of the next one */
};

/* The element at OFFSET, below used_bytes. */
void kw_flat_read(const struct kw_flat *flat, uint32_t offset, struct kw_flat_item *item);

/* The element with RANK, below the count, or with MEMBER: false: there is none. */
void kw_flat_at(const struct kw_flat *flat, uint64_t rank, struct kw_flat_item *item);
bool kw_flat_find(const struct kw_flat *flat, struct kw_bytes member, struct kw_flat_item *item,
                  uint64_t *rank);

/* How many elements come before the place. */
uint64_t kw_flat_rank(const struct kw_flat *flat, const struct kw_probe *probe);

/* MEMBER, which is not there and does not lie in it, with SCORE. */
void kw_flat_add(struct kw_store_worker *worker, struct kw_flat *flat, double score,
                 struct kw_bytes member);

/* Take the bytes of whole elements out. */
void kw_flat_cut(struct kw_flat *flat, uint32_t offset, uint32_t end);

void kw_flat_free(struct kw_store_worker *worker, struct kw_flat *flat);

#endif
