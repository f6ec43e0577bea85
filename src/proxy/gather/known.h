/* known.h - a request for all masters that one of them has answered already.
 *
 * Inside a transaction DBSIZE, FLUSHALL and their kin are executed by its node, at their place
 * among its commands; the other masters are asked behind it, and this makes one answer of all.
 *
 * Thread: the worker's. Memory: what is known is borrowed for the call.
 * See also: gather.h, session/guests.h.
 */
#ifndef KW_PROXY_GATHER_KNOWN_H
#define KW_PROXY_GATHER_KNOWN_H

#include "proxy/internal.h"

struct kw_known {
    uint16_t slot; /* that the node was found by */
    const char *node_name;
    struct kw_bytes reply; /* its own, whole */
};

/* Start COMMAND, of route ALL_SHARDS, for the masters that KNOWN is not about. WIRE are its bytes.
 * Nothing of CLIENT is in flight. Returns KW_SENT; it may be answered then.
 */
enum kw_verdict kw_known_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire, const struct kw_known *known);

#endif
