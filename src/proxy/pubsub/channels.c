/* channels.c - two tables: channels by kind and name, subscriptions by channel and client.
 *
 * INVARIANTS
 * I1  a channel has subscriptions, places or visits; one that has none of them is freed.
 * I2  the census knows every live subscription, and every place that is confirmed.
 */
#include "proxy/pubsub/channels.h"

#include "backend/node.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/timer.h"
#include "proxy/pubsub/home.h"
#include "proxy/pubsub/inlet.h"
#include "proxy/pubsub/subscribe.h"

static bool pattern_may_be_event(struct kw_bytes pattern);
static uint64_t pair_hash(const struct kw_channel *channel, const struct kw_client *client);

struct kw_channels *kw_channels_of(struct kw_proxy *proxy)
{
    struct kw_channels *channels = proxy->channels;

    if (channels != NULL) {
        return channels;
    }
    channels = kw_alloc_zero(1, sizeof *channels);
    channels->proxy = proxy;
    kw_map_init(&channels->by_name);
    kw_map_init(&channels->by_pair);
    kw_list_init(&channels->patterns);
    kw_list_init(&channels->inlets);
    kw_list_init(&channels->pending);
    channels->timer = kw_timer_new(proxy->loop, kw_channels_on_timer, channels);
    proxy->channels = channels;
    return channels;
}

void kw_channels_stop(struct kw_proxy *proxy)
{
    struct kw_channels *channels = proxy->channels;

    if (channels != NULL) {
        channels->is_stopped = true;
        kw_subscribers_fail(channels);
        kw_inlets_close(channels);
        kw_node_release(&channels->common_home); /* nodes go before channels do */
        kw_timer_stop(channels->timer);
    }
}

void kw_channels_free(struct kw_proxy *proxy)
{
    struct kw_channels *channels = proxy->channels;

    if (channels == NULL) {
        return;
    }
    KW_ASSERT(kw_list_is_empty(&channels->pending) && channels->by_pair.count == 0);
    kw_inlets_close(channels);
    KW_ASSERT(channels->by_name.count == 0); /* I1 */
    kw_map_deinit(&channels->by_name);
    kw_map_deinit(&channels->by_pair);
    kw_timer_free(&channels->timer);
    KW_ASSERT(channels->common_home == NULL);
    kw_free(channels);
    proxy->channels = NULL;
}

struct kw_channel *kw_channel_find(const struct kw_channels *channels, enum kw_channel_kind kind,
                                   struct kw_bytes name)
{
    for (struct kw_map_link *link = kw_map_first(&channels->by_name, kw_hash(name, kind));
         link != NULL; link = kw_map_next(link)) {
        struct kw_channel *channel = KW_MAP_ENTRY(link, struct kw_channel, by_name);
        if (channel->kind == kind && kw_bytes_equal(kw_channel_name(channel), name)) {
            return channel;
        }
    }
    return NULL;
}

struct kw_channel *kw_channel_get(struct kw_channels *channels, enum kw_channel_kind kind,
                                  struct kw_bytes name)
{
    struct kw_channel *channel = kw_channel_find(channels, kind, name);

    if (channel != NULL) {
        return channel;
    }
    channel = kw_alloc_zero(1, sizeof *channel + name.len);
    channel->kind = (uint8_t)kind;
    channel->slot = kw_slot_of_key(name);
    if (kind != KW_CHANNEL_SHARD && channels->proxy->config->pubsub_in_order) {
        channel->slot = KW_PUBSUB_SLOT;
    }
    channel->is_everywhere = (kind == KW_CHANNEL_PLAIN && kw_channel_is_event(name)) ||
                             (kind == KW_CHANNEL_PATTERN && pattern_may_be_event(name));
    channel->is_here = channels->proxy->embedded != NULL;
    channel->name_len = name.len;
    memcpy(channel->name, name.data, name.len);
    kw_list_init(&channel->subscriptions);
    kw_list_init(&channel->places);
    kw_list_init(&channel->of_patterns);
    if (kind == KW_CHANNEL_PATTERN) {
        kw_list_append(&channels->patterns, &channel->of_patterns);
    }
    kw_map_add(&channels->by_name, &channel->by_name, kw_hash(name, kind));
    return channel;
}

