/* herald.c - one message, once round all workers; each delivers to its own clients.
 *
 *     PUBLISH -> shout -> worker 0 -> worker 1 -> ... -> home: the reply, how many got it
 *
 * Shouts of one worker take the same way round, so messages of one client stay in order, whatever
 * their channels. A subscription that is confirmed before a PUBLISH is sent gets the message, one
 * that is asked for after its reply does not.
 */
#include "proxy/embedded/herald.h"

#include "base/blob.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/embedded/events.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/reply.h"
#include "proxy/round.h"

struct shout {
    struct kw_round round; /* first; without a request when nobody asked for it */
    enum kw_channel_kind kind;
    uint32_t heard_count;
    bool is_told; /* went this way before: who got it is only counted */
    size_t channel_len;
    size_t text_len;
    char bytes[];
};

/* What PUBSUB CHANNELS collects. */
struct list {
    struct kw_bytes pattern; /* of the names wanted */
    struct kw_buf values;
    size_t count;
};

static struct shout *shout_new(enum kw_channel_kind kind, struct kw_bytes channel,
                               struct kw_bytes text);
static void shout_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static uint32_t deliver(struct kw_proxy *proxy, const struct shout *shout,
                        struct kw_channel *channel);
static void shout_on_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf);
static void shout_on_end(struct kw_round *round);
static void shout_on_done(struct kw_proxy *home, struct kw_errand *errand);
static void list_add(void *arg, struct kw_bytes name);

enum kw_verdict kw_herald_publish(struct kw_client *client, const struct kw_command *command,
                                  bool is_told)
{
    const struct kw_argv *argv = &client->proxy->argv;
    bool is_shard = command->keys[0].find != KW_FIND_NONE;
    struct shout *shout =
        shout_new(is_shard ? KW_CHANNEL_SHARD : KW_CHANNEL_PLAIN, argv->items[1], argv->items[2]);

    shout->is_told = is_told;
    shout->round.on_answer = shout_on_answer;
    shout->round.on_end = shout_on_end;
    return kw_round_start(client, command, &shout->round);
}

enum kw_verdict kw_herald_answer(struct kw_client *client, const struct kw_command *command)
{
    struct kw_stats_hub *hub = client->proxy->hub;
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);
    bool is_shard = kw_bytes_start_with(name, KW_BYTES("pubsub|shard"));
    enum kw_channel_kind kind = is_shard ? KW_CHANNEL_SHARD : KW_CHANNEL_PLAIN;

    if (kw_bytes_equal(name, KW_BYTES("pubsub|channels")) ||
        kw_bytes_equal(name, KW_BYTES("pubsub|shardchannels"))) {
        struct list list = {argv->count > 2 ? argv->items[2] : KW_BYTES("*"), {0}, 0};
        if (argv->count > 3) {
            return kw_reply_refuse(client, KW_ERROR_ARITY, command->name, NULL);
        }
        kw_buf_init(&list.values, client->proxy->chunks);
        kw_census_each(hub, kind, list_add, &list);
        struct kw_buf *buf = kw_reply_begin(client);
        kw_reply_array(buf, list.count);
        kw_buf_append_buf(buf, &list.values);
    } else if (kw_bytes_equal(name, KW_BYTES("pubsub|numpat"))) {
        kw_reply_int(kw_reply_begin(client), (int64_t)kw_census_patterns(hub).clients);
    } else if (kw_bytes_equal(name, KW_BYTES("pubsub|numsub")) || is_shard) {
        struct kw_buf *buf = kw_reply_begin(client);
        kw_reply_array(buf, 2 * (argv->count - 2));
        for (size_t i = 2; i < argv->count; i++) {
            kw_reply_bulk(buf, argv->items[i]);
            kw_reply_int(buf, (int64_t)kw_census_subscribers(hub, kind, argv->items[i]).clients);
        }
    } else {
        return KW_NEXT;
    }
    kw_reply_end(client);
    return KW_ANSWERED;
}

void kw_herald_note(struct kw_proxy *proxy, const struct kw_command *command)
{
    bool is_shard = command->keys[0].find != KW_FIND_NONE;

    kw_events_add_message(proxy, is_shard ? KW_CHANNEL_SHARD : KW_CHANNEL_PLAIN,
                          proxy->argv.items[1], proxy->argv.items[2]);
}

void kw_herald_send(struct kw_proxy *proxy, enum kw_channel_kind kind, struct kw_bytes channel,
                    struct kw_bytes text)
{
    struct shout *shout = shout_new(kind, channel, text);

    shout->round.errand.done = shout_on_done;
    kw_crew_send(proxy, &shout->round.errand);
}

