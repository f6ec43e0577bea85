/* backend.h - everything one worker has behind it: nodes, links, and who owns which slot.
 *
 * The slot map is the worker's copy of the last topology, patched at once by MOVED answers (R1).
 *
 * Thread: the worker's. Memory: kw_backend_new() returns an owned pointer; all calls must have been
 *         answered or failed by kw_backend_free(), which fails the rest.
 * See also: node.h, link.h, call.h, cluster/topology.h.
 */
#ifndef KW_BACKEND_BACKEND_H
#define KW_BACKEND_BACKEND_H

#include "backend/call.h"
#include "base/limits.h"
#include "base/pool.h"
#include "cluster/slot.h"
#include "cluster/topology.h"
#include "config/config.h"
#include "net/stream.h"
#include "stats/stats.h"

#define KW_BACKEND_SCRATCH_BYTES (KW_LINE_MAX_BYTES + KW_READ_MAX_BYTES + 64)

#define KW_NODE_MIXED 0xfffe /* no node, and not KW_NODE_NONE */
enum { KW_SLOTS_BLOCK = 64 };

_Static_assert(KW_NODES_MAX < KW_NODE_MIXED, "no node is at that place");

struct kw_loop;
struct kw_node;
struct kw_resolver;
struct kw_timer;

struct kw_backend {
    /* set once; borrowed from the worker */
    struct kw_loop *loop;
    const struct kw_config *config;
    struct kw_stats *stats;
    struct kw_chunk_pool *chunks;
    char *scratch; /* KW_BACKEND_SCRATCH_BYTES that whoever reads a socket may use meanwhile */
    uint64_t queue_limit_bytes;            /* unsent bytes for one link */
    uint32_t leased_links_max;             /* of one node; may be set anew by the owner */
    void (*on_topology_wanted)(void *arg); /* may be called often: the receiver coalesces */
    void *on_topology_wanted_arg;
    void (*on_node_change)(void *arg); /* slots changed hands: who waits may try again */
    void (*on_slot_moved)(void *arg, uint16_t slot); /* a topology gave it to another node */
    void *on_node_change_arg;                        /* of both */

    /* the worker's */
    struct kw_stream_set streams; /* links with output */
    struct kw_link *failed;       /* links to be closed before this tick writes */
    struct kw_pool ignored_calls; /* for commands whose reply nobody needs */
    struct kw_resolver *resolver; /* of hosts that a MOVED names; made when there is one */
    struct kw_timer *timer;       /* runs while something may become late */
    bool is_watching;             /* the timer runs */
    bool has_topology;
    struct kw_topology *topology; /* the last one applied: one reference, NULL before the first */
    uint64_t random;
    uint64_t links_made;                                  /* so far */
    uint32_t nodes_count;                                 /* places used in nodes, holes included */
    struct kw_node *nodes[KW_NODES_MAX];                  /* owned; NULL is a hole */
    uint16_t slot_node[KW_SLOTS_COUNT];                   /* index into nodes or KW_NODE_NONE */
    uint16_t block_node[KW_SLOTS_COUNT / KW_SLOTS_BLOCK]; /* ... or KW_NODE_MIXED: see there */
    uint64_t slots_version; /* grows when slot_node or a node's identity may change */
};

struct kw_backend *kw_backend_new(struct kw_loop *loop, const struct kw_config *config,
                                  struct kw_stats *stats, struct kw_chunk_pool *chunks,
                                  char *scratch);
void kw_backend_free(struct kw_backend **backend);

/* Go by CONFIG (borrowed) from now on; options that are fixed are those of the first one. */
void kw_backend_reconfigure(struct kw_backend *backend, const struct kw_config *config);

/* Make the worker's nodes and slot map those of TOPOLOGY (borrowed). Nodes that left are closed
 * when their last call is answered.
 */
void kw_backend_apply(struct kw_backend *backend, const struct kw_topology *topology);

/* The node that owns SLOT, NULL when nobody is known to. Masters mostly have whole blocks of slots:
 * these are looked up in 512 bytes that are always near, the others in 32 KiB that are not (a miss
 * cost 20 ns, as much as parsing the request).
 */
static inline struct kw_node *kw_backend_node_of_slot(struct kw_backend *backend, uint16_t slot)
{
    uint16_t index = backend->block_node[slot / KW_SLOTS_BLOCK];

    index = index == KW_NODE_MIXED ? backend->slot_node[slot] : index;
    return index == KW_NODE_NONE ? NULL : backend->nodes[index];
}

/* The node at HOST:PORT; an empty HOST is ASKED's. An unknown one becomes a new node;
 * when it is a name it is resolved first, without waiting. NULL when there are too many nodes or
 * the host is too long.
 */
struct kw_node *kw_backend_node_at(struct kw_backend *backend, struct kw_bytes host, uint16_t port,
                                   const struct kw_node *asked);

/* The same, but only a node that is known already; else NULL. ASKED may be NULL when HOST is not
 * empty.
 */
struct kw_node *kw_backend_find_node(struct kw_backend *backend, struct kw_bytes host,
                                     uint16_t port, const struct kw_node *asked);

/* The node that WANTED, of a topology, is; NULL when it is not known. */
struct kw_node *kw_backend_find_known(const struct kw_backend *backend,
                                      const struct kw_topology_node *wanted);

/* The node with the id ID, or NULL. */
struct kw_node *kw_backend_node_of_id(struct kw_backend *backend, struct kw_bytes id);

/* NODE owns SLOT from now on, says a MOVED. Asks for the topology, too. */
void kw_backend_patch_slot(struct kw_backend *backend, uint16_t slot, struct kw_node *node);

/* Ask the control thread for a fresh topology. */
void kw_backend_want_topology(struct kw_backend *backend);

/* A node can be given requests now that could not before: who waits may go on. */
void kw_backend_node_changed(struct kw_backend *backend);

/* The control thread's probe says that the node with ADDRESS answers. */
void kw_backend_on_node_alive(struct kw_backend *backend, const struct kw_address *address);

/* Close the links that failed; their calls are told. */
void kw_backend_close_failed(struct kw_backend *backend);

/* Close links that nobody has used for long: to be called now and then. */
void kw_backend_close_idle(struct kw_backend *backend);

/* Commands wait to be written. */
static inline bool kw_backend_has_output(const struct kw_backend *backend)
{
    return !kw_list_is_empty(&backend->streams.marked);
}

/* Write what is queued. Links that fail meanwhile wait for kw_backend_close_failed(). */
void kw_backend_flush(struct kw_backend *backend);

/* For link.c and node.c: have LINK closed with STATUS before this tick writes; take it back. */
void kw_backend_defer_failure(struct kw_backend *backend, struct kw_link *link,
                              enum kw_status status);
void kw_backend_forget_failure(struct kw_backend *backend, struct kw_link *link);

/* For link.c and node.c: make sure that the timer runs. */
void kw_backend_watch(struct kw_backend *backend);

/* A call whose reply is dropped; goes back to its pool by itself when answered or failed. */
struct kw_call *kw_backend_ignored_call(struct kw_backend *backend);
void kw_backend_put_ignored_call(struct kw_backend *backend, struct kw_call *call);

/* A small pseudo-random number for jitter. */
uint32_t kw_backend_random(struct kw_backend *backend);

#endif
