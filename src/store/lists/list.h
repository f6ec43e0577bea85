/* list.h - a list: elements in pages, cheap at both ends, found by index, changed in the middle.
 *
 * A spot is where an element is; it is good until the list changes, but for what is said below.
 *
 * Thread: who holds the key's stripe. Memory: the store's heap, page by page.
 * See also: page.h, element.h; push_commands.c and its kin (what clients ask).
 */
#ifndef KW_STORE_LISTS_LIST_H
#define KW_STORE_LISTS_LIST_H

#include "store/lists/page.h"

struct kw_list_object {
    struct kw_page *head; /* NULL when there is no element */
    struct kw_page *tail;
    uint64_t count;
    size_t pages_bytes; /* of all pages */
};

struct kw_list_spot {
    struct kw_page *page; /* NULL: behind an end */
    uint32_t offset;
};

enum kw_list_end { KW_LIST_HEAD = 0, KW_LIST_TAIL };

struct kw_list_object *kw_list_object_new(struct kw_store_worker *worker);
void kw_list_object_free(struct kw_store_worker *worker, struct kw_list_object **list);

/* Free up to about STEPS elements of a list that nobody uses any more; true when all is freed, the
 * list itself too.
 */
bool kw_list_object_free_some(struct kw_store_worker *worker, struct kw_list_object *list,
                              size_t steps);

/* TEXT as the new first or last element. */
void kw_list_object_push(struct kw_store_worker *worker, struct kw_list_object *list,
                         enum kw_list_end end, struct kw_bytes text);

/* The first or last element; one with INDEX from the head; the one after it, going towards END. */
struct kw_list_spot kw_list_object_end(const struct kw_list_object *list, enum kw_list_end end);
struct kw_list_spot kw_list_object_find(const struct kw_list_object *list, uint64_t index);
struct kw_list_spot kw_list_spot_next(struct kw_list_spot spot, enum kw_list_end end);

/* Its text; SCRATCH has KW_TEXT_INT_MAX bytes. */
static inline struct kw_bytes kw_list_spot_text(struct kw_list_spot spot, char *scratch)
{
    return kw_list_element_text(spot.page->bytes + spot.offset, scratch);
}

static inline bool kw_list_spot_is(struct kw_list_spot spot, const struct kw_list_element *element)
{
    return kw_list_element_is(spot.page->bytes + spot.offset, element);
}

/* TEXT before or behind what is at SPOT; TEXT instead of it. */
void kw_list_object_insert(struct kw_store_worker *worker, struct kw_list_object *list,
                           struct kw_list_spot spot, bool is_behind, struct kw_bytes text);
void kw_list_object_replace(struct kw_store_worker *worker, struct kw_list_object *list,
                            struct kw_list_spot spot, struct kw_bytes text);

/* COUNT elements from INDEX on; all of them are there. */
void kw_list_object_remove(struct kw_store_worker *worker, struct kw_list_object *list,
                           uint64_t index, uint64_t count);

/* At most MAX elements that are ELEMENT, those nearest to END first. Returns how many. */
uint64_t kw_list_object_remove_equal(struct kw_store_worker *worker, struct kw_list_object *list,
                                     enum kw_list_end end, const struct kw_list_element *element,
                                     uint64_t max);

#endif
