/* leased.c - a request on its way to a link of its own.
 *
 * It is a request like others, in its client's queue; redirections, retries and lost links go
 * through request.c and resend.c, which come here for the link.
 *
 * INVARIANTS
 * I1  leased->request and request->leased point at each other, or are NULL.
 * I2  its client is in KW_MODE_LEASED exactly as long.
 * I3  who waits for a link is in proxy->lease_waiting and in the node's pool; who was put aside is
 *     in proxy->lease_retrying; all others are in none.
 */
#include "proxy/session/leased.h"

#include "backend/link.h"
#include "backend/node.h"
#include "proxy/reply.h"
#include "proxy/resend.h"

enum { RETRY_STEP_MS = 100 };

static enum kw_status leased_send(struct kw_leased *leased);
static void leased_on_ready(struct kw_lease *lease, struct kw_node *node, enum kw_status status);
static void leased_on_lost(struct kw_lease *lease);

static const struct kw_lease_user lease_user = {leased_on_ready, leased_on_lost};

void kw_leased_init(struct kw_leased *leased, struct kw_client *client,
                    const struct kw_leased_user *user)
{
    kw_lease_init(&leased->lease, &lease_user);
    kw_list_init(&leased->waiting);
    leased->user = user;
    leased->client = client;
    leased->request = NULL;
    leased->is_asking = false;
}

enum kw_verdict kw_leased_start(struct kw_leased *leased, const struct kw_command *command,
                                const struct kw_call_user *calls, uint16_t slot, bool is_patient,
                                struct kw_bytes wire)
{
    struct kw_client *client = leased->client;
    struct kw_request *request = kw__request_get(client, KW_REQUEST_QUEUED);

    KW_ASSERT(client->inflight_count == 0);
    request->is_special = true;
    request->call.user = calls;
    request->call.is_patient = is_patient;
    request->command = command;
    request->slot = slot;
    leased->request = request;
    if (kw_leased_set_bytes(leased, &wire, 1) != KW_OK) {
        leased->request = NULL;
        kw__request_put(request);
        return kw_reply_refuse(client, KW_ERROR_OUT_OF_MEMORY, NULL, NULL);
    }
    kw_reply_expect(request);
    kw_leased_bind(leased, request);
    kw_resend_hold(request);
    kw_resend_now(request);
    return KW_SENT;
}

void kw_leased_bind(struct kw_leased *leased, struct kw_request *request)
{
    leased->request = request;
    request->is_special = true;
    request->leased = leased; /* I1 */
    leased->client->modes |= KW_MODE_LEASED;
}

enum kw_status kw_leased_set_bytes(struct kw_leased *leased, const struct kw_bytes *pieces,
                                   size_t count)
{
    struct kw_request *request = leased->request;
    struct kw_client *client = leased->client;
    bool is_counted = request->leased != NULL; /* in the queue already */
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    struct kw_chunk *chunk = kw_chunk_get(client->proxy->chunks, len);
    if (chunk == NULL) {
        return KW_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(chunk->data + chunk->end, pieces[i].data, pieces[i].len);
        chunk->end += pieces[i].len;
    }
    if (is_counted) {
        client->inflight_bytes += len - request->call.len;
    }
    kw_call_release(&request->call);
    request->call.chunk = chunk;
    request->call.offset = 0;
    request->call.len = len;
    return KW_OK;
}

bool kw_leased_is_over(struct kw_request *request)
{
    struct kw_leased *leased = request->leased;

    return leased->user->before_send != NULL && !leased->user->before_send(leased);
}

void kw_leased_try_later(struct kw_leased *leased)
{
    struct kw_proxy *proxy = leased->client->proxy;

    KW_ASSERT(leased->request->call.link == NULL && !kw_list_is_linked(&leased->waiting));
    kw_resend_hold(leased->request);
    leased->request->state = KW_REQUEST_RETRYING;
    leased->due_ms = kw_loop_now_ms(proxy->loop) + RETRY_STEP_MS;
    kw_list_append(&proxy->lease_retrying, &leased->waiting); /* I3 */
    kw__proxy_watch(proxy);
}

bool kw_leased_is_refused(struct kw_request *request)
{
    struct kw_leased *leased = request->leased;

    return leased->user->on_refused != NULL && leased->user->on_refused(leased);
}

enum kw_status kw_leased_put(struct kw_request *request, struct kw_node *node)
{
    struct kw_leased *leased = request->leased;
    struct kw_proxy *proxy = leased->client->proxy;

