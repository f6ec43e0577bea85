/* transaction.c - MULTI, EXEC, DISCARD.
 *
 *   MULTI -> run = "MULTI"          each command: run += its bytes, "+QUEUED"
 *   EXEC  -> run += "EXEC"  --one call, n + 2 replies-->  +OK, +QUEUED ..., the reply to EXEC
 *
 * A command is refused when it is queued just as a server would: unknown, wrong count, not allowed
 * inside MULTI, keys of other slots. Then EXEC says EXECABORT, and nothing was sent.
 *
 * INVARIANTS
 * I1  KW_MODE_MULTI is set exactly while the client's transaction has a run.
 * I2  what was refused inside MULTI flags the transaction: a flagged one is never sent.
 */
#include "proxy/session/transaction.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/mem.h"
#include "base/text.h"
#include "command/keys.h"
#include "proxy/embedded/bundle.h"
#include "proxy/gather/script.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/route.h"
#include "proxy/session/finale.h"
#include "proxy/session/guests.h"
#include "proxy/session/watch.h"
#include "proxy/turn.h"

#include <stdio.h>

enum {
    RUN_FIRST_BYTES = 512 /* most transactions fit */
};

static enum kw_verdict transaction_multi(struct kw_client *client);
static enum kw_verdict transaction_exec(struct kw_client *client, const struct kw_command *command);
static enum kw_verdict transaction_send(struct kw_client *client, const struct kw_command *command);
static enum kw_verdict transaction_discard(struct kw_client *client);
static enum kw_verdict transaction_queue(struct kw_client *client, const struct kw_command *command,
                                         struct kw_bytes wire);
static bool is_named(const struct kw_command *command, const char *name);
static enum kw_verdict refuse_to_queue(struct kw_client *client, const struct kw_command *command,
                                       enum kw_error error);
static bool slot_agrees(struct kw_client *client, const struct kw_command *command);
static bool run_append(struct kw_client *client, struct kw_bytes bytes);
static enum kw_verdict say(struct kw_client *client, struct kw_bytes reply);

enum kw_verdict kw_transaction_check(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire)
{
    if (command->session == KW_SESSION_TRANSACTION || command->local == KW_LOCAL_QUIT ||
        command->local == KW_LOCAL_RESET) {
        return KW_NEXT;
    }
    if (is_named(command, "watch")) {
        kw_reply_error(kw_reply_begin(client), KW_ERROR_MULTI_WATCH);
        kw_reply_end(client);
        return KW_ANSWERED; /* as a server: the transaction goes on */
    }
    return transaction_queue(client, command, wire);
}

enum kw_verdict kw_transaction_start(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire)
{
    (void)wire;
    if (is_named(command, "multi")) {
        return transaction_multi(client);
    }
    return is_named(command, "exec") ? transaction_exec(client, command)
                                     : transaction_discard(client);
}

bool kw_transaction_ends_by(const struct kw_command *command)
{
    return is_named(command, "exec");
}

enum kw_verdict kw_transaction_abort(struct kw_client *client)
{
    kw_transaction_drop(client);
    return kw_reply_refuse(client, KW_ERROR_EXECABORT_BECAUSE,
                           "wrong number of arguments for 'exec' command", NULL);
}

void kw_transaction_flag(struct kw_client *client)
{
    client->transaction->is_flagged = true; /* I2 */
}

void kw_transaction_drop(struct kw_client *client)
{
    struct kw_transaction *transaction = client->transaction;

    if (transaction == NULL || transaction->is_executing || transaction->is_answering) {
        return; /* EXEC has left, WATCH is just being answered: they end it */
    }
    if (transaction->watch.request != NULL) {
        transaction->is_watching = false;    /* the link goes */
        kw_leased_drop(&transaction->watch); /* a WATCH is under way: ends there */
        return;
    }
    kw_watch_release(transaction);
    kw__transaction_free(client);
}

int kw_transaction_queued(const struct kw_client *client)
{
    if ((client->modes & KW_MODE_MULTI) != 0) {
        return (int)client->transaction->count;
    }
    if (client->finale != NULL) {
        return (int)kw_finale_count(client);
    }
    for (const struct kw_request *request = client->oldest;
         (client->modes & KW_MODE_HOSTING) != 0 && request != NULL; request = request->next) {
        if (request->is_special && request->run != NULL && request->run->guests != NULL) {
            return (int)request->run->guests->count;
        }
    }
    return -1;
}

