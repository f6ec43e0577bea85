/* link.c - calls over one socket; the queue of them is inflight.h's.
 *
 *   CLOSED --open--> CONNECTING --link_on_connected--> HANDSHAKE --kw_handshake_on_reply--> READY
 *      ^                  |                                |                                  |
 *      +------------------+-------- link_fail_now ---------+----------------------------------+
 *
 * Bytes of calls wait in `waiting` until READY, then go to stream.out, which leaves once per tick.
 * Replies are read into the worker's scratch area, cut by the parser and handed to the oldest call.
 * The unfinished rest is kept as `leftover` while it is small; a big reply is handed over in parts
 * as it arrives, so that 512 MiB cost a few hundred KiB.
 *
 * INVARIANTS
 * I1  the n-th reply belongs to the n-th call (O3): a reply that nobody waits for, or bytes that
 *     are no RESP, close the link; nothing is ever guessed.
 * I2  a call is in the queue of exactly one link, and its user is told exactly once.
 * I3  a RESP3 push is not a reply (O5): it is skipped.
 * I4  bytes of a call that was reported as not sent never reach the socket: the link is closed.
 * I5  only READY links write bytes of calls.
 * I6  the last reply of a run is taken only when all of it was written: what answers earlier
 *     answers something else, and the rest of the run would shift all replies behind it.
 */
#include "backend/link.h"

#include "backend/backend.h"
#include "backend/handshake.h"
#include "backend/inflight.h"
#include "backend/node.h"
#include "base/apart.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "net/loop.h"
#include "net/sock.h"

enum { SINGLES_MAX = 32 }; /* taken at once */

static enum kw_status link_send_large(struct kw_link *link, struct kw_call *call,
                                      struct kw_bytes bytes, struct kw_chunk *chunk);
static void link_set_state(struct kw_link *link, enum kw_link_state next);
static void link_on_connected(struct kw_stream *stream);
static void link_on_readable(struct kw_stream *stream);
static void link_on_flushed(struct kw_stream *stream);
static void link_on_broken(struct kw_stream *stream, enum kw_status status);
static enum kw_status link_cut_replies(struct kw_link *link, const char *data, size_t len,
                                       size_t scanned);
static enum kw_status link_keep_rest(struct kw_link *link, const char *data, size_t len,
                                     size_t scanned);
static size_t link_take_singles(struct kw_link *link, const char *data, size_t len);
static bool link_owes_nothing(const struct kw_link *link);
static bool link_has_written(const struct kw_link *link, const struct kw_call *call);
static enum kw_status link_deliver(struct kw_link *link, struct kw_bytes bytes, bool is_last);
static void link_push_call(struct kw_link *link, struct kw_call *call);
static void link_on_first_call(struct kw_link *link);
static void link_fail_now(struct kw_link *link, enum kw_status status);

struct kw_link *kw_link_open(struct kw_backend *backend, struct kw_node *node, int proto,
                             uint32_t db)
{
    struct kw_link *link = kw_alloc_zero(1, sizeof *link);
    int fd = -1;

    KW_ASSERT(proto == 2 || proto == 3);
    link->backend = backend;
    link->node = node;
    link->proto = proto;
    link->db = db;
    link->serial = ++backend->links_made;
    link->stream.fd = -1;
    link->stream.on_connected = link_on_connected;
    link->stream.on_readable = link_on_readable;
    link->stream.on_flushed = link_on_flushed;
    link->stream.on_broken = link_on_broken;
    link->progress_ms = kw_loop_now_ms(backend->loop);
    kw_buf_init(&link->waiting, backend->chunks);
    kw_list_init(&link->leased);
    KW_STAT_ADD(backend->stats, links_opened, 1);
    enum kw_status status = kw_address_is_resolved(&node->address)
                                ? kw_sock_connect(&node->address, kw_node_dead_after_ms(node), &fd)
                                : KW_E_UNREACHABLE;
    if (status != KW_OK) {
        kw_backend_defer_failure(backend, link, status);
        return link;
    }
    kw_stream_init(&link->stream, backend->loop, &backend->streams, backend->chunks, fd, true);
    link_set_state(link, KW_LINK_CONNECTING);
    return link;
}

void kw_link_close(struct kw_link **link, enum kw_status status)
{
    struct kw_link *closing = *link;

    if (closing == NULL) {
        return;
    }
    KW_ASSERT(!closing->is_delivering);
    *link = NULL;
    kw_backend_forget_failure(closing->backend, closing);
    link_fail_now(closing, status);
    kw_free(closing);
}

enum kw_status kw_link_send(struct kw_link *link, struct kw_call *call, struct kw_bytes bytes,
                            struct kw_chunk *chunk)
{
    struct kw_buf *buf = link->state == KW_LINK_READY ? &link->stream.out : &link->waiting;

