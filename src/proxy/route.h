/* route.h - which slot a request is for, and which node owns it now.
 *
 * Thread: the worker's. Memory: the node is borrowed.
 */
#ifndef KW_PROXY_ROUTE_H
#define KW_PROXY_ROUTE_H

#include "command/keys.h"
#include "proxy/internal.h"

struct kw_target {
    uint16_t slot;
    struct kw_node *node;
    bool has_several_keys;
    uint64_t near_hash; /* for its request, what the near cache has found out: near.h */
    uint8_t near_mark;
};

/* Find the target of the command in the client's proxy->argv.
 * Returns KW_NEXT and *target; KW_REFUSED with the error written (CROSSSLOT, a class that is not
 *         built, a slot without a node); KW_WAITING while the first topology is on its way.
 */
enum kw_verdict kw_route(struct kw_client *client, const struct kw_command *command,
                         struct kw_target *target);

/* True when there is one server without cluster mode behind: it has all slots, so that keys need
 * not agree on one.
 */
static inline bool kw_route_is_plain(const struct kw_proxy *proxy)
{
    return proxy->backend->topology != NULL && proxy->backend->topology->is_plain;
}

/* The last step of it: the node of target->slot. */
enum kw_verdict kw_route_slot(struct kw_client *client, struct kw_target *target);

/* The slot of all KEYS of ARGV, of which there is at least one. False when they don't agree. */
bool kw_route_keys_agree(const struct kw_argv *argv, const struct kw_keys *keys, uint16_t *slot);

#endif
