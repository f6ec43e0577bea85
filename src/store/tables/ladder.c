/* ladder.c - see ladder.h.
 *
 * Invariants:
 * I1  cap is a power of two up to KW_RUNG_POINTERS, or a multiple of that; so is what is allocated.
 * I2  The list of rungs has room for a power of two of them, the smallest that suffices.
 * I3  A rung is given back when it and half of the one before are empty, so a count that swings
 *     around a border allocates nothing.
 */
#include "store/tables/ladder.h"

#include "base/assert.h"

enum { FIRST_MIN = 8 };

static void ladder_grow(struct kw_store_worker *worker, struct kw_ladder *ladder);
static void ladder_shrink(struct kw_store_worker *worker, struct kw_ladder *ladder);
static size_t list_bytes(size_t rungs_count);
static size_t first_bytes(const struct kw_ladder *ladder);
static size_t rungs_count_of(size_t cap);

void kw_ladder_init(struct kw_ladder *ladder)
{
    *ladder = (struct kw_ladder){0};
}

void kw_ladder_deinit(struct kw_store_worker *worker, struct kw_ladder *ladder)
{
    size_t rungs_count = rungs_count_of(ladder->cap);

    for (size_t i = 0; i < rungs_count; i++) {
        kw_heap_put(worker, ladder->rungs[i], first_bytes(ladder));
    }
    if (ladder->rungs != NULL) {
        kw_heap_put(worker, ladder->rungs, list_bytes(rungs_count));
    }
    kw_ladder_init(ladder);
}

void kw_ladder_push(struct kw_store_worker *worker, struct kw_ladder *ladder, void *pointer)
{
    if (ladder->count == ladder->cap) {
        ladder_grow(worker, ladder);
    }
    ladder->count++;
    *kw_ladder_at(ladder, ladder->count - 1) = pointer;
}

void *kw_ladder_pop(struct kw_store_worker *worker, struct kw_ladder *ladder)
{
    KW_ASSERT(ladder->count > 0);
    ladder->count--;
    void *pointer = *kw_ladder_at(ladder, ladder->count);
    ladder_shrink(worker, ladder);
    return pointer;
}

size_t kw_ladder_bytes(const struct kw_ladder *ladder)
{
    return ladder->cap == 0
               ? 0
               : list_bytes(rungs_count_of(ladder->cap)) + ladder->cap * sizeof(void *);
}

static void ladder_grow(struct kw_store_worker *worker, struct kw_ladder *ladder)
{
    size_t rungs_count = rungs_count_of(ladder->cap);

    if (ladder->cap == 0) {
        ladder->rungs = kw_heap_get(worker, list_bytes(1));
        ladder->rungs[0] = kw_heap_get(worker, FIRST_MIN * sizeof(void *));
        ladder->cap = FIRST_MIN;
        return;
    }
    if (ladder->cap < KW_RUNG_POINTERS) {
        size_t bytes = first_bytes(ladder);
        ladder->rungs[0] = kw_heap_resize(worker, ladder->rungs[0], bytes, bytes * 2);
        ladder->cap *= 2;
        return;
    }
    if (list_bytes(rungs_count + 1) != list_bytes(rungs_count)) {
        ladder->rungs = kw_heap_resize(worker, ladder->rungs, list_bytes(rungs_count),
                                       list_bytes(rungs_count + 1));
    }
    ladder->rungs[rungs_count] = kw_heap_get(worker, KW_RUNG_POINTERS * sizeof(void *));
    ladder->cap += KW_RUNG_POINTERS;
}

static void ladder_shrink(struct kw_store_worker *worker, struct kw_ladder *ladder)
{
    size_t rungs_count = rungs_count_of(ladder->cap);

    if (rungs_count > 1 && ladder->count + KW_RUNG_POINTERS + KW_RUNG_POINTERS / 2 <= ladder->cap) {
        rungs_count--;
        kw_heap_put(worker, ladder->rungs[rungs_count], KW_RUNG_POINTERS * sizeof(void *));
        if (list_bytes(rungs_count + 1) != list_bytes(rungs_count)) {
            ladder->rungs = kw_heap_resize(worker, ladder->rungs, list_bytes(rungs_count + 1),
                                           list_bytes(rungs_count));
        }
        ladder->cap -= KW_RUNG_POINTERS;
    } else if (rungs_count == 1 && ladder->cap > FIRST_MIN && ladder->count <= ladder->cap / 4) {
        size_t bytes = first_bytes(ladder);
        ladder->rungs[0] = kw_heap_resize(worker, ladder->rungs[0], bytes, bytes / 2);
        ladder->cap /= 2;
    }
}

/* Of the list that holds so many rungs (I2). */
static size_t list_bytes(size_t rungs_count)
{
    size_t room = 1;

    while (room < rungs_count) {
        room *= 2;
    }
    return room * sizeof(void **);
}

/* Of the first rung, which may be a small one; of the others when there are some. */
static size_t first_bytes(const struct kw_ladder *ladder)
{
    return (ladder->cap < KW_RUNG_POINTERS ? ladder->cap : KW_RUNG_POINTERS) * sizeof(void *);
}

static size_t rungs_count_of(size_t cap)
{
    return (cap + KW_RUNG_POINTERS - 1) >> KW_RUNG_SHIFT;
}
