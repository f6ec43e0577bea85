/* operator_node.c - PROXY NODE which command ...: one command on one node.
 *
 * It travels on a private link (backend/side.h) that is closed behind it: whatever the command does
 * to its connection harms nobody. The node may be a replica: it is told READONLY first, so that
 * reads work there. Refused is only what has no single reply, or none before something happens.
 */
#include "backend/link.h"
#include "backend/node.h"
#include "backend/side.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/client.h"
#include "proxy/face/operator.h"
#include "proxy/parked.h"
#include "proxy/reply.h"
#include "proxy/resend.h"

#include <stdio.h>

enum { WORDS_BEFORE = 3 /* PROXY NODE which */ };

static struct kw_node *node_named(struct kw_backend *backend, struct kw_bytes which);
static struct kw_node *node_by_id(struct kw_backend *backend, struct kw_bytes id);
static enum kw_verdict refuse_node(struct kw_client *client, struct kw_bytes which);
static bool is_fit_for_one_reply(struct kw_proxy *proxy, const struct kw_bytes *argv, size_t argc);
static enum kw_verdict node_ask(struct kw_client *client, const struct kw_command *command,
                                struct kw_link *link);
static void node_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void node_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent);

static const struct kw_call_user node_user = {.on_reply = node_on_reply, .on_fail = node_on_fail};

enum kw_verdict kw__operator_node(struct kw_client *client, const struct kw_command *command)
{
    struct kw_backend *backend = client->proxy->backend;
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_node *node = node_named(backend, argv->items[2]);
    struct kw_link *link = NULL;

    if (node == NULL) {
        bool is_patient = !backend->has_topology &&
                          kw_loop_now_ms(backend->loop) < client->proxy->patient_until_ms;
        return is_patient ? KW_WAITING /* just started: the seeds are being asked */
                          : refuse_node(client, argv->items[2]);
    }
    if (!is_fit_for_one_reply(client->proxy, argv->items + WORDS_BEFORE,
                              argv->count - WORDS_BEFORE)) {
        char name[KW_COMMAND_NAME_MAX + 1];
        kw_text_printable(argv->items[WORDS_BEFORE], name, sizeof name);
        return kw_reply_refuse(client, KW_ERROR_PROXY_NODE, name, NULL);
    }
    enum kw_status status = kw_side_link_open_private(node, client->proto, &link);
    if (status == KW_AGAIN) {
        return KW_WAITING;
    }
    if (status != KW_OK) {
        return kw_reply_refuse(client, kw_resend_error(status), node->name, NULL);
    }
    return node_ask(client, command, link);
}

/* slot:N, key:K, host:port, an id or the unique start of one. NULL when there is no such node. */
static struct kw_node *node_named(struct kw_backend *backend, struct kw_bytes which)
{
    struct kw_bytes host;
    uint16_t port = 0;
    int64_t slot = 0;

    if (kw_bytes_start_with(which, KW_BYTES("key:"))) {
        uint16_t of_key = kw_slot_of_key(kw_bytes_of(which.data + 4, which.len - 4));
        return kw_backend_node_of_slot(backend, of_key);
    }
    if (kw_bytes_start_with(which, KW_BYTES("slot:"))) {
        struct kw_bytes number = kw_bytes_of(which.data + 5, which.len - 5);
        bool is_slot = kw_text_to_int(number, &slot) == KW_OK && slot >= 0 && slot < KW_SLOTS_COUNT;
        return is_slot ? kw_backend_node_of_slot(backend, (uint16_t)slot) : NULL;
    }
    if (kw_address_split(which, &host, &port) == KW_OK && host.len > 0) {
        return kw_backend_find_node(backend, host, port, NULL);
    }
    return node_by_id(backend, which);
}

static struct kw_node *node_by_id(struct kw_backend *backend, struct kw_bytes id)
{
    struct kw_node *found = NULL;

