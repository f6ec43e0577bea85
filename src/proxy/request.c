/* request.c - THE SPINE. One request from its bytes to its reply.
 *
 *   kw_request_start
 *     kw_command_resolve   which command is it?
 *     kw_admit             may it run here at all?         -> REFUSED with an error
 *     kw_local_answer      does keyway answer it itself?   -> ANSWERED
 *     kw_route             which slot, which node?         -> REFUSED (CROSSSLOT, no node ...)
 *     request_must_wait    does an earlier one hold it?    -> WAITING (O2)
 *     request_send         onto the node's link            -> SENT
 *   ---- network ----
 *   request_on_reply
 *     kw_redirect_classify is it an answer at all?         -> MOVED, ASK, later: send again
 *     request_overtook     did it run out of turn?         -> reads are sent again
 *     kw_reply_pass        in order, to the client
 *   request_on_fail        the link broke: send again (R2) or an exact error
 *
 * Life of a request:
 *
 *   INFLIGHT --reply--> DONE
 *    |   ^  ^
 *    |   |  +--- its turn (kw_request_send_queued) --- QUEUED <--+
 *    |   +------ due (kw_request_retry_due) ------- RETRYING     |
 *    +-- MOVED, ASK, failed link: earlier one of the slot held? -+
 *    +-- TRYAGAIN, CLUSTERDOWN, LOADING ... ---------> RETRYING
 *
 * INVARIANTS
 * O1  replies leave in request order: reply.c.
 * O2  requests of one client for one slot reach the servers in order. A client has one link per
 *     node, so it holds by itself until a request is redirected. From then until it is answered,
 *     is_redirecting holds back the younger ones of its slot: redirected ones queue here, new ones
 *     are not parsed (client.c). What was in flight behind it and ran first: reads are sent again; writes
 *     can't be undone, they are counted (order_races). So that it does not come to that, a slot
 *     that was redirected counts as unstable for some seconds, during which a client has one
 *     request of it in flight at a time; and a command with several keys is a barrier at all times: in a slot
 *     that moves it gets TRYAGAIN while commands with one key still run, so what must not overtake
 *     it (writes; behind a write also reads) is not sent before it is answered.
 * R2  sent again is only what was never written, what the server said it did not execute, or
 *     a read.
 */
#include "proxy/request.h"

#include "backend/link.h"
#include "backend/node.h"
#include "proxy/admit.h"
#include "proxy/client.h"
#include "proxy/local.h"
#include "proxy/redirect.h"
#include "proxy/reply.h"
#include "proxy/route.h"

enum {
    LINK_RETRIES_MAX = 3, /* broken links per request: more is a sick network, not an accident */
    RETRY_STEP_MS = 10    /* between two tries of TRYAGAIN and the like */
};

/* Where a redirected request goes. */
enum follow { FOLLOW_SLOT, FOLLOW_ONCE, FOLLOW_ASKING };

static bool request_must_wait(const struct kw_client *client, const struct kw_command *command,
                              const struct kw_target *target);
static enum kw_verdict request_send(struct kw_client *client, const struct kw_command *command,
                                    const struct kw_target *target, struct kw_bytes wire,
                                    struct kw_chunk *chunk);
static enum kw_verdict request_refuse(struct kw_client *client, enum kw_error error,
                                      const char *text);
static void request_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static bool request_redirected(struct kw_request *request, struct kw_node *from,
                               struct kw_bytes line);
static bool request_follow(struct kw_request *request, struct kw_node *to, enum follow how);
static bool request_later(struct kw_request *request);
static bool request_overtook(struct kw_request *request, const struct kw_reply_part *part);
static void request_pace(struct kw_request *request, struct kw_link *link);
static void request_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent);
static void request_hold(struct kw_request *request);
static bool request_is_held(const struct kw_request *request);
static void request_forward(struct kw_request *request);
static enum kw_status request_put(struct kw_request *request, struct kw_node *node);
static enum kw_error error_of_status(enum kw_status status);
static void request_fail(struct kw_request *request, enum kw_error error, const char *text);

