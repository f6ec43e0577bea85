/* inbox.h - a mailbox that wakes its loop: how threads talk to each other.
 *
 * Thread: kw_inbox_post() from any thread while the inbox is open; all else on the loop's thread.
 * Memory: a posted letter belongs to the receiver, who gets it in ON_LETTER.
 * See also: base/mailbox.h.
 */
#ifndef KW_NET_INBOX_H
#define KW_NET_INBOX_H

#include "base/mailbox.h"

struct kw_inbox;
struct kw_loop;

/* Open an inbox on LOOP; ON_LETTER(ARG, LETTER) runs on the loop, letters in order. */
struct kw_inbox *kw_inbox_open(struct kw_loop *loop,
                               void (*on_letter)(void *arg, struct kw_letter *letter), void *arg);

/* Hand LETTER over and wake the loop if it sleeps. */
void kw_inbox_post(struct kw_inbox *inbox, struct kw_letter *letter);

/* Deliver what is still there, close and clear. Nobody may post any more. */
void kw_inbox_close(struct kw_inbox **inbox);

#endif
