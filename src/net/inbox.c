/* inbox.c - base/mailbox.h with an eventfd under it.
 *
 * I1  the eventfd is written only by the post that found the box empty, so a burst of letters costs
 *     one wake-up.
 */
#include "net/inbox.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"

#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct kw_inbox {
    struct kw_mailbox mailbox; /* shared, atomic */
    int fd;                    /* eventfd, set once */
    struct event *event;       /* owned by the loop's thread */
    void (*on_letter)(void *arg, struct kw_letter *letter);
    void *arg;
};

static void inbox_on_readable(evutil_socket_t fd, short what, void *arg);

struct kw_inbox *kw_inbox_open(struct kw_loop *loop,
                               void (*on_letter)(void *arg, struct kw_letter *letter), void *arg)
{
    struct kw_inbox *inbox = kw_alloc_zero(1, sizeof *inbox);

    kw_mailbox_init(&inbox->mailbox);
    inbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (inbox->fd < 0) {
        kw_log(KW_LOG_WARNING, "the system gives no eventfd: too many open files?");
        abort();
    }
    inbox->on_letter = on_letter;
    inbox->arg = arg;
    inbox->event =
        event_new(kw_loop_base(loop), inbox->fd, EV_READ | EV_PERSIST, inbox_on_readable, inbox);
    event_add(inbox->event, NULL);
    return inbox;
}

void kw_inbox_post(struct kw_inbox *inbox, struct kw_letter *letter)
{
    uint64_t one = 1;

    if (kw_mailbox_post(&inbox->mailbox, letter)) {
        ssize_t written = write(inbox->fd, &one, sizeof one); /* I1 */
        (void)written; /* can only fail when the counter is full: then it is readable anyway */
    }
}

void kw_inbox_close(struct kw_inbox **inbox)
{
    if (*inbox == NULL) {
        return;
    }
    inbox_on_readable((*inbox)->fd, EV_READ, *inbox);
    event_free((*inbox)->event);
    close((*inbox)->fd);
    kw_free(*inbox);
    *inbox = NULL;
}

static void inbox_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct kw_inbox *inbox = arg;
    uint64_t count = 0;

    (void)what;
    ssize_t got = read((int)fd, &count, sizeof count);
    (void)got; /* spurious wake-ups are fine */
    struct kw_letter *letter = kw_mailbox_take(&inbox->mailbox);
    while (letter != NULL) {
        struct kw_letter *next = letter->next; /* the receiver may free the letter */
        inbox->on_letter(inbox->arg, letter);
        letter = next;
    }
}