static const struct kw_call_user request_user = {request_on_reply, request_on_fail};

enum kw_verdict kw_request_start(struct kw_client *client, struct kw_bytes wire,
                                 struct kw_chunk *chunk)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    const struct kw_command *command = kw_command_resolve(argv->items, argv->count);
    struct kw_target target = {.slot = KW_SLOT_NONE};

    enum kw_verdict verdict = kw_admit(client, command);
    if (verdict == KW_NEXT && command->route == KW_ROUTE_LOCAL) {
        verdict = kw_local_changes_links(command) && client->inflight_count > 0
                      ? KW_WAITING
                      : kw_local_answer(client, command);
    }
    if (verdict == KW_NEXT) {
        verdict = kw_route(client, command, &target);
    }
    if (verdict == KW_NEXT && request_must_wait(client, command, &target)) {
        verdict = KW_WAITING;
    }
    if (verdict == KW_NEXT) {
        verdict = request_send(client, command, &target, wire, chunk);
    }
    if (verdict == KW_WAITING) {
        return verdict;
    }
    KW_STAT_ADD(proxy->stats, requests, 1);
    if (verdict == KW_ANSWERED) {
        KW_STAT_ADD(proxy->stats, requests_local, 1);
    } else if (verdict == KW_REFUSED) {
        KW_STAT_ADD(proxy->stats, requests_refused, 1);
    }
    if (verdict != KW_SENT) {
        kw_client_output_ok(client);
    }
    return verdict;
}

/* Would it overtake an earlier request of this client, if it were sent now? (O2) */
static bool request_must_wait(const struct kw_client *client, const struct kw_command *command,
                              const struct kw_target *target)
{
    bool is_unstable = kw__slot_is_unstable(client->proxy, target->slot);
    if (client->inflight_count == 0 ||
        (!is_unstable && client->barriers_count == 0 && client->redirecting_count == 0 &&
         !kw_node_has_retired(target->node))) {
        return false;
    }
    bool is_read = kw_command_may_retry(command);
    for (const struct kw_request *request = client->oldest; request != NULL;
         request = request->next) {
        const struct kw_link *link = request->call.link;
        bool is_same = request->state != KW_REQUEST_DONE && request->slot == target->slot;
        bool is_behind_barrier =
            request->is_barrier && !(is_read && kw_command_may_retry(request->command));
        bool is_on_retired = link != NULL && link->is_retired && link->node == target->node;
        if ((is_same && (is_unstable || is_behind_barrier || request->is_redirecting)) ||
            is_on_retired) {
            return true;
        }
    }
    return false;
}

static enum kw_verdict request_send(struct kw_client *client, const struct kw_command *command,
                                    const struct kw_target *target, struct kw_bytes wire,
                                    struct kw_chunk *chunk)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_node *node = target->node;
    struct kw_link *link = NULL;

    enum kw_status status = kw_node_link(node, client->proto, client->id, &link);
    if (status != KW_OK) {
        return status == KW_AGAIN ? KW_WAITING
                                  : request_refuse(client, error_of_status(status), node->name);
    }
    struct kw_request *request = kw_pool_get(&proxy->requests);
    kw__request_init(request, client, KW_REQUEST_INFLIGHT);
    request->call.user = &request_user;
    request->command = command;
    request->slot = target->slot;
    request->is_barrier = target->has_several_keys;
    status = kw_link_send(link, &request->call, wire, chunk);
    if (status != KW_OK) {
        kw_pool_put(&proxy->requests, request);
        return request_refuse(client, error_of_status(status), node->name);
    }
    kw_reply_expect(request);
    return KW_SENT;
}

static enum kw_verdict request_refuse(struct kw_client *client, enum kw_error error,
                                      const char *text)
{
    kw_reply_error_text(kw_reply_begin(client), error, text, NULL);
    kw_reply_end(client);
    return KW_REFUSED;
}

