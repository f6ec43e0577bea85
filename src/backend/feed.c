/* feed.c - a socket, a handshake, a parser that cuts values.
 *
 *   CLOSED --kw_feed_open--> CONNECTING --feed_on_connected--> HANDSHAKE --last step--> READY
 *      ^                         |                                |                       |
 *      +----- kw_feed_fail ------+--------------------------------+-----------------------+
 *
 * Values are cut in the worker's scratch area. One that is not whole is kept in a chunk that grows
 * with what arrives; a large message is handed on as that chunk, so that all who get it share it.
 *
 * INVARIANTS
 * I1  on_lost runs once for each kw_feed_open(), unless kw_feed_close() ends it.
 * I2  on_lost never runs inside on_value: a failure in there waits until it has returned.
 * I3  commands are sent on a READY feed only.
 */
#include "backend/feed.h"

#include "backend/backend.h"
#include "backend/handshake.h"
#include "base/assert.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/sock.h"
#include "resp/writer.h"

enum {
    QUIET_MS = 1000,       /* then it is asked for a sign of life */
    HANDSHAKE_MIN_MS = 500 /* SYNs get lost */
};

enum feed_step { STEP_AUTH = 0, STEP_HELLO, STEP_GREETING };

static void feed_on_connected(struct kw_stream *stream);
static void feed_on_readable(struct kw_stream *stream);
static void feed_on_flushed(struct kw_stream *stream);
static void feed_on_broken(struct kw_stream *stream, enum kw_status status);
static void feed_send_step(struct kw_feed *feed);
static enum kw_status feed_read(struct kw_feed *feed);
static enum kw_status feed_cut(struct kw_feed *feed, struct kw_bytes bytes, struct kw_chunk *chunk,
                               size_t *used);
static enum kw_status feed_keep(struct kw_feed *feed, struct kw_bytes rest);
static enum kw_status feed_deliver(struct kw_feed *feed, struct kw_bytes value,
                                   struct kw_chunk *chunk);
static unsigned feed_patience_ms(const struct kw_feed *feed);

void kw_feed_init(struct kw_feed *feed, struct kw_backend *backend, int proto,
                  struct kw_bytes greeting, const struct kw_feed_user *user, const char *name)
{
    *feed = (struct kw_feed){
        .backend = backend, .user = user, .greeting = greeting, .proto = proto, .name = name};
    feed->stream.fd = -1;
    feed->stream.on_connected = feed_on_connected;
    feed->stream.on_readable = feed_on_readable;
    feed->stream.on_flushed = feed_on_flushed;
    feed->stream.on_broken = feed_on_broken;
    feed->value_max_bytes = 2 * backend->config->proto_max_bulk_len_bytes + KW_LINE_MAX_BYTES;
}

void kw_feed_open(struct kw_feed *feed, const struct kw_address *address)
{
    int fd = -1;

    KW_ASSERT(feed->state == KW_FEED_CLOSED);
    feed->state = KW_FEED_CONNECTING;
    feed->parser = (struct kw_reply_parser){0};
    feed->scanned = 0;
    feed->failure = KW_OK;
    feed->is_pinged = false;
    feed->heard_ms = kw_loop_now_ms(feed->backend->loop);
    enum kw_status status = kw_address_is_resolved(address)
                                ? kw_sock_connect(address, feed_patience_ms(feed), &fd)
                                : KW_E_UNREACHABLE;
    if (status != KW_OK) {
        kw_feed_fail(feed, status);
        return;
    }
    kw_stream_init(&feed->stream, feed->backend->loop, &feed->backend->streams,
                   feed->backend->chunks, fd, true);
}

void kw_feed_close(struct kw_feed *feed)
{
    KW_ASSERT(!feed->is_delivering);
    feed->state = KW_FEED_CLOSED;
    kw_stream_deinit(&feed->stream);
    kw_chunk_unref(&feed->input);
}

void kw_feed_fail(struct kw_feed *feed, enum kw_status status)
{
    if (feed->is_delivering) {
        feed->failure = status;
        return;
    }
    if (feed->state != KW_FEED_CLOSED) {
        kw_feed_close(feed);
        feed->user->on_lost(feed, status); /* I1 */
    }
}

