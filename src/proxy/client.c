/* client.c - from readable socket to commands, and the limits of one client.
 *
 * Bytes are read into the worker's scratch area and parsed there; only an unfinished rest is kept
 * with the client. So an idle client holds no buffer (B1), and small commands are copied once, into
 * their link's output. A command that is larger than the scratch area collects in a chunk of the
 * client's own, which the call then references instead of copying (B2).
 *
 *   reading --EOF, QUIT, protocol error--> is_closing --all answered and written--> closed
 *      |  reset, limits, kill                                                        |
 *      +-----------------------> is_gone --last request ended--> freed <-------------+
 *
 * INVARIANTS
 * I1  input is parsed in order; a command that must wait (O2) stops the parsing of all behind it.
 * I2  reading is on only when a command read could be handled: not while waiting, closing, over
 *     the in-flight or output limits (L1).
 * I3  a closed client has no stream; its requests end by themselves, their replies are dropped.
 */
#include "proxy/client.h"

#include "backend/link.h"
#include "base/mem.h"
#include "net/burst.h"
#include "net/sock.h"
#include "proxy/lookahead.h"
#include "proxy/near/near.h"
#include "proxy/parked.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"
#include "proxy/session/finale.h"
#include "proxy/session/session.h"
#include "proxy/session/transaction.h"

static void client_on_readable(struct kw_stream *stream);
static void client_on_flushed(struct kw_stream *stream);
static void client_on_broken(struct kw_stream *stream, enum kw_status status);
static void client_on_connected(struct kw_stream *stream);
static enum kw_status client_read_scratch(struct kw_client *client);
static enum kw_status client_read_chunk(struct kw_client *client);
static void client_parse_input(struct kw_client *client);
static size_t client_parse(struct kw_client *client, struct kw_bytes input, struct kw_chunk *chunk);
static void client_keep(struct kw_client *client, const char *data, size_t len);
static void client_protocol_error(struct kw_client *client, const struct kw_request_bytes *cut);
static bool client_may_read(const struct kw_client *client);
static bool client_may_watch(const struct kw_client *client);
static void client_update_reading(struct kw_client *client);
static void client_close_if_finished(struct kw_client *client);
static void client_unpause(struct kw_client *client);
static void client_end(struct kw_client *client);

struct kw_client *kw_client_open(struct kw_proxy *proxy, int fd)
{
    struct kw_client *client = kw_alloc_zero(1, sizeof *client);

    client->proxy = proxy;
    client->proto = 2;
    client->id = atomic_fetch_add_explicit(&proxy->hub->next_client_id, 1, memory_order_relaxed);
    client->opened_ms = kw_loop_now_ms(proxy->loop);
    client->active_ms = client->opened_ms;
    client->stream.on_readable = client_on_readable;
    client->stream.on_connected = client_on_connected;
    client->stream.on_flushed = client_on_flushed;
    client->stream.on_broken = client_on_broken;
    kw_list_init(&client->resuming);
    kw_list_init(&client->monitoring);
    kw_list_append(&proxy->clients, &client->all);
    proxy->clients_count++;
    kw_stream_init(&client->stream, proxy->loop, &proxy->streams, proxy->chunks, fd, false);
    KW_STAT_ADD(proxy->stats, connections_received, 1);
    KW_STAT_ADD(proxy->stats, clients_connected, 1);
    return client;
}

void kw_client_close(struct kw_client *client)
{
    if (client->is_gone) {
        return;
    }
    client->is_gone = true;
    client->is_closing = true;
    client_unpause(client);
    kw_session_drop(client);
    kw_stream_deinit(&client->stream);
    kw_chunk_unref(&client->input);
    for (struct kw_request *request = client->oldest; request != NULL; request = request->next) {
        kw__request_drop_parked(request);
    }
    atomic_fetch_sub_explicit(&client->proxy->hub->clients_count, 1, memory_order_relaxed);
    KW_STAT_ADD(client->proxy->stats, clients_connected, -1);
    if (client->finale != NULL) {
        kw__client_resume_later(client); /* what all masters are to do is done without it */
    }
    client_end(client);
}

void kw_client_abort(struct kw_client *client)
{
    if (!client->is_gone) {
        kw_sock_reset_on_close(client->stream.fd);
        kw_client_close(client);
    }
}

