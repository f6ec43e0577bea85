/* guests.h - what keyway answers itself inside a transaction: CLIENT, INFO, AUTH, CONFIG GET ...
 *
 *   queued:  SET a 1    CLIENT ID    GET a
 *   run:     SET a 1    ECHO ""      GET a      to the node
 *   EXEC:    +OK        $0           $1 1       from the node
 *            +OK        :7           $1 1       to the client
 *
 * A guest takes part in its transaction: it is answered when EXEC's reply says that the transaction
 * was executed, in its place, and not at all when EXEC is refused or null.
 *
 * Thread: the worker's. Memory: guests belong to a transaction, from EXEC on to its request's run.
 * See also: transaction.h, local.h (who answers).
 */
#ifndef KW_PROXY_SESSION_GUESTS_H
#define KW_PROXY_SESSION_GUESTS_H

#include "backend/call.h"
#include "proxy/internal.h"

struct kw_guests;

/* Can COMMAND, which is in proxy->argv, be a guest? */
bool kw_guests_take(const struct kw_client *client, const struct kw_command *command);

/* What stands in the run for a guest: any node answers it, and it changes nothing. */
struct kw_bytes kw_guests_substitute(void);

/* COMMAND is the one that is queued behind INDEX others; WIRE are its bytes. *GUESTS is made when
 * it is NULL.
 */
void kw_guests_add(struct kw_guests **guests, const struct kw_command *command, uint32_t index,
                   struct kw_bytes wire);

/* Bytes that GUESTS, which may be NULL, holds. */
size_t kw_guests_bytes(const struct kw_guests *guests);

/* Pass PART of the reply to REQUEST, an EXEC, on to its client, with the answers of its guests, if
 * it has any.
 */
void kw_guests_pass(struct kw_request *request, const struct kw_reply_part *part,
                    struct kw_link *link);

/* Free and clear. NULL inside is allowed. */
void kw_guests_free(struct kw_guests **guests);

#endif
