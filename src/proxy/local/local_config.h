/* local_config.h - CONFIG GET, SET, REWRITE, RESETSTAT.
 *
 * Thread: the worker's. Memory: none is kept.
 * See also: config/board.h (what CONFIG SET changes).
 */
#ifndef KW_PROXY_LOCAL_LOCAL_CONFIG_H
#define KW_PROXY_LOCAL_LOCAL_CONFIG_H

#include "proxy/local/local.h"

kw__local_writer kw__local_config_get;
kw__local_writer kw__local_config_rewrite;
kw__local_writer kw__local_config_resetstat;

/* True when COMMAND, in the client's proxy->argv, asks for what the nodes know and keyway does not:
 * CONFIG GET notify-keyspace-events, which CONFIG SET gives to all masters.
 */
bool kw_config_get_is_for_node(const struct kw_client *client, const struct kw_command *command);

/* CONFIG SET name value ..., in the client's proxy->argv. */
enum kw_verdict kw_config_set_start(struct kw_client *client, const struct kw_command *command);

#endif
