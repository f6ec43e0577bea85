/* subscribe.c - SUBSCRIBE and its family, and the messages that follow.
 *
 * All of the family wait until the client's earlier requests are answered: so a confirmation never
 * overtakes a reply, nor a message its confirmation. A SUBSCRIBE whose channels are all confirmed
 * by the nodes is answered at once; else all else of the client waits until they are. UNSUBSCRIBE
 * is always answered at once.
 *
 *   SUBSCRIBE a b --> subscriptions, not live --> channels settled? --> live, both confirmations
 *                                                     no: pending, kw_subscribers_advance() later
 *
 * INVARIANTS
 * I1  a subscription is live from its confirmation on, and only live ones get messages.
 * I2  all confirmations of one command leave together, in the order of its arguments.
 * I3  while a SUBSCRIBE is pending, it is the client's only request.
 * I4  KW_MODE_SUBSCRIBED is on while there is a subscription or a pending SUBSCRIBE.
 */
#include "proxy/pubsub/subscribe.h"

#include "base/mem.h"
#include "proxy/client.h"
#include "proxy/pubsub/home.h"
#include "proxy/reply.h"

struct kw_subscriber {
    struct kw_list pending; /* in channels->pending while a SUBSCRIBE waits */
    struct kw_client *client;
    struct kw_list subscriptions[KW_CHANNEL_KINDS];
    uint32_t live_count[KW_CHANNEL_KINDS];
    struct kw_request *request; /* the SUBSCRIBE that waits, or NULL */
    struct kw_channel **asked;  /* what it asks for, in order; owned */
    uint32_t asked_count;
    uint64_t asked_ms;
};

static enum kw_verdict subscribe(struct kw_client *client, const struct kw_command *command,
                                 enum kw_channel_kind kind);
static enum kw_verdict unsubscribe(struct kw_client *client, enum kw_channel_kind kind);
static struct kw_subscriber *subscriber_of(struct kw_client *client);
static bool channels_share_slot(const struct kw_argv *argv);
static bool subscriber_is_ready(const struct kw_subscriber *subscriber);
static void subscriber_confirm(struct kw_subscriber *subscriber, struct kw_buf *buf);
static void subscriber_answer(struct kw_subscriber *subscriber);
static void subscriber_give_up(struct kw_subscriber *subscriber, struct kw_bytes line);
static void subscriber_forget_asked(struct kw_subscriber *subscriber);
static void subscription_confirm_end(struct kw_client *client, struct kw_buf *buf,
                                     enum kw_channel_kind kind, const struct kw_bytes *name,
                                     struct kw_subscription *subscription);
static void write_confirmation(const struct kw_client *client, struct kw_buf *buf,
                               bool is_subscribe, const struct kw_bytes *name,
                               enum kw_channel_kind kind);
static void update_mode(struct kw_client *client);
static bool deliver_to(struct kw_client *client, struct kw_bytes value, struct kw_chunk *chunk);

enum kw_verdict kw_subscribe_start(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire)
{
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);
    bool is_muted = client->is_muted;
    unsigned kind = 0;

    (void)wire;
    if (client->oldest != NULL) {
        return KW_WAITING; /* I3 */
    }
    while (!kw_bytes_equal(name, kw_channel_word(kind, true)) &&
           !kw_bytes_equal(name, kw_channel_word(kind, false))) {
        kind++;
        KW_ASSERT(kind < KW_CHANNEL_KINDS); /* commands.def gives this session to no other */
    }
    bool is_start = kw_bytes_equal(name, kw_channel_word(kind, true));
    if (is_start && kind == KW_CHANNEL_SHARD && client->proxy->embedded == NULL &&
        !channels_share_slot(&client->proxy->argv)) {
        return kw_reply_refuse(client, KW_ERROR_CROSSSLOT, NULL, NULL);
    }
    client->is_muted = false; /* CLIENT REPLY mutes no confirmations, as in a server */
    enum kw_verdict verdict =
        is_start ? subscribe(client, command, kind) : unsubscribe(client, kind);
    client->is_muted = is_muted;
    return verdict;
}

enum kw_verdict kw_subscribe_check(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire)
{
    (void)wire;
    if (client->subscriber->request != NULL) {
        return KW_WAITING;
    }
    bool is_allowed = client->proto == 3 || command->session == KW_SESSION_SUBSCRIBE ||
                      command->session == KW_SESSION_SUBSCRIBE_SLOT ||
                      command->local == KW_LOCAL_PING || command->local == KW_LOCAL_QUIT ||
                      command->local == KW_LOCAL_RESET;
    return is_allowed ? KW_NEXT : kw_reply_refuse(client, KW_ERROR_SUBSCRIBED, command->name, NULL);
}

