/* lookahead.h - brings near, before a pipeline's commands are handled, what their keys will touch;
 * the near cache tells them what it has seen of them then (near/ahead.h).
 *
 * For proxies that answer from memory of their own: the near cache, the embedded store.
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_PROXY_LOOKAHEAD_H
#define KW_PROXY_LOOKAHEAD_H

#include "proxy/internal.h"

/* Look at the commands of CLIENT at the start of INPUT, whose first one, of FIRST_LEN bytes, is in
 * proxy->argv. Returns how many bytes of it need no other look.
 */
size_t kw__lookahead(struct kw_client *client, struct kw_bytes input, size_t first_len);

#endif