void kw_request_send_queued(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_list due;

    if (client->redirecting_count == 0) {
        return;
    }
    /* One walk, however many there are: the first of each slot is due, the others are held. */
    kw_list_init(&due);
    memset(proxy->held, 0, sizeof proxy->held);
    for (struct kw_request *at = client->oldest; at != NULL; at = at->next) {
        uint64_t bit = 1ull << (at->slot % 64);
        uint64_t *word = &proxy->held[at->slot / 64];
        if (!at->is_redirecting) {
            continue;
        }
        if (at->state == KW_REQUEST_QUEUED && (*word & bit) == 0) {
            kw_list_append(&due, &at->retrying);
        }
        *word |= bit;
    }
    while (!kw_list_is_empty(&due)) {
        struct kw_request *request = KW_LIST_ENTRY(due.next, struct kw_request, retrying);
        kw_list_remove(&request->retrying);
        request_forward(request); /* may fail, and leave the queue with those that are done */
    }
}

void kw_request_retry_due(struct kw_proxy *proxy, uint64_t now_ms)
{
    /* Steps are equal, so the list is in order of due_ms. */
    while (!kw_list_is_empty(&proxy->retrying)) {
        struct kw_request *request =
            KW_LIST_ENTRY(proxy->retrying.next, struct kw_request, retrying);
        if (request->due_ms > now_ms) {
            return;
        }
        kw_list_remove(&request->retrying);
        if (request_is_held(request)) {
            request->state = KW_REQUEST_QUEUED;
        } else {
            request_forward(request);
        }
    }
}

static void request_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_client *client = request->client;
    struct kw_link *link = call->link; /* NULL with the last part */

    if (__builtin_expect(part->type == '-', 0) && part->is_first && part->is_last &&
        request_redirected(request, part->node, part->bytes)) {
        return;
    }
    if (__builtin_expect(client->redirecting_count > 0, 0) && request_overtook(request, part)) {
        return;
    }
    kw_reply_pass(request, part->bytes);
    if (!part->is_last) {
        request_pace(request, link);
        return;
    }
    if (client->stream.out.len + client->parked_bytes > KW_OUTPUT_PAUSE_BYTES) {
        kw_client_output_ok(client);
    }
    kw_reply_finish(request);
}

/* Is LINE an error that keyway handles inside (R1)? True when the request goes on.
 *
 * What scripts and modules run may make up such lines: they are believed only as far as no harm can
 * come of it. They can't lead to a node that is not the cluster's, nor change the slot map.
 */
static bool request_redirected(struct kw_request *request, struct kw_node *from,
                               struct kw_bytes line)
{
    struct kw_proxy *proxy = request->client->proxy;
    bool may_be_made_up = request->command->group == KW_GROUP_SCRIPTING ||
                          (request->command->flags & KW_COMMAND_MODULE) != 0;
    struct kw_redirect redirect;

    if (!kw_redirect_classify(line, request->slot, &redirect)) {
        return false;
    }
    if (redirect.kind == KW_REDIRECT_LATER) {
        if (may_be_made_up && !kw_redirect_is_servers_own(line)) {
            return false;
        }
        kw__slot_set_unstable(proxy, request->slot);
        kw_backend_want_topology(proxy->backend);
        return request_later(request);
    }
    struct kw_node *to = NULL;
    kw__slot_set_unstable(proxy, request->slot);
    if (redirect.kind != KW_REDIRECT_NOWHERE) {
        to = may_be_made_up
                 ? kw_backend_find_node(proxy->backend, redirect.host, redirect.port, from)
                 : kw_backend_node_at(proxy->backend, redirect.host, redirect.port, from);
    }
    if (to == NULL) {
        kw_backend_want_topology(proxy->backend);
        request_fail(request, KW_ERROR_BAD_REDIRECT, from->name);
        return true;
    }
    if (redirect.kind == KW_REDIRECT_ASK) {
        KW_STAT_ADD(proxy->stats, redirects_ask, 1);
        return request_follow(request, to, FOLLOW_ASKING);
    }
    KW_STAT_ADD(proxy->stats, redirects_moved, 1);
    if (may_be_made_up) {
        kw_backend_want_topology(proxy->backend);
        return request_follow(request, to, FOLLOW_ONCE);
    }
    kw_backend_patch_slot(proxy->backend, request->slot, to);
    return request_follow(request, to, FOLLOW_SLOT);
}

