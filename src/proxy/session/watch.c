/* watch.c - WATCH, UNWATCH, and EXEC behind a WATCH.
 *
 *   WATCH --leased link--> node: remembers the keys for that connection
 *   GET ...                shared link, as ever
 *   MULTI, commands        queued here: transaction.c
 *   EXEC  --leased link--> MULTI ... EXEC in one run: executed, or null when a key was changed
 *
 * Nothing of a client starts while its WATCH or EXEC is under way (KW_MODE_LEASED), and both start
 * only when nothing of it is in flight: so what it read behind WATCH was read behind WATCH, though
 * on another link (O2).
 *
 * When the watch can't be kept (the link broke, the slot moved, WATCH of further keys is sent
 * elsewhere) nobody can say whether a key was changed meanwhile. Then EXEC answers null, as it does
 * for a key that was changed: it is what clients of WATCH are made for, they begin again. Nothing
 * of theirs was executed.
 *
 * INVARIANTS
 * I1  is_watching: the lease has a link, and its node remembers keys for it. is_watch_lost: it has
 *     none, or one that nobody will use. Never both.
 * I2  EXEC succeeds only on the very connection that all its WATCHes were answered on.
 * I3  a link goes back to the pool only when its node has been told to forget the keys.
 */
#include "proxy/session/watch.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/mem.h"
#include "proxy/redirect.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/route.h"
#include "proxy/session/guests.h"

static bool watch_fits(const struct kw_client *client);
static enum kw_verdict watch_say_ok(struct kw_client *client);
static void watch_on_lost(struct kw_leased *leased);
static void watch_on_finished(struct kw_leased *leased);
static void watch_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void watch_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                          bool was_sent);
static void watch_lose(struct kw_transaction *transaction);
static enum kw_verdict exec_refuse(struct kw_client *client);
static enum kw_status exec_send(struct kw_transaction *transaction, struct kw_request *request);
static void exec_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static void exec_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent);
static void reply_null(struct kw_request *request);

const struct kw_leased_user kw__watch_user = {.on_lost = watch_on_lost,
                                              .on_finished = watch_on_finished};
static const struct kw_call_user watch_user = {.on_reply = watch_on_reply,
                                               .on_fail = watch_on_fail};
static const struct kw_call_user exec_user = {.on_reply = exec_on_reply, .on_fail = exec_on_fail};

enum kw_verdict kw_watch_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire)
{
    struct kw_target target = {.slot = KW_SLOT_NONE};

    if (client->proxy->argv.count == 1) { /* UNWATCH */
        kw_transaction_drop(client);
        return watch_say_ok(client);
    }
    if (client->inflight_count > 0) {
        return KW_WAITING; /* it goes over another link: O2 */
    }
    enum kw_verdict verdict = kw_route(client, command, &target);
    if (verdict != KW_NEXT) {
        return verdict;
    }
    struct kw_transaction *transaction = kw__transaction_of(client);
    if (transaction->is_watching && transaction->watch_slot != target.slot &&
        !kw_route_is_plain(client->proxy)) {
        return kw_reply_refuse(client, KW_ERROR_CROSSSLOT, NULL, NULL);
    }
    if (transaction->is_watching &&
        (transaction->watch.lease.link->node != target.node || !watch_fits(client))) {
        watch_lose(transaction); /* the slot has moved since, or SELECT or HELLO came between */
    }
    if (transaction->is_watch_lost) {
        return watch_say_ok(client); /* EXEC will tell */
    }
    transaction->watched_count += (uint32_t)client->proxy->argv.count - 1;
    verdict = kw_leased_start(&transaction->watch, command, &watch_user, target.slot, false, wire);
    if (verdict == KW_REFUSED && !transaction->is_watching) {
        kw__transaction_free(client);
    }
    return verdict;
}

enum kw_verdict kw_watch_exec(struct kw_client *client, struct kw_transaction *transaction,
                              const struct kw_command *command)
{
    struct kw_proxy *proxy = client->proxy;

    if (client->inflight_count > 0) {
        return KW_WAITING; /* it goes over another link: O2 */
    }
    if (transaction->is_watch_lost || !watch_fits(client)) {
        return exec_refuse(client);
    }
    struct kw_request *request = kw__request_get(client, KW_REQUEST_INFLIGHT);
    request->is_special = true;
    request->call.user = &exec_user;
    request->call.replies_count = kw__run_replies(client);
    request->command = command;
    request->slot = transaction->watch_slot;
    const char *name = transaction->watch.lease.link->node->name;
    enum kw_status status = exec_send(transaction, request);
    if (status != KW_OK) {
        kw__request_put(request);
        enum kw_verdict verdict = kw_reply_refuse(client, kw_resend_error(status), name, NULL);
        kw_transaction_drop(client);
        return verdict;
    }
    kw__transaction_hand_over(transaction, request);
    transaction->is_executing = true;
    client->modes &= ~KW_MODE_MULTI;
    kw_chunk_unref(&transaction->run);
    kw_reply_expect(request);
    kw_leased_bind(&transaction->watch, request);
    KW_STAT_ADD(proxy->stats, transactions, 1);
    return KW_SENT;
}

void kw_watch_release(struct kw_transaction *transaction)
{
    struct kw_lease *lease = &transaction->watch.lease;

    if (transaction->is_watching &&
        kw_link_send_prefix(lease->link, KW_BYTES("*1\r\n$7\r\nUNWATCH\r\n")) == KW_OK) {
        kw_lease_give_back(lease); /* I3 */
    }
    kw_lease_close(lease); /* otherwise */
    transaction->is_watching = false;
}

