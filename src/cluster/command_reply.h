/* command_reply.h - a node's reply to COMMAND becomes rows for what commands.def does not know.
 *
 * Bytes of nodes are data: whatever is not as it should be is left out, never asserted on.
 *
 * Thread: any; pure. Memory: everything is copied.
 * See also: command/learned.h, learn.h (who asks).
 */
#ifndef KW_CLUSTER_COMMAND_REPLY_H
#define KW_CLUSTER_COMMAND_REPLY_H

#include "command/learned.h"
#include "net/value.h"

/* Add rows for the commands in REPLY (the array that COMMAND returns) that are new.
 *
 * A command is routed by its keys when it reads or writes and all its keys can be found; without
 * keys it is when it reads. All others get rows that refuse them with a clear error: what a command
 * does that neither reads nor writes, or writes keys that nobody names, can't be known.
 */
void kw_command_reply_read(const struct kw_value *reply, struct kw_learned *learned);

#endif