    KW_ASSERT(call->link == NULL); /* I2 */
    if (kw_link_has_room(link, 0) != KW_OK) {
        return KW_E_FULL;
    }
    if (bytes.len > KW_COPY_MAX_BYTES) {
        return link_send_large(link, call, bytes, chunk);
    }
    call->chunk = kw_chunk_ref(kw_buf_append_run(buf, bytes.data, bytes.len, &call->offset));
    call->len = bytes.len;
    link_push_call(link, call);
    return KW_OK;
}

/* The same, without copying BYTES more than once. */
static KW_APART enum kw_status link_send_large(struct kw_link *link, struct kw_call *call,
                                               struct kw_bytes bytes, struct kw_chunk *chunk)
{
    struct kw_buf *buf = link->state == KW_LINK_READY ? &link->stream.out : &link->waiting;
    size_t offset = 0;

    if (chunk != NULL) {
        offset = (size_t)(bytes.data - chunk->data);
        kw_buf_append_window(buf, chunk, offset, bytes.len);
        call->chunk = kw_chunk_ref(chunk);
    } else {
        chunk = kw_chunk_get(link->backend->chunks, bytes.len);
        if (chunk == NULL) {
            return KW_E_MEMORY;
        }
        memcpy(chunk->data, bytes.data, bytes.len);
        chunk->end = bytes.len;
        kw_buf_append_window(buf, chunk, 0, bytes.len);
        call->chunk = chunk; /* our reference becomes the call's */
    }
    call->offset = offset;
    call->len = bytes.len;
    link_push_call(link, call);
    return KW_OK;
}

enum kw_status kw_link_resend(struct kw_link *link, struct kw_call *call)
{
    struct kw_chunk *old = call->chunk; /* the call's reference, ours until the end */
    struct kw_bytes bytes = kw_call_bytes(call);
    struct kw_chunk *owner = old->owner == NULL ? old : old->owner;

    enum kw_status status = kw_link_send(link, call, bytes, owner);
    if (status == KW_OK) {
        kw_chunk_unref(&old);
    }
    return status;
}

enum kw_status kw_link_has_room(const struct kw_link *link, size_t len)
{
    bool is_full =
        link->inflight_count + 2 > KW_LINK_INFLIGHT_MAX ||
        link->waiting.len + link->stream.out.len + len > link->backend->queue_limit_bytes;

    return is_full ? KW_E_FULL : KW_OK;
}

enum kw_status kw_link_send_prefix(struct kw_link *link, struct kw_bytes bytes)
{
    struct kw_call *call = kw_backend_ignored_call(link->backend);
    enum kw_status status = kw_link_send(link, call, bytes, NULL);

    if (status != KW_OK) {
        kw_backend_put_ignored_call(link->backend, call);
    }
    return status;
}

uint64_t kw_link_owed_bytes(const struct kw_link *link)
{
    uint64_t written = link->appended_bytes - link->waiting.len - link->stream.out.len;

    return link->oldest == NULL || link->state != KW_LINK_READY || written < link->oldest->position
               ? 0
               : written - link->oldest->position;
}

bool kw_link_is_owing(const struct kw_link *link)
{
    return link->state == KW_LINK_CONNECTING || link->state == KW_LINK_HANDSHAKE ||
           (link->oldest != NULL && !link->oldest->is_patient);
}

void kw_link_pause(struct kw_link *link)
{
    if (link->paused_at_ms == 0) {
        link->paused_at_ms = kw_loop_now_ms(link->backend->loop);
        kw_stream_set_reading(&link->stream, false);
    }
}

void kw_link_resume(struct kw_link *link)
{
    if (link->paused_at_ms != 0) {
        link->paused_at_ms = 0;
        link->progress_ms = kw_loop_now_ms(link->backend->loop); /* the silence was ours */
        link->silences = 0;
        kw_stream_set_reading(&link->stream, true);
    }
}

void kw_link_fail(struct kw_link *link, enum kw_status status)
{
    kw_backend_defer_failure(link->backend, link, status);
}

static void link_set_state(struct kw_link *link, enum kw_link_state next)
{
    static const bool arrows[4][4] = {
        [KW_LINK_CLOSED] = {[KW_LINK_CONNECTING] = true, [KW_LINK_CLOSED] = true},
        [KW_LINK_CONNECTING] = {[KW_LINK_HANDSHAKE] = true, [KW_LINK_CLOSED] = true},
        [KW_LINK_HANDSHAKE] = {[KW_LINK_READY] = true, [KW_LINK_CLOSED] = true},
        [KW_LINK_READY] = {[KW_LINK_CLOSED] = true},
    };

    KW_ASSERT(arrows[link->state][next]);
    link->state = next;
}