void kw_feed_send(struct kw_feed *feed, const struct kw_bytes *argv, size_t argc)
{
    KW_ASSERT(feed->state == KW_FEED_READY); /* I3 */
    kw_write_command(&feed->stream.out, argv, argc);
    kw_stream_mark(&feed->stream);
}

void kw_feed_send_bytes(struct kw_feed *feed, struct kw_bytes command)
{
    KW_ASSERT(feed->state == KW_FEED_READY); /* I3 */
    kw_buf_append_bytes(&feed->stream.out, command);
    kw_stream_mark(&feed->stream);
}

void kw_feed_check(struct kw_feed *feed, uint64_t now_ms)
{
    static const struct kw_bytes ping = {"PING", 4};
    uint64_t quiet_ms = now_ms > feed->heard_ms ? now_ms - feed->heard_ms : 0;

    if (feed->state == KW_FEED_CLOSED) {
        return;
    }
    if (feed->state != KW_FEED_READY) {
        if (quiet_ms > feed_patience_ms(feed)) {
            kw_feed_fail(feed, KW_E_TIMEOUT);
        }
    } else if (feed->is_pinged) {
        if (quiet_ms > QUIET_MS + feed_patience_ms(feed)) {
            kw_feed_fail(feed, KW_E_TIMEOUT);
        }
    } else if (quiet_ms >= QUIET_MS) {
        feed->is_pinged = true;
        feed->heard_ms = now_ms - QUIET_MS; /* the wait for the answer begins now */
        kw_feed_send(feed, &ping, 1);
    }
}

bool kw_feed_is_pong(struct kw_bytes value)
{
    return kw_bytes_start_with(value, KW_BYTES("+PONG\r\n")) ||
           kw_bytes_start_with(value, KW_BYTES("*2\r\n$4\r\npong\r\n"));
}

static void feed_on_connected(struct kw_stream *stream)
{
    struct kw_feed *feed = (struct kw_feed *)stream;
    enum kw_status status = kw_sock_connect_result(stream->fd);

    if (status != KW_OK) {
        kw_feed_fail(feed, status);
        return;
    }
    feed->state = KW_FEED_HANDSHAKE;
    feed->step = STEP_AUTH;
    feed_send_step(feed);
}

static void feed_on_readable(struct kw_stream *stream)
{
    struct kw_feed *feed = (struct kw_feed *)stream;

    enum kw_status status = feed_read(feed);
    if (status != KW_OK && status != KW_AGAIN) {
        kw_feed_fail(feed, status);
    }
}

static void feed_on_flushed(struct kw_stream *stream)
{
    (void)stream;
}

static void feed_on_broken(struct kw_stream *stream, enum kw_status status)
{
    kw_feed_fail((struct kw_feed *)stream, status);
}

/* Send the step the feed is at, or the next one that applies. */
static void feed_send_step(struct kw_feed *feed)
{
    static const struct kw_bytes hello[] = {{"HELLO", 5}, {"3", 1}};

    if (feed->step == STEP_AUTH && feed->backend->config->cluster_auth_pass[0] == '\0') {
        feed->step = STEP_HELLO;
    }
    if (feed->step == STEP_HELLO && feed->proto == 2) {
        feed->step = STEP_GREETING;
    }
    if (feed->step == STEP_AUTH) {
        kw_handshake_write_auth(&feed->stream.out, feed->backend->config);
    } else if (feed->step == STEP_HELLO) {
        kw_write_command(&feed->stream.out, hello, 2);
    } else {
        kw_buf_append_bytes(&feed->stream.out, feed->greeting);
    }
    kw_stream_mark(&feed->stream);
}

static enum kw_status feed_read(struct kw_feed *feed)
{
    char *scratch = feed->backend->scratch;
    size_t got = 0;
    size_t used = 0;

