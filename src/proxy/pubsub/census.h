/* census.h - how many clients of this process subscribe to what, and what its workers ask nodes
 * for.
 *
 * A node counts keyway as one subscriber for each worker, however many clients are behind it. What
 * PUBLISH and PUBSUB NUMSUB tell is put right with these figures: the node's count, less keyway's
 * own subscriptions there, plus keyway's clients.
 *
 * Thread: any; a mutex protects it. It is used when somebody subscribes or publishes, never else.
 * Memory: one for each process, in its kw_stats_hub, made when first needed.
 */
#ifndef KW_PROXY_PUBSUB_CENSUS_H
#define KW_PROXY_PUBSUB_CENSUS_H

#include "base/bytes.h"
#include "stats/stats.h"

/* What can be subscribed to. Values index tables. */
enum kw_channel_kind {
    KW_CHANNEL_PLAIN = 0, /* SUBSCRIBE */
    KW_CHANNEL_PATTERN,   /* PSUBSCRIBE */
    KW_CHANNEL_SHARD,     /* SSUBSCRIBE */
    KW_CHANNEL_KINDS
};

struct kw_census;

/* Give back what there is; asserts nothing: at the end of the process some may be left. */
void kw_census_free(struct kw_stats_hub *hub);

/* DELTA more clients subscribe to the NAME of KIND. */
void kw_census_add_clients(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                           struct kw_bytes name, int delta);

/* DELTA more workers are subscribed to it at the node called NODE. */
void kw_census_add_feeds(struct kw_stats_hub *hub, enum kw_channel_kind kind, struct kw_bytes name,
                         const char *node, int delta);

/* What a PUBLISH (SPUBLISH with KW_CHANNEL_SHARD) to CHANNEL reaches: clients, patterns included,
 * and how many of the receivers that the node called NODE counts are keyway itself.
 */
struct kw_census_count {
    uint64_t clients;
    uint64_t feeds;
};
struct kw_census_count kw_census_receivers(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                                           struct kw_bytes channel, const char *node);

/* The same for subscribers of the NAME alone, and over all nodes: PUBSUB NUMSUB. */
struct kw_census_count kw_census_subscribers(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                                             struct kw_bytes name);

/* How many different names of KIND clients subscribe to: INFO. */
uint64_t kw_census_names_count(struct kw_stats_hub *hub, enum kw_channel_kind kind);

/* Call ON_NAME with each name of KIND that clients subscribe to. It must not call this room. */
void kw_census_each(struct kw_stats_hub *hub, enum kw_channel_kind kind,
                    void (*on_name)(void *arg, struct kw_bytes name), void *arg);

/* Patterns that clients subscribe to, and how many patterns keyway is subscribed to, summed over
 * the nodes (a pattern that several workers ask the same node for is one there): PUBSUB NUMPAT.
 */
struct kw_census_count kw_census_patterns(struct kw_stats_hub *hub);

#endif