unsigned kw_transaction_watched(const struct kw_client *client)
{
    return client->transaction != NULL ? client->transaction->watched_count : 0;
}

size_t kw_transaction_bytes(const struct kw_client *client)
{
    const struct kw_transaction *transaction = client->transaction;

    return transaction == NULL || transaction->run == NULL
               ? 0
               : transaction->run->cap + kw_guests_bytes(transaction->guests);
}

struct kw_transaction *kw__transaction_of(struct kw_client *client)
{
    if (client->transaction == NULL) {
        struct kw_transaction *transaction = kw_alloc_zero(1, sizeof *transaction);
        kw_leased_init(&transaction->watch, client, &kw__watch_user);
        transaction->slot = KW_SLOT_NONE;
        client->transaction = transaction;
    }
    return client->transaction;
}

void kw__transaction_free(struct kw_client *client)
{
    kw_bundle_release(client, client->transaction);
    kw_chunk_unref(&client->transaction->run);
    kw_guests_free(&client->transaction->guests);
    if ((client->modes & KW_MODE_MULTI) != 0 && client->tracker != NULL) {
        client->tracker->is_caching = false; /* that was about the transaction */
    }
    kw_free(client->transaction);
    client->transaction = NULL;
    client->modes &= ~KW_MODE_MULTI; /* I1 */
}

static enum kw_verdict transaction_multi(struct kw_client *client)
{
    if ((client->modes & KW_MODE_MULTI) != 0) {
        kw_reply_error(kw_reply_begin(client), KW_ERROR_MULTI_NESTED);
        kw_reply_end(client);
        return KW_ANSWERED; /* as a server: the transaction goes on */
    }
    struct kw_transaction *transaction = kw__transaction_of(client);
    transaction->run = kw_chunk_get(client->proxy->chunks, RUN_FIRST_BYTES);
    transaction->count = 0;
    transaction->is_flagged = false;
    transaction->is_read_only = true;
    transaction->is_flushing = false;
    transaction->is_subscribing = false;
    transaction->has_order = false;
    transaction->has_scripts = false;
    transaction->has_new_proto = false;
    transaction->db = client->db;
    transaction->slot = transaction->is_watching ? transaction->watch_slot : KW_SLOT_NONE;
    client->modes |= KW_MODE_MULTI; /* I1 */
    (void)run_append(client, KW_BYTES("*1\r\n$5\r\nMULTI\r\n"));
    return say(client, KW_BYTES("+OK\r\n"));
}

static enum kw_verdict transaction_exec(struct kw_client *client, const struct kw_command *command)
{
    struct kw_transaction *transaction = client->transaction;

    if ((client->modes & KW_MODE_MULTI) == 0) {
        return kw_reply_refuse(client, KW_ERROR_EXEC_WITHOUT_MULTI, NULL, NULL);
    }
    if (transaction->is_flagged) {
        kw_transaction_drop(client);
        return kw_reply_refuse(client, KW_ERROR_EXECABORT, NULL, NULL); /* I2 */
    }
    if (client->proxy->embedded != NULL) {
        enum kw_verdict verdict = kw_bundle_exec(client, transaction);
        if (verdict != KW_WAITING) {
            kw_transaction_drop(client);
        }
        return verdict;
    }
    if (transaction->is_watching || transaction->is_watch_lost) {
        return kw_watch_exec(client, transaction, command);
    }
    if (transaction->count == 0) {
        kw_transaction_drop(client);
        return say(client, KW_BYTES("*0\r\n"));
    }
    enum kw_verdict verdict = transaction_send(client, command);
    if (verdict != KW_WAITING) {
        kw_transaction_drop(client);
    }
    return verdict;
}

/* The run is whole: onto the client's shared link to the node of its slot. */
static enum kw_verdict transaction_send(struct kw_client *client, const struct kw_command *command)
{
    struct kw_transaction *transaction = client->transaction;
    struct kw_proxy *proxy = client->proxy;
    struct kw_target target = {.slot = transaction->slot, .has_several_keys = true};
    struct kw_link *link = NULL;

