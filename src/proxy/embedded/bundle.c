/* bundle.c - a transaction, at once.
 *
 *   MULTI, commands       queued as bytes: session/transaction.c
 *   EXEC                  all keys of all commands -> one batch of the store -> are the tickets of
 *                         WATCH whole? -> each command, its reply behind the one before
 *
 * Nearly everything is answered in its place, inside the batch: also what changes the connection
 * (HELLO, SUBSCRIBE, CLIENT TRACKING). What takes a way round the workers (PUBLISH, CLIENT LIST)
 * can't be waited for while stripes are held: from the first such command on only the store's are
 * executed in the batch, and their replies kept; the others are guests, which session/finale.c
 * starts one after the other when the batch has ended. What happens to keys is told then, too, and
 * messages in their place among it; their PUBLISH asks behind them how many got them.
 *
 * INVARIANTS
 * B1  pushes never stand inside of EXEC's array: inside the batch nothing is told, in the finale
 *     they wait. For the same reason EXEC waits for what was asked before it, if it has guests.
 * B2  a kept reply is written in the protocol version that a guest HELLO in front of it leads to.
 */
#include "proxy/embedded/bundle.h"

#include "base/mem.h"
#include "proxy/account.h"
#include "proxy/admit.h"
#include "proxy/embedded/embedded.h"
#include "proxy/embedded/herald.h"
#include "proxy/embedded/shared.h"
#include "proxy/embedded/steward.h"
#include "proxy/face/cluster_face.h"
#include "proxy/local/local.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/session/finale.h"

/* What is left for the finale. */
struct late {
    struct kw_guests *guests; /* NULL: nothing yet */
    int proto;                /* B2 */
    bool has_others;          /* not only messages */
};

static enum kw_guest_kind guest_kind(struct kw_client *client, const struct kw_command *command);
static bool names_redirect(const struct kw_argv *argv);
static const struct kw_command *next_command(struct kw_proxy *proxy, struct kw_bytes *rest,
                                             struct kw_bytes *wire);
static bool tickets_hold(const struct kw_client *client, const struct kw_transaction *transaction);
static void execute(struct kw_client *client, struct kw_transaction *transaction);
static struct kw_guests *late_begin(const struct kw_transaction *transaction, uint32_t index);
static void put_off(struct kw_client *client, struct late *late, const struct kw_guest *guest,
                    struct kw_bytes wire);
static void keep(struct kw_client *client, struct late *late, const struct kw_command *command);
static void answer(struct kw_client *client, const struct kw_command *command,
                   struct kw_bytes wire);
static bool is_denied(const struct kw_command *command);

enum kw_verdict kw_bundle_check(struct kw_client *client, const struct kw_command *command)
{
    if (kw_store_offers(command)) {
        return KW_NEXT;
    }
    if ((command->flags & KW_COMMAND_CONTAINER) != 0 || command->group == KW_GROUP_SENTINEL) {
        enum kw_verdict verdict = kw_admit(client, command); /* nobody's command, most likely */
        if (verdict != KW_NEXT) {
            return verdict;
        }
    }
    if (!kw_cluster_face_is_hidden(client, command) && !kw_embedded_offers(command)) {
        return kw_embedded_lacks(client, command);
    }
    bool has_order =
        command->session == KW_SESSION_SUBSCRIBE || command->session == KW_SESSION_SUBSCRIBE_SLOT ||
        command->session == KW_SESSION_TRACKING || guest_kind(client, command) != KW_GUEST_NONE;
    client->transaction->has_order |= has_order;
    return kw_steward_check(client, command);
}

enum kw_verdict kw_bundle_exec(struct kw_client *client, struct kw_transaction *transaction)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_embedded *embedded = proxy->embedded;
    struct kw_argv argv = proxy->argv;
    struct kw_bytes rest = kw_bytes_of(transaction->run->data, transaction->run->end);
    struct kw_bytes wire;

    if (transaction->has_order && client->oldest != NULL) {
        return KW_WAITING; /* B1 */
    }
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

/* What COMMAND, in proxy->argv, is in the finale, if it can't be answered inside the batch. */
static enum kw_guest_kind guest_kind(struct kw_client *client, const struct kw_command *command)
{
    if (command->session == KW_SESSION_PUBLISH) {
        return KW_GUEST_SHARED;
    }
    if (command->session == KW_SESSION_TRACKING) { /* somebody must look for the client it names */
        return names_redirect(&client->proxy->argv) ? KW_GUEST_ACTING : KW_GUEST_NONE;
    }
    if (command->route != KW_ROUTE_LOCAL || kw_local_is_written(command) ||
        command->local == KW_LOCAL_MONITOR) {
        return KW_GUEST_NONE;
    }
    bool is_for_others =
        command->local == KW_LOCAL_CLIENT_KILL || command->local == KW_LOCAL_CLIENT_UNBLOCK ||
        command->local == KW_LOCAL_CLIENT_PAUSE || command->local == KW_LOCAL_CLIENT_UNPAUSE ||
        command->local == KW_LOCAL_CONFIG_SET;
    return is_for_others ? KW_GUEST_SHARED : KW_GUEST_ACTING;
}

