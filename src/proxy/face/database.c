/* database.c - see database.h.
 *
 * Database 0 is there always. Whether the servers have another one they are asked: the first SELECT
 * of a database opens a link for it, whose handshake says SELECT (backend/handshake.c); when that
 * link is there the client gets its OK, and from then on its requests take links of that database.
 * A plain server says yes to as many as it is configured for, and so do clusters that have several;
 * all others say no.
 *
 *   SELECT 3 --a link for 3 is READY--------------------------------> OK
 *      |                                                              ^
 *      +-- none: open one, SELECTING: all behind it waits ---- ready -+
 *                                                     +------- refused --> error, DB_LOST
 *
 * INVARIANTS
 * D1  behind a SELECT that failed nothing for data is carried out until one succeeds: in a pipeline
 *     that does not look at its errors it would write to a database that was not meant.
 * D2  a client changes its database only while nothing of it is in flight (O2).
 */
#include "proxy/face/database.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/text.h"
#include "proxy/reply.h"
#include "proxy/resend.h"

static enum kw_verdict select_embedded(struct kw_client *client, bool is_integer, int64_t index);
static enum kw_verdict select_refuse(struct kw_client *client, enum kw_error error,
                                     const char *text);
static enum kw_verdict select_no_node(struct kw_client *client);
static enum kw_verdict select_ask(struct kw_client *client, const struct kw_command *command,
                                  struct kw_link *link, uint32_t db);
static enum kw_error select_error(const struct kw_client *client, enum kw_status status);
static void select_done(struct kw_client *client, uint32_t db);
static void select_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void select_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                           bool was_sent);

static const struct kw_call_user select_user = {.on_reply = select_on_reply,
                                                .on_fail = select_on_fail};

enum kw_verdict kw_database_select(struct kw_client *client, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_link *link = NULL;
    int64_t index = 0;

    bool is_integer = kw_text_to_int(proxy->argv.items[1], &index) == KW_OK;
    if (proxy->embedded != NULL) {
        return select_embedded(client, is_integer && index >= INT32_MIN && index <= INT32_MAX,
                               index);
    }
    bool is_same = is_integer && index == client->db && (client->modes & KW_MODE_DB_LOST) == 0;
    if (client->inflight_count > 0 && !is_same) {
        return KW_WAITING; /* D2 */
    }
    if (!is_integer || index > INT32_MAX || index < INT32_MIN) {
        return select_refuse(client, KW_ERROR_NOT_INTEGER, NULL);
    }
    if (index < 0) {
        return select_refuse(client, KW_ERROR_DB_INDEX, NULL);
    }
    uint32_t db = (uint32_t)index;
    struct kw_node *node = kw_backend_node_of_slot(proxy->backend, 0); /* any will do */
    if (db != 0 && !is_same) {
        if (node == NULL) {
            return select_no_node(client);
        }
        enum kw_status status = kw_node_link(node, client->proto, db, client->id, &link);
        if (status == KW_AGAIN) {
            return KW_WAITING;
        }
        if (status != KW_OK) {
            return select_refuse(client, select_error(client, status), node->name);
        }
        if (link->state != KW_LINK_READY) {
            return select_ask(client, command, link, db);
        }
    }
    select_done(client, db);
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

/* The store has database 0 alone; who asks for another one stays there, as with a server. */
static enum kw_verdict select_embedded(struct kw_client *client, bool is_integer, int64_t index)
{
    if (!is_integer) {
        return kw_reply_refuse(client, KW_ERROR_NOT_INTEGER, NULL, NULL);
    }
    if (index != 0) {
        return kw_reply_refuse(client, KW_ERROR_DB_INDEX, NULL, NULL);
    }
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

enum kw_verdict kw_database_check(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire)
{
    (void)wire;
    bool is_harmless =
        command->route == KW_ROUTE_LOCAL || (command->flags & KW_COMMAND_PUBSUB) != 0;
    return is_harmless ? KW_NEXT : kw_reply_refuse(client, KW_ERROR_DB_LOST, NULL, NULL); /* D1 */
}

void kw_database_reset(struct kw_client *client)
{
    select_done(client, 0);
}

static enum kw_verdict select_refuse(struct kw_client *client, enum kw_error error,
                                     const char *text)
{
    client->modes |= KW_MODE_DB_LOST; /* D1 */
    return kw_reply_refuse(client, error, text, NULL);
}

/* As kw_route() does it: the first picture of the cluster may be on its way. */
static enum kw_verdict select_no_node(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    bool has_topology = proxy->backend->has_topology;

    if (!has_topology && kw_loop_now_ms(proxy->loop) < proxy->patient_until_ms) {
        return KW_WAITING;
    }
    kw_backend_want_topology(proxy->backend);
    return select_refuse(client, has_topology ? KW_ERROR_SLOT_UNSERVED : KW_ERROR_NO_TOPOLOGY,
                         NULL);
}

/* LINK is being made: a PING tells when it is there, or why not. */
static enum kw_verdict select_ask(struct kw_client *client, const struct kw_command *command,
                                  struct kw_link *link, uint32_t db)
{
    struct kw_request *request = kw__request_get(client, KW_REQUEST_INFLIGHT);

    request->call.user = &select_user;
    request->command = command;
    request->slot = KW_SLOT_NONE;
    enum kw_status status =
        kw_link_send(link, &request->call, KW_BYTES("*1\r\n$4\r\nPING\r\n"), NULL);
    if (status != KW_OK) {
        kw__request_put(request);
        return select_refuse(client, select_error(client, status), link->node->name);
    }
    client->modes |= KW_MODE_SELECTING;
    client->selecting_db = db;
    kw_reply_expect(request);
    return KW_SENT;
}

static enum kw_error select_error(const struct kw_client *client, enum kw_status status)
{
    return status == KW_E_INVALID && client->is_cluster ? KW_ERROR_DB_IN_CLUSTER
                                                        : kw_resend_error(status);
}

static void select_done(struct kw_client *client, uint32_t db)
{
    client->modes &= ~(KW_MODE_SELECTING | KW_MODE_DB_LOST);
    client->db = db;
}

/* Whatever the node says to PING, it has the database. */
static void select_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_client *client = request->client;

    if (part->is_last) {
        select_done(client, client->selecting_db);
        kw_reply_pass(request, KW_BYTES("+OK\r\n"));
        kw_reply_finish(request);
    }
}

static void select_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                           bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_client *client = request->client;

    (void)was_sent;
    client->modes &= ~KW_MODE_SELECTING;
    client->modes |= KW_MODE_DB_LOST; /* D1 */
    kw_reply_fail(request, select_error(client, status), link->node->name);
}
