/* list.c - see list.h.
 *
 *     list: head -> [page] <-> [page] <-> ... <-> [page] <- tail
 *
 * A push writes into the page at the end, or into a new one. Finding an index skips whole pages
 * from the nearer end. What is inserted into a full page splits it; pages beside a removal that
 * fill half a page together become one.
 *
 * INVARIANTS
 *   I1  No page is empty; an empty list has none.
 *   I2  count and pages_bytes are the sums of the pages'.
 */
#include "store/lists/list.h"

#include "base/assert.h"

enum {
    LIST_JOIN_BYTES = KW_PAGE_ROOM_BYTES / 2, /* neighbours with no more than this become one */
    LIST_LONG_BYTES = 8 * KW_PAGE_BYTES,      /* from here on new pages are full ones at once */
    LIST_SMALL_BYTES = 256                    /* pages up to this don't shrink */
};

static struct kw_page *list_add_page(struct kw_store_worker *worker, struct kw_list_object *list,
                                     struct kw_page *behind, size_t room);
static void list_link(struct kw_list_object *list, struct kw_page *page);
static struct kw_page *list_put(struct kw_store_worker *worker, struct kw_list_object *list,
                                struct kw_page *page, uint32_t offset,
                                const struct kw_list_element *element);
static void list_fit(struct kw_store_worker *worker, struct kw_list_object *list,
                     struct kw_page *page);
static struct kw_page *list_put_within(struct kw_store_worker *worker, struct kw_list_object *list,
                                       struct kw_page *page, uint32_t offset,
                                       const struct kw_list_element *element);
static void list_join_around(struct kw_store_worker *worker, struct kw_list_object *list,
                             struct kw_page *page);
static struct kw_page *list_drop_page(struct kw_store_worker *worker, struct kw_list_object *list,
                                      struct kw_page *page);
static struct kw_page *list_join(struct kw_store_worker *worker, struct kw_list_object *list,
                                 struct kw_page *page);

struct kw_list_object *kw_list_object_new(struct kw_store_worker *worker)
{
    struct kw_list_object *list = kw_heap_get(worker, sizeof *list);

    *list = (struct kw_list_object){.head = NULL};
    return list;
}

void kw_list_object_free(struct kw_store_worker *worker, struct kw_list_object **list)
{
    bool is_done = kw_list_object_free_some(worker, *list, SIZE_MAX);

    KW_ASSERT(is_done);
    *list = NULL;
}

bool kw_list_object_free_some(struct kw_store_worker *worker, struct kw_list_object *list,
                              size_t steps)
{
    while (list->head != NULL && steps > 0) {
        steps -= list->head->count < steps ? list->head->count : steps;
        list_drop_page(worker, list, list->head);
    }
    if (list->head != NULL) {
        return false;
    }
    kw_heap_put(worker, list, sizeof *list);
    return true;
}

void kw_list_object_push(struct kw_store_worker *worker, struct kw_list_object *list,
                         enum kw_list_end end, struct kw_bytes text)
{
    struct kw_page *page = end == KW_LIST_HEAD ? list->head : list->tail;
    struct kw_list_element element;

    kw_list_element_pack(text, &element);
    if (page == NULL || !kw_page_takes(page, element.size_bytes)) {
        size_t room = element.size_bytes;
        struct kw_page *full = page;
        if (list->pages_bytes >= LIST_LONG_BYTES && room < KW_PAGE_ROOM_BYTES) {
            room = KW_PAGE_ROOM_BYTES; /* it has filled pages, so it will fill another one */
        }
        page = list_add_page(worker, list, end == KW_LIST_HEAD ? NULL : full, room);
        if (full != NULL) {
            list_fit(worker, list, full);
        }
    }
    list_put(worker, list, page, end == KW_LIST_HEAD ? page->start : page->end, &element);
}

struct kw_list_spot kw_list_object_end(const struct kw_list_object *list, enum kw_list_end end)
{
    struct kw_page *page = end == KW_LIST_HEAD ? list->head : list->tail;

    if (page == NULL) {
        return (struct kw_list_spot){.page = NULL};
    }
    if (end == KW_LIST_HEAD) {
        return (struct kw_list_spot){page, page->start};
    }
    return (struct kw_list_spot){
        page, page->end - (uint32_t)kw_list_element_size_before(page->bytes + page->end)};
}

struct kw_list_spot kw_list_object_find(const struct kw_list_object *list, uint64_t index)
{
    struct kw_page *page = list->head;

    KW_ASSERT(index < list->count);
    if (index > list->count / 2) {
        uint64_t left = list->count - index; /* from the element to the end of PAGE */
        for (page = list->tail; page->count < left; page = page->prev) {
            left -= page->count;
        }
        return (struct kw_list_spot){page, kw_page_find(page, page->count - (uint32_t)left)};
    }
    for (; page->count <= index; page = page->next) {
        index -= page->count;
    }
    return (struct kw_list_spot){page, kw_page_find(page, (uint32_t)index)};
}

