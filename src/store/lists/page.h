/* page.h - a run of elements in one block, with room at both ends: what a list is a chain of.
 *
 * Thread: who holds the key's stripe. Memory: a page is a block of the store's heap; functions that
 *         may move it take its address.
 * See also: element.h, list.h (the chain).
 */
#ifndef KW_STORE_LISTS_PAGE_H
#define KW_STORE_LISTS_PAGE_H

#include "store/heap.h"
#include "store/lists/element.h"

enum {
    KW_PAGE_BYTES = 4096, /* of a full page; one element that needs more has a page of its own */
    KW_PAGE_HEAD_BYTES = 32,
    KW_PAGE_ROOM_BYTES = KW_PAGE_BYTES - KW_PAGE_HEAD_BYTES
};

struct kw_page {
    struct kw_page *prev;
    struct kw_page *next;
    uint32_t count;
    uint32_t start; /* of the first element, within bytes */
    uint32_t end;   /* behind the last one */
    uint32_t cap;   /* of bytes */
    char bytes[];
};

/* An empty page with room for ROOM bytes, linked to nothing. */
struct kw_page *kw_page_new(struct kw_store_worker *worker, size_t room);
void kw_page_free(struct kw_store_worker *worker, struct kw_page **page);

/* Bytes of its elements. */
static inline size_t kw_page_used(const struct kw_page *page)
{
    return page->end - page->start;
}

/* Of the whole block. */
static inline size_t kw_page_size(const struct kw_page *page)
{
    return KW_PAGE_HEAD_BYTES + (size_t)page->cap;
}

/* True when SIZE more bytes may be put into it. */
static inline bool kw_page_takes(const struct kw_page *page, size_t size)
{
    return kw_page_used(page) + size <= KW_PAGE_ROOM_BYTES;
}

/* Put ELEMENT, which it takes or which is its only one, before what is at OFFSET. The page may
 * move, what is in it too. Returns the element's offset.
 */
uint32_t kw_page_insert(struct kw_store_worker *worker, struct kw_page **page, uint32_t offset,
                        const struct kw_list_element *element);

/* Take SIZE bytes of COUNT elements at OFFSET out. Returns the offset of what followed them. */
uint32_t kw_page_cut(struct kw_page *page, uint32_t offset, size_t size, uint32_t count);

/* Move the COUNT elements from OFFSET on into a new page. */
struct kw_page *kw_page_split(struct kw_store_worker *worker, struct kw_page *page, uint32_t offset,
                              uint32_t count);

/* Move the elements of FROM, which it takes, behind its own; FROM is empty then. */
void kw_page_join(struct kw_store_worker *worker, struct kw_page **page, struct kw_page *from);

/* Give room back that is more than an eighth of the block. The page may move. */
void kw_page_fit(struct kw_store_worker *worker, struct kw_page **page);

/* The offset of the element with INDEX, below count. */
uint32_t kw_page_find(const struct kw_page *page, uint32_t index);

#endif
