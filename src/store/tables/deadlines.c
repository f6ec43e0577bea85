/* deadlines.c - a table of names, and a binary heap of its elements.
 *
 * The heap's pointers go to the elements' extra bytes, where each element knows its own place in
 * the heap; so a name is found, moved and removed in O(log n), and no step moves the whole.
 *
 * Invariants:
 * D1  heap[i] is due no later than heap[2i + 1] and heap[2i + 2].
 * D2  The extra bytes at heap[i] say that their place is i; both have the same count.
 */
#include "store/tables/deadlines.h"

#include "base/assert.h"

struct extra {
    uint64_t deadline_ms;
    uint32_t place;
};

enum { EXTRA_BYTES = sizeof(uint64_t) + sizeof(uint32_t) };

static const struct kw_table_limits SPREAD = {0, 0}; /* elements must stay where they are */

static void heap_up(struct kw_deadlines *deadlines, size_t place, char *element);
static void heap_down(struct kw_deadlines *deadlines, size_t place, char *element);
static void heap_put(struct kw_deadlines *deadlines, size_t place, char *element);
static char *heap_at(const struct kw_deadlines *deadlines, size_t place);
static struct extra extra_of(const char *element);
static void extra_write(char *element, const struct extra *extra);

void kw_deadlines_init(struct kw_deadlines *deadlines)
{
    kw_table_init(&deadlines->table, EXTRA_BYTES, false);
    kw_ladder_init(&deadlines->heap);
}

void kw_deadlines_deinit(struct kw_store_worker *worker, struct kw_deadlines *deadlines)
{
    kw_ladder_deinit(worker, &deadlines->heap);
    kw_table_deinit(worker, &deadlines->table);
}

bool kw_deadlines_deinit_some(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                              size_t steps)
{
    kw_ladder_deinit(worker, &deadlines->heap);
    return kw_table_deinit_some(worker, &deadlines->table, steps);
}

void kw_deadlines_set(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                      struct kw_bytes name, uint64_t deadline_ms)
{
    struct kw_table_item item;
    bool is_new = kw_table_put(worker, &deadlines->table, &SPREAD, name, KW_BYTES(""), &item);

    KW_ASSERT(deadline_ms != 0);
    if (is_new) {
        struct extra extra = {deadline_ms, deadlines->heap.count};
        extra_write(item.extra, &extra);
        kw_ladder_push(worker, &deadlines->heap, item.extra);
        heap_up(deadlines, extra.place, item.extra);
        return;
    }
    struct extra extra = extra_of(item.extra);
    bool is_sooner = deadline_ms < extra.deadline_ms;
    extra.deadline_ms = deadline_ms;
    extra_write(item.extra, &extra);
    if (is_sooner) {
        heap_up(deadlines, extra.place, item.extra);
    } else {
        heap_down(deadlines, extra.place, item.extra);
    }
}

bool kw_deadlines_clear(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                        struct kw_bytes name)
{
    struct kw_table_item item;

    if (!kw_table_find(&deadlines->table, name, &item)) {
        return false;
    }
    size_t place = extra_of(item.extra).place;
    char *last = kw_ladder_pop(worker, &deadlines->heap);
    if (last != item.extra) {
        heap_put(deadlines, place, last);
        heap_up(deadlines, place, last);
        heap_down(deadlines, extra_of(last).place, last);
    }
    bool was_there = kw_table_remove(worker, &deadlines->table, name);
    KW_ASSERT(was_there && deadlines->table.count == deadlines->heap.count); /* D2 */
    return true;
}

uint64_t kw_deadlines_of(const struct kw_deadlines *deadlines, struct kw_bytes name)
{
    struct kw_table_item item;

    if (deadlines->table.count == 0 || !kw_table_find(&deadlines->table, name, &item)) {
        return 0;
    }
    return extra_of(item.extra).deadline_ms;
}

uint64_t kw_deadlines_first(const struct kw_deadlines *deadlines, struct kw_bytes *name)
{
    if (deadlines->heap.count == 0) {
        return UINT64_MAX;
    }
    const char *element = heap_at(deadlines, 0);
    if (name != NULL) {
        *name = kw_table_item_of(&deadlines->table, element).key;
    }
    return extra_of(element).deadline_ms;
}

size_t kw_deadlines_count(const struct kw_deadlines *deadlines)
{
    return deadlines->table.count;
}

size_t kw_deadlines_bytes(const struct kw_deadlines *deadlines)
{
    return kw_table_bytes(&deadlines->table) + kw_ladder_bytes(&deadlines->heap);
}

/* ELEMENT, whose place is PLACE, goes up as far as D1 wants. */
static void heap_up(struct kw_deadlines *deadlines, size_t place, char *element)
{
    uint64_t deadline_ms = extra_of(element).deadline_ms;

    while (place > 0) {
        char *parent = heap_at(deadlines, (place - 1) / 2);
        if (extra_of(parent).deadline_ms <= deadline_ms) {
            break;
        }
        heap_put(deadlines, place, parent);
        place = (place - 1) / 2;
    }
    heap_put(deadlines, place, element);
}

static void heap_down(struct kw_deadlines *deadlines, size_t place, char *element)
{
    uint64_t deadline_ms = extra_of(element).deadline_ms;
    size_t count = deadlines->heap.count;

    for (size_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
        if (child + 1 < count && extra_of(heap_at(deadlines, child + 1)).deadline_ms <
                                     extra_of(heap_at(deadlines, child)).deadline_ms) {
            child++;
        }
        char *sooner = heap_at(deadlines, child);
        if (deadline_ms <= extra_of(sooner).deadline_ms) {
            break;
        }
        heap_put(deadlines, place, sooner);
        place = child;
    }
    heap_put(deadlines, place, element);
}

static void heap_put(struct kw_deadlines *deadlines, size_t place, char *element)
{
    struct extra extra = extra_of(element);

    extra.place = (uint32_t)place;
    extra_write(element, &extra);
    *kw_ladder_at(&deadlines->heap, place) = element;
}

static char *heap_at(const struct kw_deadlines *deadlines, size_t place)
{
    return *kw_ladder_at(&deadlines->heap, place);
}

static struct extra extra_of(const char *element)
{
    struct extra extra;

    memcpy(&extra.deadline_ms, element, sizeof extra.deadline_ms);
    memcpy(&extra.place, element + sizeof extra.deadline_ms, sizeof extra.place);
    return extra;
}

static void extra_write(char *element, const struct extra *extra)
{
    memcpy(element, &extra->deadline_ms, sizeof extra->deadline_ms);
    memcpy(element + sizeof extra->deadline_ms, &extra->place, sizeof extra->place);
}
