/* publish.c - PUBLISH and SPUBLISH; what PUBSUB NUMSUB and its kin lack.
 *
 * A channel is published to where it is subscribed to: at the owner of its slot. So messages of one
 * client to one channel take one way, and stay in order. When that node is down, PUBLISH goes to
 * another master: any passes it on to all.
 *
 * With pubsub-in-order all go to one node over one link, so that they stay in order between
 * channels, too; and a message waits for what its client has written before at other nodes, as who
 * gets it may look for that. (Of what is written behind it nothing can be said, as at one server.)
 *
 * The node answers with how many clients of its own got the message. Keyway's feeds are among them,
 * one for each worker that subscribes there; in their place come keyway's clients.
 */
#include "proxy/pubsub/publish.h"

#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/gather/merge.h"
#include "proxy/pubsub/census.h"
#include "proxy/pubsub/channels.h"
#include "proxy/reply.h"
#include "proxy/request.h"

static bool publish_must_wait(const struct kw_client *client, const struct kw_node *node);
static size_t write_number(char *out, char type, int64_t value);
static struct kw_node *another_node(struct kw_backend *backend, struct kw_node *down);
static void publish_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void publish_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent);
static bool read_channel(const struct kw_call *call, struct kw_bytes *channel);

static const struct kw_call_user publish_user = {.on_reply = publish_on_reply,
                                                 .on_fail = publish_on_fail};

enum kw_verdict kw_publish_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    struct kw_target target = {.slot = KW_SLOT_NONE};
    bool is_ordinary = command->keys[0].find == KW_FIND_NONE;
    bool is_in_order = client->proxy->config->pubsub_in_order;
    enum kw_verdict verdict = KW_NEXT;

    if (is_ordinary && is_in_order) {
        target.slot = KW_PUBSUB_SLOT;
        verdict = kw_route_slot(client, &target);
    } else {
        verdict = kw_route(client, command, &target);
    }
    if (verdict != KW_NEXT) {
        return verdict;
    }
    if (target.node->is_down && is_ordinary) {
        target.node = another_node(client->proxy->backend, target.node);
    }
    if (is_in_order && publish_must_wait(client, target.node)) {
        return KW_WAITING;
    }
    return kw_request_send(client, command, &target, wire, NULL, &publish_user);
}

/* Is something of CLIENT not answered, which others may see and not NODE executes before? */
static bool publish_must_wait(const struct kw_client *client, const struct kw_node *node)
{
    for (const struct kw_request *request = client->inflight_count == 0 ? NULL : client->oldest;
         request != NULL; request = request->next) {
        const struct kw_link *link = kw__request_call(request)->link;
        bool is_before = link != NULL && link->node == node;
        if (request->state != KW_REQUEST_DONE && !is_before &&
            !kw_command_may_retry(request->command)) {
            return true;
        }
    }
    return false;
}

bool kw_publish_own_reply(struct kw_stats_hub *hub, const struct kw_command *command,
                          struct kw_bytes first, int proto, struct kw_bytes *own)
{
    bool is_shard = strcmp(command->name, "pubsub|shardnumsub") == 0;
    struct kw_bytes name;
    int64_t count = 0;
    char *out = NULL;
    size_t len = 0;

    if (strcmp(command->name, "pubsub|numpat") == 0) {
        struct kw_census_count patterns = kw_census_patterns(hub);
        out = kw_alloc(KW_TEXT_INT_MAX + 3);
        len = write_number(out, ':', (int64_t)patterns.clients - (int64_t)patterns.feeds);
        *own = kw_bytes_of(out, len);
        return true;
    }
    if ((!is_shard && strcmp(command->name, "pubsub|numsub") != 0) ||
        !kw_merge_take_number(&first, '*', &count) || count < 0) {
        return false; /* of channels the nodes know all */
    }
    out = kw_alloc(first.len + ((size_t)count + 1) * (KW_TEXT_INT_MAX + 3));
    len = write_number(out, '*', count);
    while (kw_merge_take_value(&first, proto, &name)) {
        struct kw_bytes channel = name;
        int64_t number = 0;
        if (!kw_merge_take_number(&channel, '$', &number) || number < 0 ||
            !kw_merge_take_number(&first, ':', &count)) {
            kw_free(out);
            return false;
        }
        struct kw_census_count counts =
            kw_census_subscribers(hub, is_shard ? KW_CHANNEL_SHARD : KW_CHANNEL_PLAIN,
                                  kw_bytes_of(channel.data, (size_t)number));
        memcpy(out + len, name.data, name.len);
        len += name.len;
        len += write_number(out + len, ':', (int64_t)counts.clients - (int64_t)counts.feeds);
    }
    *own = kw_bytes_of(out, len);
    return true;
}

/* A line of TYPE and VALUE at OUT, which has room for KW_TEXT_INT_MAX + 3 bytes. Returns its
 * length.
 */
static size_t write_number(char *out, char type, int64_t value)
{
    out[0] = type;
    size_t len = 1 + kw_text_from_int(value, out + 1);
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}

/* A master that is not down, or DOWN when there is none. */
static struct kw_node *another_node(struct kw_backend *backend, struct kw_node *down)
{
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        struct kw_node *node = kw_backend_node_of_slot(backend, (uint16_t)slot);
        if (node != NULL && !node->is_down) {
            return node;
        }
    }
    return down;
}

static void publish_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_stats_hub *hub = request->client->proxy->hub;
    bool is_shard = request->command->keys[0].find != KW_FIND_NONE;
    struct kw_reply_part changed = *part;
    char line[KW_TEXT_INT_MAX + 3];
    struct kw_bytes channel;
    int64_t count = 0;

    bool is_count =
        part->type == ':' && part->is_first && part->is_last && part->bytes.len > 3 &&
        kw_text_to_int(kw_bytes_of(part->bytes.data + 1, part->bytes.len - 3), &count) == KW_OK;
    if (is_count && read_channel(call, &channel)) {
        struct kw_census_count own = kw_census_receivers(
            hub, is_shard ? KW_CHANNEL_SHARD : KW_CHANNEL_PLAIN, channel, part->node->name);
        count -= count > (int64_t)own.feeds ? (int64_t)own.feeds : count;
        changed.bytes = kw_bytes_of(line, write_number(line, ':', count + (int64_t)own.clients));
    }
    kw__request_user.on_reply(call, &changed);
}

static void publish_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent)
{
    kw__request_user.on_fail(call, link, status, was_sent);
}

/* The first argument of the command, "*3 $n PUBLISH $n channel ...". */
static bool read_channel(const struct kw_call *call, struct kw_bytes *channel)
{
    struct kw_bytes wire = kw_call_bytes(call);
    const char *at = wire.data;
    const char *end = at + wire.len;

    for (int line = 0; line < 4; line++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) {
            return false;
        }
        if (line == 3) {
            int64_t len = 0;
            if (kw_text_to_int(kw_bytes_of(at + 1, (size_t)(line_end - at - 2)), &len) != KW_OK ||
                len < 0 || len > end - line_end - 1) {
                return false;
            }
            *channel = kw_bytes_of(line_end + 1, (size_t)len);
            return true;
        }
        at = line_end + 1;
    }
    return false;
}
