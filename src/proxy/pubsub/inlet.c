/* inlet.c - channels that are asked for at one node, and what it says.
 *
 *   a place:  wanted --SUBSCRIBE--> owed --confirmation--> confirmed --UNSUBSCRIBE--> gone
 *
 * A feed speaks RESP2, which every server does; a message is an array that clients get as it is
 * (RESP3 ones with another first byte). Answers come in the order of the commands, so each inlet
 * keeps a queue of them; messages stand between.
 *
 * A lost feed takes its places along: channels go to another node at once, shard channels wait
 * until the topology, a MOVED or the node itself says who has their slot. The gap between loss and
 * confirmation is what a client of the server itself has, too, when its node fails.
 *
 * INVARIANTS
 * I1  a place that is not wanted has commands under way, or is freed.
 * I2  ops are the commands that were written and not answered, oldest first; a place has as many of
 *     them as its ops_count says.
 * I3  a place is confirmed only when the last command about it was SUBSCRIBE, and is answered.
 * I4  an ordinary message counts only when it comes from the channel's home: a pattern that is
 *     asked for at several masters would bring it several times.
 */
#include "proxy/pubsub/inlet.h"

#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/pubsub/home.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/redirect.h"

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 1000,
    REFUSED_AGAIN_MS = 1000,
    LATER_AGAIN_MS = 100,
    IDLE_MAX_MS = 10000, /* a feed without channels is kept so long */
    WORDS_MAX = 3
};

struct kw_inlet_op {
    struct kw_place *place;
    bool is_subscribe;
};

static struct kw_inlet *inlet_new(struct kw_channels *channels, struct kw_node *node);
static void inlet_open(struct kw_inlet *inlet);
static void inlet_free(struct kw_inlet *inlet);
static void place_say(struct kw_place *place, bool is_subscribe);
static void place_set_confirmed(struct kw_place *place, bool is_confirmed);
static void place_set_counted(struct kw_place *place, bool is_counted);
static void place_free(struct kw_place *place);
static void inlet_on_ready(struct kw_feed *feed);
static void inlet_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk);
static void inlet_on_lost(struct kw_feed *feed, enum kw_status status);
static void inlet_on_message(struct kw_inlet *inlet, enum kw_channel_kind kind,
                             const struct kw_bytes *words, struct kw_bytes value,
                             struct kw_chunk *chunk);
static void inlet_on_confirmed(struct kw_inlet *inlet, enum kw_channel_kind kind, bool is_subscribe,
                               struct kw_bytes name);
static void inlet_on_error(struct kw_inlet *inlet, struct kw_bytes line);
static struct kw_inlet_op inlet_pop(struct kw_inlet *inlet);
static void place_answered(struct kw_place *place, bool is_subscribe);
static struct kw_place *place_find(const struct kw_channel *channel, const struct kw_inlet *inlet);
static bool value_read(struct kw_bytes value, struct kw_bytes words[WORDS_MAX]);

static const struct kw_feed_user inlet_user = {inlet_on_ready, inlet_on_value, inlet_on_lost};

void kw_inlets_close(struct kw_channels *channels)
{
    while (!kw_list_is_empty(&channels->inlets)) {
        struct kw_inlet *inlet = KW_LIST_ENTRY(channels->inlets.next, struct kw_inlet, all);
        kw_feed_close(&inlet->feed);
        while (!kw_list_is_empty(&inlet->places)) {
            place_free(KW_LIST_ENTRY(inlet->places.next, struct kw_place, of_inlet));
        }
        inlet_free(inlet);
    }
}

struct kw_place *kw_place_need(struct kw_channels *channels, struct kw_channel *channel,
                               struct kw_node *node)
{
    struct kw_inlet *inlet = kw_inlet_find(channels, node);