/* Is the link that watches still one of the client's database and protocol version? */
static bool watch_fits(const struct kw_client *client)
{
    const struct kw_link *link = client->transaction->watch.lease.link;

    return link->db == client->db && link->proto == client->proto;
}

static enum kw_verdict watch_say_ok(struct kw_client *client)
{
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

static void watch_on_lost(struct kw_leased *leased)
{
    struct kw_transaction *transaction = (struct kw_transaction *)leased;

    if (transaction->is_watching) {
        transaction->is_watching = false;
        transaction->is_watch_lost = true; /* I1 */
    }
}

/* WATCH or EXEC was answered. */
static void watch_on_finished(struct kw_leased *leased)
{
    struct kw_transaction *transaction = (struct kw_transaction *)leased;
    struct kw_client *client = leased->client;

    transaction->is_answering = false;
    if (transaction->is_executing) {
        if (transaction->is_clean) {
            kw_lease_give_back(&leased->lease); /* I3: EXEC forgets the keys, whatever it says */
        }
        kw_lease_close(&leased->lease); /* otherwise */
        kw__transaction_free(client);
        return;
    }
    if (client->is_gone || (!transaction->is_watching && !transaction->is_watch_lost)) {
        kw_watch_release(transaction);
        kw__transaction_free(client);
    }
}

static void watch_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_transaction *transaction = (struct kw_transaction *)request->leased;
    bool is_line = part->is_first && part->is_last;
    struct kw_redirect redirect;

    if (is_line && part->type == '+') {
        transaction->is_watching = true; /* I1 */
        transaction->watch_slot = request->slot;
        transaction->is_watch_asking = transaction->watch.is_asking;
    } else if (is_line && part->type == '-' && transaction->is_watching &&
               kw_redirect_classify(part->bytes, request->slot, &redirect)) {
        watch_lose(transaction); /* I2: the keys before it are watched here, and here only */
        kw_reply_pass(request, KW_BYTES("+OK\r\n"));
        kw_reply_finish(request);
        return;
    } else if (is_line && part->type == '-' &&
               kw_request_redirected(request, part->node, part->bytes)) {
        return;
    }
    transaction->is_answering = true; /* the client may be closed for its output, meanwhile */
    kw_request_pass(request, part, call->link);
}

static void watch_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                          bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_transaction *transaction = (struct kw_transaction *)request->leased;

    if (request->client->is_gone) {
        kw_reply_finish(request);
    } else if (transaction->is_watch_lost) {
        kw_reply_pass(request, KW_BYTES("+OK\r\n")); /* EXEC will tell */
        kw_reply_finish(request);
    } else {
        kw_request_lost(request, link, status, was_sent, true); /* twice is as good as once */
    }
}

/* The keys that are watched can't be relied on any more. */
static void watch_lose(struct kw_transaction *transaction)
{
    kw_watch_release(transaction);
    transaction->is_watch_lost = true; /* I1 */
}

/* EXEC of a watch that was lost: as if a key had been changed. */
static enum kw_verdict exec_refuse(struct kw_client *client)
{
    kw_reply_null_array(kw_reply_begin(client), client->proto);
    kw_reply_end(client);
    kw_transaction_drop(client);
    return KW_ANSWERED;
}

/* Onto the link that watches: I2. */
static enum kw_status exec_send(struct kw_transaction *transaction, struct kw_request *request)
{
    struct kw_link *link = transaction->watch.lease.link;
    struct kw_chunk *run = NULL;

    if (!kw__run_close(request->client)) {
        return KW_E_MEMORY;
    }
    run = transaction->run;
    enum kw_status status = kw_link_has_room(link, run->end + KW_INLINE_MAX_BYTES);
    if (status == KW_OK) {
        status = kw__run_load_scripts(transaction, link);
    }
    if (status == KW_OK && transaction->is_watch_asking) {
        status = kw_link_send_prefix(link, KW_BYTES("*1\r\n$6\r\nASKING\r\n")); /* O4 */
    }
    if (status == KW_OK) {
        status = kw_link_send(link, &request->call, kw_bytes_of(run->data, run->end), run);
    }
    if (status == KW_OK) {
        kw_lease_watch(&transaction->watch.lease);
    }
    return status;
}

static void exec_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_transaction *transaction = (struct kw_transaction *)request->leased;
    struct kw_bytes note = kw__run_note(request->run, part);
    struct kw_redirect redirect;

    if (part->replies_left > 0) {
        return;
    }
    bool is_error = part->type == '-' && part->is_first && part->is_last;
    if (part->is_last) {
        transaction->is_clean = !kw__run_lacks_multi(part);
    }
    if (is_error && kw_redirect_classify(note, request->slot, &redirect)) {
        kw_backend_want_topology(request->client->proxy->backend);
        reply_null(request); /* the slot moves: nothing was executed, nothing can be guarded */
        return;
    }
    kw_guests_pass(request, part, call->link);
}

static void exec_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                         bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;

    if (request->client->is_gone) {
        kw_reply_finish(request);
    } else if (was_sent) {
        kw_request_lost(request, link, status, was_sent, false);
    } else {
        reply_null(request);
    }
}

static void reply_null(struct kw_request *request)
{
    kw_reply_pass(request, request->client->proto == 2 ? KW_BYTES("*-1\r\n") : KW_BYTES("_\r\n"));
    kw_reply_finish(request);
}
