/* session.h - what outlives one request: MULTI, WATCH, blocking, subscriptions, modes of a client.
 *
 * Thread: the worker's. Memory: each part belongs to a client and is dropped with it.
 * See also: transaction.h, blocked.h, subscribe.h, tracker.h (the parts).
 */
#ifndef KW_PROXY_SESSION_SESSION_H
#define KW_PROXY_SESSION_SESSION_H

#include "proxy/internal.h"

/* CLIENT, or the whole worker, is in a mode (KW_MODE_*): may COMMAND go on as usual?
 *
 * wire  its bytes as multibulk, borrowed
 * Returns KW_NEXT when it may; else the mode has dealt with it.
 */
enum kw_verdict kw_session_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* Start COMMAND, of the class its row calls a session. */
enum kw_verdict kw_session_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* CLIENT is being closed, or RESET: give up all it holds. */
void kw_session_drop(struct kw_client *client);

#endif
