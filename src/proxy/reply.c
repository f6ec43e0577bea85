/* reply.c - the queue of a client.
 *
 *   oldest -> [in flight] -> [done, parked] -> [in flight] <- newest
 *      |
 *      +-- its bytes go to stream.out as they come; when it is done, so do the parked ones behind
 *
 * Parts of a gather park their replies and stay, DONE, until all of them are: then the request
 * behind them has the answer, and they leave the queue with it.
 *
 * INVARIANTS
 * Q1  the oldest request of a client is never DONE, outside of this file, but for a part of a
 *     gather that is not complete.
 * Q2  only the oldest has bytes in stream.out that are not followed by their reply's end.
 * Q3  inflight_count is the number of requests that are not DONE; inflight_bytes the sum of theirs.
 * Q4  what CLIENT REPLY mutes keeps its place in the queue; its bytes end in the sink, or nowhere.
 * Q5  a request in the pool has nothing special: the next one finds those fields zero.
 */
#include "proxy/reply.h"

#include "backend/node.h"
#include "base/apart.h"
#include "base/mem.h"
#include "proxy/account.h"
#include "proxy/client.h"
#include "proxy/coalesce.h"
#include "proxy/gather/bunch.h"
#include "proxy/gather/gather.h"
#include "proxy/near/near.h"
#include "proxy/parked.h"
#include "proxy/session/finale.h"
#include "proxy/session/leased.h"
#include "proxy/session/transaction.h"

static bool reply_is_in_turn(const struct kw_request *request);
static void reply_expect(struct kw_request *request);
static void reply_deliver_parked(struct kw_request *request);
static void request_forget_special(struct kw_request *request);
static inline bool request_is_blank(const struct kw_request *request);
static struct kw_buf *reply_push_behind(struct kw_request *request);
static void reply_park_whole(struct kw_request *request, struct kw_bytes bytes);
static void reply_release_special(struct kw_request *request);
static void reply_park(struct kw_request *request, struct kw_bytes bytes);
static void reply_advance(struct kw_client *client);
static void reply_append_to_queue(struct kw_request *request);

struct kw_buf *kw_reply_begin(struct kw_client *client)
{
    struct kw_proxy *proxy = client->proxy;

    if (client->is_muted) {
        return &proxy->sink;
    }
    if (client->oldest == NULL) {
        return &client->stream.out;
    }
    struct kw_request *request = kw__request_get(client, KW_REQUEST_DONE);
    reply_append_to_queue(request);
    return kw__request_parked(request);
}

void kw_reply_end(struct kw_client *client)
{
    if (client->is_muted) {
        kw_buf_reset(&client->proxy->sink);
    } else if (client->oldest == NULL) {
        kw_stream_mark(&client->stream);
    } else {
        client->parked_bytes += client->newest->parked.len;
    }
}

void kw_reply_whole(struct kw_client *client, struct kw_bytes bytes)
{
    if (client->is_muted) {
        return;
    }
    if (client->oldest == NULL) {
        kw_buf_append_bytes(&client->stream.out, bytes);
        kw_stream_mark(&client->stream);
        return;
    }
    struct kw_request *request = kw__request_get(client, KW_REQUEST_DONE);
    reply_append_to_queue(request);
    reply_park(request, bytes);
}

enum kw_verdict kw_reply_refuse(struct kw_client *client, enum kw_error error, const char *first,
                                const char *second)
{
    kw_reply_error_text(kw_reply_begin(client), error, first, second);
    kw_reply_end(client);
    kw_account_error(client->proxy, kw_bytes_of_text(kw_error_text(error)));
    return KW_REFUSED;
}

enum kw_verdict kw_reply_refuse_bytes(struct kw_client *client, enum kw_error error,
                                      struct kw_bytes bytes)
{
    kw_reply_error_bytes(kw_reply_begin(client), error, bytes);
    kw_reply_end(client);
    kw_account_error(client->proxy, kw_bytes_of_text(kw_error_text(error)));
    return KW_REFUSED;
}

void kw_reply_expect(struct kw_request *request)
{
    reply_append_to_queue(request);
    reply_expect(request);
}

