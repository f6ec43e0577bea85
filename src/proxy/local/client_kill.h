/* client_kill.h - CLIENT KILL and CLIENT UNBLOCK: one client does something to others, wherever
 * they are.
 *
 * Thread: the worker's. Memory: none is kept.
 */
#ifndef KW_PROXY_LOCAL_CLIENT_KILL_H
#define KW_PROXY_LOCAL_CLIENT_KILL_H

#include "proxy/internal.h"

/* CLIENT KILL address | option value ..., in the client's proxy->argv. */
enum kw_verdict kw_client_kill_start(struct kw_client *client, const struct kw_command *command);

/* CLIENT UNBLOCK id [TIMEOUT|ERROR]. */
enum kw_verdict kw_client_unblock_start(struct kw_client *client, const struct kw_command *command);

#endif