bool kw_herald_is_heard(struct kw_proxy *proxy)
{
    return kw_census_names_count(proxy->hub, KW_CHANNEL_PLAIN) > 0 ||
           kw_census_names_count(proxy->hub, KW_CHANNEL_PATTERN) > 0;
}

static struct shout *shout_new(enum kw_channel_kind kind, struct kw_bytes channel,
                               struct kw_bytes text)
{
    struct shout *shout = kw_alloc_zero(1, sizeof *shout + channel.len + text.len);

    shout->kind = kind;
    shout->channel_len = channel.len;
    shout->text_len = text.len;
    memcpy(shout->bytes, channel.data, channel.len);
    memcpy(shout->bytes + channel.len, text.data, text.len);
    shout->round.errand.visit = shout_visit;
    return shout;
}

/* Who listens here: to the channel, then to patterns that it matches. Delivering may close a
 * client and so end channels: those that are to be visited are kept.
 */
static void shout_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct shout *shout = (struct shout *)errand;
    struct kw_channels *channels = proxy->channels;
    struct kw_bytes name = kw_bytes_of(shout->bytes, shout->channel_len);
    struct kw_blob matching = {0}; /* of struct kw_channel * */

    if (channels == NULL) {
        return;
    }
    for (struct kw_list *at = channels->patterns.next;
         shout->kind == KW_CHANNEL_PLAIN && at != &channels->patterns; at = at->next) {
        struct kw_channel *channel = KW_LIST_ENTRY(at, struct kw_channel, of_patterns);
        if (kw_text_glob(kw_channel_name(channel), name, false)) {
            channel->visits_count++;
            kw_blob_add(&matching, kw_bytes_of((const char *)&channel, sizeof channel));
        }
    }
    struct kw_channel *channel = kw_channel_find(channels, shout->kind, name);
    if (channel != NULL) {
        shout->heard_count += deliver(proxy, shout, channel);
    }
    for (size_t at = 0; at < matching.len; at += sizeof channel) {
        memcpy(&channel, matching.data + at, sizeof channel);
        shout->heard_count += deliver(proxy, shout, channel);
        channel->visits_count--;
        kw_channel_put(channels, channel);
    }
    kw_blob_deinit(&matching);
}

/* The message as RESP2 has it, to those who subscribe to CHANNEL. How many. */
static uint32_t deliver(struct kw_proxy *proxy, const struct shout *shout,
                        struct kw_channel *channel)
{
    static const struct kw_bytes words[KW_CHANNEL_KINDS] = {
        [KW_CHANNEL_PLAIN] = {"message", sizeof "message" - 1},
        [KW_CHANNEL_PATTERN] = {"pmessage", sizeof "pmessage" - 1},
        [KW_CHANNEL_SHARD] = {"smessage", sizeof "smessage" - 1},
    };
    struct kw_bytes name = kw_bytes_of(shout->bytes, shout->channel_len);
    struct kw_bytes word = words[channel->kind];
    struct kw_blob value = {0};

    if (shout->is_told) {
        return kw_subscribers_count(channel);
    }
    kw_blob_print(&value, "*%d\r\n$%zu\r\n%s\r\n", channel->kind == KW_CHANNEL_PATTERN ? 4 : 3,
                  word.len, word.data);
    if (channel->kind == KW_CHANNEL_PATTERN) {
        kw_blob_print(&value, "$%zu\r\n", channel->name_len);
        kw_blob_add(&value, kw_channel_name(channel));
        kw_blob_add(&value, KW_BYTES("\r\n"));
    }
    kw_blob_print(&value, "$%zu\r\n", name.len);
    kw_blob_add(&value, name);
    kw_blob_print(&value, "\r\n$%zu\r\n", shout->text_len);
    kw_blob_add(&value, kw_bytes_of(shout->bytes + shout->channel_len, shout->text_len));
    kw_blob_add(&value, KW_BYTES("\r\n"));
    uint32_t count = kw_subscribers_deliver(proxy->channels, channel, kw_blob_bytes(&value), NULL);
    kw_blob_deinit(&value);
    return count;
}

static void shout_on_answer(struct kw_client *client, struct kw_round *round, struct kw_buf *buf)
{
    (void)client;
    kw_reply_int(buf, ((struct shout *)round)->heard_count);
}

static void shout_on_end(struct kw_round *round)
{
    kw_free(round);
}

static void shout_on_done(struct kw_proxy *home, struct kw_errand *errand)
{
    (void)home;
    kw_free(errand);
}

static void list_add(void *arg, struct kw_bytes name)
{
    struct list *list = arg;

    if (kw_text_glob(list->pattern, name, false)) {
        kw_reply_bulk(&list->values, name);
        list->count++;
    }
}
