/* finale.c - see finale.h.
 *
 *   EXEC answered, its array kept --> the node's element | guest --> answered --> the next one
 *                                                                       ...   --> pushes, over
 *
 * EXEC's own request ends when its last byte is here; from then on the client's queue is empty but
 * for the guest that is under way, and what the client sends meanwhile waits (KW_MODE_HOSTING). So
 * each guest finds the client as a request finds it that came alone, and its reply is simply the
 * next thing in the client's output: an array is its line and the bytes of its elements.
 *
 * A client that goes away takes its guests with it, except for what concerns all masters: the node
 * of the run has executed that already, so the others do, too.
 *
 * Where the store is in this process, embedded/bundle.c has executed what is the store's: then the
 * kept elements are those, guests have none of their own, and those that concern other clients
 * (SHARED) are done without the client, too.
 *
 * INVARIANTS
 * F1  while a client has a finale, pushes to it wait there, those that waited behind EXEC too: none
 *     stands inside of the array (O5).
 * F2  a guest starts when nothing of its client is in flight.
 */
#include "proxy/session/finale.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/client.h"
#include "proxy/embedded/embedded.h"
#include "proxy/embedded/herald.h"
#include "proxy/gather/known.h"
#include "proxy/local/local.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/session/transaction.h"

struct kw_finale {
    struct kw_guests *guests; /* owned */
    char *node_name;          /* who has executed the run, owned; NULL: this process */
    struct kw_buf pushes;     /* F1; counted in the client's parked_bytes */
    uint16_t slot;            /* of the run */
    bool was_closing;         /* before a guest could close it */
    bool was_tracking;        /* reads of the run are remembered */
    bool has_untracked;       /* the node's elements behind CLIENT TRACKING ON are not */
};

static struct kw_finale *finale_open(struct kw_client *client, struct kw_guests *taken_guests);
static void finale_take_pushes(struct kw_finale *finale, const struct kw_request *exec);
static enum kw_verdict finale_step(struct kw_client *client, struct kw_finale *finale);
static struct kw_bytes finale_element(const struct kw_finale *finale);
static enum kw_verdict guest_start(struct kw_client *client, const struct kw_finale *finale,
                                   const struct kw_guest *guest, struct kw_bytes reply);
static enum kw_verdict guest_perform(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire);
static void client_select(struct kw_client *client, struct kw_bytes reply);
static void finale_end(struct kw_client *client);

void kw_finale_begin(struct kw_request *request, const char *name)
{
    struct kw_finale *finale = finale_open(request->client, request->run->guests);

    request->run->guests = NULL;
    finale->node_name = kw_text_copy_bytes(kw_bytes_of_text(name));
    finale->slot = request->slot;
    finale_take_pushes(finale, request);
    request->client->is_muted = request->is_muted;
}

void kw_finale_begin_here(struct kw_client *client, struct kw_guests *taken_guests)
{
    struct kw_finale *finale = finale_open(client, taken_guests);

    finale->slot = KW_SLOT_NONE;
    client->modes |= KW_MODE_HOSTING;
    client->parked_bytes += taken_guests->rest.len;
}

bool kw_finale_advance(struct kw_client *client)
{
    struct kw_finale *finale = client->finale;
    const struct kw_guests *guests = finale->guests;

    while (guests->index < guests->count) {
        if (client->oldest != NULL || finale_step(client, finale) == KW_WAITING) { /* F2 */
            return false;
        }
    }
    if (client->oldest != NULL) {
        return false;
    }
    finale_end(client);
    return true;
}

struct kw_buf *kw_finale_pushes(struct kw_client *client)
{
    return &client->finale->pushes;
}

uint32_t kw_finale_count(const struct kw_client *client)
{
    return client->finale->guests->count;
}

void kw_finale_drop(struct kw_client *client)
{
    struct kw_finale *finale = client->finale;

    if (finale == NULL) {
        return;
    }
    client->parked_bytes -= finale->guests->rest.len - finale->guests->rest_used;
    client->parked_bytes -= finale->pushes.len;
    kw_buf_reset(&finale->pushes);
    kw_guests_free(&finale->guests);
    kw_free(finale->node_name);
    kw_free(finale);
    client->finale = NULL;
    client->modes &= ~KW_MODE_HOSTING;
}

static struct kw_finale *finale_open(struct kw_client *client, struct kw_guests *taken_guests)
{
    struct kw_finale *finale = kw_alloc_zero(1, sizeof *finale);

    finale->guests = taken_guests;
    finale->was_closing = client->is_closing;
    finale->was_tracking = client->tracker != NULL;
    kw_buf_init(&finale->pushes, client->proxy->chunks);
    client->finale = finale;
    client->is_waiting = true;
    if (!client->is_gone) {
        kw_stream_set_reading(&client->stream, false);
    }
    kw__client_resume_later(client);
    return finale;
}

/* What came while EXEC was at its node was to stand behind its reply, which goes on: F1. They have
 * been counted in parked_bytes, and stay so.
 */
static void finale_take_pushes(struct kw_finale *finale, const struct kw_request *exec)
{
    for (struct kw_request *push = exec->next; push != NULL; push = push->next) {
        if (push->is_push) { /* requests wait: KW_MODE_HOSTING */
            kw_buf_append_buf(&finale->pushes, &push->parked);
        }
    }
}

