/* topologies.h - builders of topologies for tests: a_topology("0-8191 A, 8192-16383 B").
 *
 * Node A listens on 127.0.0.1:7001, B on 7002 and so on; the id is the letter forty times. A letter
 * alone ("c") adds a replica of the node named before: lower case of its own letter. "A!" fails.
 */
#ifndef KW_TESTS_UNIT_CLUSTER_TOPOLOGIES_H
#define KW_TESTS_UNIT_CLUSTER_TOPOLOGIES_H

#include "cluster/topology.h"

struct kw_topology *a_topology(const char *words);

#endif
