/* mailbox.h - a queue of letters from many threads to one.
 *
 * Posting is one atomic exchange; taking is one exchange for all that is there, in the order posted
 * by each thread. It wakes nobody: net/inbox.h adds the eventfd.
 *
 * Thread: kw_mailbox_post() from any; kw_mailbox_take() from the one consumer.
 * Memory: letters are embedded in the poster's structs and change owner with the post.
 * Source: the Treiber stack with a reversing consumer; there is no ABA as the consumer takes all.
 */
#ifndef KW_BASE_MAILBOX_H
#define KW_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct kw_letter {
    struct kw_letter *next;
};

struct kw_mailbox {
    _Atomic(struct kw_letter *) newest;
};

static inline void kw_mailbox_init(struct kw_mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
}

/* Hand LETTER over. Returns true when the box was empty: the consumer must be woken. */
static inline bool kw_mailbox_post(struct kw_mailbox *mailbox, struct kw_letter *letter)
{
    struct kw_letter *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    do {
        letter->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, letter,
                                                    memory_order_release, memory_order_relaxed));
    return newest == NULL;
}

/* Take all letters, oldest first, linked by next; NULL when there is none. */
static inline struct kw_letter *kw_mailbox_take(struct kw_mailbox *mailbox)
{
    struct kw_letter *newest =
        atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct kw_letter *oldest = NULL;

    while (newest != NULL) {
        struct kw_letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

#endif
