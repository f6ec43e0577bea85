/* mute.h - CLIENT REPLY: replies that a client does not want.
 *
 * A muted request keeps its place in the queue and its bytes are dropped where they would be
 * delivered, so what is asked before and behind it stays in order.
 *
 * Thread: the worker's. Memory: none.
 * See also: reply.c (who looks at is_muted).
 */
#ifndef KW_PROXY_FACE_MUTE_H
#define KW_PROXY_FACE_MUTE_H

#include "proxy/internal.h"

/* CLIENT REPLY ON|OFF|SKIP, in the client's proxy->argv. */
enum kw_verdict kw_mute_start(struct kw_client *client, const struct kw_command *command);

/* A request of a client in KW_MODE_REPLY_SKIP was handled: SKIP is about one only. */
void kw_mute_step(struct kw_client *client);

/* All replies from now on (RESET). */
void kw_mute_reset(struct kw_client *client);

#endif
