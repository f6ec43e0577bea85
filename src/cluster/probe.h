/* probe.h - asks every master "are you there?", so that a silent one is noticed without clients.
 *
 * One PING per master and health-interval-ms, from the whole process. A master that fails
 * node-failure-limit times in a row is reported down and then asked more often (50 ms, doubling to
 * 1 s), so that its return is seen at once. Discovery is told to hurry while any master is down.
 *
 * Instead of PING a master is asked for `INFO keyspace` the first time, once in a minute or so, and
 * each time while somebody wants to know (stats/keyspace.h): no question more than without it.
 *
 * Any answer counts as alive, errors too: a node that is loading or busy says so to its clients.
 *
 * Thread: the control loop's. Memory: kw_probe_new() returns an owned pointer; it keeps a reference
 *         of the topology it follows and of the config. DISCOVER is borrowed; NULL in tests.
 * See also: discover.h, topology.h.
 */
#ifndef KW_CLUSTER_PROBE_H
#define KW_CLUSTER_PROBE_H

#include "cluster/topology.h"

struct kw_config;
struct kw_discover;
struct kw_keyspace;
struct kw_loop;
struct kw_probe;

struct kw_probe_options {
    struct kw_loop *loop;
    struct kw_config *config;
    struct kw_discover *discover;
    struct kw_keyspace *keyspace; /* borrowed: where masters' counts of keys go; NULL: not asked */

    /* NODE (borrowed, of the last topology followed) went down or came back. A node counts as alive
     * until told otherwise, also when it is new in the topology. */
    void (*on_node_state)(void *arg, const struct kw_topology_node *node, bool is_alive);
    void *arg;
};

/* A probe that follows no topology yet. */
struct kw_probe *kw_probe_new(const struct kw_probe_options *options);

/* Probe TOPOLOGY's masters from now on. Those that were there already, at the same address, keep
 * their state and connection.
 */
void kw_probe_follow(struct kw_probe *probe, const struct kw_topology *topology);

/* Go by CONFIG, which is referenced, from now on. */
void kw_probe_reconfigure(struct kw_probe *probe, struct kw_config *config);

/* Somebody has trouble with NODE, which may be of an older topology: probe it now, at most every
 * 50 ms. Nodes that are not probed are ignored.
 */
void kw_probe_suspect(struct kw_probe *probe, const struct kw_topology_node *node);

/* Masters that are down now. */
uint32_t kw_probe_down_count(const struct kw_probe *probe);

/* Stop, free and clear. NULL inside is allowed. */
void kw_probe_free(struct kw_probe **probe);

#endif