void kw_client_finish(struct kw_client *client)
{
    if (!client->is_closing) {
        client->is_closing = true;
        kw_chunk_unref(&client->input);
        client_update_reading(client);
        kw__client_resume_later(client); /* closes it when there is nothing left to do */
    }
}

void kw_client_resume(struct kw_client *client)
{
    kw_client_output_ok(client);
    kw_resend_queued(client);
    bool may_go_on = client->finale == NULL || kw_finale_advance(client);
    if (may_go_on && !client->is_gone && !client->is_closing) {
        client->is_waiting = false;
        client_parse_input(client);
        client_update_reading(client);
    }
    client_close_if_finished(client);
    client_end(client);
}

void kw_client_check(struct kw_client *client, uint64_t now_ms)
{
    const struct kw_config *config = client->proxy->config;
    /* Who subscribes or monitors waits for others. */
    bool is_idle = client->oldest == NULL && client->stream.out.len == 0 &&
                   (client->modes & (KW_MODE_SUBSCRIBED | KW_MODE_MONITORING)) == 0;

    if (config->timeout_s > 0 && is_idle &&
        now_ms - client->active_ms > (uint64_t)config->timeout_s * 1000) {
        KW_STAT_ADD(client->proxy->stats, client_idle_closed, 1);
        kw_client_close(client);
        return;
    }
    const struct kw_config_output_limit *limit = kw__client_output_limit(client);
    if (limit->soft_bytes == 0 || client->stream.out.len <= limit->soft_bytes) {
        client->over_soft_ms = 0;
    } else if (client->over_soft_ms == 0) {
        client->over_soft_ms = now_ms;
    } else if (now_ms - client->over_soft_ms > (uint64_t)limit->soft_s * 1000) {
        char peer[KW_ADDRESS_TEXT_MAX];
        kw_sock_peer_text(client->stream.fd, peer, sizeof peer);
        kw_log(KW_LOG_WARNING,
               "client %s id=%llu closed: %zu bytes of replies unread for more than %u s "
               "(client-output-buffer-limit)",
               peer, (unsigned long long)client->id, client->stream.out.len, limit->soft_s);
        KW_STAT_ADD(client->proxy->stats, client_output_closed, 1);
        kw_client_close(client);
    }
}

KW_APART bool kw__client_output_cut(struct kw_client *client)
{
    uint64_t unread_bytes = client->stream.out.len + client->parked_bytes;
    char peer[KW_ADDRESS_TEXT_MAX];

    if (client->is_gone) {
        return true;
    }
    kw_sock_peer_text(client->stream.fd, peer, sizeof peer);
    kw_log(KW_LOG_WARNING,
           "client %s id=%llu closed: %llu bytes of replies unread (client-output-buffer-limit)",
           peer, (unsigned long long)client->id, (unsigned long long)unread_bytes);
    KW_STAT_ADD(client->proxy->stats, client_output_closed, 1);
    kw_client_close(client);
    return false;
}

size_t kw_client_memory_bytes(const struct kw_client *client)
{
    size_t input_bytes = client->input != NULL ? client->input->cap : 0;

    return client->stream.out.len + client->inflight_bytes + client->parked_bytes + input_bytes +
           kw_transaction_bytes(client);
}

void kw_client_free(struct kw_client *client)
{
    KW_ASSERT(client->is_gone && client->oldest == NULL); /* I3 */
    kw_list_remove(&client->resuming);
    kw_list_remove(&client->all);
    kw_free(client->name);
    kw_free(client->lib_name);
    kw_free(client->lib_version);
    kw_free(client);
}

static void client_on_connected(struct kw_stream *stream)
{
    (void)stream;
    KW_UNREACHABLE(); /* accepted sockets are connected */
}

static void client_on_readable(struct kw_stream *stream)
{
    struct kw_client *client = (struct kw_client *)stream;
    bool is_large =
        client->input != NULL && client->input->end - client->input->start > KW_LEFTOVER_MAX_BYTES;
    enum kw_status status = is_large ? client_read_chunk(client) : client_read_scratch(client);

    if (status == KW_E_CLOSED && kw__client_is_blocked(client)) {
        kw_client_close(client); /* at once: what comes later must not be lost to nobody */
    } else if (status == KW_E_CLOSED) {
        kw_client_finish(client); /* it may still read: answer what it has asked */
    } else if (status != KW_OK && status != KW_AGAIN) {
        kw_client_close(client);
    } else {
        client_update_reading(client);
    }
}