struct kw_list_spot kw_list_spot_next(struct kw_list_spot spot, enum kw_list_end end)
{
    struct kw_page *page = spot.page;

    if (end == KW_LIST_TAIL) {
        uint32_t next = spot.offset + (uint32_t)kw_list_element_size(page->bytes + spot.offset);
        if (next < page->end) {
            return (struct kw_list_spot){page, next};
        }
        page = page->next;
        return (struct kw_list_spot){page, page == NULL ? 0 : page->start};
    }
    uint32_t behind = spot.offset;
    if (behind == page->start) {
        page = page->prev;
        behind = page == NULL ? 0 : page->end;
    }
    if (page == NULL) {
        return (struct kw_list_spot){.page = NULL};
    }
    return (struct kw_list_spot){
        page, behind - (uint32_t)kw_list_element_size_before(page->bytes + behind)};
}

void kw_list_object_insert(struct kw_store_worker *worker, struct kw_list_object *list,
                           struct kw_list_spot spot, bool is_behind, struct kw_bytes text)
{
    uint32_t offset = spot.offset;
    struct kw_list_element element;

    kw_list_element_pack(text, &element);
    if (is_behind) {
        offset += (uint32_t)kw_list_element_size(spot.page->bytes + offset);
    }
    list_put_within(worker, list, spot.page, offset, &element);
}

void kw_list_object_replace(struct kw_store_worker *worker, struct kw_list_object *list,
                            struct kw_list_spot spot, struct kw_bytes text)
{
    struct kw_page *page = spot.page;
    size_t old_size = kw_list_element_size(page->bytes + spot.offset);
    struct kw_list_element element;

    kw_list_element_pack(text, &element);
    if (element.size_bytes == old_size) {
        kw_list_element_write(&element, page->bytes + spot.offset);
        return;
    }
    uint32_t offset = kw_page_cut(page, spot.offset, old_size, 1);
    list->count--;
    if (page->count == 0) {
        page = list_put(worker, list, page, offset, &element);
        list_fit(worker, list, page);
        return;
    }
    page = list_put_within(worker, list, page, offset, &element);
    list_join_around(worker, list, page);
}

void kw_list_object_remove(struct kw_store_worker *worker, struct kw_list_object *list,
                           uint64_t index, uint64_t count)
{
    if (count == 0) {
        return;
    }
    KW_ASSERT(index + count <= list->count);
    struct kw_list_spot spot = kw_list_object_find(list, index);
    struct kw_page *page = spot.page;
    uint32_t offset = spot.offset;

    while (count > 0) {
        if (offset == page->start && page->count <= count) {
            count -= page->count;
            list->count -= page->count;
            page = list_drop_page(worker, list, page);
            offset = page == NULL ? 0 : page->start;
            continue;
        }
        uint32_t end = offset;
        uint32_t cut_count = 0;
        while (end < page->end && cut_count < count) {
            end += (uint32_t)kw_list_element_size(page->bytes + end);
            cut_count++;
        }
        kw_page_cut(page, offset, end - offset, cut_count);
        list->count -= cut_count;
        count -= cut_count;
        if (count > 0) {
            page = page->next;
            offset = page->start;
        }
    }
    if (page != NULL) {
        list_join_around(worker, list, page);
    }
}

uint64_t kw_list_object_remove_equal(struct kw_store_worker *worker, struct kw_list_object *list,
                                     enum kw_list_end end, const struct kw_list_element *element,
                                     uint64_t max)
{
    enum kw_list_end towards = end == KW_LIST_HEAD ? KW_LIST_TAIL : KW_LIST_HEAD;
    struct kw_list_spot spot = kw_list_object_end(list, end);
    uint64_t removed_count = 0;

    while (spot.page != NULL && removed_count < max) {
        struct kw_list_spot next = kw_list_spot_next(spot, towards);
        if (!kw_list_spot_is(spot, element)) {
            spot = next;
            continue;
        }
        struct kw_page *page = spot.page;
        uint32_t behind = kw_page_cut(page, spot.offset, element->size_bytes, 1);
        list->count--;
        removed_count++;
        if (page->count == 0) {
            list_drop_page(worker, list, page);
        } else if (next.page == page && towards == KW_LIST_TAIL) {
            next.offset = behind;
        } else if (next.page == page) {
            next.offset = behind - (uint32_t)kw_list_element_size_before(page->bytes + behind);
        }
        spot = next;
    }
    struct kw_page *page = removed_count > 0 ? list->head : NULL;
    while (page != NULL) {
        struct kw_page *joined = list_join(worker, list, page);
        page = joined != NULL ? joined : page->next;
    }
    return removed_count;
}

