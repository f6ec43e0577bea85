/* intset.c - see intset.h. It is for some hundred numbers: to put one moves those behind it. */
#include "store/sets/intset.h"

#include "base/assert.h"

#include <string.h>

enum { CAP_MIN = 4 };

static bool number_find(const struct kw_intset *intset, int64_t number, size_t *index);
static uint8_t width_of(int64_t number);
static void intset_widen(struct kw_store_worker *worker, struct kw_intset *intset, uint8_t width);
static void intset_resize(struct kw_store_worker *worker, struct kw_intset *intset, uint32_t cap);
static void number_write(char *at, uint8_t width, int64_t number);

void kw_intset_init(struct kw_intset *intset)
{
    *intset = (struct kw_intset){.width = sizeof(int16_t)};
}

void kw_intset_deinit(struct kw_store_worker *worker, struct kw_intset *intset)
{
    if (intset->cap > 0) {
        kw_heap_put(worker, intset->numbers, kw_intset_bytes(intset));
    }
    kw_intset_init(intset);
}

bool kw_intset_has(const struct kw_intset *intset, int64_t number)
{
    size_t index;

    return number_find(intset, number, &index);
}

bool kw_intset_add(struct kw_store_worker *worker, struct kw_intset *intset, int64_t number)
{
    size_t index;

    if (number_find(intset, number, &index)) {
        return false;
    }
    if (width_of(number) > intset->width) {
        intset_widen(worker, intset, width_of(number));
    }
    if (intset->count == intset->cap) {
        intset_resize(worker, intset, intset->cap < CAP_MIN ? CAP_MIN : intset->cap * 2);
    }
    char *at = intset->numbers + index * intset->width;
    memmove(at + intset->width, at, (intset->count - index) * intset->width);
    number_write(at, intset->width, number);
    intset->count++;
    return true;
}

bool kw_intset_remove(struct kw_store_worker *worker, struct kw_intset *intset, int64_t number)
{
    size_t index;

    if (!number_find(intset, number, &index)) {
        return false;
    }
    char *at = intset->numbers + index * intset->width;
    intset->count--;
    memmove(at, at + intset->width, (intset->count - index) * intset->width);
    if (intset->cap > CAP_MIN && intset->count <= intset->cap / 4) {
        intset_resize(worker, intset, intset->cap / 2);
    }
    return true;
}

int64_t kw_intset_at(const struct kw_intset *intset, size_t index)
{
    const char *at = intset->numbers + index * intset->width;
    int16_t narrow;
    int32_t medium;
    int64_t wide;

    KW_DEBUG_ASSERT(index < intset->count);
    if (intset->width == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    if (intset->width == sizeof medium) {
        memcpy(&medium, at, sizeof medium);
        return medium;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

size_t kw_intset_bytes(const struct kw_intset *intset)
{
    return (size_t)intset->cap * intset->width;
}

/* Where NUMBER is, or would be. */
static bool number_find(const struct kw_intset *intset, int64_t number, size_t *index)
{
    size_t low = 0;
    size_t high = intset->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kw_intset_at(intset, middle) < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return low < intset->count && kw_intset_at(intset, low) == number;
}

static uint8_t width_of(int64_t number)
{
    if (number >= INT16_MIN && number <= INT16_MAX) {
        return sizeof(int16_t);
    }
    return number >= INT32_MIN && number <= INT32_MAX ? sizeof(int32_t) : sizeof(int64_t);
}

static void intset_widen(struct kw_store_worker *worker, struct kw_intset *intset, uint8_t width)
{
    struct kw_intset wider = {.count = intset->count, .cap = intset->cap, .width = width};

    if (intset->cap > 0) {
        wider.numbers = kw_heap_get(worker, kw_intset_bytes(&wider));
        for (size_t i = 0; i < intset->count; i++) {
            number_write(wider.numbers + i * width, width, kw_intset_at(intset, i));
        }
        kw_heap_put(worker, intset->numbers, kw_intset_bytes(intset));
    }
    *intset = wider;
}

static void intset_resize(struct kw_store_worker *worker, struct kw_intset *intset, uint32_t cap)
{
    size_t old_bytes = kw_intset_bytes(intset);
    size_t new_bytes = (size_t)cap * intset->width;

    intset->numbers = old_bytes == 0
                          ? kw_heap_get(worker, new_bytes)
                          : kw_heap_resize(worker, intset->numbers, old_bytes, new_bytes);
    intset->cap = cap;
}

static void number_write(char *at, uint8_t width, int64_t number)
{
    int16_t narrow = (int16_t)number;
    int32_t medium = (int32_t)number;

    if (width == sizeof narrow) {
        memcpy(at, &narrow, sizeof narrow);
    } else if (width == sizeof medium) {
        memcpy(at, &medium, sizeof medium);
    } else {
        memcpy(at, &number, sizeof number);
    }
}
