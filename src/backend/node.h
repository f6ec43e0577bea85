/* node.h - one node as one worker sees it: its links, and whether it is worth asking (R4).
 *
 * A node that refuses connections, fails its handshakes or stays silent for node-failure-limit
 * times node-timeout-ms is down: requests for it fail at once, while a single link keeps trying
 * with a jittered back-off. The first answer makes it up again. Other nodes are never affected.
 *
 * Thread: the worker's. Memory: the backend owns nodes; pointers are borrowed for the call.
 * See also: backend.h (which node owns a slot), link.h.
 */
#ifndef KW_BACKEND_NODE_H
#define KW_BACKEND_NODE_H

#include "backend/lease.h"
#include "backend/link.h"
#include "base/apart.h"
#include "base/log.h"
#include "cluster/topology.h"

enum { KW_LINKS_PER_NODE_MAX = 16, KW_NODE_NAME_MAX = 264 };

struct kw_node {
    struct kw_backend *backend; /* set once */
    uint16_t index;             /* in backend->nodes, set once */
    uint32_t per_node;          /* shared links of each protocol version, set once */
    char id[KW_NODE_ID_LEN + 1];
    char host[KW_HOST_MAX];
    uint16_t port;
    char name[KW_NODE_NAME_MAX]; /* "host:port" for logs and errors */
    struct kw_address address;   /* unresolved until a lookup ends, when a MOVED named a host */
    struct kw_lookup *lookup;    /* under way, or NULL */
    uint32_t holders_count;      /* requests that point here: it must not be freed */
    bool is_known;               /* in the last topology */
    uint64_t unknown_since_ms;   /* when it was not, or it was made for a MOVED */

    bool is_down;
    enum kw_status down_reason;
    uint64_t down_since_ms;
    uint64_t retry_at_ms; /* when the next link is tried, while down */
    uint32_t backoff_ms;

    struct {
        uint64_t until_ms; /* new links of this version are not tried before */
        enum kw_status reason;
    } refused[2];

    struct kw_link *links[2][KW_LINKS_PER_NODE_MAX]; /* by protocol version - 2, then by client */
    struct kw_link *retired; /* links that carry a big reply, until it is over */
    struct kw_link *sides;   /* links beside the shared ones: side.h */
    struct {
        uint64_t until_ms; /* it is believed to have no databases ... */
        uint32_t from;     /* ... from this one on */
    } no_database;
    struct kw_lease_pool leases;
    struct kw_log_limit log_limit;
};

/* What kw_node_link() does when the link is not just there. */
KW_CHECK enum kw_status kw__node_open_link(struct kw_node *node, int proto, uint32_t db,
                                           uint64_t client_id, struct kw_link **link);

/* The link for a client: always the same one for the same CLIENT_ID (O2), opened when needed. On
 * the path of every request.
 *
 * db  the database that the client has selected
 * Returns KW_OK and *link; KW_AGAIN while the node's name is being resolved; KW_E_PROTOCOL when it
 *         does not speak RESP3; KW_E_INVALID when it does not have DB; KW_E_FULL when too many
 *         databases are in use; or why the node is down.
 */
KW_CHECK static inline enum kw_status kw_node_link(struct kw_node *node, int proto, uint32_t db,
                                                   uint64_t client_id, struct kw_link **link)
{
    /* A division costs as much as all the rest. */
    *link = node->links[proto - 2][node->per_node == 1 ? 0 : client_id % node->per_node];
    if (__builtin_expect(*link == NULL || db != 0 || node->is_down || node->lookup != NULL, 0)) {
        return kw__node_open_link(node, proto, db, client_id, link);
    }
    return KW_OK;
}

/* Keep NODE from being freed until it is released. Returns it. */
static inline struct kw_node *kw_node_hold(struct kw_node *node)
{
    node->holders_count++;
    return node;
}

/* Undo kw_node_hold() and clear the pointer; NULL inside is allowed. */
static inline void kw_node_release(struct kw_node **node)
{
    if (*node != NULL) {
        (*node)->holders_count--;
        *node = NULL;
    }
}

/* True when earlier calls may be in flight on another link than the one kw_node_link() gives. */
static inline bool kw_node_has_retired(const struct kw_node *node)
{
    return node->retired != NULL;
}

/* True while one more of its links may be given to a big reply alone. */
bool kw_node_may_retire(const struct kw_node *node);

/* How long a node may owe a reply before it is taken as dead. */
unsigned kw_node_dead_after_ms(const struct kw_node *node);

/* Calls waiting for an answer, over all links. */
uint32_t kw_node_inflight_count(const struct kw_node *node);

/* Look for silence, overdue connections and due retries. Returns true when it must be called again
 * soon.
 */
bool kw_node_check(struct kw_node *node, uint64_t now_ms);

/* Look its host up, unless that is under way; until then it is asked for in vain (KW_AGAIN). */
void kw_node_resolve(struct kw_node *node);

/* Try to connect now instead of waiting for the back-off. */
void kw_node_retry_now(struct kw_node *node);

/* Close all links with STATUS. */
void kw_node_close_links(struct kw_node *node, enum kw_status status);

/* What links report. */
void kw_node_on_link_ready(struct kw_node *node, struct kw_link *link);
void kw_node_on_link_failed(struct kw_node *node, struct kw_link *link, enum kw_status status);
KW_APART void kw_node_retire_link(struct kw_node *node, struct kw_link *link);
KW_APART void kw_node_on_retired_idle(struct kw_node *node, struct kw_link *link);

/* For this room: take LINK out of whatever list or table of NODE has it. */
void kw__node_drop_link(struct kw_node *node, struct kw_link *link);

#endif
