/* channels.h - what one worker's clients subscribe to: channel -> subscribers, and client ->
 * channels.
 *
 *   kw_channel  1 --- n  kw_subscription  n --- 1  kw_client       (who gets its messages)
 *   kw_channel  1 --- n  kw_place         n --- 1  kw_inlet        (where they come from)
 *
 * One upstream subscription per channel and worker, however many clients (C4). A channel is here
 * while somebody subscribes to it or a node still has to confirm that nobody does.
 *
 * Thread: the worker's. Memory: everything belongs to proxy->channels, which is made with the first
 *         subscription.
 * See also: subscribe.h (the client's side), home.h and inlet.h (the nodes' side), census.h (all
 * workers).
 */
#ifndef KW_PROXY_PUBSUB_CHANNELS_H
#define KW_PROXY_PUBSUB_CHANNELS_H

#include "base/map.h"
#include "proxy/internal.h"
#include "proxy/pubsub/census.h"

struct kw_place;

enum { KW_PUBSUB_SLOT = 0 }; /* with pubsub-in-order: whose owner has all channels */

struct kw_channel {
    struct kw_map_link by_name;
    struct kw_list subscriptions;
    struct kw_list places;      /* the nodes that are asked for it */
    struct kw_list of_patterns; /* in channels->patterns, when it is one */
    struct kw_place *home;     /* whose ordinary messages count; NULL = no node has confirmed yet */
    uint64_t refused_until_ms; /* a node would not have it: it is not asked again before */
    uint32_t visits_count;     /* its subscriptions are being walked over: it must not be freed */
    uint16_t slot;
    uint8_t kind;       /* enum kw_channel_kind */
    bool is_here;       /* no node is asked: it is this process's own */
    bool is_everywhere; /* may bring events of keys, which each master tells of its own ones */
    size_t name_len;
    char name[];
};

struct kw_subscription {
    struct kw_map_link by_pair;
    struct kw_list of_channel;
    struct kw_list of_client; /* in subscriber->subscriptions[kind], oldest first */
    struct kw_channel *channel;
    struct kw_client *client;
    bool is_live; /* confirmed to the client: gets messages */
};

struct kw_channels {
    struct kw_proxy *proxy; /* set once */
    struct kw_map by_name;
    struct kw_map by_pair;
    struct kw_list patterns;
    struct kw_list inlets;
    struct kw_list pending;       /* subscribers whose SUBSCRIBE is not confirmed */
    struct kw_timer *timer;       /* runs while there are inlets */
    struct kw_node *common_home;  /* pubsub-in-order: of all ordinary channels; held, or NULL */
    bool is_unsettled;            /* places must be looked at again */
    bool has_refused;             /* some channel is to be asked for again in a moment */
    bool is_stopped;              /* everything ends */
    bool is_master[KW_NODES_MAX]; /* owns slots, by index of node; see home.c */
};

/* The worker's, made when there is none. */
struct kw_channels *kw_channels_of(struct kw_proxy *proxy);

/* Close all feeds: nothing is subscribed to any more, requests that wait for it fail (P2). */
void kw_channels_stop(struct kw_proxy *proxy);

/* Free all and clear proxy->channels. The clients must be gone. */
void kw_channels_free(struct kw_proxy *proxy);

/* The channel, made and not yet asked for when there is none; kw_channel_find() may return NULL. */
struct kw_channel *kw_channel_get(struct kw_channels *channels, enum kw_channel_kind kind,
                                  struct kw_bytes name);
struct kw_channel *kw_channel_find(const struct kw_channels *channels, enum kw_channel_kind kind,
                                   struct kw_bytes name);

/* Free CHANNEL if it is of no use any more. */
void kw_channel_put(struct kw_channels *channels, struct kw_channel *channel);

static inline struct kw_bytes kw_channel_name(const struct kw_channel *channel)
{
    return kw_bytes_of(channel->name, channel->name_len);
}

/* CLIENT's subscription to CHANNEL, or NULL. */
struct kw_subscription *kw_subscription_find(const struct kw_channels *channels,
                                             const struct kw_channel *channel,
                                             const struct kw_client *client);

/* A new one, not live; appended to OF_CLIENT. */
struct kw_subscription *kw_subscription_add(struct kw_channels *channels,
                                            struct kw_channel *channel, struct kw_client *client,
                                            struct kw_list *of_client);

/* From now on it gets messages, and counts. */
void kw_subscription_set_live(struct kw_subscription *subscription);

/* End it; the nodes are told when it was the channel's last. */
void kw_subscription_end(struct kw_channels *channels, struct kw_subscription *subscription);

/* "subscribe" or "unsubscribe" as KIND has it: names of commands, and words of confirmations. */
struct kw_bytes kw_channel_word(enum kw_channel_kind kind, bool is_subscribe);

/* True when NAME is a channel of keyspace notifications. */
bool kw_channel_is_event(struct kw_bytes name);

#endif
