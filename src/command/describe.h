/* describe.h - the replies of COMMAND and its family, and of <container> HELP.
 *
 * Everything is told from the table, so what clients see is what keyway does: only commands that it
 * carries out are listed (kw_command_is_offered()), and the summaries say where a request goes.
 * Shapes are redis 7.0's, in RESP2 and RESP3.
 *
 * Thread: the buf's; nothing is kept. Memory: what is appended is copied.
 * See also: command.h (the rows), resp/writer.h (proto).
 */
#ifndef KW_COMMAND_DESCRIBE_H
#define KW_COMMAND_DESCRIBE_H

#include "base/buf.h"
#include "command/command.h"
#include "command/learned.h"

#include <stddef.h>

/* Which rows there are. */
struct kw_describe_rows {
    const struct kw_learned
        *learned; /* beside those of the table, or NULL; no containers of them */
    bool (*offers)(const struct kw_command *command); /* NULL: all that a proxy carries out */
};

/* Append the reply to ARGV, whose row is COMMAND with a local of KW_LOCAL_COMMAND..., or
 * KW_LOCAL_HELP; its arity was checked. KW_LOCAL_COMMAND is right with argc 1 only: with an unknown
 * subcommand behind it the caller answers the error.
 *
 * proto  2 or 3
 */
void kw_describe(struct kw_buf *buf, const struct kw_command *command,
                 const struct kw_describe_rows *rows, const struct kw_bytes *argv, size_t argc,
                 int proto);

/* Append the names of the ACL categories: ACL CAT. */
void kw_describe_categories(struct kw_buf *buf);

/* Append the commands of the category NAME, subcommands included. False when there is none. */
bool kw_describe_category(struct kw_buf *buf, struct kw_bytes name);

/* "string", "sorted-set", "module" ... as COMMAND DOCS spells groups. Static storage. */
const char *kw_group_name(enum kw_group group);

#endif