void kw_reply_expect_behind(struct kw_request *request, struct kw_request *before)
{
    struct kw_client *client = request->client;

    if (client->newest == before) {
        kw_reply_expect(request);
        request->is_muted = before->is_muted;
        return;
    }
    request->is_muted = before->is_muted;
    request->next = before->next;
    before->next = request;
    client->queue_count++;
    reply_expect(request);
}

static void reply_expect(struct kw_request *request)
{
    struct kw_client *client = request->client;

    KW_ASSERT(request->state != KW_REQUEST_DONE);
    request->started_us = kw_loop_now_us(client->proxy->loop);
    client->inflight_count++;
    client->barriers_count += request->is_barrier ? 1 : 0;
    client->inflight_bytes += request->call.len;
    KW_STAT_ADD(client->proxy->stats, requests_inflight, 1);
    if (__builtin_expect(client->proxy->near != NULL, 0)) {
        kw_near_expect(request);
    }
}

struct kw_request *kw_reply_defer(struct kw_client *client, const struct kw_command *command,
                                  struct kw_gather *gather)
{
    struct kw_request *request = kw__request_get(client, KW_REQUEST_DEFERRED);

    request->command = command;
    request->is_gathered = gather != NULL;
    request->gather = gather;
    request->slot = KW_SLOT_NONE;
    kw_reply_expect(request);
    return request;
}

/* Nobody waits, or no part of the oldest one's reply has left: here is a place between two replies.
 * Else the first one is behind the oldest.
 */
struct kw_buf *kw_reply_begin_push(struct kw_client *client)
{
    struct kw_request *oldest = client->oldest;

    if (client->finale != NULL) {
        return kw_finale_pushes(client);
    }
    return oldest == NULL || !oldest->is_streaming ? &client->stream.out /* Q2 */
                                                   : reply_push_behind(oldest);
}

struct kw_buf *kw_reply_begin_push_behind(struct kw_client *client)
{
    struct kw_request *last = NULL;

    if (client->finale != NULL) {
        return kw_finale_pushes(client);
    }
    for (struct kw_request *request = client->oldest; request != NULL; request = request->next) {
        bool is_blocked = kw__client_is_blocked(client) && request->command != NULL &&
                          (request->command->flags & KW_COMMAND_BLOCKING) != 0;
        last = is_blocked ? last : request;
    }
    return last == NULL ? kw_reply_begin_push(client) : reply_push_behind(last);
}

void kw_reply_end_push(struct kw_client *client, const struct kw_buf *buf, size_t added_bytes)
{
    if (buf == &client->stream.out) {
        kw_stream_mark(&client->stream);
    } else {
        client->parked_bytes += added_bytes;
    }
}

void kw_reply_pass(struct kw_request *request, struct kw_bytes bytes)
{
    struct kw_client *client = request->client;

    if (client->is_gone || request->is_muted) {
        return;
    }
    if (request->is_part || !reply_is_in_turn(request)) {
        reply_park(request, bytes);
        return;
    }
    kw_buf_append_bytes(&client->stream.out, bytes); /* Q2 */
    request->is_streaming = true;
    kw_stream_mark(&client->stream);
}

void kw_reply_pass_buf(struct kw_request *request, struct kw_buf *buf)
{
    for (const struct kw_chunk *chunk = buf->head; chunk != NULL; chunk = chunk->next) {
        kw_reply_pass(request, kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start));
    }
    kw_buf_reset(buf);
}

/* Would its bytes be the next ones that the client is waiting for? */
static bool reply_is_in_turn(const struct kw_request *request)
{
    const struct kw_request *oldest = request->client->oldest;

    return __builtin_expect(!request->is_gathered, 1)
               ? oldest == request
               : !request->is_part && oldest == request->gather->first;
}

