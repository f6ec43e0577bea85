/* topology.h - an immutable picture of the cluster: its nodes, and who owns which slot.
 *
 * Built by one thread (see shards_reply.h), then published: from the first kw_topology_ref() on by
 * somebody else nothing but the reference count changes. Workers read it without locks (T2).
 *
 * Thread: any, once published; ref and unref are atomic.
 * Memory: kw_topology_new() returns one reference; the last kw_topology_unref() frees all of it.
 *         Pointers to nodes are borrowed from the topology.
 * See also: discover.h (who makes them), slot.h.
 */
#ifndef KW_CLUSTER_TOPOLOGY_H
#define KW_CLUSTER_TOPOLOGY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "cluster/slot.h"
#include "net/address.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define KW_NODE_NONE 0xffff /* index of no node: nobody owns the slot */

enum { KW_NODE_ID_LEN = 40 /* hexadecimal digits of a node id */ };

/* One server. Its identity is the id when it is known, else host and port. */
struct kw_topology_node {
    char id[KW_NODE_ID_LEN + 1]; /* "" when unknown */
    char host[KW_HOST_MAX];      /* as the cluster announces it: numeric or a name; never empty */
    uint16_t port;
    struct kw_address address; /* of host and port; unresolved when the name has no address */
    bool is_master;
    bool is_failing; /* the cluster itself says so; it may still own slots */
    uint16_t shard;  /* a master and its replicas share one: 0 .. shards_count - 1 */
};

struct kw_topology {
    _Atomic uint32_t refs;
    uint32_t nodes_count;
    uint32_t shards_count;
    uint32_t slots_covered;              /* slots with an owner: KW_SLOTS_COUNT when healthy */
    uint64_t version;                    /* grows by 1 with each one published; 0 before */
    uint64_t epoch;                      /* the highest config epoch of a master; 0 = unknown */
    bool is_plain;                       /* one server without cluster mode, which has all slots */
    struct kw_topology_node *nodes;      /* owned; nodes_count of them */
    uint16_t slot_owner[KW_SLOTS_COUNT]; /* index into nodes, of a master, or KW_NODE_NONE */
};

/* A topology of NODES_COUNT zeroed nodes (0 .. KW_NODES_MAX) and no owned slots. */
struct kw_topology *kw_topology_new(uint32_t nodes_count);

/* One more reference. TOPOLOGY is const for readers; the count is not part of what they read. */
struct kw_topology *kw_topology_ref(const struct kw_topology *topology);

/* Give one reference back and clear the pointer; NULL inside is allowed. */
void kw_topology_unref(struct kw_topology **topology);

/* Make NODE_INDEX (or KW_NODE_NONE) the owner of slots FIRST..LAST, all within bounds. Only while
 * building. Keeps slots_covered.
 */
void kw_topology_assign(struct kw_topology *topology, uint16_t first, uint16_t last,
                        uint16_t node_index);

/* Same nodes (in any order), roles, addresses and owners of slots; version and epoch don't count.
 */
bool kw_topology_equal(const struct kw_topology *a, const struct kw_topology *b);

/* True when a slot has no owner, or one that the cluster calls failing: better news is expected. */
bool kw_topology_is_ailing(const struct kw_topology *topology);

/* True when A and B are the same server: by id when both have one, else by host and port. */
bool kw_topology_node_is_same(const struct kw_topology_node *a, const struct kw_topology_node *b);

/* The node that HOST and PORT mean (as in MOVED), by announced host, else by resolved address.
 * NULL when there is none.
 */
const struct kw_topology_node *kw_topology_find(const struct kw_topology *topology,
                                                struct kw_bytes host, uint16_t port);

/* The node with this ID, NULL when there is none or ID is "". */
const struct kw_topology_node *kw_topology_find_id(const struct kw_topology *topology,
                                                   const char *id);

/* The master that owns SLOT (< KW_SLOTS_COUNT), NULL when nobody does. */
static inline const struct kw_topology_node *kw_topology_node_of_slot(
    const struct kw_topology *topology, uint16_t slot)
{
    uint16_t owner = topology->slot_owner[slot];

    return owner == KW_NODE_NONE ? NULL : &topology->nodes[owner];
}

#endif
