/* bundle.c - a transaction, at once.
 *
 *   MULTI, commands       queued as bytes: session/transaction.c
 *   EXEC                  all keys of all commands -> one batch of the store -> are the tickets of
 *                         WATCH whole? -> each command, its reply behind the one before
 *
 * The replies go to the client's queue one by one, so a command whose answer takes a way round the
 * workers (PUBLISH, CLIENT LIST) has its place among them. What happens to keys is told when the
 * batch has ended.
 */
#include "proxy/embedded/bundle.h"

#include "base/mem.h"
#include "proxy/account.h"
#include "proxy/embedded/embedded.h"
#include "proxy/embedded/shared.h"
#include "proxy/local/local.h"
#include "proxy/reply.h"

static const struct kw_command *next_command(struct kw_proxy *proxy, struct kw_bytes *rest,
                                             struct kw_bytes *wire);
static bool tickets_hold(const struct kw_client *client, const struct kw_transaction *transaction);
static void execute(struct kw_client *client, struct kw_transaction *transaction);

enum kw_verdict kw_bundle_check(struct kw_client *client, const struct kw_command *command)
{
    bool may_run = kw_store_offers(command) || command->session == KW_SESSION_PUBLISH ||
                   command->session == KW_SESSION_WATCH || command->session == KW_SESSION_WAIT ||
                   kw_bytes_start_with(kw_bytes_of_text(command->name), KW_BYTES("pubsub|")) ||
                   (command->route == KW_ROUTE_LOCAL && command->local != KW_LOCAL_NONE &&
                    !kw_local_changes_links(command));

    if (may_run) {
        return KW_NEXT;
    }
    return command->session == KW_SESSION_NONE
               ? kw_embedded_lacks(client, command)
               : kw_reply_refuse(client, KW_ERROR_MULTI_REFUSED, command->name, NULL);
}

enum kw_verdict kw_bundle_exec(struct kw_client *client, struct kw_transaction *transaction)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_embedded *embedded = proxy->embedded;
    struct kw_argv argv = proxy->argv;
    struct kw_bytes rest = kw_bytes_of(transaction->run->data, transaction->run->end);
    struct kw_bytes wire;

    proxy->argv = embedded->argv;            /* what answers commands looks for them there */
    (void)next_command(proxy, &rest, &wire); /* MULTI */
    for (const struct kw_command *command; (command = next_command(proxy, &rest, &wire)) != NULL;) {
        if (kw_store_offers(command)) {
            kw_store_batch_add(embedded->store, command, &proxy->argv);
        }
    }
    kw_store_batch_begin(embedded->store);
    struct kw_buf *buf = kw_reply_begin(client);
    bool is_whole = tickets_hold(client, transaction);
    if (is_whole) {
        kw_reply_array(buf, transaction->count);
    } else {
        kw_reply_null_array(buf, client->proto);
    }
    kw_reply_end(client);
    if (is_whole) {
        execute(client, transaction);
    }
    kw_store_batch_end(embedded->store);
    embedded->argv = proxy->argv;
    proxy->argv = argv;
    KW_STAT_ADD(proxy->stats, transactions, 1);
    return KW_ANSWERED;
}

enum kw_verdict kw_bundle_watch(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;

    if (argv->count == 1) { /* UNWATCH; inside EXEC too late to matter */
        if ((client->modes & KW_MODE_MULTI) == 0) {
            kw_transaction_drop(client);
        }
    } else {
        struct kw_transaction *transaction = kw__transaction_of(client);
        for (size_t i = 1; i < argv->count; i++) {
            struct kw_store_ticket *ticket =
                kw_store_ticket_get(proxy->embedded->store, argv->items[i]);
            kw_blob_add(&transaction->tickets, kw_bytes_of((const char *)&ticket, sizeof ticket));
            transaction->watched_count++;
        }
    }
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

void kw_bundle_release(struct kw_client *client, struct kw_transaction *transaction)
{
    struct kw_store_ticket *ticket = NULL;

    for (size_t at = 0; at < transaction->tickets.len; at += sizeof ticket) {
        memcpy(&ticket, transaction->tickets.data + at, sizeof ticket);
        kw_store_ticket_put(client->proxy->embedded->store, &ticket);
    }
    kw_blob_deinit(&transaction->tickets);
}

/* Cut the first command of REST into proxy->argv; NULL: there is none left. */
static const struct kw_command *next_command(struct kw_proxy *proxy, struct kw_bytes *rest,
                                             struct kw_bytes *wire)
{
    const struct kw_request_limits limits = {.bulk_max_bytes = UINT64_MAX, .args_max = UINT32_MAX};
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;

    if (rest->len == 0 || kw_request_parse(&parser, &limits, *rest, &proxy->argv, &cut) != KW_OK) {
        KW_ASSERT(rest->len == 0); /* it was cut before */
        return NULL;
    }
    *wire = cut.wire;
    *rest = kw_bytes_of(rest->data + cut.consumed, rest->len - cut.consumed);
    return kw__command_of(proxy, proxy->argv.items, proxy->argv.count);
}

static bool tickets_hold(const struct kw_client *client, const struct kw_transaction *transaction)
{
    struct kw_store_ticket *ticket = NULL;
    bool holds = true;

    for (size_t at = 0; at < transaction->tickets.len; at += sizeof ticket) {
        memcpy(&ticket, transaction->tickets.data + at, sizeof ticket);
        holds = holds && kw_store_ticket_holds(client->proxy->embedded->store, ticket);
    }
    return holds;
}

static void execute(struct kw_client *client, struct kw_transaction *transaction)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_bytes rest = kw_bytes_of(transaction->run->data, transaction->run->end);
    struct kw_bytes wire;

    (void)next_command(proxy, &rest, &wire); /* MULTI */
    for (const struct kw_command *command; (command = next_command(proxy, &rest, &wire)) != NULL;) {
        enum kw_verdict verdict = kw_embedded_answer(client, command, wire);
        KW_ASSERT(verdict != KW_WAITING && verdict != KW_NEXT); /* see kw_bundle_check() */
        kw_account_begin(proxy, command);
    }
}
