/* database.h - SELECT: which database of the servers a client's requests are for.
 *
 * Thread: the worker's. Memory: none of its own.
 * See also: backend/side.h (links of other databases than 0), session.h (who asks for the check).
 */
#ifndef KW_PROXY_FACE_DATABASE_H
#define KW_PROXY_FACE_DATABASE_H

#include "proxy/internal.h"

/* SELECT index, in the client's proxy->argv. Any verdict but KW_NEXT. */
enum kw_verdict kw_database_select(struct kw_client *client, const struct kw_command *command);

/* CLIENT's last SELECT failed: may COMMAND run? */
enum kw_verdict kw_database_check(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire);

/* Back to database 0 (RESET). */
void kw_database_reset(struct kw_client *client);

#endif
