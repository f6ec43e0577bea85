/* ask.h - asking one node for its picture of the cluster.
 *
 * Resolves the node's name, connects, authenticates, reads the epoch (CLUSTER NODES), then the map
 * (CLUSTER SHARDS, or SLOTS for servers that don't know SHARDS). The connection stays open, so that
 * the same node can be asked again.
 *
 * Thread: the control loop's. The callback may close the ask.
 * Memory: kw_ask_open() returns an owned pointer.
 * See also: discover.h (whom to ask, and when), shards_reply.h.
 */
#ifndef KW_CLUSTER_ASK_H
#define KW_CLUSTER_ASK_H

#include "base/status.h"
#include "cluster/topology.h"

struct kw_ask;
struct kw_config;
struct kw_loop;
struct kw_resolver;

struct kw_ask_answer {
    enum kw_status status;        /* KW_OK, else why there is no topology */
    struct kw_topology *topology; /* with KW_OK: one reference, taken by the callback */
    bool speaks_slots;            /* the node does not know CLUSTER SHARDS */
    char error[128];              /* what the node said against it, printable; "" = nothing */
};

struct kw_ask_options {
    struct kw_loop *loop;
    struct kw_resolver *resolver;
    const struct kw_config *config; /* borrowed while the ask is open: credentials */
    const char *host;               /* name or numeric, shorter than KW_HOST_MAX; copied */
    uint16_t port;
    bool speaks_slots; /* known from earlier: don't try SHARDS */
    void (*on_answer)(void *arg, struct kw_ask *ask, struct kw_ask_answer *answer);
    void *arg;
};

/* An ask that is idle and not connected. */
struct kw_ask *kw_ask_open(const struct kw_ask_options *options);

/* Ask. ON_ANSWER runs once, after this has returned; TIMEOUT_MS counts from when the name is
 * resolved. Only when no question is under way.
 */
void kw_ask_start(struct kw_ask *ask, uint32_t timeout_ms);

/* The node this ask is about. */
const char *kw_ask_host(const struct kw_ask *ask);
uint16_t kw_ask_port(const struct kw_ask *ask);

/* Close, free and clear; ON_ANSWER runs no more. NULL inside is allowed. */
void kw_ask_close(struct kw_ask **ask);

#endif
