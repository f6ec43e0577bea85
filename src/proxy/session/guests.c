/* guests.c - who is a guest, and EXEC's array with their elements replaced while it passes.
 *
 * Up to the first guest that takes time the array is not collected: its elements are counted as
 * they stream through, by the parser that has framed the whole reply before. What answers a
 * substitute is dropped, and at its end the guest is asked. From that guest on the bytes are kept;
 * when all are there, finale.c goes on.
 *
 * What is whose:
 *
 *   the node's      all that is of the run's slot or needs no particular node, in one run
 *   keyway's own    WRITTEN, or ACTING when their answer takes a way round threads or nodes
 *   of all masters  SHARED: in the run they are executed by its node, at their very place. All keys
 *                   of the transaction live there, so the other masters see nothing of it but these
 *                   commands; they get them, in the order of the queue, when EXEC has succeeded:
 *                   nothing of it happens when EXEC is refused or null. FLUSHDB in front of SET
 *                   leaves the key, SCRIPT LOAD in front of EVALSHA is there in time. Each master
 *                   executes its part atomically, but not all at one moment, and when another
 *                   master fails nothing is taken back: its element is the error. To refuse them
 *                   would be safer by that much, and break what was written for one server:
 *                   dashboards' DBSIZE, test suites' FLUSHDB, libraries' SCRIPT LOAD.
 *
 * A subscription changes what PING and PUBLISH behind it answer, so they become guests, too; so is
 * PUBLISH always with pubsub-in-order, as it is another node that keeps the order. HELLO
 * changes how values are written, which the node, whose link others use, does not learn of: so
 * nothing for the node is queued behind it. SELECT of another database is executed by the node, and
 * undone by a last command of ours before EXEC: the link is everybody's.
 *
 * INVARIANTS
 * G1  places are in the order of their indexes; next_place is the first one not answered yet.
 * G2  both parsers, the link's and this one, stop at the same byte: all of a part is accounted for.
 */
#include "proxy/session/guests.h"

#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/client.h"
#include "proxy/face/cluster_face.h"
#include "proxy/gather/merge_own.h"
#include "proxy/local/local.h"
#include "proxy/local/local_config.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/session/finale.h"
#include "proxy/session/transaction.h"

static enum kw_guest_kind kind_of_local(const struct kw_client *client,
                                        const struct kw_command *command, enum kw_error *error);
static enum kw_guest_kind kind_of_select(const struct kw_client *client, enum kw_error *error);
static enum kw_guest_kind kind_of_session(const struct kw_client *client,
                                          const struct kw_command *command, enum kw_error *error);
static enum kw_guest_kind kind_of_shards(const struct kw_command *command, enum kw_error *error);
static bool changes_proto(const struct kw_client *client, const struct kw_command *command);
static struct kw_bytes bytes_behind(struct kw_bytes bytes, size_t len);
static struct kw_bytes guests_pass_head(struct kw_guests *guests, struct kw_request *request,
                                        struct kw_bytes bytes);
static size_t guests_pass_element(struct kw_guests *guests, struct kw_request *request,
                                  struct kw_bytes bytes);
static void guests_keep(struct kw_guests *guests, struct kw_client *client, struct kw_bytes bytes);
static void guests_answer(struct kw_guests *guests, struct kw_request *request);

enum kw_guest_kind kw_guests_kind(const struct kw_client *client, const struct kw_command *command,
                                  enum kw_error *error)
{
    enum kw_guest_kind kind = KW_GUEST_NONE;

    *error = KW_ERROR_COUNT;
    if (kw_cluster_face_is_hidden(client, command)) {
        return KW_GUEST_WRITTEN; /* as a server refuses it: when it is executed */
    }
    switch (command->route) {
    case KW_ROUTE_ONE_SLOT:
    case KW_ROUTE_SPLIT:
        break;
    case KW_ROUTE_ANY_SHARD: /* RANDOMKEY is about the keys of all */
        kind = command->merge == KW_MERGE_FIRST_NOT_NULL ? KW_GUEST_ACTING : KW_GUEST_NONE;
        break;
    case KW_ROUTE_ALL_SHARDS:
        kind = kind_of_shards(command, error);
        break;
    case KW_ROUTE_SCAN:
    case KW_ROUTE_SLOT_NUMBER:
        kind = KW_GUEST_ACTING;
        break;
    case KW_ROUTE_SESSION:
        kind = kind_of_session(client, command, error);
        break;
    case KW_ROUTE_LOCAL:
        kind = kind_of_local(client, command, error);
        break;
    case KW_ROUTE_REFUSED:
    default:
        KW_UNREACHABLE(); /* kw_admit() */
    }
    bool is_for_node = kind == KW_GUEST_NONE || kind == KW_GUEST_SHARED || kind == KW_GUEST_SELECT;
    if (*error == KW_ERROR_COUNT && is_for_node && client->transaction->has_new_proto) {
        *error = KW_ERROR_MULTI_HELLO;
    }
    return kind;
}

