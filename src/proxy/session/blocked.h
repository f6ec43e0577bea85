/* blocked.h - BLPOP and its kind: a client that waits for something to happen at a node.
 *
 * Thread: the worker's. Memory: a kw_blocked lives as long as its request.
 * See also: leased.h (the link), session.h, wait.h (WAIT, which asks all masters).
 */
#ifndef KW_PROXY_SESSION_BLOCKED_H
#define KW_PROXY_SESSION_BLOCKED_H

#include "proxy/internal.h"

/* Start the blocking COMMAND of CLIENT, whose bytes are WIRE (borrowed). As a stage. */
enum kw_verdict kw_blocked_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* CLIENT UNBLOCK: have CLIENT's blocking command end as if its time were over, or with -UNBLOCKED.
 * The node does it, so that an element that is on its way is not lost. False: it is not blocked.
 */
bool kw_blocked_unblock(struct kw_client *client, bool is_error);

/* In what blocks a client: the nodes are being asked to end it. */
struct kw_unblocking {
    struct kw_list place; /* in proxy->unblocking */
    struct kw_client *client;
};

/* For wait.c: ask again in a moment, until UNBLOCKING is taken out. */
void kw__unblocking_start(struct kw_unblocking *unblocking);

/* For wait.c: have the command that blocks CLIENT's LEASED link (may be NULL) end. */
void kw__unblock_at_node(const struct kw_client *client, const struct kw_link *leased,
                         bool is_timeout);

/* Ask the nodes once more for what kw_blocked_unblock() asked them; called by the retry timer. */
void kw_blocked_unblock_again(struct kw_proxy *proxy);

/* keyway ends: unblock CLIENT, if it is blocked, and close it. */
void kw_blocked_drain(struct kw_client *client);

/* CLIENT is being closed. */
void kw_blocked_drop(struct kw_client *client);

#endif