void kw_channel_put(struct kw_channels *channels, struct kw_channel *channel)
{
    if (channel->visits_count == 0 && kw_list_is_empty(&channel->subscriptions) &&
        kw_list_is_empty(&channel->places)) {
        kw_map_remove(&channels->by_name, &channel->by_name);
        kw_list_remove(&channel->of_patterns);
        kw_free(channel);
    }
}

struct kw_subscription *kw_subscription_find(const struct kw_channels *channels,
                                             const struct kw_channel *channel,
                                             const struct kw_client *client)
{
    for (struct kw_map_link *link = kw_map_first(&channels->by_pair, pair_hash(channel, client));
         link != NULL; link = kw_map_next(link)) {
        struct kw_subscription *subscription = KW_MAP_ENTRY(link, struct kw_subscription, by_pair);
        if (subscription->channel == channel && subscription->client == client) {
            return subscription;
        }
    }
    return NULL;
}

struct kw_subscription *kw_subscription_add(struct kw_channels *channels,
                                            struct kw_channel *channel, struct kw_client *client,
                                            struct kw_list *of_client)
{
    struct kw_subscription *subscription = kw_alloc_zero(1, sizeof *subscription);

    subscription->channel = channel;
    subscription->client = client;
    kw_list_append(&channel->subscriptions, &subscription->of_channel);
    kw_list_append(of_client, &subscription->of_client);
    kw_map_add(&channels->by_pair, &subscription->by_pair, pair_hash(channel, client));
    return subscription;
}

void kw_subscription_set_live(struct kw_subscription *subscription)
{
    const struct kw_channel *channel = subscription->channel;

    KW_ASSERT(!subscription->is_live);
    subscription->is_live = true;
    kw_census_add_clients(subscription->client->proxy->hub, channel->kind, kw_channel_name(channel),
                          1); /* I2 */
}

void kw_subscription_end(struct kw_channels *channels, struct kw_subscription *subscription)
{
    struct kw_channel *channel = subscription->channel;

    if (subscription->is_live) {
        kw_census_add_clients(channels->proxy->hub, channel->kind, kw_channel_name(channel),
                              -1); /* I2 */
    }
    kw_list_remove(&subscription->of_channel);
    kw_list_remove(&subscription->of_client);
    kw_map_remove(&channels->by_pair, &subscription->by_pair);
    kw_free(subscription);
    if (kw_list_is_empty(&channel->subscriptions)) {
        kw_channel_align(channels, channel);
    }
}

struct kw_bytes kw_channel_word(enum kw_channel_kind kind, bool is_subscribe)
{
    static const char *const words[KW_CHANNEL_KINDS][2] = {
        [KW_CHANNEL_PLAIN] = {"unsubscribe", "subscribe"},
        [KW_CHANNEL_PATTERN] = {"punsubscribe", "psubscribe"},
        [KW_CHANNEL_SHARD] = {"sunsubscribe", "ssubscribe"},
    };

    return kw_bytes_of_text(words[kind][is_subscribe ? 1 : 0]);
}

bool kw_channel_is_event(struct kw_bytes name)
{
    return kw_bytes_start_with(name, KW_BYTES("__keyspace@")) ||
           kw_bytes_start_with(name, KW_BYTES("__keyevent@"));
}

/* False only when it can match no channel of keyspace notifications. */
static bool pattern_may_be_event(struct kw_bytes pattern)
{
    static const char *const prefixes[] = {"__keyspace@", "__keyevent@"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *prefix = prefixes[i];
        size_t at = 0;
        while (at < pattern.len && prefix[at] != '\0' && pattern.data[at] == prefix[at]) {
            at++;
        }
        if (prefix[at] == '\0' || (at < pattern.len && strchr("*?[\\", pattern.data[at]) != NULL &&
                                   pattern.data[at] != '\0')) {
            return true;
        }
    }
    return false;
}

static uint64_t pair_hash(const struct kw_channel *channel, const struct kw_client *client)
{
    return (uint64_t)((uintptr_t)channel >> 4) * 0x9e3779b97f4a7c15ull ^
           client->id * 0xff51afd7ed558ccdull;
}
