/* page.c - see page.h.
 *
 *     0      start                        end      cap
 *     | free | element | element | ...    | free   |
 *
 * Both ends have room, so a push at either is a copy of the element alone. When the room at one end
 * is used up, what is free goes there; when nothing is, the page grows to the next size of blocks,
 * an eighth to a quarter more, until it is full.
 *
 * INVARIANTS
 *   I1  start <= end <= cap; the elements fill start ... end without holes.
 *   I2  More than KW_PAGE_ROOM_BYTES are used by one element only.
 */
#include "store/lists/page.h"

#include "base/arena.h"
#include "base/assert.h"

_Static_assert(offsetof(struct kw_page, bytes) == KW_PAGE_HEAD_BYTES, "the head's size");

enum { PAGE_WASTE_SHARE = 8 }; /* of its block may a page that nobody pushes to keep free */

static void page_make_gap(struct kw_store_worker *worker, struct kw_page **page, uint32_t offset,
                          size_t size);
static void page_spread(struct kw_page *page, uint32_t offset, size_t size);
static void page_set_room(struct kw_store_worker *worker, struct kw_page **page, size_t room);

/* The size of a block with room for ROOM bytes: all that such a block has, so pages that grow are
 * seldom moved.
 */
static size_t page_block_bytes(size_t room)
{
    return kw_arena_block_bytes(KW_PAGE_HEAD_BYTES + room);
}

struct kw_page *kw_page_new(struct kw_store_worker *worker, size_t room)
{
    size_t size = page_block_bytes(room);
    struct kw_page *page = kw_heap_get(worker, size);

    page->prev = NULL;
    page->next = NULL;
    page->count = 0;
    page->start = 0;
    page->end = 0;
    page->cap = (uint32_t)(size - KW_PAGE_HEAD_BYTES);
    return page;
}

void kw_page_free(struct kw_store_worker *worker, struct kw_page **page)
{
    kw_heap_put(worker, *page, kw_page_size(*page));
    *page = NULL;
}

uint32_t kw_page_insert(struct kw_store_worker *worker, struct kw_page **page, uint32_t offset,
                        const struct kw_list_element *element)
{
    struct kw_page *p = *page;
    size_t size = element->size_bytes;

    KW_ASSERT(kw_page_takes(p, size) || p->count == 0); /* I2 */
    if (offset == p->end && p->cap - p->end >= size) {
        p->end += (uint32_t)size;
    } else if (offset == p->start && p->start >= size) {
        p->start -= (uint32_t)size;
        offset = p->start;
    } else {
        uint32_t before = offset - p->start;
        page_make_gap(worker, page, offset, size);
        p = *page;
        offset = p->start + before;
    }
    kw_list_element_write(element, p->bytes + offset);
    p->count++;
    return offset;
}

uint32_t kw_page_cut(struct kw_page *page, uint32_t offset, size_t size, uint32_t count)
{
    size_t before = offset - page->start;
    size_t behind = page->end - offset - size;

    KW_ASSERT(offset >= page->start && offset + size <= page->end); /* I1 */
    page->count -= count;
    if (before < behind) {
        memmove(page->bytes + page->start + size, page->bytes + page->start, before);
        page->start += (uint32_t)size;
        return offset + (uint32_t)size;
    }
    memmove(page->bytes + offset, page->bytes + offset + size, behind);
    page->end -= (uint32_t)size;
    return offset;
}

struct kw_page *kw_page_split(struct kw_store_worker *worker, struct kw_page *page, uint32_t offset,
                              uint32_t count)
{
    size_t size = page->end - offset;
    struct kw_page *right = kw_page_new(worker, size);

    memcpy(right->bytes, page->bytes + offset, size);
    right->end = (uint32_t)size;
    right->count = count;
    page->end = offset;
    page->count -= count;
    return right;
}

void kw_page_join(struct kw_store_worker *worker, struct kw_page **page, struct kw_page *from)
{
    size_t size = kw_page_used(from);

    KW_ASSERT(kw_page_takes(*page, size));
    if ((*page)->cap - (*page)->end < size) {
        page_make_gap(worker, page, (*page)->end, size);
        (*page)->end -= (uint32_t)size;
    }
    memcpy((*page)->bytes + (*page)->end, from->bytes + from->start, size);
    (*page)->end += (uint32_t)size;
    (*page)->count += from->count;
    from->end = from->start;
    from->count = 0;
}

void kw_page_fit(struct kw_store_worker *worker, struct kw_page **page)
{
    size_t used = kw_page_used(*page);

    if (kw_page_size(*page) - page_block_bytes(used) > kw_page_size(*page) / PAGE_WASTE_SHARE) {
        page_set_room(worker, page, used);
    }
}

uint32_t kw_page_find(const struct kw_page *page, uint32_t index)
{
    uint32_t offset = page->start;

    KW_ASSERT(index < page->count);
    if (index > page->count / 2) {
        offset = page->end;
        for (uint32_t left = page->count - index; left > 0; left--) {
            offset -= (uint32_t)kw_list_element_size_before(page->bytes + offset);
        }
        return offset;
    }
    for (; index > 0; index--) {
        offset += (uint32_t)kw_list_element_size(page->bytes + offset);
    }
    return offset;
}

/* SIZE free bytes between what is before OFFSET and what is behind it, counted as used. */
static void page_make_gap(struct kw_store_worker *worker, struct kw_page **page, uint32_t offset,
                          size_t size)
{
    size_t used = kw_page_used(*page);

    if ((*page)->cap - used < size) {
        uint32_t before = offset - (*page)->start;
        page_set_room(worker, page, used + size);
        offset = (*page)->start + before;
    }
    page_spread(*page, offset, size);
}

/* The same where there is room for it. A gap at an end gets all that is free; one inside takes its
 * bytes from the end that costs less.
 */
static void page_spread(struct kw_page *page, uint32_t offset, size_t size)
{
    char *bytes = page->bytes;
    size_t before = offset - page->start;
    size_t behind = page->end - offset;
    size_t free_behind = page->cap - page->end;

    if (before == 0) {
        memmove(bytes + page->cap - behind, bytes + offset, behind);
        page->start = (uint32_t)(page->cap - behind - size);
        page->end = page->cap;
    } else if (behind > 0 && page->start >= size && (before < behind || free_behind < size)) {
        memmove(bytes + page->start - size, bytes + page->start, before);
        page->start -= (uint32_t)size;
    } else if (behind > 0 && free_behind >= size) {
        memmove(bytes + offset + size, bytes + offset, behind);
        page->end += (uint32_t)size;
    } else {
        memmove(bytes, bytes + page->start, before);
        memmove(bytes + before + size, bytes + offset, behind);
        page->start = 0;
        page->end = (uint32_t)(before + size + behind);
    }
}

/* The same elements in a block with room for ROOM bytes, all that is free behind them. */
static void page_set_room(struct kw_store_worker *worker, struct kw_page **page, size_t room)
{
    struct kw_page *p = *page;
    size_t used = kw_page_used(p);
    size_t size = page_block_bytes(room);

    if (p->start > 0) {
        memmove(p->bytes, p->bytes + p->start, used);
        p->start = 0;
        p->end = (uint32_t)used;
    }
    p = kw_heap_resize(worker, p, kw_page_size(p), size);
    p->cap = (uint32_t)(size - KW_PAGE_HEAD_BYTES);
    *page = p;
}