/* The usual way: what is left from last time, then new bytes, in the scratch area. */
static enum kw_status client_read_scratch(struct kw_client *client)
{
    char *scratch = client->proxy->scratch;
    size_t kept = 0;
    size_t got = 0;

    if (client->input != NULL) {
        kept = client->input->end - client->input->start;
        memcpy(scratch, client->input->data + client->input->start, kept);
    }
    enum kw_status status =
        kw_stream_read(&client->stream, scratch + kept, KW_READ_MAX_BYTES, &got);
    if (status != KW_OK) {
        return status;
    }
    kw_chunk_unref(&client->input);
    client->active_ms = kw_loop_now_ms(client->proxy->loop);
    KW_STAT_ADD(client->proxy->stats, input_bytes, got);
    struct kw_bytes input = kw_bytes_of(scratch, kept + got);
    size_t used = client_parse(client, input, NULL);
    if (!client->is_closing && used < input.len) {
        client_keep(client, input.data + used, input.len - used);
    }
    return KW_OK;
}

/* A large command: straight into a chunk that grows with what has arrived, never faster. */
static enum kw_status client_read_chunk(struct kw_client *client)
{
    size_t have = client->input->end - client->input->start;
    size_t room = client->input->cap - client->input->end;
    size_t got = 0;

    if (have >= client->proxy->config->client_query_buffer_limit_bytes) {
        if (kw__client_is_blocked(client) || (client->modes & KW_MODE_HOSTING) != 0) {
            return KW_E_FULL; /* closed at once: an element must not come for it meanwhile */
        }
        client_protocol_error(client, &(struct kw_request_bytes){.error = KW_ERROR_QUERY_TOO_BIG});
        return KW_OK;
    }
    if (room < KW_READ_MAX_BYTES) {
        size_t more = have > KW_READ_MAX_BYTES ? have : KW_READ_MAX_BYTES;
        size_t wanted = client->parser.wanted;
        if (wanted > have && (wanted - have < more || have >= KW_UPLOAD_SERIOUS_BYTES)) {
            more = wanted - have; /* in one go: pages not yet written to cost nothing */
            if (client->parser.args_left > 1 && more < have / 2) {
                more = have / 2; /* more will follow: each time all of it is copied */
            }
            more = more > KW_BURST_SLOT_BYTES ? more : KW_BURST_SLOT_BYTES; /* kw_stream_read() */
        }
        if (room < more && kw_chunk_grow(&client->input, more) != KW_OK) {
            return KW_E_MEMORY;
        }
        room = client->input->cap - client->input->end;
    }
    enum kw_status status =
        kw_stream_read(&client->stream, client->input->data + client->input->end, room, &got);
    if (status != KW_OK) {
        return status;
    }
    client->input->end += got;
    client->active_ms = kw_loop_now_ms(client->proxy->loop);
    KW_STAT_ADD(client->proxy->stats, input_bytes, got);
    client_parse_input(client);
    return KW_OK;
}

/* Parse what is kept in client->input. */
static void client_parse_input(struct kw_client *client)
{
    struct kw_chunk *chunk = client->input;

    if (chunk == NULL) {
        return;
    }
    client->input = NULL; /* while its commands are handled it is ours */
    struct kw_bytes rest = kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start);
    size_t used = client_parse(client, rest, chunk);
    if (client->is_closing || used == rest.len) {
        kw_chunk_unref(&chunk);
        return;
    }
    chunk->start += used;
    if (chunk->refs == 1) {
        client->input = chunk;
        return;
    }
    client_keep(client, rest.data + used, rest.len - used); /* calls hold it: move out */
    kw_chunk_unref(&chunk);
}