    enum kw_status status = kw_sock_read(feed->stream.fd, scratch, KW_READ_MAX_BYTES, &got);
    if (status != KW_OK) {
        return status;
    }
    feed->heard_ms = kw_loop_now_ms(feed->backend->loop);
    feed->is_pinged = false;
    KW_STAT_ADD(feed->backend->stats, node_input_bytes, got);
    struct kw_bytes bytes = kw_bytes_of(scratch, got);
    struct kw_chunk *chunk = feed->input;
    if (chunk == NULL) {
        status = feed_cut(feed, bytes, NULL, &used);
        return status == KW_AGAIN ? feed_keep(feed, kw_bytes_of(scratch + used, got - used))
                                  : status;
    }
    feed->input = NULL; /* ours while its values are handed on */
    size_t known = chunk->end - chunk->start;
    status = chunk->cap - chunk->end < got ? kw_chunk_grow(&chunk, got + known) : KW_OK;
    if (status == KW_OK) {
        memcpy(chunk->data + chunk->end, scratch, got);
        chunk->end += got;
        bytes = kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start);
        status = feed_cut(feed, bytes, chunk, &used);
    }
    if (status == KW_AGAIN && used == 0 && chunk->refs == 1) {
        feed->input = chunk;
        return bytes.len > feed->value_max_bytes ? KW_E_PROTOCOL : KW_AGAIN;
    }
    if (status == KW_AGAIN) {
        status = feed_keep(feed, kw_bytes_of(bytes.data + used, bytes.len - used));
    }
    kw_chunk_unref(&chunk);
    return status;
}

/* Hand over every value that ends in BYTES; *used is how many bytes they had. Returns KW_AGAIN when
 * there are no more.
 */
static enum kw_status feed_cut(struct kw_feed *feed, struct kw_bytes bytes, struct kw_chunk *chunk,
                               size_t *used)
{
    size_t scanned = feed->scanned;
    size_t start = 0;

    while (scanned < bytes.len) {
        size_t step = 0;
        enum kw_status status = kw_reply_scan(&feed->parser, feed->proto, bytes.data + scanned,
                                              bytes.len - scanned, &step);
        scanned += step;
        if (status == KW_AGAIN) {
            break;
        }
        if (status == KW_OK) {
            status = feed_deliver(feed, kw_bytes_of(bytes.data + start, scanned - start), chunk);
        }
        if (status != KW_OK) {
            return status;
        }
        start = scanned;
        *used = start;
    }
    feed->scanned = scanned - start;
    return KW_AGAIN;
}

static enum kw_status feed_keep(struct kw_feed *feed, struct kw_bytes rest)
{
    if (rest.len == 0) {
        return KW_OK;
    }
    feed->input = kw_chunk_get(feed->backend->chunks, rest.len);
    if (feed->input == NULL) {
        return KW_E_MEMORY;
    }
    memcpy(feed->input->data, rest.data, rest.len);
    feed->input->end = rest.len;
    return KW_OK;
}

static enum kw_status feed_deliver(struct kw_feed *feed, struct kw_bytes value,
                                   struct kw_chunk *chunk)
{
    if (feed->state == KW_FEED_READY) {
        feed->is_delivering = true;
        feed->user->on_value(feed, value, chunk);
        feed->is_delivering = false;
        return feed->failure; /* I2 */
    }
    if (value.data[0] == '>') {
        return KW_OK; /* what is pushed meanwhile answers nothing */
    }
    if (value.data[0] == '-') {
        kw_log_limited(&feed->log_limit, kw_loop_now_ms(feed->backend->loop), KW_LOG_WARNING,
                       "node %s answers the handshake of a feed with %.*s", feed->name,
                       (int)(value.len > 130 ? 128 : value.len - 2), value.data);
        return feed->step == STEP_AUTH ? KW_E_AUTH : KW_E_REJECTED;
    }
    if (feed->step != STEP_GREETING) {
        feed->step++;
        feed_send_step(feed);
        return KW_OK;
    }
    feed->state = KW_FEED_READY;
    feed->user->on_ready(feed);
    return KW_OK;
}

static unsigned feed_patience_ms(const struct kw_feed *feed)
{
    const struct kw_config *config = feed->backend->config;
    unsigned dead_after_ms = config->node_timeout_ms * config->node_failure_limit;

    return dead_after_ms > HANDSHAKE_MIN_MS ? dead_after_ms : HANDSHAKE_MIN_MS;
}
