/* monitor.h - MONITOR: what the clients of all workers ask, as it comes in.
 *
 * Thread: the worker's. Memory: a proxy has a monitor from the first MONITOR of the process on.
 * See also: request.c (calls kw_monitor_feed() while KW_MODE_MONITORED).
 */
#ifndef KW_PROXY_FACE_MONITOR_H
#define KW_PROXY_FACE_MONITOR_H

#include "proxy/internal.h"

/* MONITOR. */
enum kw_verdict kw_monitor_start(struct kw_client *client, const struct kw_command *command);

/* CLIENT runs MONITOR (KW_MODE_MONITORING): keys are not for it. */
enum kw_verdict kw_monitor_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire);

/* CLIENT, on a worker that is monitored, sent COMMAND, in proxy->argv. */
void kw_monitor_feed(const struct kw_client *client, const struct kw_command *command);

/* The tick ends: what was fed goes to the monitors of all workers. */
void kw_monitor_flush(struct kw_proxy *proxy);

/* CLIENT is closed, or RESET: it monitors no more. */
void kw_monitor_drop(struct kw_client *client);

void kw_monitor_free(struct kw_proxy *proxy);

#endif
