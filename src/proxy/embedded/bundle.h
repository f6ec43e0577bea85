/* bundle.h - EXEC and WATCH where the store is in this process.
 *
 * What MULTI has queued is run as one batch of the store: nobody sees half of it. WATCH holds
 * tickets of the store, which break when their keys change.
 *
 * Thread: the worker's. Memory: tickets belong to the client's transaction.
 * See also: session/transaction.h (the queue), store/store.h (batches and tickets).
 */
#ifndef KW_PROXY_EMBEDDED_BUNDLE_H
#define KW_PROXY_EMBEDDED_BUNDLE_H

#include "proxy/session/transaction.h"

/* May COMMAND be queued behind MULTI? NEXT, or REFUSED with the error that it gets outside, too. */
enum kw_verdict kw_bundle_check(struct kw_client *client, const struct kw_command *command);

/* EXEC of TRANSACTION, which is whole and not flagged; its queue is used up. */
enum kw_verdict kw_bundle_exec(struct kw_client *client, struct kw_transaction *transaction);

/* WATCH and UNWATCH, outside of MULTI. */
enum kw_verdict kw_bundle_watch(struct kw_client *client);

/* Give the tickets of TRANSACTION back. */
void kw_bundle_release(struct kw_client *client, struct kw_transaction *transaction);

#endif
