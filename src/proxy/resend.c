/* resend.c - a request's second way to a node, and its third.
 *
 * INVARIANTS
 * I1  is_redirecting is set from the first redirection until the answer; the client counts them.
 * I2  of the requests of one client and slot that are redirecting, only the oldest is in flight or
 *     put aside; the others are QUEUED, or have been in flight since before (I3).
 * I3  is_behind is set on what was in flight when an older one of its slot was redirected that may
 *     be about the same key: it runs out of turn. It is redirecting from then on, whatever becomes
 *     of the older one; so nothing younger is sent, and its answer is not believed. What is about
 *     another key runs in turn: a read of it must not be asked anew, behind a write that has run.
 */
#include "proxy/resend.h"

#include "backend/link.h"
#include "backend/node.h"
#include "command/keys.h"
#include "proxy/coalesce.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/script.h"
#include "proxy/parked.h"
#include "proxy/reply.h"
#include "proxy/session/leased.h"

enum {
    RETRY_STEP_MS = 10, /* between two tries of TRYAGAIN and the like */
    OWNER_STEPS = 50,   /* a refresh of the topology takes less */
    COMPARED_MAX = 256  /* keys of a pipeline, each time: behind more all are taken for the same */
};

/* One request's key, beside those of others of its slot. */
struct comparison {
    struct kw_bytes key;
    bool has_key; /* else it may be about any */
    unsigned left;
};

static void request_hold_back(struct kw_request *request);
static struct comparison comparison_of(const struct kw_request *request);
static bool comparison_may_match(struct comparison *comparison, const struct kw_request *other);
static bool request_find_key(const struct kw_request *request, struct kw_bytes *rest,
                             struct kw_bytes *key);
static bool request_is_held(const struct kw_request *request, struct comparison *comparison);
static bool resend_has_moved(struct kw_request *request);
static enum kw_status resend_put(struct kw_request *request, struct kw_node *node);

void kw_resend_hold(struct kw_request *request)
{
    if (__builtin_expect(request->is_lead || request->is_follower, 0)) {
        kw_coalesce_leave(request);
    }
    if (!request->is_redirecting) {
        request_hold_back(request);
    }
}

void kw_resend_mark_behind(const struct kw_request *request)
{
    if (request->is_redirecting || request->slot == KW_SLOT_NONE) {
        return; /* nothing younger has been sent since */
    }
    struct comparison comparison = comparison_of(request);
    for (struct kw_request *at = request->next; at != NULL; at = at->next) {
        bool is_sibling = request->is_part && at->is_part && at->gather == request->gather;
        bool is_sent = at->is_follower || (at->state == KW_REQUEST_INFLIGHT && at->leased == NULL);
        bool is_same = is_sent && at->slot == request->slot && !at->is_redirecting;
        if (is_sibling || at->state == KW_REQUEST_DONE || !(is_same || at->is_bunch) ||
            !comparison_may_match(&comparison, at)) {
            continue;
        }
        if (at->is_bunch) {
            bool has_other = at->is_behind && at->gather->behind_slot != request->slot;
            at->gather->behind_slot = has_other ? KW_SLOT_NONE : request->slot;
            at->is_behind = true; /* its parts will be */
        } else if (at->is_follower) {
            kw_coalesce_leave(at);
            kw__request_drop_parked(at);
            kw_resend_mark(at);
            at->state = KW_REQUEST_QUEUED;
        } else {
            kw_resend_mark(at);
        }
    }
}

void kw_resend_mark(struct kw_request *request)
{
    request->is_behind = true;
    request_hold_back(request);
}

bool kw_resend_overtook(const struct kw_request *request)
{
    if (!kw_resend_is_held(request)) {
        return false;
    }
    struct comparison comparison = comparison_of(request);
    return request_is_held(request, &comparison);
}

bool kw_resend_is_held(const struct kw_request *request)
{
    return request_is_held(request, NULL);
}

