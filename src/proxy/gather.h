/* gather.h - one request, several calls: its parts, and how their replies become one.
 *
 * The parts are requests of their own in the client's queue, in front of the one that answers: all
 * that keeps order and follows redirections works for them as for any other. Their replies are
 * never delivered; the last one that comes merges them.
 *
 * Thread: the worker's. Memory: a gather lives until its answer is complete.
 * See also: reply.h (the queue), command/policy.h (enum kw_merge).
 */
#ifndef KW_PROXY_GATHER_H
#define KW_PROXY_GATHER_H

#include "proxy/internal.h"

/* Start COMMAND, of a route that may need several calls.
 *
 * wire  its bytes as multibulk, borrowed
 * Returns KW_SENT, KW_WAITING or KW_REFUSED; KW_NEXT when one call will do after all.
 */
enum kw_verdict kw_gather_start(struct kw_client *client, const struct kw_command *command,
                                struct kw_bytes wire);

#endif
