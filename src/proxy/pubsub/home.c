/* home.c - which channel is asked for at which node.
 *
 * kw_channel_align() says what should be and lets inlet.c do what differs. It runs for a channel
 * when its first client comes or its last one goes, when a node has confirmed or refused it, and
 * for all channels a moment after the topology changed or a feed was lost.
 *
 * A home that has to move is asked for at the new node first; the old one's messages count until
 * the new one is confirmed. In the moment between, a message may come twice or not at all: nodes
 * do not tell which of them had a message first.
 *
 * With pubsub-in-order all channels and patterns have the same home, over whose feed they come in
 * the order in which that node had them: nodes pass PUBLISH on to each other in order, too, so it
 * is that of each publisher. Every keyway chooses the same node, as PUBLISH counts who is
 * subscribed where it is executed. What it costs: that node executes every PUBLISH and passes it on
 * to all others, work that is spread over all masters otherwise.
 */
#include "proxy/pubsub/home.h"

#include "backend/node.h"
#include "net/timer.h"
#include "proxy/pubsub/inlet.h"
#include "proxy/pubsub/subscribe.h"

enum { TIMER_MS = 50, ALIGN_JITTER_MS = 10 };

static struct kw_place *channel_choose_home(struct kw_channels *channels,
                                            struct kw_channel *channel);
static struct kw_node *channels_choose_common(struct kw_channels *channels);
static bool node_fits(const struct kw_channels *channels, const struct kw_node *node,
                      const struct kw_channel *channel);
static struct kw_node *channels_choose_node(struct kw_channels *channels, uint16_t slot);
static bool node_is_usable(const struct kw_channels *channels, const struct kw_node *node);
static void masters_refresh(struct kw_channels *channels);
static void inlets_align_all(struct kw_channels *channels);

void kw_channel_align(struct kw_channels *channels, struct kw_channel *channel)
{
    uint64_t now_ms = kw_loop_now_ms(channels->proxy->loop);
    bool is_wanted = !kw_list_is_empty(&channel->subscriptions) && !channels->is_stopped;
    struct kw_backend *backend = channels->proxy->backend;
    struct kw_place *home = NULL;

    if (channel->is_here) {
        kw_channel_put(channels, channel);
        return;
    }
    if (is_wanted && now_ms < channel->refused_until_ms) {
        return; /* what other nodes have confirmed stays; the timer tries again */
    }
    channel->visits_count++;
    for (struct kw_list *at = channel->places.next; at != &channel->places; at = at->next) {
        KW_LIST_ENTRY(at, struct kw_place, of_channel)->is_needed = false;
    }
    if (is_wanted && kw_list_is_empty(&channels->inlets)) {
        masters_refresh(channels); /* nobody has looked for a while */
    }
    if (is_wanted) {
        home = channel_choose_home(channels, channel);
    }
    for (uint32_t i = 0; is_wanted && channel->is_everywhere && i < backend->nodes_count; i++) {
        if (backend->nodes[i] != NULL && channels->is_master[i]) {
            kw_place_need(channels, channel, backend->nodes[i]);
        }
    }
    if (home != NULL && home->is_confirmed) {
        channel->home = home;
    }
    for (struct kw_list *at = channel->places.next; at != &channel->places;) {
        struct kw_place *place = KW_LIST_ENTRY(at, struct kw_place, of_channel);
        at = at->next;
        bool is_last_resort = is_wanted && place == channel->home; /* until the new one is there */
        if (!place->is_needed && place->is_wanted && !is_last_resort) {
            kw_place_leave(place);
        }
    }
    channel->visits_count--;
    kw_channel_put(channels, channel);
}

void kw_channels_align_soon(struct kw_channels *channels)
{
    if (!channels->is_stopped && !channels->is_unsettled) {
        channels->is_unsettled = true;
        kw_timer_start(channels->timer,
                       kw_backend_random(channels->proxy->backend) % ALIGN_JITTER_MS);
    }
}

bool kw_channel_is_settled(const struct kw_channel *channel)
{
    if (channel->home == NULL) {
        return channel->is_here;
    }
    for (struct kw_list *at = channel->places.next; at != &channel->places; at = at->next) {
        const struct kw_place *place = KW_LIST_ENTRY(at, struct kw_place, of_channel);
        if (place->is_wanted && !place->is_confirmed && place->inlet->backoff_ms == 0) {
            return false;
        }
    }
    return true;
}

void kw_channels_watch(struct kw_channels *channels)
{
    if (!kw_timer_is_running(channels->timer)) {
        kw_timer_start(channels->timer, TIMER_MS);
    }
}