void kw_resend_now(struct kw_request *request)
{
    struct kw_backend *backend = request->client->proxy->backend;
    struct kw_node *node = request->to_node != NULL
                               ? request->to_node
                               : kw_backend_node_of_slot(backend, request->slot);

    KW_ASSERT(request->is_redirecting && request->call.link == NULL);
    request->is_behind = false;
    if (request->leased != NULL && kw_leased_is_over(request)) {
        return;
    }
    enum kw_status status = node == NULL ? KW_AGAIN : resend_put(request, node);
    if (status == KW_OK) {
        request->state = KW_REQUEST_INFLIGHT;
        kw_node_release(&request->to_node);
        request->is_asking = false;
        return;
    }
    if (status == KW_AGAIN && kw_resend_later(request)) {
        return; /* the name is being resolved, or the slot has no owner just now */
    }
    if (request->leased != NULL && kw_leased_is_refused(request)) {
        return;
    }
    bool is_silent = status == KW_E_TIMEOUT && request->was_sent;
    enum kw_error error = node == NULL ? KW_ERROR_SLOT_UNSERVED
                          : is_silent  ? KW_ERROR_NODE_SILENT
                                       : kw_resend_error(status);
    kw_reply_fail(request, error, node == NULL ? NULL : node->name);
}

bool kw_resend_later(struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;
    uint64_t now_ms = kw_loop_now_ms(proxy->loop);

    if (request->deadline_ms == 0) {
        request->is_special = true;
        request->deadline_ms = now_ms + proxy->config->request_retry_ms;
    }
    if (now_ms >= request->deadline_ms) {
        return false;
    }
    KW_STAT_ADD(proxy->stats, retries_later, 1);
    kw_resend_hold(request);
    request->state = KW_REQUEST_RETRYING;
    request->due_ms = now_ms + RETRY_STEP_MS;
    kw_list_append(&proxy->retrying, &request->retrying);
    kw__proxy_watch(proxy);
    return true;
}

bool kw_resend_when_moved(struct kw_request *request, struct kw_node *from)
{
    if (!kw_resend_later(request)) {
        return false;
    }
    request->owner_steps = OWNER_STEPS;
    request->to_node = kw_node_hold(from);
    return true;
}

void kw_resend_queued(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_request *last = NULL; /* that is redirecting */
    bool was_first = false;               /* ... and the first of its slot, or beside that one */
    struct kw_list due;

    if (client->redirecting_count == 0) {
        return;
    }
    /* One walk, however many there are: the first of each slot is due, the others are held. */
    kw_list_init(&due);
    memset(proxy->held, 0, sizeof proxy->held);
    for (struct kw_request *at = client->oldest; at != NULL; at = at->next) {
        if (!at->is_redirecting) {
            continue;
        }
        uint64_t bit = 1ull << (at->slot % 64);
        uint64_t *word = &proxy->held[at->slot / 64];
        bool is_beside = at->is_part && last != NULL && last->gather == at->gather &&
                         last->slot == at->slot; /* see kw_resend_is_held() */
        was_first = is_beside ? was_first : (*word & bit) == 0;
        if (at->state == KW_REQUEST_QUEUED && was_first) {
            kw_list_append(&due, &at->retrying);
        }
        *word |= bit;
        last = at;
    }
    while (!kw_list_is_empty(&due)) {
        struct kw_request *request = KW_LIST_ENTRY(due.next, struct kw_request, retrying);
        kw_list_remove(&request->retrying);
        kw_resend_now(request); /* may fail, and leave the queue with those that are done */
    }
}

void kw_resend_due(struct kw_proxy *proxy, uint64_t now_ms)
{
    /* Steps are equal, so the list is in order of due_ms. */
    while (!kw_list_is_empty(&proxy->retrying)) {
        struct kw_request *request =
            KW_LIST_ENTRY(proxy->retrying.next, struct kw_request, retrying);
        if (request->due_ms > now_ms) {
            return;
        }
        kw_list_remove(&request->retrying);
        if (request->owner_steps > 0 && !resend_has_moved(request)) {
            continue;
        }
        if (kw_resend_is_held(request)) {
            request->state = KW_REQUEST_QUEUED;
        } else {
            kw_resend_now(request);
        }
    }
}

/* I1. */
static void request_hold_back(struct kw_request *request)
{
    request->is_redirecting = true;
    request->is_special = true;
    request->client->redirecting_count++;
}

/* Keys are compared only when something is sent again. */
static struct comparison comparison_of(const struct kw_request *request)
{
    struct kw_bytes rest = kw_call_bytes(&request->call);
    struct comparison comparison = {.left = COMPARED_MAX};

    comparison.has_key = request_find_key(request, &rest, &comparison.key);
    return comparison;
}

