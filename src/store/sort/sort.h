/* sort.h - SORT: what was asked for, the elements in question, and what each of them is weighed by.
 *
 * Thread: the worker's, which holds the stripes of all keys when there are patterns.
 * Memory: of the process's heap, until kw__sort_deinit(); texts are borrowed from the keys.
 * See also: sort_commands.c (the walk), sort_elements.c, sort_pattern.c.
 */
#ifndef KW_STORE_SORT_SORT_H
#define KW_STORE_SORT_SORT_H

#include "store/internal.h"

struct kw_sort_item {
    struct kw_bytes text;
    struct kw_bytes weight; /* ALPHA: what it is ordered by */
    double score;           /* without ALPHA */
    uint32_t place;         /* where it stood: of equal ones the first remains the first */
    bool has_weight;        /* ALPHA: false when BY names a key that is not there */
};

struct kw_sort {
    struct kw_exec *exec;
    /* as asked for */
    struct kw_bytes by;
    struct kw_bytes target; /* of STORE */
    size_t *gets;           /* owned: arguments that are patterns of GET */
    size_t gets_count;
    int64_t limit_start;
    int64_t limit_count;
    bool has_by;
    bool is_stored;
    bool is_descending;
    bool is_alpha;
    bool is_ordered; /* false: BY something that names no key: as they stand */
    /* found */
    struct kw_sort_item *items; /* owned */
    size_t items_count;
    char *texts;  /* owned: of numbers, which have no text of their own */
    char *copies; /* owned: what strcoll() compares, NUL-terminated */
    size_t first; /* of the items, the ones wanted: from here */
    size_t count;
};

/* The options of the command; false: the error is written. */
bool kw__sort_parse(struct kw_sort *sort, bool is_read_only);
void kw__sort_deinit(struct kw_sort *sort);

/* Items from what is under NAME, and which of them are wanted; false: the error is written. */
bool kw__sort_collect(struct kw_sort *sort, struct kw_bytes name);

/* Put them in order; false: the error is written. */
bool kw__sort_order(struct kw_sort *sort);

/* What PATTERN stands for with TEXT instead of its star; false: nothing. */
bool kw__sort_look(struct kw_sort *sort, struct kw_bytes pattern, struct kw_bytes text,
                   struct kw_bytes *value);

#endif
