/* list.h - an intrusive doubly linked list: the links live in the element.
 *
 * A head is a node that points at itself when empty. O(1) insert and remove without allocation.
 * Thread: the owner's. Memory: none.
 */
#ifndef KW_BASE_LIST_H
#define KW_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct kw_list {
    struct kw_list *next;
    struct kw_list *prev;
};

/* The struct of TYPE whose MEMBER is the list node NODE. */
#define KW_LIST_ENTRY(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void kw_list_init(struct kw_list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool kw_list_is_empty(const struct kw_list *head)
{
    return head->next == head;
}

/* True when NODE is in some list (or was never initialised: don't ask then). */
static inline bool kw_list_is_linked(const struct kw_list *node)
{
    return node->next != node;
}

/* Insert NODE, which is in no list, as the last one of HEAD. */
static inline void kw_list_append(struct kw_list *head, struct kw_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Take NODE out; it is then in no list. Harmless when it was in none. */
static inline void kw_list_remove(struct kw_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    kw_list_init(node);
}

#endif