    if (inlet == NULL) {
        inlet = inlet_new(channels, node);
    }
    struct kw_place *place = place_find(channel, inlet);
    if (place == NULL) {
        place = kw_alloc_zero(1, sizeof *place);
        place->channel = channel;
        place->inlet = inlet;
        kw_list_append(&channel->places, &place->of_channel);
        kw_list_append(&inlet->places, &place->of_inlet);
    }
    place->is_needed = true;
    if (!place->is_wanted) {
        place->is_wanted = true;
        if (inlet->feed.state == KW_FEED_READY) {
            place_say(place, true);
        }
    }
    return place;
}

struct kw_inlet *kw_inlet_find(const struct kw_channels *channels, const struct kw_node *node)
{
    for (struct kw_list *at = channels->inlets.next; at != &channels->inlets; at = at->next) {
        struct kw_inlet *inlet = KW_LIST_ENTRY(at, struct kw_inlet, all);
        if (inlet->node == node) {
            return inlet;
        }
    }
    return NULL;
}

static struct kw_inlet *inlet_new(struct kw_channels *channels, struct kw_node *node)
{
    struct kw_inlet *inlet = kw_alloc_zero(1, sizeof *inlet);

    inlet->channels = channels;
    inlet->node = kw_node_hold(node);
    kw_list_init(&inlet->places);
    kw_list_append(&channels->inlets, &inlet->all);
    kw_feed_init(&inlet->feed, channels->proxy->backend, 2, KW_BYTES("*1\r\n$4\r\nPING\r\n"),
                 &inlet_user, node->name);
    inlet->busy_ms = kw_loop_now_ms(channels->proxy->loop);
    inlet_open(inlet);
    kw_channels_watch(channels);
    return inlet;
}

static void inlet_open(struct kw_inlet *inlet)
{
    inlet->address = inlet->node->address;
    kw_feed_open(&inlet->feed, &inlet->address);
}

static void inlet_free(struct kw_inlet *inlet)
{
    KW_ASSERT(kw_list_is_empty(&inlet->places));
    kw_feed_close(&inlet->feed);
    kw_list_remove(&inlet->all);
    kw_node_release(&inlet->node);
    kw_free(inlet->ops);
    kw_free(inlet);
}

/* Write SUBSCRIBE or UNSUBSCRIBE to a READY feed. */
static void place_say(struct kw_place *place, bool is_subscribe)
{
    struct kw_inlet *inlet = place->inlet;
    const struct kw_channel *channel = place->channel;
    struct kw_bytes argv[2] = {kw_channel_word(channel->kind, is_subscribe),
                               kw_channel_name(channel)};

    kw_feed_send(&inlet->feed, argv, 2);
    if (inlet->ops_count == inlet->ops_cap) {
        uint32_t cap = inlet->ops_cap == 0 ? 16 : inlet->ops_cap * 2;
        struct kw_inlet_op *ops = kw_alloc(cap * sizeof *ops);
        for (uint32_t i = 0; i < inlet->ops_count; i++) {
            ops[i] = inlet->ops[(inlet->ops_first + i) % inlet->ops_cap];
        }
        kw_free(inlet->ops);
        inlet->ops = ops;
        inlet->ops_cap = cap;
        inlet->ops_first = 0;
    }
    inlet->ops[(inlet->ops_first + inlet->ops_count) % inlet->ops_cap] =
        (struct kw_inlet_op){place, is_subscribe};
    inlet->ops_count++;
    place->ops_count++; /* I2 */
    place->owed_count += is_subscribe ? 1 : 0;
}

void kw_place_leave(struct kw_place *place)
{
    place->is_wanted = false;
    place_set_confirmed(place, false);
    if (place->inlet->feed.state == KW_FEED_READY) {
        place_say(place, false);
    } else {
        place_free(place); /* I1 */
    }
}

static void place_set_confirmed(struct kw_place *place, bool is_confirmed)
{
    struct kw_channel *channel = place->channel;

    if (place->is_confirmed == is_confirmed) {
        return;
    }
    place->is_confirmed = is_confirmed;
    if (is_confirmed) {
        place_set_counted(place, true);
    } else if (channel->home == place) {
        channel->home = NULL;
    }
}