void kw_reply_finish(struct kw_request *request)
{
    struct kw_client *client = request->client;

    KW_ASSERT(request->state != KW_REQUEST_DONE && client->inflight_count > 0); /* Q3 */
    KW_ASSERT(request->call.link == NULL);
    request->state = KW_REQUEST_DONE;
    if (__builtin_expect(kw_near_heeds_end(request->near), 0)) {
        kw_near_on_end(request); /* its bytes are still there */
    }
    if (__builtin_expect((client->proxy->coalesce != NULL && !request->is_told) ||
                             request->is_lead || request->is_follower,
                         0)) {
        kw_coalesce_on_end(request); /* the same */
    }
    kw_account_end(request);
    client->inflight_count--;
    client->barriers_count -= request->is_barrier ? 1 : 0;
    client->inflight_bytes -= request->call.len;
    KW_STAT_ADD(client->proxy->stats, requests_inflight, -1);
    kw_call_release(&request->call);
    if (!client->stream.is_reading) {
        kw__client_resume_later(client); /* waiting, throttled, closing or gone */
    }
    if (__builtin_expect(request->is_special, 0)) {
        reply_release_special(request);
    }
    if (__builtin_expect(request->is_part, 0)) {
        kw_gather_on_part(request->gather);
    } else if (reply_is_in_turn(request)) {
        reply_advance(client);
    }
}

/* Release what only few requests hold. */
static KW_APART void reply_release_special(struct kw_request *request)
{
    struct kw_client *client = request->client;

    kw_list_remove(&request->retrying);
    kw_node_release(&request->to_node);
    if (request->leased != NULL) {
        kw_leased_finish(request);
    }
    if (request->run != NULL) {
        kw_run_free(request);
    }
    if (request->is_redirecting) {
        request->is_redirecting = false;
        client->redirecting_count--;
        kw__client_resume_later(client);
    }
}

void kw_reply_finish_all(struct kw_client *client)
{
    struct kw_request *request = client->oldest;

    KW_ASSERT(client->is_gone);
    while (request != NULL) {
        struct kw_request *oldest = client->oldest;
        if (request->state != KW_REQUEST_DONE) {
            request->to_node = NULL; /* gone with the backend */
            kw_reply_finish(request);
        }
        request = client->oldest == oldest ? request->next : client->oldest;
    }
    KW_ASSERT(client->oldest == NULL);
}

void kw_reply_fail(struct kw_request *request, enum kw_error error, const char *text)
{
    struct kw_client *client = request->client;
    struct kw_buf line;

    kw_buf_init(&line, client->proxy->chunks);
    kw_reply_error_text(&line, error, text, NULL);
    kw_reply_pass(request, kw_bytes_of(line.head->data + line.head->start, line.len));
    kw_account_failed(request, kw_bytes_of(line.head->data + line.head->start + 1, line.len - 1));
    kw_buf_reset(&line);
    KW_STAT_ADD(client->proxy->stats, requests_refused, 1);
    kw_reply_finish(request);
}

/* Pushes wait behind REQUEST in one that is done from the start. Returns where they are
 * collected.
 */
static struct kw_buf *reply_push_behind(struct kw_request *request)
{
    struct kw_client *client = request->client;
    struct kw_request *push = request->next;

    if (push == NULL || !push->is_push) {
        push = kw__request_get(client, KW_REQUEST_DONE);
        push->is_push = true;
        push->next = request->next;
        request->next = push;
        client->newest = client->newest == request ? push : client->newest;
        client->queue_count++;
    }
    return kw__request_parked(push);
}

/* Keep BYTES until the older requests are answered. */
static void reply_park(struct kw_request *request, struct kw_bytes bytes)
{
    request->client->parked_bytes += bytes.len;
    if (!request->is_parked && request->small_len + bytes.len <= KW_REPLY_SMALL_BYTES &&
        !request->is_bunch) {
        memcpy(request->small + request->small_len, bytes.data, bytes.len);
        request->small_len = (uint8_t)(request->small_len + bytes.len);
        return;
    }
    if (request->is_part) {
        reply_park_whole(request, bytes);
        return;
    }
    struct kw_buf *parked = kw__request_parked(request);
    kw_buf_append(parked, request->small, request->small_len);
    request->small_len = 0;
    kw_buf_append_bytes(parked, bytes);
}

/* The same for a part: merges read replies in one piece, so all of it is in one chunk that grows.
 */