    KW_ASSERT(leased->request == request); /* I1 */
    leased->is_asking = request->is_asking;
    if (leased->lease.link != NULL && leased->lease.link->node == node) {
        return leased_send(leased);
    }
    kw_lease_give_back(&leased->lease);
    enum kw_status status =
        kw_lease_take(&leased->lease, node, leased->client->proto, leased->client->db);
    if (status == KW_OK) {
        return leased_send(leased);
    }
    if (status == KW_E_FULL) {
        kw_lease_wait(&leased->lease, node, leased->client->proto, leased->client->db);
        leased->due_ms = kw_loop_now_ms(proxy->loop) + proxy->config->request_retry_ms;
        kw_list_append(&proxy->lease_waiting, &leased->waiting); /* I3 */
        kw__proxy_watch(proxy);
        return KW_OK;
    }
    return status;
}

void kw_leased_finish(struct kw_request *request)
{
    struct kw_leased *leased = request->leased;

    request->leased = NULL;
    leased->request = NULL; /* I1 */
    kw_list_remove(&leased->waiting);
    leased->client->modes &= ~KW_MODE_LEASED; /* I2 */
    kw__client_resume_later(leased->client);
    leased->user->on_finished(leased);
}

void kw_leased_drop(struct kw_leased *leased)
{
    struct kw_request *request = leased->request;

    kw_lease_close(&leased->lease);
    kw_list_remove(&leased->waiting); /* I3 */
    if (request != NULL && request->call.link == NULL) {
        kw_reply_finish(request); /* else its call fails when the link is closed */
    }
}

void kw_leased_check(struct kw_proxy *proxy, uint64_t now_ms)
{
    while (!kw_list_is_empty(&proxy->lease_retrying)) { /* in order of due_ms, too */
        struct kw_leased *leased =
            KW_LIST_ENTRY(proxy->lease_retrying.next, struct kw_leased, waiting);
        if (leased->due_ms > now_ms) {
            break;
        }
        kw_list_remove(&leased->waiting);
        kw_resend_now(leased->request);
    }
    /* All wait equally long, so the list is in order of due_ms. */
    while (!kw_list_is_empty(&proxy->lease_waiting)) {
        struct kw_leased *leased =
            KW_LIST_ENTRY(proxy->lease_waiting.next, struct kw_leased, waiting);
        if (leased->due_ms > now_ms) {
            return;
        }
        struct kw_request *request = leased->request;
        struct kw_node *node = kw_backend_node_of_slot(proxy->backend, request->slot);
        kw_list_remove(&leased->waiting);
        kw_lease_give_back(&leased->lease); /* it has none: this ends the waiting, I3 */
        if (!kw_leased_is_over(request)) {
            kw_reply_fail(request, KW_ERROR_NO_LEASE, node == NULL ? "?" : node->name);
        }
    }
}

static enum kw_status leased_send(struct kw_leased *leased)
{
    struct kw_request *request = leased->request;
    struct kw_link *link = leased->lease.link;

    enum kw_status status = kw_link_has_room(link, request->call.len + KW_INLINE_MAX_BYTES);
    if (status == KW_OK && leased->is_asking) { /* the command can't fail any more behind it */
        status = kw_link_send_prefix(link, KW_BYTES("*1\r\n$6\r\nASKING\r\n")); /* O4 */
    }
    if (status == KW_OK) {
        status = kw_link_resend(link, &request->call);
    }
    if (status == KW_OK && !request->call.is_patient) {
        kw_lease_watch(&leased->lease);
    }
    return status;
}

/* It is our turn, or will never be. */
static void leased_on_ready(struct kw_lease *lease, struct kw_node *node, enum kw_status status)
{
    struct kw_leased *leased = (struct kw_leased *)lease;
    struct kw_request *request = leased->request;

    kw_list_remove(&leased->waiting); /* I3 */
    if (kw_leased_is_over(request)) {
        return;
    }
    if (status == KW_OK) {
        status = leased_send(leased);
    }
    if (status != KW_OK && (status != KW_AGAIN || !kw_resend_later(request)) &&
        !kw_leased_is_refused(request)) {
        kw_reply_fail(request, kw_resend_error(status), node->name);
    }
}

static void leased_on_lost(struct kw_lease *lease)
{
    struct kw_leased *leased = (struct kw_leased *)lease;

    if (leased->user->on_lost != NULL) {
        leased->user->on_lost(leased);
    }
}
