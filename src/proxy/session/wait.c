/* wait.c - WAIT at every master, on links of its own; the smallest answer counts.
 *
 * A client's writes may be at every master, so every master is asked, at the same time. What a
 * server counts is the replicas that have all that was written over the connection that asks; ours
 * has written nothing. So a message to nobody, SPUBLISH to a channel of a slot of that master, goes
 * first: it is replicated, hence behind all the client's writes, which have been answered. (A
 * server that does not know SPUBLISH, before 7.0, takes any command for that: seen with 7.0, where
 * a PING does as well.)
 *
 *   WAIT 1 100 --> node A: SPUBLISH, WAIT 1 100 --> :1 --+
 *             \--> node B: SPUBLISH, WAIT 1 100 --> :0 --+--> :0
 *
 * INVARIANTS
 * I1  left_count is the number of parts whose call has not ended; the wait is freed with the last.
 * I2  the client is in KW_MODE_LEASED until its request is answered, by the first error or the last
 *     answer.
 */
#include "proxy/session/wait.h"

#include "backend/lease.h"
#include "backend/link.h"
#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/reply.h"
#include "proxy/resend.h"
#include "proxy/session/blocked.h"
#include "proxy/session/leased.h"

#include <stdio.h>

enum {
    NAMES_MAX = 64 * 1024, /* channels tried to find one for each master */
    CHANNEL_MAX = 32
};

struct wait_part {
    struct kw_call call;   /* first: the call's callbacks cast back */
    struct kw_lease lease; /* leases find their part by it */
    struct kw_wait *wait;
    struct kw_node *node;      /* good while the wait is being started */
    char channel[CHANNEL_MAX]; /* of one of its slots; "" when none was found */
};

struct kw_wait {
    struct kw_client *client;
    struct kw_request *request; /* unanswered; NULL when it is answered */
    struct kw_unblocking unblocking;
    bool is_ending;  /* CLIENT UNBLOCK was sent */
    bool is_to_fail; /* ... with ERROR */
    uint32_t left_count;
    int64_t smallest[2]; /* WAITAOF answers two numbers */
    uint32_t parts_count;
    struct wait_part parts[];
};

static struct kw_wait *wait_new(struct kw_client *client);
static void wait_name_channels(struct kw_wait *wait);
static enum kw_status part_start(struct wait_part *part, struct kw_bytes wire);
static void wait_answer(struct kw_wait *wait, struct kw_bytes reply);
static void wait_fail(struct kw_wait *wait, enum kw_error error, const char *text);
static void wait_close_leases(struct kw_wait *wait);
static void part_on_reply(struct kw_call *call, const struct kw_reply_part *reply);
static bool read_numbers(struct kw_bytes reply, int64_t numbers[2]);
static void wait_merge(struct kw_wait *wait, const int64_t numbers[2]);
static void part_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent);
static void part_end(struct wait_part *part);
static void wait_finish(struct kw_wait *wait);
static void lease_on_ready(struct kw_lease *lease, struct kw_node *node, enum kw_status status);
static void lease_on_lost(struct kw_lease *lease);

static const struct kw_call_user part_user = {.on_reply = part_on_reply, .on_fail = part_on_fail};
static const struct kw_lease_user lease_user = {lease_on_ready, lease_on_lost};

enum kw_verdict kw_wait_start(struct kw_client *client, const struct kw_command *command,
                              struct kw_bytes wire)
{
    if (client->inflight_count > 0) {
        return KW_WAITING; /* what was written must have been answered */
    }
    struct kw_wait *wait = wait_new(client);
    if (wait == NULL) {
        return kw_reply_refuse(client,
                               client->proxy->backend->has_topology ? KW_ERROR_SLOT_UNSERVED
                                                                    : KW_ERROR_NO_TOPOLOGY,
                               NULL, NULL);
    }
    wait_name_channels(wait);
    client->wait = wait;
    client->modes |= KW_MODE_LEASED; /* I2 */
    wait->request = kw_reply_defer(client, command, NULL);
    KW_STAT_ADD(client->proxy->stats, clients_blocked, 1);
    wait->left_count = 1; /* ours: it must not end while it begins */
    for (uint32_t i = 0; i < wait->parts_count && wait->request != NULL; i++) {
        struct wait_part *part = &wait->parts[i];
        enum kw_status status = part_start(part, wire);
        if (status != KW_OK) {
            kw_lease_close(&part->lease);
            wait_fail(wait, status == KW_E_FULL ? KW_ERROR_NO_LEASE : kw_resend_error(status),
                      part->node->name);
        }
    }
    if (--wait->left_count == 0) {
        wait_finish(wait);
    }
    return KW_SENT;
}