static void link_on_connected(struct kw_stream *stream)
{
    struct kw_link *link = (struct kw_link *)stream;
    enum kw_status status = kw_sock_connect_result(stream->fd);

    if (status != KW_OK) {
        kw_link_fail(link, status);
        return;
    }
    link_set_state(link, KW_LINK_HANDSHAKE);
    kw_handshake_start(link);
}

static void link_on_readable(struct kw_stream *stream)
{
    struct kw_link *link = (struct kw_link *)stream;
    char *scratch = link->backend->scratch;
    size_t kept = 0;
    size_t scanned = 0;
    size_t got = 0;

    if (link->leftover != NULL) {
        kept = link->leftover->end;
        memcpy(scratch, link->leftover->data, kept);
        scanned = link->leftover_scanned;
    }
    KW_ASSERT(kept + KW_READ_MAX_BYTES <= KW_BACKEND_SCRATCH_BYTES);
    kw_prefetch_two(link->oldest); /* it comes while the bytes are copied */
    enum kw_status status = kw_sock_read(stream->fd, scratch + kept, KW_READ_MAX_BYTES, &got);
    if (status == KW_OK) {
        kw__inflight_prefetch(link);
        kw_chunk_unref(&link->leftover);
        link->progress_ms = kw_loop_now_ms(link->backend->loop);
        link->silences = 0;
        KW_STAT_ADD(link->backend->stats, node_input_bytes, got);
        link->is_delivering = true;
        status = link_cut_replies(link, scratch, kept + got, scanned);
        link->is_delivering = false;
    }
    if (status != KW_OK && status != KW_AGAIN) {
        kw_link_fail(link, status);
    }
}

static void link_on_flushed(struct kw_stream *stream)
{
    struct kw_link *link = (struct kw_link *)stream;

    /* What the kernel has swallowed whole says nothing; but when it was full and bytes move on, the
     * node is reading.
     */
    if (stream->out.len > 0) {
        link->progress_ms = kw_loop_now_ms(link->backend->loop);
        link->silences = 0;
    }
}

static void link_on_broken(struct kw_stream *stream, enum kw_status status)
{
    kw_link_fail((struct kw_link *)stream, status);
}

/* Hand over every reply that ends in DATA, of which SCANNED bytes are known to the parser. */
static enum kw_status link_cut_replies(struct kw_link *link, const char *data, size_t len,
                                       size_t scanned)
{
    size_t start = 0; /* of the reply being cut */

    for (;;) {
        size_t step = 0;
        if (scanned == start && link->oldest != NULL && link->oldest->replies_left > 1) {
            start += link_take_singles(link, data + start, len - start);
            scanned = start;
        }
        if (scanned == len) {
            break;
        }
        enum kw_status status =
            kw_reply_scan(&link->parser, link->proto, data + scanned, len - scanned, &step);
        scanned += step;
        if (status == KW_AGAIN) {
            break;
        }
        if (status == KW_OK) {
            status = link_deliver(link, kw_bytes_of(data + start, scanned - start), true);
        }
        if (status != KW_OK) {
            return status;
        }
        start = scanned;
    }
    return link_keep_rest(link, data + start, len - start, scanned - start);
}

/* Replies to the run at the front that can be taken at once: how many bytes of DATA, which starts
 * at a reply, they are. The last one ends the call, and is left to link_deliver().
 */
static size_t link_take_singles(struct kw_link *link, const char *data, size_t len)
{
    struct kw_call *call = link->oldest;
    uint32_t ends[SINGLES_MAX];
    uint32_t max = call->replies_left - 1 < SINGLES_MAX ? call->replies_left - 1 : SINGLES_MAX;

    if (call->user->on_singles == NULL || link->state != KW_LINK_READY || link->parser.is_started ||
        !link_has_written(link, call)) {
        return 0;
    }
    uint32_t count = kw_reply_scan_singles(data, len, max, ends);
    if (count == 0 || !call->user->on_singles(call, data, ends, count)) {
        return 0;
    }
    call->replies_left -= count;
    return ends[count - 1];
}

/* DATA starts inside or at a reply that is not whole: keep it, or hand the known part over. */
static enum kw_status link_keep_rest(struct kw_link *link, const char *data, size_t len,
                                     size_t scanned)
{
    const struct kw_reply_parser *parser = &link->parser;
    /* Error lines are looked into whole, unless they are absurdly long. */
    bool may_stream = parser->is_started && link->state == KW_LINK_READY &&
                      (parser->type != '-' || len > KW_LINE_MAX_BYTES);
    bool is_started = link->oldest != NULL && link->oldest->is_reply_started;

    if (may_stream && scanned > 0 &&
        (is_started || len + kw_reply_left_bytes(parser) > KW_STREAM_MIN_BYTES)) {
        enum kw_status status = link_deliver(link, kw_bytes_of(data, scanned), false);
        if (status != KW_OK) {
            return status;
        }
        data += scanned;
        len -= scanned;
        scanned = 0;
    }
    if (len == 0) {
        return KW_OK;
    }
    if (len > KW_LINE_MAX_BYTES || (link_owes_nothing(link) && parser->type != '>')) {
        return KW_E_PROTOCOL; /* I1 */
    }
    link->leftover = kw_chunk_get(link->backend->chunks, len);
    if (link->leftover == NULL) {
        return KW_E_MEMORY;
    }
    memcpy(link->leftover->data, data, len);
    link->leftover->end = len;
    link->leftover_scanned = scanned;
    return KW_OK;
}

