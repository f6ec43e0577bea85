/* zsets.h - what the commands on sorted sets share: finding one, bounds, replies, how one ends.
 *
 * Thread: the worker's. Memory: sets that are found are borrowed until the command ends.
 * See also: zset.h (the object); add_commands.c and its kin.
 */
#ifndef KW_STORE_ZSETS_ZSETS_H
#define KW_STORE_ZSETS_ZSETS_H

#include "store/arguments.h"
#include "store/internal.h"
#include "store/zsets/zset.h"

/* As kw_key_object(). */
static inline enum kw_found kw__zset_find(struct kw_exec *exec, struct kw_bytes name,
                                          struct kw_zset **zset)
{
    void *object = NULL;
    enum kw_found found = kw_key_object(exec, name, KW_KIND_ZSET, &object);

    *zset = object;
    return found;
}

/* How clients name a part of a sorted set. */
enum kw_zset_range_kind { KW_ZSET_BY_RANK = 0, KW_ZSET_BY_SCORE, KW_ZSET_BY_LEX };

struct kw_zset_range {
    enum kw_zset_range_kind kind;
    int64_t start;       /* by rank: below 0 it is counted from the end */
    int64_t end;         /* the last one */
    struct kw_probe min; /* otherwise: between these places */
    struct kw_probe max;
};

/* The two arguments of a range as KIND has them. False: the error is written. */
bool kw__zset_parse_range(struct kw_exec *exec, enum kw_zset_range_kind kind, struct kw_bytes min,
                          struct kw_bytes max, struct kw_zset_range *range);

/* How many elements of ZSET are in RANGE, and the rank of the first one. With IS_REVERSE ranks
 * given by clients count from the highest element; RANK is always from the lowest.
 */
uint64_t kw__zset_range_count(const struct kw_zset *zset, const struct kw_zset_range *range,
                              bool is_reverse, uint64_t *rank);

/* The header of COUNT elements and an element; with scores they are pairs in RESP3. */
void kw__zset_reply_header(struct kw_exec *exec, uint64_t count, bool has_scores);
void kw__zset_reply_item(struct kw_exec *exec, const struct kw_zset_item *item, bool has_scores);

/* ZSET under NAME has lost elements, as EVENT says; when it was the last one, it goes. */
void kw__zset_shrunk(struct kw_exec *exec, struct kw_bytes name, const struct kw_zset *zset,
                     const char *event);

/* TAKEN result under NAME instead of what was there, as EVENT says, and its count as the reply;
 * nothing is there when it is empty.
 */
void kw__zset_store(struct kw_exec *exec, struct kw_bytes name, struct kw_zset *taken_zset,
                    const char *event);

#endif
