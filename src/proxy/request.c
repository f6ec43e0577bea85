/* request.c - THE SPINE. One request from its bytes to its reply.
 *
 *   kw_request_start
 *     kw__command_of       which command is it?
 *     kw_embedded_start    without a cluster behind: the store of this process answers
 *     kw_admit             may it run here at all?         -> REFUSED with an error
 *     kw_session_check     is the client in MULTI, subscribed, paused ...?  -> ANSWERED, REFUSED
 *     kw_near_answer       is the reply in memory?         -> ANSWERED
 *     kw__request_start_other: not one call to one slot's owner:
 *       kw_local_answer      keyway answers it itself      -> ANSWERED
 *       kw_gather_start      several calls make one reply  -> SENT
 *       kw_session_start     it needs a connection, or state, that outlives it
 *     kw_route             which slot, which node?         -> REFUSED (CROSSSLOT, no node ...)
 *     kw_turn_must_wait    does an earlier one hold it?    -> WAITING (O2)
 *     kw_request_send      onto the node's link            -> SENT
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
 *    |   |  +--- its turn (kw_resend_queued) --- QUEUED <--+
 *    |   +------ due (kw_resend_due) ------- RETRYING     |
 *    +-- MOVED, ASK, failed link: earlier one of the slot held? -+
 *    +-- TRYAGAIN, CLUSTERDOWN, LOADING ... ---------> RETRYING
 *
 * INVARIANTS
 * O1  replies leave in request order: reply.c.
 * O2  requests of one client for one slot reach the servers in order. A client has one link per
 *     node, so it holds by itself until a request is redirected. From then until it is answered,
 *     is_redirecting holds back the younger ones of its slot: redirected ones queue here, new ones
 *     are not parsed (client.c). What was in flight behind it, may be about its key and ran first,
 *     or will (is_behind): reads are sent again; writes can't be undone, they are counted
 *     (order_races). So that it does not come to that, a slot that was redirected, or that a
 *     refresh gave to another node, counts as unstable for some seconds, during which a client has
 *     one request of it in flight at a time; and a command with several keys is a barrier at all
 *     times: in a slot that moves it gets TRYAGAIN while commands with one key still run, so what
 *     must not overtake it (writes; behind a write also reads) is not sent before it is answered.
 * R2  sent again is only what was never written, what the server said it did not execute, or
 *     a read.
 */
#include "proxy/request.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/apart.h"
#include "proxy/account.h"
#include "proxy/admit.h"
#include "proxy/client.h"
#include "proxy/coalesce.h"
#include "proxy/embedded/embedded.h"
#include "proxy/face/cluster_face.h"
#include "proxy/face/monitor.h"
#include "proxy/face/mute.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/scatter.h"
#include "proxy/gather/script.h"
#include "proxy/local/local.h"
#include "proxy/local/local_config.h"
#include "proxy/near/near.h"
#include "proxy/parked.h"
#include "proxy/redirect.h"
#include "proxy/reply.h"
#include "proxy/resend.h"
#include "proxy/route.h"
#include "proxy/session/session.h"
#include "proxy/session/transaction.h"
#include "proxy/turn.h"

enum {
    MADE_UP_ATTEMPTS_MAX = 3, /* each may have run a script: servers need two at most */
    LINK_RETRIES_MAX = 3 /* broken links per request: more is a sick network, not an accident */
};

/* Where a redirected request goes. */
enum follow { FOLLOW_SLOT, FOLLOW_ONCE, FOLLOW_ASKING };

static enum kw_verdict request_start(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire, struct kw_chunk *chunk,
                                     bool *is_admitted);
static void request_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static bool request_follow(struct kw_request *request, struct kw_node *to, enum follow how);
static bool request_lacks_script(struct kw_request *request, struct kw_bytes line);
static bool request_overtook(struct kw_request *request, const struct kw_reply_part *part);
static void request_pace(struct kw_request *request, struct kw_link *link);
static void request_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                            bool was_sent);

const struct kw_call_user kw__request_user = {.on_reply = request_on_reply,
                                              .on_fail = request_on_fail};