struct kw_bytes kw_guests_add(struct kw_client *client, const struct kw_command *command,
                              enum kw_guest_kind kind, struct kw_bytes wire)
{
    struct kw_transaction *transaction = client->transaction;
    struct kw_guest guest = {.command = command,
                             .wire_len = wire.len,
                             .index = transaction->count,
                             .kind = (uint8_t)kind};
    int64_t db = 0;

    if (transaction->guests == NULL) {
        transaction->guests = kw_alloc_zero(1, sizeof *transaction->guests);
    }
    kw_blob_add(&transaction->guests->places, kw_bytes_of((const char *)&guest, sizeof guest));
    kw_blob_add(&transaction->guests->wires, wire);
    if (kind == KW_GUEST_SELECT && kw_text_to_int(client->proxy->argv.items[1], &db) == KW_OK) {
        transaction->db = (uint32_t)db;
    }
    transaction->is_flushing |= command->cache == KW_CACHE_INVALIDATES_ALL;
    transaction->is_subscribing |= command->session == KW_SESSION_SUBSCRIBE;
    transaction->has_new_proto |= changes_proto(client, command);
    if (command->session == KW_SESSION_TRACKING) {
        kw_tracker_foresee(client, command);
    }
    return kind == KW_GUEST_SHARED || kind == KW_GUEST_SELECT
               ? wire
               : KW_BYTES("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"); /* any node says so, unchanged */
}

size_t kw_guests_bytes(const struct kw_guests *guests)
{
    return guests == NULL ? 0 : guests->wires.len + guests->places.len;
}

void kw_guests_pass(struct kw_request *request, const struct kw_reply_part *part,
                    struct kw_link *link)
{
    struct kw_guests *guests = request->run->guests;
    struct kw_bytes rest = part->bytes;
    struct kw_reply_part end = *part;

    if (guests == NULL || part->type != '*') {
        kw_request_pass(request, part, link);
        return;
    }
    if (!guests->is_inside) {
        rest = guests_pass_head(guests, request, rest);
        guests = request->run->guests; /* none: the node has counted wrong */
    }
    while (rest.len > 0 && guests != NULL && !guests->is_kept) {
        rest = bytes_behind(rest, guests_pass_element(guests, request, rest));
    }
    if (guests != NULL && guests->is_kept) {
        guests_keep(guests, request->client, rest);
        rest.len = 0;
        if (!part->is_last) {
            return; /* nothing of this paces the link: the client gets it when all is here */
        }
        end.is_first = true; /* the first thing that is told of it: near/read.c */
        kw_finale_begin(request, part->node->name);
    }
    end.bytes = rest;
    kw_request_pass(request, &end, link);
}

const struct kw_guest *kw__guests_due(const struct kw_guests *guests)
{
    const struct kw_guest *places = (const struct kw_guest *)guests->places.data;
    size_t count = guests->places.len / sizeof *places;
    bool is_due = guests->next_place < count && places[guests->next_place].index == guests->index;

    return is_due ? &places[guests->next_place] : NULL;
}

/* It was cut once, when it was queued: so it is whole and well formed, whatever limits are now. */
struct kw_bytes kw__guests_cut(const struct kw_guests *guests, struct kw_proxy *proxy)
{
    const struct kw_request_limits limits = {.bulk_max_bytes = UINT64_MAX, .args_max = UINT32_MAX};
    const struct kw_guest *guest = kw__guests_due(guests);
    struct kw_bytes wire = kw_bytes_of(guests->wires.data + guests->wires_used, guest->wire_len);
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;

    enum kw_status status = kw_request_parse(&parser, &limits, wire, &proxy->argv, &cut);
    KW_ASSERT(status == KW_OK && proxy->argv.count > 0);
    return wire;
}

