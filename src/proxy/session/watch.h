/* watch.h - WATCH: a node remembers keys for a connection, so a client that watches has one.
 *
 * Thread: the worker's. Memory: part of kw_transaction.
 * See also: transaction.h, leased.h.
 */
#ifndef KW_PROXY_SESSION_WATCH_H
#define KW_PROXY_SESSION_WATCH_H

#include "proxy/session/transaction.h"

/* WATCH, UNWATCH outside of MULTI. As a stage. */
enum kw_verdict kw_watch_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire);

/* EXEC of TRANSACTION, whose run is whole, over the link of its WATCH. As a stage. */
enum kw_verdict kw_watch_exec(struct kw_client *client, struct kw_transaction *transaction,
                              const struct kw_command *command);

/* Give the link of TRANSACTION's WATCH back: the node forgets the keys. */
void kw_watch_release(struct kw_transaction *transaction);

extern const struct kw_leased_user kw__watch_user;

#endif