void kw_wait_unblock(struct kw_client *client, bool is_error)
{
    struct kw_wait *wait = client->wait;

    wait->is_ending = true;
    wait->is_to_fail = is_error;
    kw__wait_ask_to_end(wait);
    kw__unblocking_start(&wait->unblocking);
}

void kw__wait_ask_to_end(const struct kw_wait *wait)
{
    for (uint32_t i = 0; i < wait->parts_count; i++) {
        kw__unblock_at_node(wait->client, wait->parts[i].lease.link, !wait->is_to_fail);
    }
}

void kw_wait_drop(struct kw_client *client)
{
    if (client->wait != NULL) {
        wait_close_leases(client->wait); /* the calls fail; the last one ends it */
    }
}

/* One part for each master; NULL when none is known. */
static struct kw_wait *wait_new(struct kw_client *client)
{
    struct kw_backend *backend = client->proxy->backend;
    uint8_t *is_master = kw_alloc_zero(KW_NODES_MAX, 1);
    struct kw_wait *wait = NULL;
    uint32_t count = 0;

    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        uint16_t index = backend->slot_node[slot];
        if (index != KW_NODE_NONE && is_master[index] == 0) {
            is_master[index] = 1;
            count++;
        }
    }
    if (count > 0) {
        wait = kw_alloc_zero(1, sizeof *wait + count * sizeof wait->parts[0]);
        wait->client = client;
        wait->unblocking.client = client;
        kw_list_init(&wait->unblocking.place);
        wait->smallest[0] = INT64_MAX;
        wait->smallest[1] = INT64_MAX;
        for (uint32_t i = 0; i < backend->nodes_count; i++) {
            if (is_master[i] != 0) {
                struct wait_part *part = &wait->parts[wait->parts_count++];
                part->wait = wait;
                part->node = backend->nodes[i];
                part->call.user = &part_user;
                part->call.is_patient = true;
                kw_lease_init(&part->lease, &lease_user);
            }
        }
    }
    kw_free(is_master);
    return wait;
}

/* Find a channel in a slot of each master. */
static void wait_name_channels(struct kw_wait *wait)
{
    struct kw_backend *backend = wait->client->proxy->backend;
    uint32_t found = 0;

    for (unsigned n = 0; n < NAMES_MAX && found < wait->parts_count; n++) {
        char name[CHANNEL_MAX];
        (void)snprintf(name, sizeof name, "keyway:wait:%u", n);
        const struct kw_node *node =
            kw_backend_node_of_slot(backend, kw_slot_of_key(kw_bytes_of_text(name)));
        for (uint32_t i = 0; i < wait->parts_count; i++) {
            struct wait_part *part = &wait->parts[i];
            if (part->node == node && part->channel[0] == '\0') {
                memcpy(part->channel, name, sizeof name);
                found++;
            }
        }
    }
}

static enum kw_status part_start(struct wait_part *part, struct kw_bytes wire)
{
    struct kw_client *client = part->wait->client;
    struct kw_bytes argv[] = {KW_BYTES("SPUBLISH"), kw_bytes_of_text(part->channel), KW_BYTES("")};
    struct kw_buf before;

    enum kw_status status = kw_lease_take(&part->lease, part->node, client->proto, 0);
    if (status != KW_OK) {
        return status == KW_AGAIN ? KW_E_UNREACHABLE : status;
    }
    kw_buf_init(&before, client->proxy->chunks);
    kw_write_command(&before, argv, 3);
    status = kw_link_send_prefix(part->lease.link,
                                 kw_bytes_of(before.head->data + before.head->start, before.len));
    kw_buf_reset(&before);
    if (status == KW_OK) {
        status = kw_link_send(part->lease.link, &part->call, wire, NULL);
    }
    if (status == KW_OK) {
        part->wait->left_count++; /* I1 */
    }
    return status;
}

/* The answer is REPLY; what is still asked no longer matters. */
static void wait_answer(struct kw_wait *wait, struct kw_bytes reply)
{
    struct kw_request *request = wait->request;

    wait->request = NULL;
    wait->client->modes &= ~KW_MODE_LEASED; /* I2 */
    wait->client->wait = NULL;
    kw_list_remove(&wait->unblocking.place);
    kw__client_resume_later(wait->client);
    KW_STAT_ADD(wait->client->proxy->stats, clients_blocked, -1);
    kw_reply_pass(request, reply);
    kw_reply_finish(request);
}

