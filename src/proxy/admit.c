/* admit.c - refusals, in the order redis makes them: unknown, arity, then what keyway can't do. */
#include "proxy/admit.h"

#include "net/sock.h"
#include "proxy/client.h"
#include "proxy/face/cluster_face.h"
#include "proxy/reply.h"
#include "proxy/session/transaction.h"

#include <stdio.h>

enum { SHOWN_MAX = 128 }; /* bytes of a name, and of all arguments, that an error repeats */

static enum kw_verdict refuse_unknown(struct kw_client *client);
static enum kw_verdict refuse_subcommand(struct kw_client *client,
                                         const struct kw_command *command);

enum kw_verdict kw__admit_other(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    char name[KW_COMMAND_NAME_MAX + 1];

    if ((client->modes & KW_MODE_HOSTING) != 0 && client->finale == NULL) {
        return KW_WAITING; /* EXEC is at its node: a refusal would stand inside its array */
    }
    if (command == NULL) {
        return refuse_unknown(client);
    }
    bool is_complete = kw_command_arity_ok(command, argv->count);
    if (command->group == KW_GROUP_SENTINEL) {
        return refuse_unknown(client); /* only a sentinel has these */
    }
    if (!is_complete) {
        if (kw_transaction_ends_by(command)) {
            return kw_transaction_abort(client);
        }
        return kw_reply_refuse(client, KW_ERROR_ARITY, command->name, NULL);
    }
    if (command->route == KW_ROUTE_REFUSED) {
        if ((client->modes & KW_MODE_MULTI) != 0 && (command->flags & KW_COMMAND_NO_MULTI) != 0) {
            return kw_reply_refuse(client, KW_ERROR_NO_MULTI, NULL, NULL);
        }
        if (kw_cluster_face_is_hidden(client, command)) {
            return (client->modes & KW_MODE_MULTI) != 0
                       ? KW_NEXT /* its place in EXEC's array has the error */
                       : kw_reply_refuse(client, KW_ERROR_CLUSTER_DISABLED, NULL, NULL);
        }
        kw_admit_shown_name(command, name, sizeof name);
        return kw_reply_refuse(client, KW_ERROR_REFUSED, name, NULL);
    }
    if (command->route == KW_ROUTE_LOCAL) {
        if ((command->flags & KW_COMMAND_CONTAINER) != 0 && argv->count > 1) {
            return refuse_subcommand(client, command);
        }
        if (command->local == KW_LOCAL_NONE) {
            return kw_admit_not_built(client, command);
        }
    }
    return KW_NEXT;
}

enum kw_verdict kw_admit_not_built(struct kw_client *client, const struct kw_command *command)
{
    char name[KW_COMMAND_NAME_MAX + 1];

    kw_admit_shown_name(command, name, sizeof name);
    return kw_reply_refuse(client, KW_ERROR_NOT_BUILT, name, NULL);
}

/* Up to SHOWN_MAX bytes of BYTES as text; like redis, a NUL ends it. */
static void shown_text(struct kw_bytes bytes, char *out, size_t size)
{
    size_t len = bytes.len < size - 1 ? bytes.len : size - 1;

    memcpy(out, bytes.data, len);
    out[len] = '\0';
}

/* As redis words it. The texts are the client's; kw_reply_error_text() makes them harmless. */
static enum kw_verdict refuse_unknown(struct kw_client *client)
{
    const struct kw_argv *argv = &client->proxy->argv;
    char name[SHOWN_MAX + 1];
    char list[SHOWN_MAX + 8];
    size_t len = 0;

    shown_text(argv->items[0], name, sizeof name);
    if (strcasecmp(name, "post") == 0 || strcasecmp(name, "host:") == 0) {
        /* A browser talked into speaking to us (CVE-2016-10517): nothing behind it is a command. */
        char peer[KW_ADDRESS_TEXT_MAX];
        kw_sock_peer_text(client->stream.fd, peer, sizeof peer);
        kw_log(KW_LOG_WARNING, "client %s closed: it speaks HTTP, possibly against its user's will",
               peer);
        kw_reply_refuse(client, KW_ERROR_HTTP, NULL, NULL);
        kw_client_finish(client);
        return KW_REFUSED;
    }
    list[0] = '\0';
    for (size_t i = 1; i < argv->count && len < SHOWN_MAX; i++) {
        char text[SHOWN_MAX + 1];
        shown_text(argv->items[i], text, SHOWN_MAX - len + 1);
        int added = snprintf(list + len, sizeof list - len, "'%s' ", text);
        len += (size_t)added < sizeof list - len ? (size_t)added : sizeof list - len - 1;
    }
    return kw_reply_refuse(client, KW_ERROR_UNKNOWN_COMMAND, name, list);
}

static enum kw_verdict refuse_subcommand(struct kw_client *client, const struct kw_command *command)
{
    char word[SHOWN_MAX + 1];
    char name[KW_COMMAND_NAME_MAX + 1];

    shown_text(client->proxy->argv.items[1], word, sizeof word);
    kw_admit_shown_name(command, name, sizeof name);
    return kw_reply_refuse(client, KW_ERROR_UNKNOWN_SUBCOMMAND, word, name);
}

/* "CLIENT LIST" from "client|list". */
void kw_admit_shown_name(const struct kw_command *command, char *out, size_t size)
{
    size_t i = 0;

    for (; i + 1 < size && command->name[i] != '\0'; i++) {
        char byte = command->name[i];
        out[i] = byte == '|' ? ' ' : (char)(byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
    }
    out[i] = '\0';
}
