/* request.h - the spine: one request's life, one function per stage.
 *
 * Read request.c first: everything else in this room is a stage of it.
 * Thread: the worker's. Memory: see reply.h.
 */
#ifndef KW_PROXY_REQUEST_H
#define KW_PROXY_REQUEST_H

#include "proxy/internal.h"
#include "proxy/route.h"

/* Handle the command in proxy->argv.
 *
 * wire   its bytes as multibulk
 * chunk  the chunk that wire lies in, if a call may reference it; NULL: copy
 * Returns KW_ANSWERED, KW_REFUSED or KW_SENT, or KW_WAITING: nothing happened, the same command
 *         must be given again when the client is resumed (O2).
 */
enum kw_verdict kw_request_start(struct kw_client *client, struct kw_bytes wire,
                                 struct kw_chunk *chunk);

/* The last stages, for a command that is on its way to TARGET: does an earlier one hold it? Else
 * onto the link of its node. USER is told of the reply, and may leave it to kw__request_user.
 */
enum kw_verdict kw_request_send(struct kw_client *client, const struct kw_command *command,
                                const struct kw_target *target, struct kw_bytes wire,
                                struct kw_chunk *chunk, const struct kw_call_user *user);

/* What every request's call is told. */
extern const struct kw_call_user kw__request_user;

#endif