static void wait_fail(struct kw_wait *wait, enum kw_error error, const char *text)
{
    struct kw_buf line;

    if (wait->request == NULL) {
        return;
    }
    kw_buf_init(&line, wait->client->proxy->chunks);
    kw_reply_error_text(&line, error, text, NULL);
    wait_answer(wait, kw_bytes_of(line.head->data + line.head->start, line.len));
    kw_buf_reset(&line);
    wait_close_leases(wait);
}

static void wait_close_leases(struct kw_wait *wait)
{
    for (uint32_t i = 0; i < wait->parts_count; i++) {
        kw_lease_close(&wait->parts[i].lease);
    }
}

static void part_on_reply(struct kw_call *call, const struct kw_reply_part *reply)
{
    struct wait_part *part = (struct wait_part *)call;
    struct kw_wait *wait = part->wait;
    int64_t numbers[2] = {INT64_MAX, INT64_MAX};

    if (wait->request != NULL) {
        if (reply->is_first && reply->is_last && read_numbers(reply->bytes, numbers)) {
            wait_merge(wait, numbers);
        } else if (reply->is_first && reply->is_last && reply->type == '-') {
            wait_answer(wait, reply->bytes);
            wait_close_leases(wait);
        } else {
            wait_fail(wait, KW_ERROR_NODE_SILENT, reply->node->name);
        }
    }
    if (reply->is_last) {
        if (!wait->is_ending) {
            kw_lease_give_back(&part->lease);
        }
        kw_lease_close(&part->lease); /* else: a late CLIENT UNBLOCK must not meet its next user */
        part_end(part);
    }
}

/* ":1" or "*2 :1 :2". */
static bool read_numbers(struct kw_bytes reply, int64_t numbers[2])
{
    const char *at = reply.data;
    const char *end = reply.data + reply.len;
    unsigned count = 1;
    unsigned i = 0;

    if (reply.len > 4 && memcmp(at, "*2\r\n", 4) == 0) {
        count = 2;
        at += 4;
    }
    for (; i < count && at < end && *at == ':'; i++) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        if (line_end == NULL || kw_text_to_int(kw_bytes_of(at + 1, (size_t)(line_end - at - 1)),
                                               &numbers[i]) != KW_OK) {
            return false;
        }
        at = line_end + 2;
    }
    return i == count;
}

static void wait_merge(struct kw_wait *wait, const int64_t numbers[2])
{
    for (int i = 0; i < 2; i++) {
        if (numbers[i] < wait->smallest[i]) {
            wait->smallest[i] = numbers[i];
        }
    }
}

static void part_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent)
{
    struct wait_part *part = (struct wait_part *)call;

    (void)status;
    wait_fail(part->wait, was_sent ? KW_ERROR_NODE_SILENT : KW_ERROR_NODE_DOWN, link->node->name);
    part_end(part);
}

static void part_end(struct wait_part *part)
{
    kw_call_release(&part->call);
    KW_ASSERT(part->wait->left_count > 0); /* I1 */
    if (--part->wait->left_count == 0) {
        wait_finish(part->wait);
    }
}

/* No call is in flight: answer, unless that was done, and end. */
static void wait_finish(struct kw_wait *wait)
{
    struct kw_buf reply;

    if (wait->request != NULL) {
        kw_buf_init(&reply, wait->client->proxy->chunks);
        if (wait->smallest[1] != INT64_MAX) {
            kw_reply_array(&reply, 2);
        }
        kw_reply_int(&reply, wait->smallest[0]);
        if (wait->smallest[1] != INT64_MAX) {
            kw_reply_int(&reply, wait->smallest[1]);
        }
        wait_answer(wait, kw_bytes_of(reply.head->data + reply.head->start, reply.len));
        kw_buf_reset(&reply);
    }
    wait_close_leases(wait);
    kw_free(wait);
}

static void lease_on_ready(struct kw_lease *lease, struct kw_node *node, enum kw_status status)
{
    (void)lease;
    (void)node;
    (void)status;
    KW_UNREACHABLE(); /* we don't wait for links */
}

static void lease_on_lost(struct kw_lease *lease)
{
    (void)lease; /* its call fails */
}