/* A feed counts from its confirmation until the node has confirmed its end: so long may the node
 * count it among those that got a message.
 */
static void place_set_counted(struct kw_place *place, bool is_counted)
{
    const struct kw_channel *channel = place->channel;

    if (place->is_counted != is_counted) {
        place->is_counted = is_counted;
        kw_census_add_feeds(place->inlet->channels->proxy->hub, channel->kind,
                            kw_channel_name(channel), place->inlet->node->name,
                            is_counted ? 1 : -1);
    }
}

static void place_free(struct kw_place *place)
{
    struct kw_channels *channels = place->inlet->channels;

    place_set_confirmed(place, false);
    place_set_counted(place, false);
    kw_list_remove(&place->of_channel);
    kw_list_remove(&place->of_inlet);
    kw_channel_put(channels, place->channel);
    kw_free(place);
}

static void inlet_on_ready(struct kw_feed *feed)
{
    struct kw_inlet *inlet = (struct kw_inlet *)feed;

    inlet->backoff_ms = 0;
    for (struct kw_list *at = inlet->places.next; at != &inlet->places; at = at->next) {
        place_say(KW_LIST_ENTRY(at, struct kw_place, of_inlet), true);
    }
}

static void inlet_on_lost(struct kw_feed *feed, enum kw_status status)
{
    struct kw_inlet *inlet = (struct kw_inlet *)feed;
    struct kw_backend *backend = feed->backend;
    uint64_t now_ms = kw_loop_now_ms(backend->loop);
    uint32_t channels_count = 0;

    inlet->ops_count = 0;
    inlet->backoff_ms = inlet->backoff_ms == 0 ? BACKOFF_FIRST_MS : inlet->backoff_ms * 2;
    inlet->backoff_ms = inlet->backoff_ms < BACKOFF_MAX_MS ? inlet->backoff_ms : BACKOFF_MAX_MS;
    inlet->retry_at_ms =
        now_ms + inlet->backoff_ms / 2 + kw_backend_random(backend) % (inlet->backoff_ms / 2 + 1);
    for (struct kw_list *at = inlet->places.next; at != &inlet->places;) {
        struct kw_place *place = KW_LIST_ENTRY(at, struct kw_place, of_inlet);
        at = at->next;
        place->ops_count = 0;
        place->owed_count = 0;
        place_set_confirmed(place, false);
        place_set_counted(place, false);
        channels_count++;
        if (!place->is_wanted) {
            place_free(place); /* I1 */
        }
    }
    KW_STAT_ADD(backend->stats, feeds_lost, 1);
    kw_log_limited(&feed->log_limit, now_ms, KW_LOG_WARNING,
                   "feed from node %s lost: %s (%u subscriptions)", inlet->node->name,
                   kw_status_meaning(status), channels_count);
    kw_backend_want_topology(backend);
    kw_channels_align_soon(inlet->channels);
}

static void inlet_on_value(struct kw_feed *feed, struct kw_bytes value, struct kw_chunk *chunk)
{
    struct kw_inlet *inlet = (struct kw_inlet *)feed;
    struct kw_bytes words[WORDS_MAX];

    if (kw_feed_is_pong(value)) {
        return;
    }
    if (value.data[0] == '-') {
        inlet_on_error(inlet, value);
        return;
    }
    if (!value_read(value, words)) {
        kw_feed_fail(feed, KW_E_PROTOCOL);
    } else if (kw_bytes_equal(words[0], KW_BYTES("message"))) {
        inlet_on_message(inlet, KW_CHANNEL_PLAIN, words, value, chunk);
    } else if (kw_bytes_equal(words[0], KW_BYTES("pmessage"))) {
        inlet_on_message(inlet, KW_CHANNEL_PATTERN, words, value, chunk);
    } else if (kw_bytes_equal(words[0], KW_BYTES("smessage"))) {
        inlet_on_message(inlet, KW_CHANNEL_SHARD, words, value, chunk);
    } else {
        for (unsigned kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
            for (int is_subscribe = 0; is_subscribe < 2; is_subscribe++) {
                if (kw_bytes_equal(words[0], kw_channel_word(kind, is_subscribe != 0))) {
                    inlet_on_confirmed(inlet, kind, is_subscribe != 0, words[1]);
                }
            }
        }
    }
}

