/* quick.h - the MGET that nearly all are: a few keys, each in a slot of its own, all nodes well.
 *
 * Thread: the worker's. Memory: none of its own.
 * See also: split.h and bunch.h, which take all others.
 */
#ifndef KW_PROXY_GATHER_QUICK_H
#define KW_PROXY_GATHER_QUICK_H

#include "proxy/gather/gather.h"

/* Send what is in CLIENT's proxy->argv, of COMMAND and of route SPLIT, in one bunch for each node.
 * False when it isn't that simple: nothing is done then.
 */
bool kw_quick_start(struct kw_client *client, const struct kw_command *command);

#endif