static bool names_redirect(const struct kw_argv *argv)
{
    for (size_t i = 3; i < argv->count; i++) {
        if (kw_bytes_equal_nocase(argv->items[i], KW_BYTES("redirect"))) {
            return true;
        }
    }
    return false;
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
    struct kw_guest guest = {.index = 0};
    struct late late = {NULL, client->proto, false};
    struct kw_bytes wire;

    (void)next_command(proxy, &rest, &wire); /* MULTI */
    for (; (guest.command = next_command(proxy, &rest, &wire)) != NULL; guest.index++) {
        guest.kind = (uint8_t)guest_kind(client, guest.command);
        if (late.guests == NULL && guest.kind != KW_GUEST_NONE) {
            late.guests = late_begin(transaction, guest.index);
        }
        if (late.guests == NULL) {
            answer(client, guest.command, wire);
        } else if (kw_store_offers(guest.command)) {
            keep(client, &late, guest.command);
        } else {
            put_off(client, &late, &guest, wire);
        }
        kw_account_begin(proxy, guest.command);
    }
    if (late.guests != NULL) {
        kw_finale_begin_here(client, late.guests);
    }
}

static struct kw_guests *late_begin(const struct kw_transaction *transaction, uint32_t index)
{
    struct kw_guests *guests = kw_alloc_zero(1, sizeof *guests);

    guests->count = transaction->count;
    guests->index = index;
    guests->proto = 3; /* what RESP2 writes is read, too */
    return guests;
}

static void put_off(struct kw_client *client, struct late *late, const struct kw_guest *guest,
                    struct kw_bytes wire)
{
    const struct kw_command *command = guest->command;
    struct kw_guest added = *guest;

    if (is_denied(command)) {
        added.kind = KW_GUEST_WRITTEN;
    } else if (guest->kind == KW_GUEST_NONE) {
        added.kind = KW_GUEST_ACTING;
    }
    late->has_others |= command->session != KW_SESSION_PUBLISH;
    if (!late->has_others) { /* else what is in front of it may decide who gets it */
        kw_herald_note(client->proxy, command);
        added.kind = KW_GUEST_TOLD;
    }
    added.wire_len = wire.len;
    kw_blob_add(&late->guests->places, kw_bytes_of((const char *)&added, sizeof added));
    kw_blob_add(&late->guests->wires, wire);
    if (command->local == KW_LOCAL_HELLO) {
        late->proto = kw_local_hello_proto(&client->proxy->argv, late->proto); /* B2 */
    }
    kw_tracker_foresee(client, command);
}

/* A command of the store, behind a guest. */
static void keep(struct kw_client *client, struct late *late, const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_buf buf;

    kw_buf_init(&buf, proxy->chunks);
    kw_tracker_note(client, command);
    enum kw_store_outcome outcome =
        kw_store_run(proxy->embedded->store, command, &proxy->argv, late->proto, &buf);
    KW_ASSERT(outcome == KW_STORE_DONE || outcome == KW_STORE_FAILED); /* in a batch none blocks */
    if (outcome == KW_STORE_FAILED) {
        kw_account_written(proxy, &buf, 0);
    }
    for (const struct kw_chunk *chunk = buf.head; chunk != NULL; chunk = chunk->next) {
        kw_blob_add(&late->guests->rest,
                    kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start));
    }
    kw_buf_reset(&buf);
}

static void answer(struct kw_client *client, const struct kw_command *command, struct kw_bytes wire)
{
    if (is_denied(command)) {
        kw__guests_write(client, command, kw_reply_begin(client));
        kw_reply_end(client);
        return;
    }
    kw_tracker_note(client, command);
    enum kw_verdict verdict = kw_embedded_answer(client, command, wire);
    KW_ASSERT(verdict != KW_WAITING && verdict != KW_NEXT); /* see kw_bundle_check() */
}

/* Refused inside of EXEC, as a server does. */
static bool is_denied(const struct kw_command *command)
{
    return command->local == KW_LOCAL_MONITOR || strcmp(command->name, "ssubscribe") == 0;
}