static void inlet_on_message(struct kw_inlet *inlet, enum kw_channel_kind kind,
                             const struct kw_bytes *words, struct kw_bytes value,
                             struct kw_chunk *chunk)
{
    struct kw_channels *channels = inlet->channels;
    struct kw_channel *channel = kw_channel_find(channels, kind, words[1]);
    const struct kw_place *place = channel == NULL ? NULL : place_find(channel, inlet);

    if (place == NULL) {
        return; /* on its way when the last subscriber left */
    }
    bool is_event = channel->is_everywhere &&
                    kw_channel_is_event(words[kind == KW_CHANNEL_PATTERN ? 2 : 1]) &&
                    channels->is_master[inlet->node->index];
    KW_STAT_ADD(inlet->feed.backend->stats, pubsub_messages_received, 1);
    if (place == channel->home || (is_event && place->is_confirmed)) { /* I4 */
        kw_subscribers_deliver(channels, channel, value, chunk);
    }
}

static void inlet_on_confirmed(struct kw_inlet *inlet, enum kw_channel_kind kind, bool is_subscribe,
                               struct kw_bytes name)
{
    struct kw_channel *channel = kw_channel_find(inlet->channels, kind, name);
    struct kw_place *place = channel == NULL ? NULL : place_find(channel, inlet);
    const struct kw_inlet_op *oldest = inlet->ops_count == 0 ? NULL : &inlet->ops[inlet->ops_first];

    if (oldest != NULL && oldest->place == place && oldest->is_subscribe == is_subscribe) {
        inlet_pop(inlet);
        place_answered(place, is_subscribe);
    } else if (!is_subscribe && place != NULL && place->is_confirmed) {
        /* On the node's own account: the slot of a shard channel has gone. */
        place->is_wanted = false;
        channel->visits_count++;
        if (place->ops_count == 0) {
            place_free(place); /* I1 */
        }
        channel->visits_count--;
        kw_backend_want_topology(inlet->feed.backend);
        kw_channel_align(inlet->channels, channel);
    } else if (is_subscribe) {
        kw_feed_fail(&inlet->feed, KW_E_PROTOCOL); /* I2 */
    }
}

/* The oldest command is answered with LINE. */
static void inlet_on_error(struct kw_inlet *inlet, struct kw_bytes line)
{
    struct kw_channels *channels = inlet->channels;
    struct kw_backend *backend = inlet->feed.backend;
    uint64_t now_ms = kw_loop_now_ms(backend->loop);
    struct kw_redirect redirect;

    if (inlet->ops_count == 0) {
        return;
    }
    struct kw_inlet_op op = inlet_pop(inlet);
    struct kw_channel *channel = op.place->channel;
    if (!op.is_subscribe) {
        kw_feed_fail(&inlet->feed, KW_E_PROTOCOL); /* may it still be subscribed to? */
        return;
    }
    op.place->is_wanted = false;
    op.place->owed_count--;
    channel->visits_count++;
    if (op.place->ops_count == 0) {
        place_free(op.place);
    }
    bool is_redirect = kw_redirect_classify(line, channel->slot, &redirect);
    if (is_redirect && redirect.kind == KW_REDIRECT_MOVED) {
        struct kw_node *to = kw_backend_node_at(backend, redirect.host, redirect.port, inlet->node);
        if (to != NULL && to != inlet->node) {
            kw_backend_patch_slot(backend, channel->slot, to);
        } else {
            channel->refused_until_ms = now_ms + LATER_AGAIN_MS;
        }
    } else if (is_redirect) {
        kw_backend_want_topology(backend);
        channel->refused_until_ms = now_ms + LATER_AGAIN_MS;
    } else {
        channel->refused_until_ms = now_ms + REFUSED_AGAIN_MS;
        kw_subscribers_refuse(channels, channel, line);
    }
    channel->visits_count--;
    channels->has_refused = channels->has_refused || channel->refused_until_ms > now_ms;
    kw_channel_align(channels, channel);
}