    if (target.slot == KW_SLOT_NONE) {
        target.slot = 0; /* any node will do, but always the same one */
    }
    enum kw_verdict verdict = kw_route_slot(client, &target);
    if (verdict == KW_NEXT && kw_turn_must_wait(client, command, &target)) {
        verdict = KW_WAITING;
    }
    if (verdict != KW_NEXT) {
        return verdict;
    }
    enum kw_status status = kw_node_link(target.node, client->proto, client->db, client->id, &link);
    if (status == KW_AGAIN) {
        return KW_WAITING;
    }
    struct kw_request *request = NULL;
    if (status == KW_OK) {
        status = kw__run_close(client) ? KW_OK : KW_E_MEMORY;
    }
    if (status == KW_OK) {
        status = kw__run_load_scripts(transaction, link);
    }
    if (status == KW_OK) {
        struct kw_chunk *run = transaction->run;
        request = kw__request_get(client, KW_REQUEST_INFLIGHT);
        request->is_special = true;
        request->call.user = &kw__run_user;
        request->call.replies_count = kw__run_replies(client);
        request->command = command;
        request->slot = target.slot;
        request->is_barrier = true;
        request->needs_script = transaction->has_scripts;
        status = kw_link_send(link, &request->call, kw_bytes_of(run->data, run->end), run);
    }
    if (status != KW_OK) {
        if (request != NULL) {
            kw__request_put(request);
        }
        return kw_reply_refuse(client, kw_resend_error(status), target.node->name, NULL);
    }
    kw__transaction_hand_over(transaction, request);
    kw_reply_expect(request);
    KW_STAT_ADD(proxy->stats, transactions, 1);
    return KW_SENT;
}

void kw__transaction_hand_over(struct kw_transaction *transaction, struct kw_request *request)
{
    request->run = kw_alloc_zero(1, sizeof *request->run);
    request->run->is_read_only = transaction->is_read_only;
    request->run->is_flushing = transaction->is_flushing;
    request->run->guests = transaction->guests;
    if (transaction->guests != NULL) {
        request->client->modes |= KW_MODE_HOSTING;
        transaction->guests->count = transaction->count;
        transaction->guests->proto = request->client->proto;
        transaction->guests = NULL;
    }
}

void kw_run_free(struct kw_request *request)
{
    struct kw_client *client = request->client;

    if ((client->modes & KW_MODE_HOSTING) != 0 && client->finale == NULL) {
        client->modes &= ~KW_MODE_HOSTING;
        kw__client_resume_later(client);
    }
    kw_guests_free(&request->run->guests);
    kw_free(request->run);
    request->run = NULL;
}

static enum kw_verdict transaction_discard(struct kw_client *client)
{
    if ((client->modes & KW_MODE_MULTI) == 0) {
        return kw_reply_refuse(client, KW_ERROR_DISCARD_WITHOUT_MULTI, NULL, NULL);
    }
    kw_transaction_drop(client);
    return say(client, KW_BYTES("+OK\r\n"));
}

static enum kw_verdict transaction_queue(struct kw_client *client, const struct kw_command *command,
                                         struct kw_bytes wire)
{
    struct kw_transaction *transaction = client->transaction;
    uint64_t max_bytes = client->proxy->config->client_query_buffer_limit_bytes;
    enum kw_guest_kind kind = KW_GUEST_NONE;
    enum kw_error error = KW_ERROR_COUNT;