/* No command has been written that is not answered: whatever comes answers nothing. */
static bool link_owes_nothing(const struct kw_link *link)
{
    return link->state == KW_LINK_READY &&
           (link->oldest == NULL ||
            link->oldest->position >= link->appended_bytes - link->stream.out.len);
}

/* All bytes of CALL, which is READY's, have left. */
static bool link_has_written(const struct kw_link *link, const struct kw_call *call)
{
    return call->position + call->len <= link->appended_bytes - link->stream.out.len;
}

static enum kw_status link_deliver(struct kw_link *link, struct kw_bytes bytes, bool is_last)
{
    struct kw_call *call = link->oldest;

    if (link->parser.type == '>') {
        return KW_OK; /* I3 */
    }
    if (link->state == KW_LINK_HANDSHAKE) {
        bool is_asked = is_last && link->stream.out.len == 0; /* the step has been written */
        return is_asked ? kw_handshake_on_reply(link, bytes) : KW_E_PROTOCOL;
    }
    if (link_owes_nothing(link)) {
        return KW_E_PROTOCOL; /* I1 */
    }
    struct kw_reply_part part = {
        .bytes = bytes,
        .type = link->parser.type,
        .is_first = !call->is_reply_started,
        .is_last = is_last,
        .replies_left = call->replies_left - 1,
        .left_bytes = is_last ? 0 : kw_reply_left_bytes(&link->parser),
        .node = link->node,
        .link = link,
    };
    call->is_reply_started = true;
    if (is_last && part.replies_left > 0) {
        call->replies_left--;
        call->is_reply_started = false;
    } else if (is_last) {
        if (call->replies_count > 1 && !link_has_written(link, call)) {
            return KW_E_PROTOCOL; /* I6 */
        }
        kw__inflight_pop(link);
        kw__inflight_prefetch(link);
        if (link->is_retired && link->oldest == NULL) {
            kw_node_on_retired_idle(link->node, link);
        } else if (link->is_private && link->oldest == NULL) {
            kw_link_fail(link, KW_E_CLOSED); /* nothing fails but the link */
        }
    } else if (part.left_bytes > KW_BIG_REPLY_BYTES && !link->is_private) {
        kw_node_retire_link(link->node, link);
    }
    call->user->on_reply(call, &part);
    return KW_OK;
}

/* All that waited for the handshake may leave now. */
void kw_link_make_ready(struct kw_link *link)
{
    link_set_state(link, KW_LINK_READY);
    KW_ASSERT(link->stream.out.len == 0);
    kw_buf_append_buf(&link->stream.out, &link->waiting);
    if (link->stream.out.len > 0) {
        kw_stream_mark(&link->stream);
    }
    kw_node_on_link_ready(link->node, link);
}

static inline void link_push_call(struct kw_link *link, struct kw_call *call)
{
    if (kw__inflight_push(link, call)) {
        link_on_first_call(link);
    }
    KW_STAT_ADD(link->backend->stats, calls_sent, 1);
    if (link->state == KW_LINK_READY) {
        kw_stream_mark(&link->stream); /* I5 */
    }
}

/* From now on the node owes something. */
static KW_APART void link_on_first_call(struct kw_link *link)
{
    link->progress_ms = kw_loop_now_ms(link->backend->loop);
    link->silences = 0;
    kw_backend_watch(link->backend);
}

/* Close the socket and tell every call. Users may queue new calls, on other links. */
static void link_fail_now(struct kw_link *link, enum kw_status status)
{
    uint64_t written =
        link->state == KW_LINK_READY ? link->appended_bytes - link->stream.out.len : 0;

    link_set_state(link, KW_LINK_CLOSED);
    kw_stream_deinit(&link->stream); /* I4 */
    kw_buf_reset(&link->waiting);
    kw_chunk_unref(&link->leftover);
    while (link->oldest != NULL) {
        struct kw_call *call = kw__inflight_pop(link);
        bool was_sent = call->replies_count > 1 ? call->position + call->len <= written
                                                : call->position < written;
        call->user->on_fail(call, link, status, was_sent);
    }
}