    for (uint32_t i = 0; i < backend->nodes_count && id.len > 0; i++) {
        struct kw_node *node = backend->nodes[i];
        if (node == NULL || !kw_bytes_start_with(kw_bytes_of_text(node->id), id)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = node;
    }
    return found;
}

/* With the names of those there are, as many as fit. */
static enum kw_verdict refuse_node(struct kw_client *client, struct kw_bytes which)
{
    const struct kw_backend *backend = client->proxy->backend;
    char shown[64];
    char names[KW_ERROR_MAX_BYTES / 2];
    size_t len = 0;

    kw_text_printable(which, shown, sizeof shown);
    snprintf(names, sizeof names, "none yet");
    for (uint32_t i = 0; i < backend->nodes_count; i++) {
        const struct kw_node *node = backend->nodes[i];
        if (node != NULL && len + strlen(node->name) + sizeof ", ..." < sizeof names) {
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", len > 0 ? ", " : "",
                                    node->name);
        } else if (node != NULL) {
            snprintf(names + len, sizeof names - len, ", ...");
            break;
        }
    }
    return kw_reply_refuse(client, KW_ERROR_NO_SUCH_NODE, shown, names);
}

/* Names that no row stands for, or whose row does not tell. */
static bool is_named_unfit(const struct kw_bytes *argv, size_t argc)
{
    static const char *const names[] = {"monitor", "sync", "psync", "replconf", "hello", "quit"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kw_bytes_equal_nocase(argv[0], kw_bytes_of_text(names[i]))) {
            return true;
        }
    }
    return argc > 1 && kw_bytes_equal_nocase(argv[0], KW_BYTES("client")) &&
           (kw_bytes_equal_nocase(argv[1], KW_BYTES("reply")) ||
            kw_bytes_equal_nocase(argv[1], KW_BYTES("tracking")));
}

static bool is_fit_for_one_reply(struct kw_proxy *proxy, const struct kw_bytes *argv, size_t argc)
{
    const struct kw_command *command = kw__command_of(proxy, argv, argc);

    if (is_named_unfit(argv, argc)) {
        return false;
    }
    if (command == NULL || command->session == KW_SESSION_NONE ||
        command->session == KW_SESSION_CURSOR) {
        return true;
    }
    return command->session == KW_SESSION_BLOCK_OPTION &&
           !kw_command_is_blocking(command, argv, argc);
}

static enum kw_verdict node_ask(struct kw_client *client, const struct kw_command *command,
                                struct kw_link *link)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    struct kw_request *request = kw__request_get(client, KW_REQUEST_INFLIGHT);
    struct kw_buf wire;

    request->call.user = &node_user;
    request->command = command;
    request->slot = KW_SLOT_NONE;
    kw_buf_init(&wire, proxy->chunks);
    kw_write_command(&wire, argv->items + WORDS_BEFORE, argv->count - WORDS_BEFORE);
    char *joined = kw_alloc(wire.len);
    size_t len = 0;
    for (const struct kw_chunk *at = wire.head; at != NULL; at = at->next) {
        memcpy(joined + len, at->data + at->start, at->end - at->start);
        len += at->end - at->start;
    }
    enum kw_status status = kw_link_send_prefix(link, KW_BYTES("*1\r\n$8\r\nREADONLY\r\n"));
    if (status == KW_OK) {
        status = kw_link_send(link, &request->call, kw_bytes_of(joined, len), NULL);
    }
    kw_free(joined);
    kw_buf_reset(&wire);
    if (status != KW_OK) {
        kw_link_fail(link, KW_E_CLOSED);
        kw__request_put(request);
        return kw_reply_refuse(client, kw_resend_error(status), link->node->name, NULL);
    }
    kw_reply_expect(request);
    return KW_SENT;
}

/* What the node says passes as it is, redirections too: that is what was asked for. */
static void node_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;

    kw_reply_pass(request, part->bytes);
    kw_client_output_ok(request->client);
    if (part->is_last) {
        kw_reply_finish(request);
    }
}

static void node_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;

    if (request->is_streaming && call->is_reply_started) {
        kw_client_abort(request->client); /* half a reply is out: only a reset is honest */
        kw_reply_finish(request);
        return;
    }
    kw__request_drop_parked(request);
    kw_reply_fail(request, was_sent ? KW_ERROR_UNKNOWN_RESULT : kw_resend_error(status),
                  link->node->name);
}