static bool request_follow(struct kw_request *request, struct kw_node *to, enum follow how)
{
    if (++request->attempts > KW_ATTEMPTS_MAX) {
        request_fail(request, KW_ERROR_TOO_MANY_REDIRECTS, NULL);
        return true;
    }
    request_hold(request);
    if (request_is_held(request)) {
        request->state = KW_REQUEST_QUEUED;
        return true;
    }
    if (how != FOLLOW_SLOT) {
        request->to_node = kw_node_hold(to);
        request->is_asking = how == FOLLOW_ASKING;
    }
    request_forward(request);
    return true;
}

/* Put it aside for a moment. False when its time is up: the error is then its answer. */
static bool request_later(struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;
    uint64_t now_ms = kw_loop_now_ms(proxy->loop);

    if (request->deadline_ms == 0) {
        request->deadline_ms = now_ms + proxy->config->request_retry_ms;
    }
    if (now_ms >= request->deadline_ms) {
        return false;
    }
    KW_STAT_ADD(proxy->stats, retries_later, 1);
    request_hold(request);
    request->state = KW_REQUEST_RETRYING;
    request->due_ms = now_ms + RETRY_STEP_MS;
    kw_list_append(&proxy->retrying, &request->retrying);
    kw__proxy_watch(proxy);
    return true;
}

/* An answer came while an earlier request of the slot is still on its way: it ran out of turn. A
 * read is asked again when its turn has come; True then.
 */
static bool request_overtook(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_proxy *proxy = request->client->proxy;

    if (request->is_streaming || !part->is_last || !request_is_held(request)) {
        return false;
    }
    if (!kw_command_may_retry(request->command)) {
        KW_STAT_ADD(proxy->stats, order_races, 1);
        return false;
    }
    KW_STAT_ADD(proxy->stats, reads_reissued, 1);
    kw__request_drop_parked(request);
    request_hold(request);
    request->state = KW_REQUEST_QUEUED;
    return true;
}

/* A big reply arrives faster than its client reads: let the node wait, within reason. */
static void request_pace(struct kw_request *request, struct kw_link *link)
{
    struct kw_client *client = request->client;
    size_t unread = client->stream.out.len + client->parked_bytes;

    if (client->is_gone || !kw_client_output_ok(client)) {
        return;
    }
    if (unread > KW_OUTPUT_PAUSE_BYTES && !client->is_slow && client->paused_link == NULL) {
        client->paused_link = link;
        client->proxy->paused_count++;
        kw_link_pause(link);
        kw__proxy_watch(client->proxy);
    }
}

static void request_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_client *client = request->client;
    struct kw_proxy *proxy = client->proxy;
    bool may_retry = !was_sent || kw_command_may_retry(request->command);

    if (client->paused_link == link) {
        client->paused_link = NULL;
        proxy->paused_count--;
    }
    if (request->is_streaming && call->is_reply_started) {
        kw_client_abort(client); /* half a reply is out: only a reset is honest */
        kw_reply_finish(request);
        return;
    }
    kw__request_drop_parked(request);
    if (status == KW_E_AUTH) {
        request_fail(request, error_of_status(status), link->node->name);
    } else if (may_retry && ++request->attempts <= LINK_RETRIES_MAX && !proxy->is_draining) {
        KW_STAT_ADD(proxy->stats, retries_failed_link, 1);
        request_hold(request);
        request->state = KW_REQUEST_QUEUED;
        kw__client_resume_later(client);
    } else if (!may_retry) {
        KW_STAT_ADD(proxy->stats, results_unknown, 1);
        request_fail(request, KW_ERROR_UNKNOWN_RESULT, link->node->name);
    } else {
        request_fail(request, was_sent ? KW_ERROR_NODE_SILENT : KW_ERROR_NODE_DOWN,
                     link->node->name);
    }
}

