/* shards_reply.h - what CLUSTER SHARDS, SLOTS and NODES answer, read without trusting any of it.
 *
 * Pure. Fields that are not known are skipped, so that newer servers can say more. A node that does
 * not say where it is, is where the one that was asked is. Nothing is resolved here: addresses of
 * numeric hosts are set, those of names are left unresolved.
 *
 * Thread: any. Memory: on KW_OK the topology is the caller's (one reference); else there is none.
 * See also: topology.h, discover.h (who asks), net/value.h.
 */
#ifndef KW_CLUSTER_SHARDS_REPLY_H
#define KW_CLUSTER_SHARDS_REPLY_H

#include "base/status.h"
#include "cluster/topology.h"
#include "net/value.h"

/* Read the REPLY to CLUSTER SHARDS (RESP2 or RESP3) of the node at ASKED_HOST, a NUL-terminated
 * host of less than KW_HOST_MAX bytes.
 *
 * A shard's slots belong to its first master that is not failing, else to its first master; a slot
 * claimed twice belongs to the claimant that is not failing, else to the first.
 * Returns KW_OK; KW_E_PROTOCOL when it is not the shape of such a reply, also for slots out of
 * range; KW_E_INVALID for more nodes than KW_NODES_MAX or text that can't be a host.
 */
KW_CHECK enum kw_status kw_shards_reply_read(const struct kw_value *reply, const char *asked_host,
                                             struct kw_topology **topology);

/* The same for CLUSTER SLOTS. Roles follow from the order; is_failing is not known there. */
KW_CHECK enum kw_status kw_slots_reply_read(const struct kw_value *reply, const char *asked_host,
                                            struct kw_topology **topology);

/* The highest config epoch of a master in the REPLY to CLUSTER NODES; 0 when nothing there says. */
uint64_t kw_nodes_reply_epoch(const struct kw_value *reply);

/* What a server without cluster mode amounts to: one master at HOST and PORT with all slots. */
struct kw_topology *kw_topology_of_plain_server(const char *host, uint16_t port);

#endif