void kw_subscribe_drop(struct kw_client *client)
{
    struct kw_subscriber *subscriber = client->subscriber;
    struct kw_channels *channels = client->proxy->channels;

    if (subscriber == NULL) {
        return;
    }
    struct kw_request *request = subscriber->request;
    subscriber_forget_asked(subscriber);
    for (unsigned kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
        struct kw_list *list = &subscriber->subscriptions[kind];
        while (!kw_list_is_empty(list)) {
            kw_subscription_end(channels,
                                KW_LIST_ENTRY(list->next, struct kw_subscription, of_client));
        }
    }
    kw_free(subscriber);
    client->subscriber = NULL;
    client->modes &= ~KW_MODE_SUBSCRIBED;
    if (request != NULL) {
        kw_reply_finish(request);
    }
}

uint32_t kw_subscriber_count(const struct kw_client *client, enum kw_channel_kind kind)
{
    return client->subscriber == NULL ? 0 : client->subscriber->live_count[kind];
}

bool kw_subscriber_is_resp2(const struct kw_client *client)
{
    return (client->modes & KW_MODE_SUBSCRIBED) != 0 && client->proto == 2;
}

void kw_subscribers_advance(struct kw_channel *channel)
{
    channel->visits_count++;
    for (struct kw_list *at = channel->subscriptions.next; at != &channel->subscriptions;
         at = at->next) {
        const struct kw_subscription *subscription =
            KW_LIST_ENTRY(at, struct kw_subscription, of_channel);
        struct kw_subscriber *subscriber = subscription->client->subscriber;
        if (!subscription->is_live && subscriber->request != NULL &&
            subscriber_is_ready(subscriber)) {
            subscriber_answer(subscriber);
        }
    }
    channel->visits_count--;
}

void kw_subscribers_refuse(struct kw_channels *channels, struct kw_channel *channel,
                           struct kw_bytes line)
{
    bool is_found = true;

    while (is_found) {
        is_found = false;
        for (struct kw_list *at = channel->subscriptions.next;
             !is_found && at != &channel->subscriptions; at = at->next) {
            const struct kw_subscription *subscription =
                KW_LIST_ENTRY(at, struct kw_subscription, of_channel);
            if (!subscription->is_live && subscription->client->subscriber->request != NULL) {
                is_found = true;
                subscriber_give_up(subscription->client->subscriber, line);
            }
        }
    }
    (void)channels;
}

uint32_t kw_subscribers_deliver(struct kw_channels *channels, struct kw_channel *channel,
                                struct kw_bytes value, struct kw_chunk *chunk)
{
    struct kw_chunk *made = NULL;
    uint32_t count = 0;

    if (value.len > KW_COPY_MAX_BYTES && chunk == NULL) {
        made = kw_chunk_get(channels->proxy->chunks, value.len);
        if (made != NULL) { /* one copy for all who get it */
            memcpy(made->data, value.data, value.len);
            made->end = value.len;
            value = kw_bytes_of(made->data, value.len);
            chunk = made;
        }
    }
    channel->visits_count++;
    for (struct kw_list *at = channel->subscriptions.next; at != &channel->subscriptions;) {
        const struct kw_subscription *subscription =
            KW_LIST_ENTRY(at, struct kw_subscription, of_channel);
        at = at->next; /* of another client: closing this one leaves it alone */
        if (subscription->is_live && deliver_to(subscription->client, value, chunk)) { /* I1 */
            count++;
        }
    }
    channel->visits_count--;
    kw_chunk_unref(&made);
    KW_STAT_ADD(channels->proxy->stats, pubsub_messages_delivered, count);
    kw_channel_put(channels, channel);
    return count;
}

uint32_t kw_subscribers_count(const struct kw_channel *channel)
{
    uint32_t count = 0;

    for (const struct kw_list *at = channel->subscriptions.next; at != &channel->subscriptions;
         at = at->next) {
        const struct kw_subscription *subscription =
            KW_LIST_ENTRY(at, struct kw_subscription, of_channel);
        count += subscription->is_live && !subscription->client->is_gone ? 1 : 0;
    }
    return count;
}

void kw_subscribers_check(struct kw_channels *channels, uint64_t now_ms)
{
    uint64_t patience_ms = channels->proxy->config->request_retry_ms;
    struct kw_buf line;

    for (struct kw_list *at = channels->pending.next; at != &channels->pending;) {
        struct kw_subscriber *subscriber = KW_LIST_ENTRY(at, struct kw_subscriber, pending);
        at = at->next;
        if (now_ms - subscriber->asked_ms > patience_ms || channels->is_stopped) {
            kw_buf_init(&line, channels->proxy->chunks);
            kw_reply_error(&line, KW_ERROR_NOT_SUBSCRIBED);
            subscriber_give_up(subscriber,
                               kw_bytes_of(line.head->data + line.head->start, line.len));
            kw_buf_reset(&line);
        }
    }
}

