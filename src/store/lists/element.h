/* element.h - one element of a list as it lies in a page: readable from both ends, no pointers.
 *
 * What is written like a number is kept as one, so most numbers take two to five bytes. The same
 * text always gives the same bytes: elements are compared as they lie.
 *
 * Thread: the caller's. Memory: none; what is read points into the page, or into the SCRATCH given.
 * See also: element.c (the layout), page.h.
 */
#ifndef KW_STORE_LISTS_ELEMENT_H
#define KW_STORE_LISTS_ELEMENT_H

#include "base/bytes.h"
#include "base/text.h"

#include <stdint.h>

enum { KW_LIST_ELEMENT_HEAD_MAX = 9, KW_LIST_ELEMENT_TAIL_MAX = 5 };

/* An element on its way into a page. */
struct kw_list_element {
    struct kw_bytes text; /* borrowed; none of it when the number is in the head */
    size_t size_bytes;    /* all of it */
    uint8_t head_bytes;   /* of head */
    uint8_t tail_bytes;   /* of tail */
    char head[KW_LIST_ELEMENT_HEAD_MAX];
    char tail[KW_LIST_ELEMENT_TAIL_MAX];
};

/* How TEXT, below 4 GiB, lies in a page. */
void kw_list_element_pack(struct kw_bytes text, struct kw_list_element *element);

/* Write it to AT, where there is room for size_bytes. */
void kw_list_element_write(const struct kw_list_element *element, char *at);

/* Bytes of the element that begins at AT, and of the one that ends before END. */
size_t kw_list_element_size(const char *at);
size_t kw_list_element_size_before(const char *end);

/* The text of the element at AT. SCRATCH has KW_TEXT_INT_MAX bytes. */
struct kw_bytes kw_list_element_text(const char *at, char *scratch);

/* True when what lies at AT is ELEMENT. */
bool kw_list_element_is(const char *at, const struct kw_list_element *element);

#endif
