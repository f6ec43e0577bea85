/* naming.h - giving every node of a new topology its address, before it is published.
 *
 * Workers connect to addresses and never resolve (R3: resolving never blocks a loop).
 *
 * Thread: the control loop's. Memory: kw_naming_start() takes the topology's reference and hands it
 *         back through ON_NAMED; kw_naming_cancel() drops it.
 * See also: net/resolve.h, discover.h.
 */
#ifndef KW_CLUSTER_NAMING_H
#define KW_CLUSTER_NAMING_H

#include "cluster/topology.h"

struct kw_naming;
struct kw_resolver;

/* Resolve the hosts of TAKEN that are names; nodes whose name has no address stay unresolved.
 * ON_NAMED(ARG, TAKEN) runs once, maybe before this returns. Returns what is under way, or NULL
 * when ON_NAMED has already run.
 */
struct kw_naming *kw_naming_start(struct kw_resolver *resolver, struct kw_topology *taken,
                                  void (*on_named)(void *arg, struct kw_topology *taken),
                                  void *arg);

/* Stop and clear; ON_NAMED runs no more. NULL inside is allowed. */
void kw_naming_cancel(struct kw_naming **naming);

#endif