enum kw_verdict kw_request_start(struct kw_client *client, struct kw_bytes wire,
                                 struct kw_chunk *chunk)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_argv *argv = &proxy->argv;
    const struct kw_command *command = kw__command_of(proxy, argv->items, argv->count);
    bool is_admitted = false;

    client->command = command;
    enum kw_verdict verdict = __builtin_expect(proxy->embedded == NULL, 1)
                                  ? request_start(client, command, wire, chunk, &is_admitted)
                                  : kw_embedded_start(client, command, wire, &is_admitted);
    if (verdict == KW_WAITING) {
        return verdict;
    }
    if (__builtin_expect((proxy->modes & KW_MODE_MONITORED) != 0, 0) && verdict != KW_REFUSED) {
        kw_monitor_feed(client, command);
    }
    if (__builtin_expect((client->modes & KW_MODE_REPLY_SKIP) != 0, 0)) {
        kw_mute_step(client);
    }
    KW_STAT_ADD(proxy->stats, requests, 1);
    if (verdict == KW_ANSWERED) {
        KW_STAT_ADD(proxy->stats, requests_local, 1);
    } else if (verdict == KW_REFUSED) {
        KW_STAT_ADD(proxy->stats, requests_refused, 1);
        kw_account_refused(proxy, command, is_admitted);
        if ((client->modes & KW_MODE_MULTI) != 0) {
            kw_transaction_flag(client);
        }
    }
    if (verdict != KW_REFUSED) {
        kw_account_begin(proxy, command);
    }
    if (verdict != KW_SENT) {
        kw_client_output_ok(client);
    }
    return verdict;
}

/* Before a cluster. Sets *IS_ADMITTED: false when it was refused before it began. */
static enum kw_verdict request_start(struct kw_client *client, const struct kw_command *command,
                                     struct kw_bytes wire, struct kw_chunk *chunk,
                                     bool *is_admitted)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_target target = {.slot = KW_SLOT_NONE};

    enum kw_verdict verdict = kw_admit(client, command);
    *is_admitted = verdict == KW_NEXT;
    if (verdict == KW_NEXT && __builtin_expect(client->modes != 0 || proxy->modes != 0, 0)) {
        verdict = kw_session_check(client, command, wire);
    }
    if (__builtin_expect(proxy->near != NULL, 0) && verdict == KW_NEXT) {
        verdict = kw_near_answer(client, command, &target);
    }
    if (verdict == KW_NEXT &&
        (command->route != KW_ROUTE_ONE_SLOT ||
         (command->flags & (KW_COMMAND_BLOCKING | KW_COMMAND_NO_MANDATORY_KEYS)) != 0)) {
        verdict = kw__request_start_other(client, command, wire);
    }
    if (verdict == KW_NEXT) {
        verdict = kw_route(client, command, &target);
    }
    if (verdict == KW_NEXT) {
        verdict = kw_request_send(client, command, &target, wire, chunk, &kw__request_user);
    }
    return verdict;
}

enum kw_verdict kw__request_start_other(struct kw_client *client, const struct kw_command *command,
                                        struct kw_bytes wire)
{
    if (kw_cluster_face_is_hidden(client, command)) {
        return kw_reply_refuse(client, KW_ERROR_CLUSTER_DISABLED, NULL, NULL);
    }
    switch (command->route) {
    case KW_ROUTE_LOCAL:
        if (kw_config_get_is_for_node(client, command)) {
            return KW_NEXT;
        }
        return kw_local_changes_links(command) && client->inflight_count > 0
                   ? KW_WAITING
                   : kw_local_answer(client, command);
    case KW_ROUTE_SPLIT:
    case KW_ROUTE_ALL_SHARDS:
    case KW_ROUTE_ANY_SHARD:
    case KW_ROUTE_SCAN:
        return kw_gather_start(client, command, wire);
    case KW_ROUTE_SESSION:
        return kw_session_start(client, command, wire);
    case KW_ROUTE_SLOT_NUMBER:
        return KW_NEXT;
    case KW_ROUTE_ONE_SLOT: {
        const struct kw_argv *argv = &client->proxy->argv;
        if ((command->flags & KW_COMMAND_NO_MANDATORY_KEYS) != 0) {
            kw_script_learn(client, command);
        }
        return kw_command_is_blocking(command, argv->items, argv->count)
                   ? kw_session_start(client, command, wire)
                   : KW_NEXT;
    }
    case KW_ROUTE_REFUSED:
    default:
        KW_UNREACHABLE();
    }
}

enum kw_verdict kw_request_send(struct kw_client *client, const struct kw_command *command,
                                const struct kw_target *target, struct kw_bytes wire,
                                struct kw_chunk *chunk, const struct kw_call_user *user)
{
    struct kw_node *node = target->node;
    struct kw_link *link = NULL;

