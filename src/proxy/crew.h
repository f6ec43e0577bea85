/* crew.h - all workers' proxies, and errands that visit them one after the other.
 *
 * What one worker can't know alone (CLIENT LIST, CLIENT KILL, PUBSUB NUMSUB ...) is asked by an
 * errand: a letter that visits every worker in turn, its own first, and then comes home, where its
 * DONE runs. So nothing is shared and nothing is locked; a visit is plain code on the visited
 * worker's thread.
 *
 *   worker 2: kw_crew_send(errand) -> visit on 2 -> visit on 0 -> visit on 1 -> done on 2
 *
 * Thread: kw_crew_send() on the worker's own thread. visit() runs on each worker's thread, done()
 *         on the sender's.
 * Memory: an errand is embedded in its sender's struct, which done() frees; it must not be touched
 *         by the sender meanwhile. At the end of the process errands under way are dropped: done()
 *         runs with is_dropped set.
 */
#ifndef KW_PROXY_CREW_H
#define KW_PROXY_CREW_H

#include "base/limits.h"
#include "base/mailbox.h"

#include <stdbool.h>

struct kw_config_board;
struct kw_crew;
struct kw_proxy;

struct kw_errand {
    struct kw_letter letter; /* first: letters cast back */
    /* set by the sender; visit may be called with any worker's proxy */
    void (*visit)(struct kw_proxy *proxy, struct kw_errand *errand);
    void (*done)(struct kw_proxy *home, struct kw_errand *errand);
    /* the crew's */
    unsigned home;
    unsigned visited_count;
    unsigned visits_count; /* that it is to make */
    bool is_dropped;
};

/* Send ERRAND round, beginning here. With a single worker all of it happens before this returns. */
void kw_crew_send(struct kw_proxy *proxy, struct kw_errand *errand);

/* Send ERRAND to the worker INDEX alone, which may be this one: visit() and done() run there. */
void kw_crew_hand(struct kw_proxy *proxy, unsigned index, struct kw_errand *errand);

/* The life of a crew is the server's (src/server.c): new, join for each worker before any of their
 * threads starts, stop when all threads have ended and the proxies are still there, free when the
 * proxies are gone. A proxy that never joined is a crew of one.
 */
struct kw_crew *kw_crew_new(struct kw_config_board *board);
void kw_crew_join(struct kw_crew *crew, struct kw_proxy *proxy);
void kw_crew_stop(struct kw_crew *crew);
void kw_crew_free(struct kw_crew **crew);

/* The process's configuration, borrowed. */
struct kw_config_board *kw_crew_board(const struct kw_crew *crew);

#endif
