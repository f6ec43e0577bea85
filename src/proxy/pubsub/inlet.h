/* inlet.h - a feed to one node, and the channels that are asked for there.
 *
 * Thread: the worker's. Memory: inlets belong to proxy->channels; a place to its channel and its
 *         inlet, whichever goes first.
 * See also: backend/feed.h, home.h (who decides what is asked for where).
 */
#ifndef KW_PROXY_PUBSUB_INLET_H
#define KW_PROXY_PUBSUB_INLET_H

#include "backend/feed.h"
#include "proxy/pubsub/channels.h"

struct kw_inlet {
    struct kw_feed feed; /* first: the feed's callbacks cast back */
    struct kw_list all;  /* in channels->inlets */
    struct kw_channels *channels;
    struct kw_node *node;      /* held */
    struct kw_address address; /* the feed is, or was, open to this one */
    struct kw_list places;
    struct kw_inlet_op *ops; /* owned ring: commands that are not answered */
    uint32_t ops_first;
    uint32_t ops_count;
    uint32_t ops_cap;
    uint32_t backoff_ms; /* 0 = it has not failed since it was last ready */
    uint64_t retry_at_ms;
    uint64_t busy_ms; /* when it last had places */
};

/* One channel at one node. */
struct kw_place {
    struct kw_list of_channel;
    struct kw_list of_inlet;
    struct kw_channel *channel;
    struct kw_inlet *inlet;
    uint32_t ops_count;  /* commands about it that are not answered */
    uint32_t owed_count; /* of these, the SUBSCRIBEs */
    bool is_wanted;
    bool is_counted; /* among the feeds of the census */
    bool is_confirmed;
    bool is_needed; /* kw_channel_align() wants it to stay */
};

/* The inlet of NODE, or NULL. */
struct kw_inlet *kw_inlet_find(const struct kw_channels *channels, const struct kw_node *node);

/* CHANNEL is asked for at NODE from now on, if it was not; is_needed is set. */
struct kw_place *kw_place_need(struct kw_channels *channels, struct kw_channel *channel,
                               struct kw_node *node);

/* Its channel is not asked for there any more. The place goes when the node has confirmed it. */
void kw_place_leave(struct kw_place *place);

/* A few times a second: signs of life, due attempts. It may be freed. */
void kw_inlet_check(struct kw_inlet *inlet, uint64_t now_ms);

/* Close all feeds and forget all places. */
void kw_inlets_close(struct kw_channels *channels);

#endif
