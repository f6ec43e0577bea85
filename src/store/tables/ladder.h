/* ladder.h - an array of pointers that grows and shrinks at its end, and never moves but a rung.
 *
 * It is made of rungs of KW_RUNG_POINTERS each, and a list of the rungs. The first rung begins
 * small and doubles until it is a whole one. So the longest step that growing takes is to copy
 * the list of rungs: 8 bytes for each 4 KiB of the array.
 *
 * Thread: the owner's. Memory: of heap.h; the pointers are the user's.
 */
#ifndef KW_STORE_TABLES_LADDER_H
#define KW_STORE_TABLES_LADDER_H

#include "store/heap.h"

#include <stdint.h>

enum { KW_RUNG_SHIFT = 9, KW_RUNG_POINTERS = 1 << KW_RUNG_SHIFT };

struct kw_ladder {
    void ***rungs;  /* NULL when cap is 0 */
    uint32_t count; /* pointers in use */
    uint32_t cap;   /* pointers that there is room for */
};

/* Zeroes are an empty ladder too. */
void kw_ladder_init(struct kw_ladder *ladder);
void kw_ladder_deinit(struct kw_store_worker *worker, struct kw_ladder *ladder);

void kw_ladder_push(struct kw_store_worker *worker, struct kw_ladder *ladder, void *pointer);

/* The last pointer, which is no longer in it; it must not be empty. */
void *kw_ladder_pop(struct kw_store_worker *worker, struct kw_ladder *ladder);

/* The place of pointer INDEX, which must be below count; it stays until the next push or pop. */
static inline void **kw_ladder_at(const struct kw_ladder *ladder, size_t index)
{
    return &ladder->rungs[index >> KW_RUNG_SHIFT][index & (KW_RUNG_POINTERS - 1)];
}

/* What it takes of the heap. */
size_t kw_ladder_bytes(const struct kw_ladder *ladder);

#endif
