/* steward.h - what a server says of itself and keyway of none: MEMORY, MODULE LIST, DEBUG, HELP ...
 *
 * Commands that the store does not execute, and that in front of a cluster are asked of the nodes
 * or refused. Clients' test suites, dashboards and people call them.
 *
 * Thread: the worker's. See also: help.def (the texts of HELP).
 */
#ifndef KW_PROXY_EMBEDDED_STEWARD_H
#define KW_PROXY_EMBEDDED_STEWARD_H

#include "proxy/internal.h"

/* NEXT: another command, nothing is written. */
enum kw_verdict kw_steward_answer(struct kw_client *client, const struct kw_command *command);

/* True when kw_steward_answer() has COMMAND. */
bool kw_steward_offers(const struct kw_command *command);

/* Refuse COMMAND if it is DEBUG, and that is not allowed; else NEXT. */
enum kw_verdict kw_steward_check(struct kw_client *client, const struct kw_command *command);

/* HELP of the container that COMMAND is in, as redis says it. NEXT: there is no text of it. */
enum kw_verdict kw_steward_help(struct kw_client *client, const struct kw_command *command);

#endif