/* OTHER may be a bunch: several commands of a key each. */
static bool comparison_may_match(struct comparison *comparison, const struct kw_request *other)
{
    struct kw_bytes rest = kw_call_bytes(&other->call);
    struct kw_bytes key;

    if (!comparison->has_key || comparison->left == 0) {
        return true;
    }
    comparison->left--;
    do {
        if (!request_find_key(other, &rest, &key) || kw_bytes_equal(key, comparison->key)) {
            return true;
        }
    } while (other->is_bunch && rest.len > 0);
    return false;
}

/* The only key of the command that REST, bytes of REQUEST, begins with; REST is what follows it.
 * False: it has several, or nobody can say.
 */
static bool request_find_key(const struct kw_request *request, struct kw_bytes *rest,
                             struct kw_bytes *key)
{
    struct kw_proxy *proxy = request->client->proxy;
    struct kw_argv *argv = &proxy->gathering->argv;
    const struct kw_command *command = request->command;
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;
    struct kw_keys keys;

    if (command == NULL || command->group == KW_GROUP_SCRIPTING ||
        command->id >= kw_command_count() ||
        kw_request_parse(&parser, &proxy->limits, *rest, argv, &cut) != KW_OK ||
        kw_keys_find(command, argv->items, argv->count, &keys) != KW_KEYS_OK || keys.count != 1) {
        return false;
    }
    *rest = kw_bytes_of(rest->data + cut.consumed, rest->len - cut.consumed);
    *key = argv->items[kw_keys_at(&keys, 0)];
    return true;
}

/* COMPARISON: only what may be about the same key counts; NULL: all. */
static bool request_is_held(const struct kw_request *request, struct comparison *comparison)
{
    if (request->client->redirecting_count == (request->is_redirecting ? 1u : 0u)) {
        return false;
    }
    /* Parts have a slot each, or keys that need no order: they do not hold one another. */
    const struct kw_request *end = request->is_part ? request->gather->first : request;
    for (const struct kw_request *earlier = request->client->oldest; earlier != end;
         earlier = earlier->next) {
        KW_ASSERT(earlier != NULL);
        if (earlier->slot == request->slot && earlier->is_redirecting &&
            earlier->state != KW_REQUEST_DONE &&
            (comparison == NULL || comparison_may_match(comparison, earlier))) {
            return true;
        }
    }
    return false;
}

/* Has the slot got another owner? If not, REQUEST waits on, or is answered. */
static bool resend_has_moved(struct kw_request *request)
{
    struct kw_backend *backend = request->client->proxy->backend;

    if (kw_backend_node_of_slot(backend, request->slot) != request->to_node) {
        request->owner_steps = 0;
        kw_node_release(&request->to_node);
        return true;
    }
    if (--request->owner_steps == 0 || !kw_resend_later(request)) {
        kw_reply_fail(request, KW_ERROR_BAD_REDIRECT, request->to_node->name);
    }
    return false;
}

enum kw_error kw_resend_error(enum kw_status status)
{
    switch ((int)status) {
    case KW_E_AUTH:
        return KW_ERROR_NODE_AUTH;
    case KW_E_PROTOCOL:
        return KW_ERROR_NODE_RESP3;
    case KW_E_INVALID:
        return KW_ERROR_DB_INDEX;
    case KW_E_FULL:
        return KW_ERROR_OVERLOADED;
    case KW_E_MEMORY:
        return KW_ERROR_OUT_OF_MEMORY;
    default:
        return KW_ERROR_NODE_DOWN;
    }
}

/* Queue the request's bytes again, on its client's link to NODE. */
static enum kw_status resend_put(struct kw_request *request, struct kw_node *node)
{
    struct kw_client *client = request->client;
    struct kw_link *link = NULL;

    if (request->leased != NULL) {
        return kw_leased_put(request, node);
    }
    enum kw_status status = kw_node_link(node, client->proto, client->db, client->id, &link);
    if (status == KW_OK) {
        status = kw_link_has_room(link, request->call.len + KW_INLINE_MAX_BYTES);
    }
    if (status == KW_OK && request->needs_script) {
        status = kw_script_send(request, link);
    }
    if (status == KW_OK && request->is_asking) { /* the command can't fail any more behind it */
        status = kw_link_send_prefix(link, KW_BYTES("*1\r\n$6\r\nASKING\r\n")); /* O4 */
    }
    return status == KW_OK ? kw_link_resend(link, &request->call) : status;
}
