/* lists.h - what the commands on lists share.
 *
 * Thread: the worker's. Memory: lists that are found are borrowed until the command ends.
 * See also: list.h (the object), push_commands.c, pop_commands.c, read_commands.c,
 *           move_commands.c.
 */
#ifndef KW_STORE_LISTS_LISTS_H
#define KW_STORE_LISTS_LISTS_H

#include "store/arguments.h"
#include "store/internal.h"
#include "store/lists/list.h"

/* As kw_key_object(). */
static inline enum kw_found kw__list_find(struct kw_exec *exec, struct kw_bytes name,
                                          struct kw_list_object **list)
{
    void *object = NULL;
    enum kw_found found = kw_key_object(exec, name, KW_KIND_LIST, &object);

    *list = object;
    return found;
}

/* START ... END, both of them in, as clients write it: below 0 it is counted from the tail. */
struct kw_list_range {
    int64_t start;
    int64_t end;
};

static inline enum kw_list_end kw__list_other_end(enum kw_list_end end)
{
    return end == KW_LIST_HEAD ? KW_LIST_TAIL : KW_LIST_HEAD;
}

/* How many elements of LIST are in RANGE, which becomes one of indexes that are there. */
uint64_t kw__list_range_count(const struct kw_list_object *list, struct kw_list_range *range);

/* LEFT or RIGHT; false: neither, -ERR syntax error is written. */
bool kw__list_end_of(struct kw_exec *exec, struct kw_bytes word, enum kw_list_end *end);

/* An array of the COUNT elements from SPOT on, going towards END. */
void kw__list_reply_range(struct kw_exec *exec, struct kw_list_spot spot, enum kw_list_end end,
                          uint64_t count);

/* LIST under NAME has an element more at END. */
void kw__list_pushed(struct kw_exec *exec, struct kw_bytes name, enum kw_list_end end);

/* Take the COUNT elements at END out of LIST under NAME, which goes when it is empty. */
void kw__list_pop(struct kw_exec *exec, struct kw_bytes name, struct kw_list_object *list,
                  enum kw_list_end end, uint64_t count);

/* LIST under NAME goes when it is empty. */
void kw__list_end_if_empty(struct kw_exec *exec, struct kw_bytes name,
                           const struct kw_list_object *list);

#endif
