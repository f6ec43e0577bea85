/* client_list.h - CLIENT LIST and CLIENT INFO: a line for each client of every worker.
 *
 * Thread: the worker's. Memory: none is kept.
 */
#ifndef KW_PROXY_LOCAL_CLIENT_LIST_H
#define KW_PROXY_LOCAL_CLIENT_LIST_H

#include "proxy/internal.h"

/* CLIENT LIST [TYPE type] [ID id ...], in the client's proxy->argv. */
enum kw_verdict kw_client_list_start(struct kw_client *client, const struct kw_command *command);

/* CLIENT INFO: CLIENT's own line, as a reply. */
void kw_client_info_answer(struct kw_client *client, struct kw_buf *buf);

#endif