/* From now until it is answered it holds back what is younger. */
static void request_hold(struct kw_request *request)
{
    if (!request->is_redirecting) {
        request->is_redirecting = true;
        request->client->redirecting_count++;
    }
}

/* Is an earlier one of the same client and slot on its way again? */
static bool request_is_held(const struct kw_request *request)
{
    if (request->client->redirecting_count == (request->is_redirecting ? 1u : 0u)) {
        return false;
    }
    for (const struct kw_request *earlier = request->client->oldest; earlier != request;
         earlier = earlier->next) {
        KW_ASSERT(earlier != NULL);
        if (earlier->slot == request->slot && earlier->is_redirecting &&
            earlier->state != KW_REQUEST_DONE) {
            return true;
        }
    }
    return false;
}

/* Send the bytes it still holds: to to_node, if it has one, else to the owner of its slot. */
static void request_forward(struct kw_request *request)
{
    struct kw_backend *backend = request->client->proxy->backend;
    struct kw_node *node = request->to_node != NULL
                               ? request->to_node
                               : kw_backend_node_of_slot(backend, request->slot);

    KW_ASSERT(request->is_redirecting && request->call.link == NULL);
    enum kw_status status = node == NULL ? KW_AGAIN : request_put(request, node);
    if (status == KW_OK) {
        request->state = KW_REQUEST_INFLIGHT;
        kw_node_release(&request->to_node);
        request->is_asking = false;
        return;
    }
    if (status == KW_AGAIN && request_later(request)) {
        return; /* the name is being resolved, or the slot has no owner just now */
    }
    enum kw_error error = node == NULL             ? KW_ERROR_SLOT_UNSERVED
                          : status == KW_E_TIMEOUT ? KW_ERROR_NODE_SILENT /* it was sent, once */
                                                   : error_of_status(status);
    request_fail(request, error, node == NULL ? NULL : node->name);
}

/* Queue the request's bytes again, on its client's link to NODE. */
static enum kw_status request_put(struct kw_request *request, struct kw_node *node)
{
    struct kw_client *client = request->client;
    struct kw_link *link = NULL;

    enum kw_status status = kw_node_link(node, client->proto, client->id, &link);
    if (status == KW_OK) {
        status = kw_link_has_room(link, request->call.len + KW_INLINE_MAX_BYTES);
    }
    if (status == KW_OK && request->is_asking) { /* the command can't fail any more behind it */
        status = kw_link_send_prefix(link, KW_BYTES("*1\r\n$6\r\nASKING\r\n")); /* O4 */
    }
    return status == KW_OK ? kw_link_resend(link, &request->call) : status;
}

/* Why a node can't be given a request, as the client is told. */
static enum kw_error error_of_status(enum kw_status status)
{
    switch ((int)status) {
    case KW_E_AUTH:
        return KW_ERROR_NODE_AUTH;
    case KW_E_PROTOCOL:
        return KW_ERROR_NODE_RESP3;
    case KW_E_FULL:
        return KW_ERROR_OVERLOADED;
    case KW_E_MEMORY:
        return KW_ERROR_OUT_OF_MEMORY;
    default:
        return KW_ERROR_NODE_DOWN;
    }
}

static void request_fail(struct kw_request *request, enum kw_error error, const char *text)
{
    struct kw_client *client = request->client;
    struct kw_buf line;

    kw_buf_init(&line, client->proxy->chunks);
    kw_reply_error_text(&line, error, text, NULL);
    kw_reply_pass(request, kw_bytes_of(line.head->data + line.head->start, line.len));
    kw_buf_reset(&line);
    KW_STAT_ADD(client->proxy->stats, requests_refused, 1);
    kw_reply_finish(request);
}
