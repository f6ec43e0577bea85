/* wait.h - WAIT and WAITAOF: how many replicas have what this client has written?
 *
 * Thread: the worker's. Memory: a kw_wait lives until all its calls have ended.
 * See also: blocked.h, backend/lease.h.
 */
#ifndef KW_PROXY_SESSION_WAIT_H
#define KW_PROXY_SESSION_WAIT_H

#include "proxy/internal.h"

/* Start WAIT or WAITAOF. As a stage. */
enum kw_verdict kw_wait_start(struct kw_client *client, const struct kw_command *command,
                              struct kw_bytes wire);

/* CLIENT UNBLOCK of a client that waits. */
void kw_wait_unblock(struct kw_client *client, bool is_error);

/* For blocked.c: ask the nodes once more to end it. */
void kw__wait_ask_to_end(const struct kw_wait *wait);

/* CLIENT is being closed. */
void kw_wait_drop(struct kw_client *client);

#endif