/* One element. WAITING: nothing has happened, and it is tried again. */
static enum kw_verdict finale_step(struct kw_client *client, struct kw_finale *finale)
{
    struct kw_guests *guests = finale->guests;
    const struct kw_guest *guest = kw__guests_due(guests);
    struct kw_bytes reply = finale_element(finale);
    enum kw_verdict verdict = KW_ANSWERED;

    if (client->is_gone || (client->is_closing && !finale->was_closing)) {
        client->is_muted = true; /* it has killed itself: as in a server nothing follows */
    }
    if (guest == NULL) {
        kw_reply_whole(client, reply);
        finale->has_untracked |= !finale->was_tracking && client->tracker != NULL;
    } else {
        verdict = guest_start(client, finale, guest, reply);
    }
    if (verdict == KW_WAITING) {
        return verdict;
    }
    if (client->is_skip_fresh) { /* SKIP is about what comes behind EXEC */
        client->is_skip_fresh = false;
        client->is_muted = false;
    }
    client->parked_bytes -= reply.len;
    guests->rest_used += reply.len;
    kw__guests_step(guests);
    (void)kw_client_output_ok(client);
    return verdict;
}

/* The bytes of the node's element. All of them are there: the link has framed the whole. */
static struct kw_bytes finale_element(const struct kw_finale *finale)
{
    const struct kw_guests *guests = finale->guests;
    struct kw_reply_parser parser = {0};
    const char *data = guests->rest.data + guests->rest_used;
    size_t len = 0;

    if (finale->node_name == NULL && kw__guests_due(guests) != NULL) {
        return kw_bytes_of(data, 0);
    }
    enum kw_status status =
        kw_reply_scan(&parser, guests->proto, data, guests->rest.len - guests->rest_used, &len);
    KW_ASSERT(status == KW_OK);
    return kw_bytes_of(data, len);
}

static enum kw_verdict guest_start(struct kw_client *client, const struct kw_finale *finale,
                                   const struct kw_guest *guest, struct kw_bytes reply)
{
    const struct kw_command *command = guest->command;
    struct kw_bytes wire = kw__guests_cut(finale->guests, client->proxy);
    struct kw_known known = {.slot = finale->slot, .node_name = finale->node_name, .reply = reply};
    bool is_here = finale->node_name == NULL;

    switch ((enum kw_guest_kind)guest->kind) {
    case KW_GUEST_SHARED:
        return is_here ? kw_embedded_perform(client, command, wire)
                       : kw_known_start(client, command, wire, &known);
    case KW_GUEST_TOLD:
        return client->is_gone ? KW_ANSWERED : kw_herald_publish(client, command, true);
    case KW_GUEST_SELECT:
        client_select(client, reply);
        return KW_ANSWERED;
    case KW_GUEST_WRITTEN:
        if (!client->is_gone) {
            kw__guests_write(client, command, kw_reply_begin(client));
            kw_reply_end(client);
        }
        return KW_ANSWERED;
    case KW_GUEST_ACTING:
        if (client->is_gone) {
            return KW_ANSWERED;
        }
        return is_here ? kw_embedded_perform(client, command, wire)
                       : guest_perform(client, command, wire);
    case KW_GUEST_NONE:
    default:
        KW_UNREACHABLE();
    }
}

/* As a request that came alone, but for the stages that it passed when it was queued. */
static enum kw_verdict guest_perform(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire)
{
    struct kw_target target = {.slot = KW_SLOT_NONE};

    enum kw_verdict verdict = kw__request_start_other(client, command, wire);
    if (verdict == KW_NEXT) {
        verdict = kw_route(client, command, &target);
    }
    if (verdict == KW_NEXT) {
        verdict = kw_request_send(client, command, &target, wire, NULL, &kw__request_user);
    }
    return verdict;
}

/* The node has, or has not, the database of the command in proxy->argv. */
static void client_select(struct kw_client *client, struct kw_bytes reply)
{
    int64_t db = 0;

    if (reply.data[0] == '+' && kw_text_to_int(client->proxy->argv.items[1], &db) == KW_OK) {
        client->db = (uint32_t)db;
    } else {
        client->modes |= KW_MODE_DB_LOST; /* D1 in database.c */
    }
    kw_reply_whole(client, reply);
}

static void finale_end(struct kw_client *client)
{
    struct kw_finale *finale = client->finale;
    bool has_untracked = finale->has_untracked && client->tracker != NULL;

    if (!client->is_gone && finale->pushes.len > 0) {
        client->parked_bytes -= finale->pushes.len;
        kw_buf_append_buf(&client->stream.out, &finale->pushes); /* F1 */
        kw_stream_mark(&client->stream);
    }
    kw_finale_drop(client);
    client->is_muted = (client->modes & (KW_MODE_REPLY_OFF | KW_MODE_REPLY_SKIP)) != 0;
    if (client->tracker != NULL) {
        client->tracker->is_caching = false; /* that was about the transaction */
    }
    if (has_untracked) { /* read before the feeds stood: what changed meanwhile is not known */
        kw_tracking_doubt(client->proxy->tracking, client->tracker);
    }
}
