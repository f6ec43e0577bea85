/* sources.h - whom discovery can ask: the seeds and all known nodes, and how they behaved.
 *
 * Thread: the owner's. Memory: kw_sources_init() and kw_sources_deinit() on the caller's struct;
 *         pointers to a source are valid until the next kw_sources_learn().
 * See also: discover.h.
 */
#ifndef KW_CLUSTER_SOURCES_H
#define KW_CLUSTER_SOURCES_H

#include "cluster/topology.h"

struct kw_config;

struct kw_source {
    char host[KW_HOST_MAX];
    uint16_t port;
    bool is_seed;         /* stays when the topology changes */
    bool speaks_slots;    /* doesn't know CLUSTER SHARDS */
    uint32_t failures;    /* in a row */
    uint64_t asked_round; /* the last round that asked it; 0 = never */
};

struct kw_sources {
    struct kw_source *all; /* owned */
    uint32_t count;
    uint64_t random; /* state of the generator that breaks ties */
};

/* The seeds of CONFIG. */
void kw_sources_init(struct kw_sources *sources, const struct kw_config *config);

/* The seeds and TOPOLOGY's nodes; what is known of those that stay is kept. */
void kw_sources_learn(struct kw_sources *sources, const struct kw_topology *topology);

/* Whom to ask next in ROUND: not asked in it yet; those that failed of late only when there is no
 * other; then the one asked longest ago; among equals a random one. NULL when all have been asked.
 */
struct kw_source *kw_sources_next(struct kw_sources *sources, uint64_t round);

/* The source at HOST and PORT, NULL when it is gone. */
struct kw_source *kw_sources_find(struct kw_sources *sources, const char *host, uint16_t port);

/* A random number below LIMIT > 0: for jitter. */
uint32_t kw_sources_random(struct kw_sources *sources, uint32_t limit);

void kw_sources_deinit(struct kw_sources *sources);

#endif