void kw_subscribers_fail(struct kw_channels *channels)
{
    KW_ASSERT(channels->is_stopped);
    kw_subscribers_check(channels, kw_loop_now_ms(channels->proxy->loop));
}

static enum kw_verdict subscribe(struct kw_client *client, const struct kw_command *command,
                                 enum kw_channel_kind kind)
{
    struct kw_channels *channels = kw_channels_of(client->proxy);
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_subscriber *subscriber = subscriber_of(client);

    subscriber->asked = kw_alloc(argv->count * sizeof *subscriber->asked);
    subscriber->asked_count = (uint32_t)argv->count - 1;
    subscriber->asked_ms = kw_loop_now_ms(client->proxy->loop);
    for (size_t i = 1; i < argv->count; i++) {
        struct kw_channel *channel = kw_channel_get(channels, kind, argv->items[i]);
        subscriber->asked[i - 1] = channel;
        if (kw_subscription_find(channels, channel, client) == NULL) {
            kw_subscription_add(channels, channel, client, &subscriber->subscriptions[kind]);
            kw_channel_align(channels, channel);
        }
    }
    client->modes |= KW_MODE_SUBSCRIBED; /* I4 */
    if (subscriber_is_ready(subscriber)) {
        subscriber_confirm(subscriber, kw_reply_begin(client));
        kw_reply_end(client);
        return KW_ANSWERED;
    }
    subscriber->request = kw_reply_defer(client, command, NULL);
    kw_list_append(&channels->pending, &subscriber->pending);
    kw_channels_watch(channels);
    return KW_SENT;
}

static enum kw_verdict unsubscribe(struct kw_client *client, enum kw_channel_kind kind)
{
    struct kw_channels *channels = kw_channels_of(client->proxy);
    struct kw_subscriber *subscriber = subscriber_of(client);
    struct kw_list *list = &subscriber->subscriptions[kind];
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_buf *buf = kw_reply_begin(client);

    if (argv->count == 1 && kw_list_is_empty(list)) {
        subscription_confirm_end(client, buf, kind, NULL, NULL);
    }
    while (argv->count == 1 && !kw_list_is_empty(list)) {
        subscription_confirm_end(client, buf, kind, NULL,
                                 KW_LIST_ENTRY(list->next, struct kw_subscription, of_client));
    }
    for (size_t i = 1; i < argv->count; i++) {
        struct kw_channel *channel = kw_channel_find(channels, kind, argv->items[i]);
        subscription_confirm_end(client, buf, kind, &argv->items[i],
                                 channel == NULL ? NULL
                                                 : kw_subscription_find(channels, channel, client));
    }
    kw_reply_end(client);
    update_mode(client);
    return KW_ANSWERED;
}

static struct kw_subscriber *subscriber_of(struct kw_client *client)
{
    struct kw_subscriber *subscriber = client->subscriber;

    if (subscriber == NULL) {
        subscriber = kw_alloc_zero(1, sizeof *subscriber);
        subscriber->client = client;
        kw_list_init(&subscriber->pending);
        for (unsigned kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
            kw_list_init(&subscriber->subscriptions[kind]);
        }
        client->subscriber = subscriber;
    }
    return subscriber;
}

static bool channels_share_slot(const struct kw_argv *argv)
{
    for (size_t i = 2; i < argv->count; i++) {
        if (kw_slot_of_key(argv->items[i]) != kw_slot_of_key(argv->items[1])) {
            return false;
        }
    }
    return true;
}

/* Are all channels that its SUBSCRIBE asks for confirmed? Those that it had before are not waited
 * for, even if they are on their way from one node to another.
 */
static bool subscriber_is_ready(const struct kw_subscriber *subscriber)
{
    const struct kw_client *client = subscriber->client;

    for (uint32_t i = 0; i < subscriber->asked_count; i++) {
        const struct kw_channel *channel = subscriber->asked[i];
        if (!kw_channel_is_settled(channel) &&
            !kw_subscription_find(client->proxy->channels, channel, client)->is_live) {
            return false;
        }
    }
    return true;
}

/* Write the confirmations of its SUBSCRIBE; its subscriptions are live from here on. */
static void subscriber_confirm(struct kw_subscriber *subscriber, struct kw_buf *buf)
{
    struct kw_client *client = subscriber->client;

    for (uint32_t i = 0; i < subscriber->asked_count; i++) {
        const struct kw_channel *channel = subscriber->asked[i];
        struct kw_subscription *subscription =
            kw_subscription_find(client->proxy->channels, channel, client);
        struct kw_bytes name = kw_channel_name(channel);
        if (!subscription->is_live) {
            kw_subscription_set_live(subscription);
            subscriber->live_count[channel->kind]++;
        }
        write_confirmation(client, buf, true, &name, channel->kind);
    }
    subscriber_forget_asked(subscriber);
}