void kw__guests_step(struct kw_guests *guests)
{
    const struct kw_guest *guest = kw__guests_due(guests);

    if (guest != NULL) {
        guests->wires_used += guest->wire_len;
        guests->next_place++; /* G1 */
    }
    guests->index++;
}

void kw__guests_write(struct kw_client *client, const struct kw_command *command,
                      struct kw_buf *buf)
{
    if (kw_cluster_face_is_hidden(client, command)) {
        kw_reply_error(buf, KW_ERROR_CLUSTER_DISABLED);
    } else if (command->local == KW_LOCAL_MONITOR) {
        kw_reply_error_text(buf, KW_ERROR_DENY_BLOCKING, "MONITOR isn't allowed for", NULL);
    } else if (command->session == KW_SESSION_SUBSCRIBE_SLOT) {
        kw_reply_error_text(buf, KW_ERROR_DENY_BLOCKING, "SSUBSCRIBE isn't allowed for a", NULL);
    } else {
        (void)kw_local_write(client, command, buf);
    }
}

void kw_guests_free(struct kw_guests **guests)
{
    if (*guests != NULL) {
        kw_blob_deinit(&(*guests)->wires);
        kw_blob_deinit(&(*guests)->places);
        kw_blob_deinit(&(*guests)->rest);
        kw_free(*guests);
        *guests = NULL;
    }
}

static enum kw_guest_kind kind_of_local(const struct kw_client *client,
                                        const struct kw_command *command, enum kw_error *error)
{
    if (command->local == KW_LOCAL_SELECT) {
        return kind_of_select(client, error);
    }
    if (command->local == KW_LOCAL_ECHO || command->local == KW_LOCAL_TIME ||
        command->local == KW_LOCAL_LOLWUT ||
        (command->local == KW_LOCAL_PING && !client->transaction->is_subscribing)) {
        return KW_GUEST_NONE; /* the node's answer is as good, and costs no look at the reply */
    }
    if (command->local == KW_LOCAL_MONITOR) {
        return KW_GUEST_WRITTEN; /* as a server refuses it: when it is executed */
    }
    return kw_local_is_written(command) && !changes_proto(client, command) &&
                   !kw_config_get_is_for_node(client, command)
               ? KW_GUEST_WRITTEN
               : KW_GUEST_ACTING;
}

/* What is no database is refused when it is queued, other than by a server, which would execute
 * what follows in the old one: nothing must land in a database that was not meant.
 */
static enum kw_guest_kind kind_of_select(const struct kw_client *client, enum kw_error *error)
{
    const struct kw_learned *learned = client->proxy->learned;
    int64_t databases = learned == NULL ? 0 : kw_learned_databases(learned);
    int64_t index = 0;

    if (kw_text_to_int(client->proxy->argv.items[1], &index) != KW_OK) {
        *error = KW_ERROR_NOT_INTEGER;
    } else if (index == client->transaction->db) {
        return index == client->db ? KW_GUEST_NONE : KW_GUEST_SELECT;
    } else if (index < 0 || (index != client->db && index >= databases)) {
        *error = KW_ERROR_DB_INDEX;
    }
    return KW_GUEST_SELECT;
}

static enum kw_guest_kind kind_of_session(const struct kw_client *client,
                                          const struct kw_command *command, enum kw_error *error)
{
    switch (command->session) {
    case KW_SESSION_BLOCK: /* inside a transaction nothing waits */
    case KW_SESSION_WAIT:
    case KW_SESSION_WATCH: /* UNWATCH */
        return KW_GUEST_NONE;
    case KW_SESSION_PUBLISH:
        return client->transaction->is_subscribing || client->proxy->config->pubsub_in_order
                   ? KW_GUEST_ACTING
                   : KW_GUEST_NONE;
    case KW_SESSION_SUBSCRIBE:
    case KW_SESSION_TRACKING:
        return KW_GUEST_ACTING;
    case KW_SESSION_SUBSCRIBE_SLOT: /* SSUBSCRIBE is refused when it is executed, as by a server */
        return strcmp(command->name, "ssubscribe") == 0 ? KW_GUEST_WRITTEN : KW_GUEST_ACTING;
    case KW_SESSION_NONE:
    case KW_SESSION_BLOCK_OPTION:
    case KW_SESSION_TRANSACTION:
    case KW_SESSION_CURSOR:
    case KW_SESSION_STATE:
    default:
        *error = KW_ERROR_MULTI_REFUSED;
        return KW_GUEST_NONE;
    }
}