/* Handle every whole command of INPUT (inside CHUNK, unless that is NULL). Returns bytes used. */
static size_t client_parse(struct kw_client *client, struct kw_bytes input, struct kw_chunk *chunk)
{
    struct kw_proxy *proxy = client->proxy;
    size_t produced_max = client->stream.out.len + client->parked_bytes + KW_LOCAL_MAX_BYTES;
    bool has_keys = proxy->near != NULL || proxy->embedded != NULL;
    size_t seen = has_keys ? 0 : input.len; /* looked ahead into up to here */
    size_t used = 0;

    while (used < input.len && client_may_read(client)) {
        if (client->stream.out.len + client->parked_bytes > produced_max) {
            client->is_waiting = true;
            kw__client_yield(client);
            break;
        }
        struct kw_request_bytes cut;
        struct kw_bytes rest = kw_bytes_of(input.data + used, input.len - used);
        enum kw_status status =
            kw_request_parse(&client->parser, &proxy->limits, rest, &proxy->argv, &cut);
        if (status == KW_AGAIN) {
            break;
        }
        if (status != KW_OK && (client->modes & KW_MODE_HOSTING) != 0) {
            client->is_waiting = true; /* it is told behind EXEC's array, not inside */
            break;
        }
        if (status != KW_OK) {
            client_protocol_error(client, &cut);
            used = input.len;
            break;
        }
        if (proxy->argv.count > 0) {
            bool is_inside = cut.wire.data == rest.data;
            if (used >= seen && is_inside) {
                seen = used + kw__lookahead(client, rest, cut.consumed);
            }
            if (kw_request_start(client, cut.wire, is_inside ? chunk : NULL) == KW_WAITING) {
                client->is_waiting = true; /* I1 */
                break;
            }
        }
        used += cut.consumed;
    }
    kw_near_ahead_end(proxy);
    return used;
}

static void client_keep(struct kw_client *client, const char *data, size_t len)
{
    client->input = kw_chunk_get(client->proxy->chunks, len);
    if (client->input == NULL) {
        kw_client_close(client);
        return;
    }
    memcpy(client->input->data, data, len);
    client->input->end = len;
}

static void client_protocol_error(struct kw_client *client, const struct kw_request_bytes *cut)
{
    char byte[2] = {cut->error_byte, '\0'};
    char peer[KW_ADDRESS_TEXT_MAX];

    kw_sock_peer_text(client->stream.fd, peer, sizeof peer);
    kw_log_limited(&client->proxy->log_limit, kw_loop_now_ms(client->proxy->loop), KW_LOG_VERBOSE,
                   "client %s id=%llu closed: %s", peer, (unsigned long long)client->id,
                   kw_error_text(cut->error));
    KW_STAT_ADD(client->proxy->stats, protocol_errors, 1);
    kw_reply_error_text(kw_reply_begin(client), cut->error, byte, NULL);
    kw_reply_end(client);
    kw_client_finish(client);
}

static bool client_may_read(const struct kw_client *client)
{
    uint64_t soft_bytes = kw__client_output_limit(client)->soft_bytes;

    return !client->is_waiting && !client->is_closing &&
           client->queue_count < KW_CLIENT_QUEUE_MAX &&
           client->inflight_bytes + client->parked_bytes < KW_CLIENT_QUEUE_BYTES &&
           (soft_bytes == 0 || client->stream.out.len < soft_bytes); /* I2 */
}

/* Blocked: what it sends waits unparsed, but that it leaves must be noticed at once. So it is read
 * up to client-query-buffer-limit, above which it is closed, as a server does.
 */
static bool client_may_watch(const struct kw_client *client)
{
    return kw__client_is_blocked(client) && !client->is_closing;
}

static void client_update_reading(struct kw_client *client)
{
    if (!client->is_gone) {
        kw_stream_set_reading(&client->stream, client_may_read(client) || client_may_watch(client));
    }
}

static void client_on_flushed(struct kw_stream *stream)
{
    struct kw_client *client = (struct kw_client *)stream;

    if (stream->out.len <= KW_OUTPUT_RESUME_BYTES) {
        client->is_slow = false;
        client_unpause(client);
    }
    if (!stream->is_reading) {
        kw__client_resume_later(client);
    }
}

static void client_on_broken(struct kw_stream *stream, enum kw_status status)
{
    (void)status; /* clients come and go */
    kw_client_close((struct kw_client *)stream);
}

static void client_close_if_finished(struct kw_client *client)
{
    if (client->is_closing && !client->is_gone && client->oldest == NULL &&
        client->finale == NULL && client->stream.out.len == 0) {
        kw_client_close(client);
    }
}

static void client_unpause(struct kw_client *client)
{
    if (client->paused_link != NULL) {
        kw_link_resume(client->paused_link);
        client->paused_link = NULL;
        client->proxy->paused_count--;
    }
}

/* Nothing is left of it: hand it to the tick's end. */
static void client_end(struct kw_client *client)
{
    if (client->is_gone && client->oldest == NULL && client->finale == NULL) {
        kw_list_remove(&client->all);
        kw_list_remove(&client->resuming);
        kw_list_append(&client->proxy->ended_clients, &client->all);
    }
}