/* The nodes have confirmed all that its SUBSCRIBE asks for. */
static void subscriber_answer(struct kw_subscriber *subscriber)
{
    struct kw_request *request = subscriber->request;
    struct kw_buf buf;

    kw_buf_init(&buf, subscriber->client->proxy->chunks);
    subscriber_confirm(subscriber, &buf);
    kw_reply_pass_buf(request, &buf);
    kw_reply_finish(request);
}

/* No node will have it: the client gets LINE, and is subscribed to what it was before. */
static void subscriber_give_up(struct kw_subscriber *subscriber, struct kw_bytes line)
{
    struct kw_client *client = subscriber->client;
    struct kw_request *request = subscriber->request;

    subscriber_forget_asked(subscriber);
    for (unsigned kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
        struct kw_list *list = &subscriber->subscriptions[kind];
        while (!kw_list_is_empty(list)) { /* the newest are at the end */
            struct kw_subscription *newest =
                KW_LIST_ENTRY(list->prev, struct kw_subscription, of_client);
            if (newest->is_live) {
                break;
            }
            kw_subscription_end(client->proxy->channels, newest);
        }
    }
    kw_reply_pass(request, line);
    KW_STAT_ADD(client->proxy->stats, requests_refused, 1);
    update_mode(client);
    kw_reply_finish(request);
}

static void subscriber_forget_asked(struct kw_subscriber *subscriber)
{
    kw_list_remove(&subscriber->pending);
    kw_free(subscriber->asked);
    subscriber->asked = NULL;
    subscriber->asked_count = 0;
    subscriber->request = NULL;
}

/* End SUBSCRIPTION, if there is one, and confirm it; NAME is that of the command, or NULL. */
static void subscription_confirm_end(struct kw_client *client, struct kw_buf *buf,
                                     enum kw_channel_kind kind, const struct kw_bytes *name,
                                     struct kw_subscription *subscription)
{
    struct kw_bytes own_name = {0};

    if (subscription != NULL) {
        struct kw_channel *channel = subscription->channel;
        own_name = kw_channel_name(channel);
        name = &own_name;
        client->subscriber->live_count[kind]--;
        channel->visits_count++; /* its name is needed below */
        kw_subscription_end(client->proxy->channels, subscription);
        write_confirmation(client, buf, false, name, kind);
        channel->visits_count--;
        kw_channel_put(client->proxy->channels, channel);
        return;
    }
    write_confirmation(client, buf, false, name, kind);
}

/* Three elements: the word, the name (null when there is none), how many there are now. Shard
 * channels are counted by themselves, as servers do.
 */
static void write_confirmation(const struct kw_client *client, struct kw_buf *buf,
                               bool is_subscribe, const struct kw_bytes *name,
                               enum kw_channel_kind kind)
{
    const uint32_t *live_count = client->subscriber->live_count;

    kw_buf_append(buf, client->proto == 3 ? ">3\r\n" : "*3\r\n", 4);
    kw_reply_bulk(buf, kw_channel_word(kind, is_subscribe));
    if (name != NULL) {
        kw_reply_bulk(buf, *name);
    } else {
        kw_reply_null(buf, client->proto);
    }
    kw_reply_int(buf, kind == KW_CHANNEL_SHARD
                          ? live_count[KW_CHANNEL_SHARD]
                          : live_count[KW_CHANNEL_PLAIN] + live_count[KW_CHANNEL_PATTERN]);
}

static void update_mode(struct kw_client *client)
{
    const struct kw_subscriber *subscriber = client->subscriber;
    uint32_t count = 0;

    for (unsigned kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
        count += subscriber->live_count[kind];
    }
    client->modes &= ~KW_MODE_SUBSCRIBED;
    client->modes |= count > 0 ? KW_MODE_SUBSCRIBED : 0; /* I4 */
}

/* VALUE to one client, as its protocol version has it: they differ in the first byte only. False
 * when it was closed for it.
 */
static bool deliver_to(struct kw_client *client, struct kw_bytes value, struct kw_chunk *chunk)
{
    struct kw_buf *buf = kw_reply_begin_push(client);
    size_t added = value.len;

    if (client->proto == 3) {
        kw_buf_append(buf, ">", 1);
        value = kw_bytes_of(value.data + 1, value.len - 1);
    }
    if (chunk != NULL && value.len > KW_COPY_MAX_BYTES) {
        kw_buf_append_window(buf, chunk, (size_t)(value.data - chunk->data), value.len);
    } else {
        kw_buf_append_bytes(buf, value);
    }
    kw_reply_end_push(client, buf, added);
    return kw_client_output_ok(client);
}