static enum kw_guest_kind kind_of_shards(const struct kw_command *command, enum kw_error *error)
{
    if (command->merge == KW_MERGE_NONE ||
        (command->merge == KW_MERGE_OWN && !kw_merge_has_own(command))) {
        *error = KW_ERROR_MULTI_REFUSED;
    }
    /* PUBSUB counts subscriptions of before; what kills scripts has connections of its own. */
    return (command->flags & KW_COMMAND_PUBSUB) != 0 || command->merge == KW_MERGE_ONE_SUCCEEDED
               ? KW_GUEST_ACTING
               : KW_GUEST_SHARED;
}

/* Is it a HELLO behind which values are written in another way? */
static bool changes_proto(const struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t proto = client->proto;

    return command->local == KW_LOCAL_HELLO && argv->count > 1 &&
           kw_text_to_int(argv->items[1], &proto) == KW_OK && proto != client->proto &&
           (proto == 2 || proto == 3);
}

static struct kw_bytes bytes_behind(struct kw_bytes bytes, size_t len)
{
    return kw_bytes_of(bytes.data + len, bytes.len - len);
}

/* The array's own line, or a part of it; the client's has the number of its commands. */
static struct kw_bytes guests_pass_head(struct kw_guests *guests, struct kw_request *request,
                                        struct kw_bytes bytes)
{
    char line[KW_TEXT_INT_MAX + 3] = "*";
    size_t len = 0;

    while (len < bytes.len && !guests->is_inside) {
        char byte = bytes.data[len++];
        guests->is_null |= byte == '-';
        guests->announced = byte >= '0' && byte <= '9'
                                ? guests->announced * 10 + (uint64_t)(byte - '0')
                                : guests->announced;
        guests->is_inside = byte == '\n';
    }
    if (guests->is_null && guests->is_inside) {
        kw_reply_pass(request, KW_BYTES("*-1\r\n"));
    } else if (guests->is_inside && guests->announced != guests->count + guests->is_undone) {
        kw_client_abort(request->client); /* nobody can say which element is whose */
        kw_guests_free(&request->run->guests);
    } else if (guests->is_inside) {
        size_t line_len = 1 + kw_text_from_int(guests->count, line + 1);
        memcpy(line + line_len, "\r\n", 2);
        kw_reply_pass(request, kw_bytes_of(line, line_len + 2));
    }
    return bytes_behind(bytes, len);
}

/* A piece of an element, as far as BYTES go. Returns how much of them it is. */
static size_t guests_pass_element(struct kw_guests *guests, struct kw_request *request,
                                  struct kw_bytes bytes)
{
    const struct kw_guest *guest = kw__guests_due(guests);
    size_t len = 0;

    if (guest != NULL && guest->kind != KW_GUEST_WRITTEN) {
        guests->is_kept = true; /* it has just begun */
        return 0;
    }
    enum kw_status status =
        kw_reply_scan(&guests->parser, guests->proto, bytes.data, bytes.len, &len);
    KW_ASSERT(status == KW_OK || (status == KW_AGAIN && len == bytes.len)); /* G2 */
    if (guest == NULL) {
        kw_reply_pass(request, kw_bytes_of(bytes.data, len));
    } else if (status == KW_OK) {
        guests_answer(guests, request);
    }
    if (status == KW_OK) {
        kw__guests_step(guests);
    }
    return len;
}

static void guests_keep(struct kw_guests *guests, struct kw_client *client, struct kw_bytes bytes)
{
    kw_blob_add(&guests->rest, bytes);
    client->parked_bytes += bytes.len;
    (void)kw_client_output_ok(client);
}

static void guests_answer(struct kw_guests *guests, struct kw_request *request)
{
    struct kw_client *client = request->client;
    struct kw_buf buf;

    if (client->is_gone) {
        return;
    }
    kw_buf_init(&buf, client->proxy->chunks);
    (void)kw__guests_cut(guests, client->proxy);
    kw__guests_write(client, kw__guests_due(guests)->command, &buf);
    kw_reply_pass_buf(request, &buf);
}