    if (kw_turn_must_wait(client, command, target)) {
        return KW_WAITING;
    }

    enum kw_status status = kw_node_link(node, client->proto, client->db, client->id, &link);
    if (status != KW_OK) {
        return status == KW_AGAIN
                   ? KW_WAITING
                   : kw_reply_refuse(client, kw_resend_error(status), node->name, NULL);
    }
    bool may_share = __builtin_expect(client->proxy->coalesce != NULL, 0) &&
                     kw_coalesce_may(client, command, target);
    if (may_share && kw_coalesce_join(client, command, target, link, wire)) {
        return KW_SENT;
    }
    struct kw_request *request = kw__request_get(client, KW_REQUEST_INFLIGHT);
    request->call.user = user;
    request->command = command;
    request->slot = target->slot;
    request->is_barrier = target->has_several_keys;
    request->near_hash = target->near_hash;
    request->near = target->near_mark;
    status = kw_link_send(link, &request->call, wire, chunk);
    if (status != KW_OK) {
        kw__request_put(request);
        return kw_reply_refuse(client, kw_resend_error(status), node->name, NULL);
    }
    kw_reply_expect(request);
    if (may_share) {
        kw_coalesce_lead(request);
    }
    return KW_SENT;
}

static void request_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;

    if (__builtin_expect(part->type == '-', 0) && part->is_first) {
        if (part->is_last && (kw_request_redirected(request, part->node, part->bytes) ||
                              request_lacks_script(request, part->bytes))) {
            return;
        }
        kw_account_failed(request, kw_bytes_of(part->bytes.data + 1, part->bytes.len - 1));
    }
    kw_request_pass(request, part, call->link);
}

void kw_request_pass(struct kw_request *request, const struct kw_reply_part *part,
                     struct kw_link *link)
{
    struct kw_client *client = request->client;

