/* request.h - the spine: one request's life, one function per stage.
 *
 * Read request.c first: everything else in this room is a stage of it.
 * Thread: the worker's. Memory: see reply.h.
 */
#ifndef KW_PROXY_REQUEST_H
#define KW_PROXY_REQUEST_H

#include "proxy/internal.h"

/* Handle the command in proxy->argv.
 *
 * wire   its bytes as multibulk
 * chunk  the chunk that wire lies in, if a call may reference it; NULL: copy
 * Returns KW_ANSWERED, KW_REFUSED or KW_SENT, or KW_WAITING: nothing happened, the same command
 *         must be given again when the client is resumed (O2).
 */
enum kw_verdict kw_request_start(struct kw_client *client, struct kw_bytes wire,
                                 struct kw_chunk *chunk);

#endif
