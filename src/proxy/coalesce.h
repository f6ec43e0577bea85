/* coalesce.h - concurrent misses of one read share one call: near-cache-coalesce yes, or hot.
 *
 *   lead       a read that has been sent, like any other; the same ones that come meanwhile ...
 *   follower   ... wait for its reply instead of being sent
 *
 * Thread: the worker's. Memory: a follower is in its client's queue, as all requests; it refers to
 * its lead's bytes. proxy->coalesce is the proxy's, NULL unless the near cache is on and shares.
 * See also: coalesce.c (when a reply is fresh enough), request.c and reply.c, who call these.
 */
#ifndef KW_PROXY_COALESCE_H
#define KW_PROXY_COALESCE_H

#include "base/apart.h"
#include "proxy/internal.h"
#include "proxy/route.h"

/* Options changed, or the near cache opened or closed. Who leads or follows now does so to the end.
 */
void kw_coalesce_configure(struct kw_proxy *proxy);

/* Is COMMAND of CLIENT, which is not in memory, one that could have been? */
KW_APART bool kw_coalesce_may(const struct kw_client *client, const struct kw_command *command,
                              const struct kw_target *target);

/* COMMAND of CLIENT, such a read, is about to leave on LINK as WIRE. True: the
 * same one is on its way there; CLIENT's is in the queue now and follows it.
 */
KW_APART bool kw_coalesce_join(struct kw_client *client, const struct kw_command *command,
                               const struct kw_target *target, const struct kw_link *link,
                               struct kw_bytes wire);

/* REQUEST, such a read, has just been sent. */
KW_APART void kw_coalesce_lead(struct kw_request *request);

/* PART of LEAD's reply, which LINK is bringing, is for its followers, too. */
KW_APART void kw_coalesce_pass(struct kw_request *lead, const struct kw_reply_part *part,
                               struct kw_link *link);

/* LINK broke before LEAD was answered, and so for its followers. */
KW_APART void kw_coalesce_lost(struct kw_request *lead, const struct kw_link *link,
                               enum kw_status status, bool was_sent);

/* REQUEST goes a way of its own; if it leads, each of its followers does. */
KW_APART void kw_coalesce_leave(struct kw_request *request);

/* The reply to REQUEST, which LINK has brought, is about to leave. LINK may be NULL. */
KW_APART void kw_coalesce_tell(struct kw_request *request, const struct kw_link *link);

/* REQUEST is over, whatever came of it. */
KW_APART void kw_coalesce_on_end(struct kw_request *request);

#endif
