/* pause.h - CLIENT PAUSE and UNPAUSE: writes, or all commands of all clients, wait.
 *
 * Thread: the worker's; each has the same pause. Memory: the timer is the proxy's.
 * See also: session.h (who asks kw_pause_check()).
 */
#ifndef KW_PROXY_FACE_PAUSE_H
#define KW_PROXY_FACE_PAUSE_H

#include "proxy/internal.h"

/* CLIENT PAUSE ms [WRITE|ALL] and CLIENT UNPAUSE, in the client's proxy->argv. */
enum kw_verdict kw_pause_start(struct kw_client *client, const struct kw_command *command);
enum kw_verdict kw_pause_end_start(struct kw_client *client, const struct kw_command *command);

/* The proxy is paused (KW_MODE_PAUSED): KW_WAITING when COMMAND has to wait for its end. */
enum kw_verdict kw_pause_check(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire);

#endif