    if ((command->flags & KW_COMMAND_NO_MULTI) != 0) {
        return kw_reply_refuse(client, KW_ERROR_NO_MULTI, NULL, NULL);
    }
    if (client->proxy->embedded != NULL) {
        enum kw_verdict verdict = kw_bundle_check(client, command);
        if (verdict != KW_NEXT) {
            return verdict;
        }
    } else {
        kind = kw_guests_kind(client, command, &error);
        if (error != KW_ERROR_COUNT) {
            return refuse_to_queue(client, command, error);
        }
        if (kind == KW_GUEST_NONE && !slot_agrees(client, command)) {
            return kw_reply_refuse(client, KW_ERROR_CROSSSLOT, NULL, NULL);
        }
    }
    if (!transaction->is_flagged) { /* else nobody will need it */
        size_t guests_bytes = kw_guests_bytes(transaction->guests);
        if (transaction->run->end + guests_bytes + wire.len > max_bytes) {
            return kw_reply_refuse(client, KW_ERROR_MULTI_TOO_BIG, NULL, NULL);
        }
        if (kind != KW_GUEST_NONE) {
            wire = kw_guests_add(client, command, kind, wire);
        }
        if (!run_append(client, wire)) {
            return kw_reply_refuse(client, KW_ERROR_OUT_OF_MEMORY, NULL, NULL);
        }
        transaction->count++;
        transaction->has_scripts |= kw_script_is_by_name(command);
        if ((command->flags & KW_COMMAND_NO_MANDATORY_KEYS) != 0) {
            kw_script_learn(client, command);
        }
        transaction->is_read_only &=
            (kind != KW_GUEST_NONE && kind != KW_GUEST_SHARED) || kw_command_may_retry(command);
    }
    return say(client, KW_BYTES("+QUEUED\r\n"));
}

static bool is_named(const struct kw_command *command, const char *name)
{
    return strcmp(command->name, name) == 0;
}

static enum kw_verdict refuse_to_queue(struct kw_client *client, const struct kw_command *command,
                                       enum kw_error error)
{
    char name[KW_COMMAND_NAME_MAX + 1];
    size_t i = 0;

    for (; command->name[i] != '\0'; i++) {
        name[i] = command->name[i] == '|' ? ' ' : command->name[i];
    }
    name[i] = '\0';
    return kw_reply_refuse(client, error, name, NULL);
}

/* Are COMMAND's keys of the transaction's slot? The first ones decide which it is. */
static bool slot_agrees(struct kw_client *client, const struct kw_command *command)
{
    struct kw_transaction *transaction = client->transaction;
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_keys keys;
    uint16_t slot = KW_SLOT_NONE;

    (void)kw_keys_find(command, argv->items, argv->count, &keys);
    if (keys.count == 0) {
        return true; /* none, or the node will say what is wrong with them */
    }
    bool is_same = kw_route_keys_agree(argv, &keys, &slot) &&
                   (transaction->slot == KW_SLOT_NONE || transaction->slot == slot);
    if (!is_same && !kw_route_is_plain(client->proxy)) {
        return false;
    }
    transaction->slot = slot;
    return true;
}

bool kw__run_close(struct kw_client *client)
{
    struct kw_transaction *transaction = client->transaction;
    char back[64];
    char number[KW_TEXT_INT_MAX];

    if (transaction->db != client->db) { /* the link is not ours: it keeps its database */
        int digits = (int)kw_text_from_int(client->db, number);
        int len = snprintf(back, sizeof back, "*2\r\n$6\r\nSELECT\r\n$%d\r\n%.*s\r\n", digits,
                           digits, number);
        if (!run_append(client, kw_bytes_of(back, (size_t)len))) {
            return false;
        }
        transaction->guests->is_undone = true;
    }
    return run_append(client, KW_BYTES("*1\r\n$4\r\nEXEC\r\n"));
}

enum kw_status kw__run_load_scripts(const struct kw_transaction *transaction, struct kw_link *link)
{
    const struct kw_chunk *run = transaction->run;

    return !transaction->has_scripts ? KW_OK
                                     : kw_script_send_all(transaction->watch.client->proxy,
                                                          kw_bytes_of(run->data, run->end), link);
}

uint32_t kw__run_replies(const struct kw_client *client)
{
    const struct kw_transaction *transaction = client->transaction;

    return transaction->count + 2 + (transaction->db != client->db ? 1 : 0);
}

static bool run_append(struct kw_client *client, struct kw_bytes bytes)
{
    struct kw_chunk **run = &client->transaction->run;

    if ((*run)->cap - (*run)->end < bytes.len) {
        size_t more = bytes.len > (*run)->cap ? bytes.len : (*run)->cap;
        if (kw_chunk_grow(run, more) != KW_OK) {
            return false;
        }
    }
    memcpy((*run)->data + (*run)->end, bytes.data, bytes.len);
    (*run)->end += bytes.len;
    return true;
}

static enum kw_verdict say(struct kw_client *client, struct kw_bytes reply)
{
    kw_buf_append_bytes(kw_reply_begin(client), reply);
    kw_reply_end(client);
    return KW_ANSWERED;
}