/* A page with ROOM behind BEHIND; NULL: as the first one. */
static struct kw_page *list_add_page(struct kw_store_worker *worker, struct kw_list_object *list,
                                     struct kw_page *behind, size_t room)
{
    struct kw_page *page = kw_page_new(worker, room);

    page->prev = behind;
    page->next = behind == NULL ? list->head : behind->next;
    list_link(list, page);
    list->pages_bytes += kw_page_size(page);
    return page;
}

/* PAGE knows its neighbours: let them know where it is. */
static void list_link(struct kw_list_object *list, struct kw_page *page)
{
    if (page->prev == NULL) {
        list->head = page;
    } else {
        page->prev->next = page;
    }
    if (page->next == NULL) {
        list->tail = page;
    } else {
        page->next->prev = page;
    }
}

/* ELEMENT into PAGE, which takes it. Returns where the page is now. */
static struct kw_page *list_put(struct kw_store_worker *worker, struct kw_list_object *list,
                                struct kw_page *page, uint32_t offset,
                                const struct kw_list_element *element)
{
    size_t old_size = kw_page_size(page);
    struct kw_page *now = page;

    kw_page_insert(worker, &now, offset, element);
    list->count++;
    if (kw_page_size(now) != old_size) {
        list->pages_bytes += kw_page_size(now) - old_size;
        list_link(list, now);
    }
    return now;
}

static void list_fit(struct kw_store_worker *worker, struct kw_list_object *list,
                     struct kw_page *page)
{
    size_t old_size = kw_page_size(page);

    kw_page_fit(worker, &page);
    list->pages_bytes -= old_size - kw_page_size(page);
    list_link(list, page);
}

/* ELEMENT at OFFSET of PAGE, which may be full. Returns the page that it is in. */
static struct kw_page *list_put_within(struct kw_store_worker *worker, struct kw_list_object *list,
                                       struct kw_page *page, uint32_t offset,
                                       const struct kw_list_element *element)
{
    if (kw_page_takes(page, element->size_bytes)) {
        return list_put(worker, list, page, offset, element);
    }
    struct kw_page *left = page;
    if (offset == page->start) {
        left = page->prev;
    } else if (offset < page->end) {
        uint32_t left_count = 0;
        for (uint32_t at = page->start; at < offset; left_count++) {
            at += (uint32_t)kw_list_element_size(page->bytes + at);
        }
        struct kw_page *right = kw_page_split(worker, page, offset, page->count - left_count);
        right->prev = page;
        right->next = page->next;
        list_link(list, right);
        list->pages_bytes += kw_page_size(right);
    }
    struct kw_page *right = left == NULL ? list->head : left->next;
    if (left != NULL && kw_page_takes(left, element->size_bytes)) {
        return list_put(worker, list, left, left->end, element);
    }
    if (right != NULL && kw_page_takes(right, element->size_bytes)) {
        return list_put(worker, list, right, right->start, element);
    }
    page = list_add_page(worker, list, left, element->size_bytes);
    return list_put(worker, list, page, page->start, element);
}

/* What is left of PAGE may be little: make one page of it and a neighbour, or a smaller one. */
static void list_join_around(struct kw_store_worker *worker, struct kw_list_object *list,
                             struct kw_page *page)
{
    struct kw_page *joined = page->prev == NULL ? NULL : list_join(worker, list, page->prev);

    page = joined != NULL ? joined : page;
    joined = list_join(worker, list, page);
    page = joined != NULL ? joined : page;
    if (kw_page_size(page) > LIST_SMALL_BYTES && kw_page_used(page) < kw_page_size(page) / 4) {
        list_fit(worker, list, page);
    }
}

/* Take PAGE, whose elements are not counted any more, out. Returns the next one. */
static struct kw_page *list_drop_page(struct kw_store_worker *worker, struct kw_list_object *list,
                                      struct kw_page *page)
{
    struct kw_page *next = page->next;

    list->pages_bytes -= kw_page_size(page);
    if (page->prev == NULL) {
        list->head = next;
    } else {
        page->prev->next = next;
    }
    if (next == NULL) {
        list->tail = page->prev;
    } else {
        next->prev = page->prev;
    }
    kw_page_free(worker, &page);
    return next;
}

/* Make one page of PAGE and the next one when they are small. Returns it; NULL: they are not. */
static struct kw_page *list_join(struct kw_store_worker *worker, struct kw_list_object *list,
                                 struct kw_page *page)
{
    struct kw_page *next = page->next;
    size_t old_size = kw_page_size(page);

    if (next == NULL || kw_page_used(page) + kw_page_used(next) > LIST_JOIN_BYTES) {
        return NULL;
    }
    kw_page_join(worker, &page, next);
    list->pages_bytes += kw_page_size(page) - old_size;
    list_link(list, page);
    list_drop_page(worker, list, next);
    return page;
}