static struct kw_inlet_op inlet_pop(struct kw_inlet *inlet)
{
    struct kw_inlet_op op = inlet->ops[inlet->ops_first];

    inlet->ops_first = (inlet->ops_first + 1) % inlet->ops_cap;
    inlet->ops_count--;
    op.place->ops_count--;
    return op;
}

static void place_answered(struct kw_place *place, bool is_subscribe)
{
    struct kw_channels *channels = place->inlet->channels;
    struct kw_channel *channel = place->channel;

    place->owed_count -= is_subscribe ? 1 : 0;
    if (!place->is_wanted) {
        if (place->ops_count == 0) {
            place_free(place); /* I1 */
        }
        return;
    }
    if (is_subscribe && place->owed_count == 0) {
        place_set_confirmed(place, true); /* I3 */
        channel->visits_count++;
        kw_channel_align(channels, channel);
        if (kw_channel_is_settled(channel)) {
            kw_subscribers_advance(channel);
        }
        channel->visits_count--;
        kw_channel_put(channels, channel);
    }
}

static struct kw_place *place_find(const struct kw_channel *channel, const struct kw_inlet *inlet)
{
    for (struct kw_list *at = channel->places.next; at != &channel->places; at = at->next) {
        struct kw_place *place = KW_LIST_ENTRY(at, struct kw_place, of_channel);
        if (place->inlet == inlet) {
            return place;
        }
    }
    return NULL;
}

/* The first three elements of VALUE, an array of at least that many: bulks, or lines as they
 * are.
 */
static bool value_read(struct kw_bytes value, struct kw_bytes words[WORDS_MAX])
{
    const char *at = value.data;
    const char *end = value.data + value.len;

    if (value.len < 4 || at[0] != '*' || at[1] < '3' || at[1] > '9' || at[2] != '\r') {
        return false;
    }
    at += 4;
    for (int i = 0; i < WORDS_MAX; i++) {
        const char *line_end = at < end ? memchr(at, '\r', (size_t)(end - at)) : NULL;
        if (line_end == NULL) {
            return false;
        }
        words[i] = kw_bytes_of(at + 1, (size_t)(line_end - at - 1));
        bool is_bulk = at[0] == '$';
        at = line_end + 2;
        if (is_bulk) {
            int64_t len = 0;
            if (kw_text_to_int(words[i], &len) != KW_OK || len < 0 || len > end - at) {
                return false;
            }
            words[i] = kw_bytes_of(at, (size_t)len);
            at += len + 2;
        }
    }
    return true;
}

void kw_inlet_check(struct kw_inlet *inlet, uint64_t now_ms)
{
    bool is_idle = kw_list_is_empty(&inlet->places);

    if (!is_idle) {
        inlet->busy_ms = now_ms;
    }
    if (inlet->feed.state != KW_FEED_CLOSED &&
        !kw_address_equal(&inlet->address, &inlet->node->address)) {
        kw_feed_close(&inlet->feed); /* the node has moved */
        inlet_on_lost(&inlet->feed, KW_E_CLOSED);
        return;
    }
    bool is_closed = inlet->feed.state == KW_FEED_CLOSED;
    if (is_idle && (is_closed || !inlet->node->is_known || now_ms - inlet->busy_ms > IDLE_MAX_MS)) {
        inlet_free(inlet);
    } else if (!is_closed) {
        kw_feed_check(&inlet->feed, now_ms);
    } else if (now_ms >= inlet->retry_at_ms) {
        inlet_open(inlet);
    }
}
