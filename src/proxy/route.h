/* route.h - which slot a request is for, and which node owns it now.
 *
 * Thread: the worker's. Memory: the node is borrowed.
 */
#ifndef KW_PROXY_ROUTE_H
#define KW_PROXY_ROUTE_H

#include "proxy/internal.h"

struct kw_target {
    uint16_t slot;
    struct kw_node *node;
    bool has_several_keys;
};

/* Find the target of the command in the client's proxy->argv.
 * Returns KW_NEXT and *target; KW_REFUSED with the error written (CROSSSLOT, a class that is not
 *         built, a slot without a node); KW_WAITING while the first topology is on its way.
 */
enum kw_verdict kw_route(struct kw_client *client, const struct kw_command *command,
                         struct kw_target *target);

#endif