void kw_channels_on_timer(void *arg)
{
    struct kw_channels *channels = arg;
    uint64_t now_ms = kw_loop_now_ms(channels->proxy->loop);

    if (channels->is_unsettled || channels->has_refused) {
        channels->is_unsettled = false;
        channels->has_refused = false;
        inlets_align_all(channels);
    }
    for (struct kw_list *at = channels->inlets.next; at != &channels->inlets;) {
        struct kw_inlet *inlet = KW_LIST_ENTRY(at, struct kw_inlet, all);
        at = at->next;
        kw_inlet_check(inlet, now_ms);
    }
    kw_subscribers_check(channels, now_ms);
    bool is_needed = !kw_list_is_empty(&channels->inlets) || !kw_list_is_empty(&channels->pending);
    if (is_needed) {
        kw_channels_watch(channels);
    }
}

/* The place that CHANNEL's ordinary messages are to come from; made when it must be another one. */
static struct kw_place *channel_choose_home(struct kw_channels *channels,
                                            struct kw_channel *channel)
{
    struct kw_place *best = NULL;

    if (channel->kind != KW_CHANNEL_SHARD && channels->proxy->config->pubsub_in_order) {
        struct kw_node *common = channels_choose_common(channels);
        return common == NULL ? NULL : kw_place_need(channels, channel, common);
    }
    for (struct kw_list *at = channel->places.next;
         channel->kind != KW_CHANNEL_SHARD && at != &channel->places; at = at->next) {
        struct kw_place *place = KW_LIST_ENTRY(at, struct kw_place, of_channel);
        if (!place->is_wanted || place->inlet->backoff_ms != 0 ||
            !node_fits(channels, place->inlet->node, channel)) {
            continue;
        }
        if (best == NULL || place == channel->home ||
            (place->is_confirmed && best != channel->home)) {
            best = place;
        }
    }
    struct kw_node *node = best != NULL ? best->inlet->node
                           : channel->kind == KW_CHANNEL_SHARD
                               ? kw_backend_node_of_slot(channels->proxy->backend, channel->slot)
                               : channels_choose_node(channels, channel->slot);
    return node == NULL ? NULL : kw_place_need(channels, channel, node);
}

/* The home of all ordinary channels: it stays what it is for as long as may be. */
static struct kw_node *channels_choose_common(struct kw_channels *channels)
{
    const struct kw_node *node = channels->common_home;

    if (node == NULL || !node->is_known || !channels->is_master[node->index] ||
        !node_is_usable(channels, node)) {
        struct kw_node *other = channels_choose_node(channels, KW_PUBSUB_SLOT);
        kw_node_release(&channels->common_home);
        channels->common_home = other == NULL ? NULL : kw_node_hold(other);
    }
    return channels->common_home;
}

/* May CHANNEL stay at NODE? */
static bool node_fits(const struct kw_channels *channels, const struct kw_node *node,
                      const struct kw_channel *channel)
{
    return channel->is_everywhere ? channels->is_master[node->index] : node->is_known;
}

/* Where a channel of SLOT is to be asked for. */
static struct kw_node *channels_choose_node(struct kw_channels *channels, uint16_t slot)
{
    struct kw_backend *backend = channels->proxy->backend;
    struct kw_node *owner = kw_backend_node_of_slot(backend, slot);

    if (owner != NULL && node_is_usable(channels, owner)) {
        return owner;
    }
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        struct kw_node *node = backend->nodes[(slot + i) % backend->nodes_count];
        if (node != NULL && channels->is_master[node->index] && node_is_usable(channels, node)) {
            return node;
        }
    }
    return owner;
}

static bool node_is_usable(const struct kw_channels *channels, const struct kw_node *node)
{
    const struct kw_inlet *inlet = kw_inlet_find(channels, node);

    return !node->is_down && (inlet == NULL || inlet->backoff_ms == 0);
}

static void masters_refresh(struct kw_channels *channels)
{
    const struct kw_backend *backend = channels->proxy->backend;

    memset(channels->is_master, 0, sizeof channels->is_master);
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        if (backend->slot_node[slot] != KW_NODE_NONE) {
            channels->is_master[backend->slot_node[slot]] = true;
        }
    }
}

static void inlets_align_all(struct kw_channels *channels)
{
    masters_refresh(channels);
    for (size_t i = 0; i < channels->by_name.buckets_count; i++) {
        for (struct kw_map_link *link = channels->by_name.buckets[i]; link != NULL;) {
            struct kw_channel *channel = KW_MAP_ENTRY(link, struct kw_channel, by_name);
            link = link->next; /* no other channel is freed meanwhile */
            channel->visits_count++;
            kw_channel_align(channels, channel);
            if (kw_channel_is_settled(channel)) {
                kw_subscribers_advance(channel); /* what it waited for may be out of reach */
            }
            channels->has_refused =
                channels->has_refused ||
                channel->refused_until_ms > kw_loop_now_ms(channels->proxy->loop);
            channel->visits_count--;
            kw_channel_put(channels, channel);
        }
    }
}