static void reply_park_whole(struct kw_request *request, struct kw_bytes bytes)
{
    struct kw_buf *parked = &request->parked;
    size_t len = request->small_len + bytes.len;
    struct kw_chunk *chunk = parked->head;

    if (chunk == NULL) {
        chunk = kw_chunk_get(parked->pool, request->is_bunch ? kw_bunch_room(request, len) : len);
    } else if (chunk->cap - chunk->end < len &&
               kw_chunk_grow(&chunk, len > chunk->end ? len : chunk->end) != KW_OK) {
        request->client->parked_bytes -= bytes.len;
        kw_client_close(request->client);
        return;
    }
    if (chunk == NULL) {
        request->client->parked_bytes -= bytes.len;
        kw_client_close(request->client);
        return;
    }
    memcpy(chunk->data + chunk->end, request->small, request->small_len);
    memcpy(chunk->data + chunk->end + request->small_len, bytes.data, bytes.len);
    chunk->end += len;
    parked->head = chunk;
    parked->tail = chunk;
    parked->len += len;
    request->is_parked = true;
    request->small_len = 0;
}

/* Deliver and drop all that is done at the head of the queue. */
static void reply_advance(struct kw_client *client)
{
    while (client->oldest != NULL) {
        struct kw_request *request = client->oldest;
        if (request->is_part) {
            if (!request->gather->is_complete) {
                return;
            }
        } else if (!client->is_gone && kw__request_parked_len(request) > 0) {
            reply_deliver_parked(request);
        }
        if (request->state != KW_REQUEST_DONE) {
            return; /* Q1 */
        }
        client->oldest = request->next;
        if (client->oldest == NULL) {
            client->slots_ahead = 0; /* near.h */
            client->newest = NULL;
        }
        client->queue_count--;
        if (kw__request_parked_len(request) > 0) {
            kw__request_drop_parked(request); /* nobody got them */
        }
        kw__request_put(request);
    }
}

static void reply_deliver_parked(struct kw_request *request)
{
    struct kw_client *client = request->client;

    request->is_streaming = true;
    client->parked_bytes -= kw__request_parked_len(request);
    if (request->is_parked) {
        kw_buf_append_buf(&client->stream.out, &request->parked);
    } else {
        kw_buf_append(&client->stream.out, request->small, request->small_len);
        request->small_len = 0;
    }
    kw_stream_mark(&client->stream);
}

void kw__request_put(struct kw_request *request)
{
    KW_ASSERT(request->call.chunk == NULL);
    if (__builtin_expect(request->is_gathered, 0)) {
        if (!request->is_part) {
            kw_gather_put(request->gather);
        }
        request->gather = NULL;
        request->call.replies_count = 0; /* a bunch had several */
    }
    if (__builtin_expect(request->is_special, 0)) {
        request_forget_special(request);
    }
    KW_DEBUG_ASSERT(request_is_blank(request)); /* Q5 */
    kw_pool_put(&request->client->proxy->requests, request);
}

static KW_APART void request_forget_special(struct kw_request *request)
{
    KW_ASSERT(request->to_node == NULL && request->leased == NULL && request->run == NULL);
    request->call.replies_count = 0;
    request->call.is_patient = false;
    request->deadline_ms = 0;
    request->due_ms = 0;
}

/* All that is special, or parked, is as if it had never been used. */
static inline bool request_is_blank(const struct kw_request *request)
{
    return ((uintptr_t)request->call.link | (uintptr_t)request->to_node |
            (uintptr_t)request->leased | (uintptr_t)request->run | (uintptr_t)request->gather |
            (uintptr_t)request->lead | (uintptr_t)request->parked.head | request->parked.len |
            request->deadline_ms | request->due_ms | request->call.replies_count |
            request->call.is_patient) == 0 &&
           !kw_list_is_linked(&request->retrying) && !kw_list_is_linked(&request->followers);
}

static void reply_append_to_queue(struct kw_request *request)
{
    struct kw_client *client = request->client;

    request->next = NULL;
    request->is_muted = client->is_muted && !request->is_part; /* parts are never delivered */
    if (client->newest == NULL) {
        client->oldest = request;
    } else {
        client->newest->next = request;
    }
    client->newest = request;
    client->queue_count++;
}
