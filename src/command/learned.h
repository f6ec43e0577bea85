/* learned.h - rows for commands that commands.def does not know, as the servers describe them (C1).
 *
 * Modules and newer servers have commands that keyway was not built with. What their COMMAND reply
 * says of one is enough to route it: its arity, where its keys are, whether it reads or writes. A
 * set of such rows is built once and never changed; a new set replaces it when the servers say
 * something else.
 *
 * Thread: built by the control thread; then read by any.
 * Memory: kw_learned_new() returns an owned pointer. Requests hold rows as long as they live: who
 *         publishes sets keeps all of them until the workers have ended.
 * See also: cluster/command_reply.h (who fills it), command.h (the rows), commands.def.
 */
#ifndef KW_COMMAND_LEARNED_H
#define KW_COMMAND_LEARNED_H

#include "command/command.h"

enum { KW_LEARNED_ROWS_MAX = 4096 }; /* no server has as many; more is nonsense */

struct kw_learned;

/* A set without rows. */
struct kw_learned *kw_learned_new(void);

/* Add ROW: its id is set here, its name must be set. Nothing happens, and the return is false, when
 * there is such a row already, here or in commands.def, or there are too many.
 */
bool kw_learned_add(struct kw_learned *learned, const struct kw_command *row);

/* How many databases the servers have; 0 while they have not said so. */
void kw_learned_set_databases(struct kw_learned *learned, unsigned databases);
unsigned kw_learned_databases(const struct kw_learned *learned);

size_t kw_learned_count(const struct kw_learned *learned);
const struct kw_command *kw_learned_at(const struct kw_learned *learned, size_t index);

/* The row for the request ARGV of ARGC arguments, as kw_command_resolve(); NULL when there is none.
 * LEARNED may be NULL.
 */
const struct kw_command *kw_learned_resolve(const struct kw_learned *learned,
                                            const struct kw_bytes *argv, size_t argc);

/* True when both say the same. */
bool kw_learned_equal(const struct kw_learned *a, const struct kw_learned *b);

/* Free and clear; NULL inside is allowed. */
void kw_learned_free(struct kw_learned **learned);

#endif
