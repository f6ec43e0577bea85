/* admit.h - may this command be handled at all: known, complete, of a class that is built?
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_PROXY_ADMIT_H
#define KW_PROXY_ADMIT_H

#include "base/apart.h"
#include "proxy/internal.h"

/* For kw_admit(): what is not a complete command for nodes. */
KW_APART enum kw_verdict kw__admit_other(struct kw_client *client,
                                         const struct kw_command *command);

/* Check the command in the client's proxy->argv, whose row is COMMAND (NULL when unknown).
 * Returns KW_NEXT, KW_REFUSED with the error written, or KW_WAITING behind an EXEC with guests.
 */
static inline enum kw_verdict kw_admit(struct kw_client *client, const struct kw_command *command)
{
    bool is_plain = command != NULL && kw_command_arity_ok(command, client->proxy->argv.count) &&
                    command->route != KW_ROUTE_REFUSED && command->route != KW_ROUTE_LOCAL;

    return is_plain ? KW_NEXT : kw__admit_other(client, command);
}

/* Refuse COMMAND, which belongs to a class that is not built. Returns KW_REFUSED. */
enum kw_verdict kw_admit_not_built(struct kw_client *client, const struct kw_command *command);

/* COMMAND's name as people write it, "CLIENT LIST" for "client|list", into OUT of SIZE bytes. */
void kw_admit_shown_name(const struct kw_command *command, char *out, size_t size);

#endif
