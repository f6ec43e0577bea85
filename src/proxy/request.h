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

/* Commands that are more, or less, than one call to the owner of one slot: as kw_request_start(),
 * or KW_NEXT when one will do. COMMAND is let in, and in proxy->argv.
 */
enum kw_verdict kw__request_start_other(struct kw_client *client, const struct kw_command *command,
                                        struct kw_bytes wire);

/* The last stages, for a command that is on its way to TARGET: does an earlier one hold it? Else
 * onto the link of its node. USER is told of the reply, and may leave it to kw__request_user.
 */
enum kw_verdict kw_request_send(struct kw_client *client, const struct kw_command *command,
                                const struct kw_target *target, struct kw_bytes wire,
                                struct kw_chunk *chunk, const struct kw_call_user *user);

/* What every request's call is told. */
extern const struct kw_call_user kw__request_user;

/* For the calls of other files of this room: what their on_reply and on_fail have in common.
 *
 * Is LINE, an error of the node FROM, one that keyway handles inside (R1)? True when REQUEST, which
 * is in flight nowhere, goes on, or was answered.
 */
bool kw_request_redirected(struct kw_request *request, struct kw_node *from, struct kw_bytes line);

/* PART of the reply is for the client; LINK is bringing it. The last one ends REQUEST. */
void kw_request_pass(struct kw_request *request, const struct kw_reply_part *part,
                     struct kw_link *link);

/* LINK broke before REQUEST was answered: it is sent again when MAY_RETRY, or gets its error. */
void kw_request_lost(struct kw_request *request, const struct kw_link *link, enum kw_status status,
                     bool was_sent, bool may_retry);

#endif
