/* publish.h - PUBLISH and SPUBLISH, and counts of subscribers that mean what the user thinks.
 *
 * Thread: the worker's. Memory: none.
 * See also: census.h (where the counts come from).
 */
#ifndef KW_PROXY_PUBSUB_PUBLISH_H
#define KW_PROXY_PUBSUB_PUBLISH_H

#include "proxy/internal.h"

/* PUBLISH and SPUBLISH: to the owner of the channel's slot. */
enum kw_verdict kw_publish_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* What keyway itself would answer to COMMAND, of the PUBSUB family, if it were one more node: its
 * clients, less its own subscriptions, which the nodes have counted. FIRST is a node's reply: it
 * has the names that are asked for.
 *
 * Returns true with *OWN on the heap, the caller's; false when there is nothing to add.
 */
bool kw_publish_own_reply(struct kw_stats_hub *hub, const struct kw_command *command,
                          struct kw_bytes first, int proto, struct kw_bytes *own);

#endif