    if (__builtin_expect(kw_near_heeds_reply(request->near), 0)) {
        kw_near_on_reply(request, part);
    }
    if (__builtin_expect(request->is_lead, 0)) {
        kw_coalesce_pass(request, part, link);
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
    if (__builtin_expect(client->proxy->coalesce != NULL, 0)) {
        kw_coalesce_tell(request, part->link);
    }
    kw_reply_finish(request);
}

/* What scripts and modules run may make up such lines: they are believed only as far as no harm can
 * come of it. They can't lead to a node that is not the cluster's, nor change the slot map.
 */
bool kw_request_redirected(struct kw_request *request, struct kw_node *from, struct kw_bytes line)
{
    struct kw_proxy *proxy = request->client->proxy;
    bool may_be_made_up = request->command->group == KW_GROUP_SCRIPTING ||
                          (request->command->flags & KW_COMMAND_MODULE) != 0;
    struct kw_redirect redirect;

    if (!kw_redirect_classify(line, request->slot, &redirect)) {
        return false;
    }
    if (proxy->near != NULL) {
        kw_near_redirected(proxy, request->slot, redirect.kind == KW_REDIRECT_MOVED);
    }
    if (redirect.kind == KW_REDIRECT_LATER && may_be_made_up && !kw_redirect_is_servers_own(line)) {
        return false;
    }
    kw_resend_mark_behind(request);
    if (redirect.kind == KW_REDIRECT_LATER) {
        kw__slot_set_unstable(proxy, request->slot);
        kw_backend_want_topology(proxy->backend);
        bool is_scattered = request->command->route == KW_ROUTE_SPLIT && request->leased == NULL &&
                            kw_bytes_start_with(line, KW_BYTES("-TRYAGAIN")) &&
                            kw_gather_scatter(request);
        return is_scattered || kw_resend_later(request);
    }
    struct kw_node *to = NULL;
    kw__slot_set_unstable(proxy, request->slot);
    if (redirect.kind != KW_REDIRECT_NOWHERE) {
        to = may_be_made_up
                 ? kw_backend_find_node(proxy->backend, redirect.host, redirect.port, from)
                 : kw_backend_node_at(proxy->backend, redirect.host, redirect.port, from);
    }
    bool is_suspicious =
        may_be_made_up && (to == from || request->attempts >= MADE_UP_ATTEMPTS_MAX);
    if (to == NULL || is_suspicious) {
        kw_backend_want_topology(proxy->backend);
        if (to == NULL && redirect.kind == KW_REDIRECT_MOVED && !is_suspicious &&
            kw_resend_when_moved(request, from)) {
            return true; /* a node that has just joined, or nothing: the topology will tell */
        }
        kw_reply_fail(request, KW_ERROR_BAD_REDIRECT, from->name);
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
        kw_reply_fail(request, KW_ERROR_TOO_MANY_REDIRECTS, NULL);
        return true;
    }
    kw_resend_hold(request);
    if (kw_resend_is_held(request)) {
        request->state = KW_REQUEST_QUEUED;
        return true;
    }
    if (how != FOLLOW_SLOT) {
        request->to_node = kw_node_hold(to);
        request->is_asking = how == FOLLOW_ASKING;
    }
    kw_resend_now(request);
    return true;
}

/* The node does not know the script, but we do: True, it is on its way, the request behind it. */
static bool request_lacks_script(struct kw_request *request, struct kw_bytes line)
{
    if (request->command->group != KW_GROUP_SCRIPTING || request->is_part ||
        !kw_script_is_missing(request, line)) {
        return false;
    }
    kw_resend_mark_behind(request);
    kw_resend_hold(request);
    if (kw_resend_is_held(request)) {
        request->state = KW_REQUEST_QUEUED;
    } else {
        kw_resend_now(request);
    }
    return true;
}

/* An answer that is out of turn: an earlier request of the key is still on its way, or was sent
 * again when this one was in flight. A read is asked again, when its turn has come; True then.
 */
static KW_APART bool request_overtook(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_proxy *proxy = request->client->proxy;
    bool may_retry = kw_command_may_retry(request->command);

    if (request->is_behind && may_retry && !part->is_last) {
        return true; /* the rest will be out of turn, too */
    }
    if (request->is_streaming || !part->is_last ||
        (!request->is_behind && !kw_resend_overtook(request))) {
        return false;
    }
    if (!may_retry) {
        KW_STAT_ADD(proxy->stats, order_races, 1);
        return false;
    }
    KW_STAT_ADD(proxy->stats, reads_reissued, 1);
    kw__request_drop_parked(request);
    kw_resend_hold(request);
    if (kw_resend_is_held(request)) {
        request->state = KW_REQUEST_QUEUED;
    } else {
        kw_resend_now(request);
    }
    return true;
}

/* A big reply arrives faster than its client reads: let the node wait, within reason. */
static KW_APART void request_pace(struct kw_request *request, struct kw_link *link)
{
    struct kw_client *client = request->client;
    size_t unread = client->stream.out.len + client->parked_bytes;

    if (client->is_gone || !kw_client_output_ok(client) || request->is_part) {
        return; /* of a part all is collected, up to the client's output limit */
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

    if (__builtin_expect(request->is_lead, 0)) {
        kw_coalesce_lost(request, link, status, was_sent);
    }
    kw_request_lost(request, link, status, was_sent,
                    !was_sent || kw_command_may_retry(request->command));
}

void kw_request_lost(struct kw_request *request, const struct kw_link *link, enum kw_status status,
                     bool was_sent, bool may_retry)
{
    struct kw_client *client = request->client;
    struct kw_proxy *proxy = client->proxy;

    if (client->paused_link == link) {
        client->paused_link = NULL;
        proxy->paused_count--;
    }
    if (request->is_streaming && request->call.is_reply_started) {
        kw_client_abort(client); /* half a reply is out: only a reset is honest */
        kw_reply_finish(request);
        return;
    }
    kw__request_drop_parked(request);
    request->was_sent |= was_sent;
    if (status == KW_E_AUTH) {
        kw_reply_fail(request, kw_resend_error(status), link->node->name);
    } else if (may_retry && ++request->lost_links <= LINK_RETRIES_MAX && !proxy->is_draining) {
        KW_STAT_ADD(proxy->stats, retries_failed_link, 1);
        kw_resend_hold(request);
        request->state = KW_REQUEST_QUEUED;
        kw__client_resume_later(client);
    } else if (!may_retry) {
        KW_STAT_ADD(proxy->stats, results_unknown, 1);
        kw_reply_fail(request, KW_ERROR_UNKNOWN_RESULT, link->node->name);
    } else {
        kw_reply_fail(request, request->was_sent ? KW_ERROR_NODE_SILENT : KW_ERROR_NODE_DOWN,
                      link->node->name);
    }
}
