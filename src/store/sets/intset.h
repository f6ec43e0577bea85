/* intset.h - a sorted array of different integers, as narrow as the widest of them lets it be.
 *
 * Thread: who may change the object that it is in. Memory: of heap.h.
 */
#ifndef KW_STORE_SETS_INTSET_H
#define KW_STORE_SETS_INTSET_H

#include "store/heap.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_intset {
    char *numbers; /* count of them, ascending */
    uint32_t count;
    uint32_t cap;
    uint8_t width; /* bytes of a number: 2, 4 or 8 */
};

void kw_intset_init(struct kw_intset *intset);
void kw_intset_deinit(struct kw_store_worker *worker, struct kw_intset *intset);

bool kw_intset_has(const struct kw_intset *intset, int64_t number);

/* False: it is there already. */
bool kw_intset_add(struct kw_store_worker *worker, struct kw_intset *intset, int64_t number);

/* False: it is not there. */
bool kw_intset_remove(struct kw_store_worker *worker, struct kw_intset *intset, int64_t number);

/* Number INDEX, which is below count. */
int64_t kw_intset_at(const struct kw_intset *intset, size_t index);

size_t kw_intset_bytes(const struct kw_intset *intset);

#endif
