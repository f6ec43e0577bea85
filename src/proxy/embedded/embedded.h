/* embedded.h - the embedded face: requests that this process's own store answers.
 *
 * With a store there is no cluster behind: kw_request_start() hands every request to
 * kw_embedded_start() instead of looking for a node.
 *
 * Thread: the worker's. Memory: the proxy's access to the store is its own; the store is not.
 * See also: store/store.h.
 */
#ifndef KW_PROXY_EMBEDDED_EMBEDDED_H
#define KW_PROXY_EMBEDDED_EMBEDDED_H

#include "proxy/embedded/commons.h"
#include "proxy/internal.h"

/* Serve from the store of COMMONS (borrowed), from now on; and no more. */
void kw_embedded_open(struct kw_proxy *proxy, struct kw_commons *commons);
void kw_embedded_close(struct kw_proxy *proxy);

/* Answer the command in the client's proxy->argv, whose row is COMMAND (NULL: nobody knows it).
 * Sets *IS_ADMITTED: false when it was refused before it began. Returns ANSWERED, REFUSED or
 * WAITING.
 */
enum kw_verdict kw_embedded_start(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire, bool *is_admitted);

/* For bundle.c: answer COMMAND, in proxy->argv, whatever the client's modes. */
enum kw_verdict kw_embedded_answer(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire);

/* For finale.c: the same behind the transaction that COMMAND is a part of. */
enum kw_verdict kw_embedded_perform(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire);

/* True for commands that are answered without a cluster. */
bool kw_embedded_offers(const struct kw_command *command);

/* Refuse COMMAND, which only servers have. */
enum kw_verdict kw_embedded_lacks(struct kw_client *client, const struct kw_command *command);

/* Options have changed: maxmemory and its policy, what is small. */
void kw_embedded_configure(struct kw_proxy *proxy);

/* What the store of PROXY holds, for INFO; all zero without one. */
void kw_embedded_figures(const struct kw_proxy *proxy, struct kw_store_figures *figures);

/* Bring near what is stored under KEYS, which are about to be used. How many may be there. */
unsigned kw_embedded_prepare(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count);

/* The tick ends: the loop may sleep now, the store is not to wait for it. */
void kw_embedded_rest(struct kw_proxy *proxy);

#endif
