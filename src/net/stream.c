/* stream.c - one persistent libevent event per stream.
 *
 * INVARIANTS
 * S1  a stream is marked only while it has a descriptor, is connected and does not wait to be
 *     writable.
 * S2  the event's interest is what is_reading, is_write_waiting and is_connecting say.
 * S3  in steady state no event is added or removed: reading stays on, writes fit the socket.
 * S4  bytes that were read in a burst reach on_readable, whatever has happened meanwhile, unless
 *     the stream is closed.
 * S5  a stream is in the loop's list of readable ones, or in a burst, only while it is open.
 */
#include "net/stream.h"

#include "base/assert.h"
#include "net/burst.h"
#include "net/loop.h"
#include "net/sock.h"

#include <event2/event.h>
#include <string.h>
#include <sys/uio.h>

static void stream_send_some(struct kw_list *due, struct kw_list *flying);
static void stream_on_sent(struct kw_stream *stream);
static void stream_receive_some(struct kw_list *readable, struct kw_list *flying);
static void stream_update_event(struct kw_stream *stream);
static void stream_on_event(evutil_socket_t fd, short what, void *arg);

void kw_stream_set_init(struct kw_stream_set *set)
{
    kw_list_init(&set->marked);
    set->writes_count = 0;
    set->written_bytes = 0;
}

void kw_stream_set_flush(struct kw_stream_set *set)
{
    while (!kw_list_is_empty(&set->marked)) {
        kw_stream_list_flush(&set->marked);
    }
}

void kw_stream_list_flush(struct kw_list *due)
{
    struct kw_list flying; /* callbacks may close a stream: that takes it out of here */

    while (!kw_list_is_empty(due)) {
        kw_list_init(&flying);
        stream_send_some(due, &flying);
        while (!kw_list_is_empty(&flying)) {
            struct kw_stream *stream = KW_LIST_ENTRY(flying.next, struct kw_stream, marked);
            kw_list_remove(&stream->marked);
            stream_on_sent(stream);
        }
    }
}

void kw_stream_list_read(struct kw_list *readable)
{
    struct kw_list flying;

    while (!kw_list_is_empty(readable)) {
        kw_list_init(&flying);
        stream_receive_some(readable, &flying);
        while (!kw_list_is_empty(&flying)) {
            struct kw_stream *stream = KW_LIST_ENTRY(flying.next, struct kw_stream, readable);
            kw_list_remove(&stream->readable);
            if (stream->is_reading || stream->preread.data != NULL) { /* S4 */
                stream->on_readable(stream);
            }
        }
    }
}

void kw_stream_init(struct kw_stream *stream, struct kw_loop *loop, struct kw_stream_set *set,
                    struct kw_chunk_pool *chunks, int fd, bool is_connecting)
{
    stream->fd = fd;
    stream->is_reading = true;
    stream->is_write_waiting = false;
    stream->is_connecting = is_connecting;
    stream->loop = loop;
    stream->set = set;
    stream->is_chatty = false;
    stream->preread = kw_bytes_of(NULL, 0);
    kw_list_init(&stream->marked);
    kw_list_init(&stream->readable);
    kw_buf_init(&stream->out, chunks);
    stream->event = event_new(kw_loop_base(loop), fd, 0, stream_on_event, stream);
    KW_ASSERT(stream->event != NULL);
    stream_update_event(stream);
}

void kw_stream_deinit(struct kw_stream *stream)
{
    if (stream->fd < 0) {
        return;
    }
    event_free(stream->event);
    stream->event = NULL;
    kw_sock_close(stream->fd);
    stream->fd = -1;
    stream->is_reading = false;
    kw_list_remove(&stream->marked);
    kw_list_remove(&stream->readable); /* S5 */
    stream->preread = kw_bytes_of(NULL, 0);
    kw_buf_reset(&stream->out);
}

enum kw_status kw_stream_read(struct kw_stream *stream, char *data, size_t size, size_t *got)
{
    if (stream->preread.data != NULL) {
        enum kw_status status = KW_OK;
        *got = 0;
        if (stream->result > 0) {
            KW_ASSERT((size_t)stream->result <= size);
            *got = (size_t)stream->result;
            memcpy(data, stream->preread.data, *got);
        } else {
            status = stream->result == 0 ? KW_E_CLOSED : kw_sock_status(-stream->result);
        }
        stream->is_chatty = *got < KW_BURST_SLOT_BYTES; /* else a call of its own takes more */
        stream->preread = kw_bytes_of(NULL, 0);
        return status;
    }
    enum kw_status status = kw_sock_read(stream->fd, data, size, got);
    stream->is_chatty = *got < KW_BURST_SLOT_BYTES / 2;
    return status;
}

void kw_stream_set_reading(struct kw_stream *stream, bool is_reading)
{
    if (stream->is_reading != is_reading) {
        stream->is_reading = is_reading;
        stream_update_event(stream);
    }
}

/* Move streams from DUE to FLYING and write what they have, as many as one burst takes. What lies
 * in several pieces is written by a call of its own, by stream_on_sent().
 */
static void stream_send_some(struct kw_list *due, struct kw_list *flying)
{
    struct kw_burst *burst = NULL;

    for (unsigned count = 0; count < KW_BURST_MAX && !kw_list_is_empty(due); count++) {
        struct kw_stream *stream = KW_LIST_ENTRY(due->next, struct kw_stream, marked);
        struct iovec iov[2];
        KW_ASSERT(stream->fd >= 0); /* S1 */
        kw_list_remove(&stream->marked);
        kw_list_append(flying, &stream->marked);
        stream->sending_bytes = 0;
        if (kw_buf_iov(&stream->out, iov, 2) == 1) {
            burst = kw_loop_burst(stream->loop);
            stream->sending_bytes = iov[0].iov_len;
            kw_burst_send(burst, stream->fd, iov[0].iov_base, iov[0].iov_len, &stream->result);
        }
    }
    if (burst != NULL) {
        kw_burst_go(burst);
    }
}

static void stream_on_sent(struct kw_stream *stream)
{
    size_t before = stream->out.len;
    enum kw_status status = KW_OK;

    if (before == 0) {
        return;
    }
    if (stream->sending_bytes == 0) {
        status = kw_sock_write(stream->fd, &stream->out);
    } else if (stream->result < 0) {
        status = kw_sock_status(-stream->result);
    } else {
        kw_buf_consume(&stream->out, (size_t)stream->result);
        status = (size_t)stream->result < stream->sending_bytes ? KW_AGAIN : KW_OK;
    }
    stream->set->writes_count++;
    stream->set->written_bytes += before - stream->out.len;
    if (status != KW_OK && status != KW_AGAIN) {
        stream->on_broken(stream, status);
        return;
    }
    bool is_write_waiting = status == KW_AGAIN;
    if (is_write_waiting != stream->is_write_waiting) {
        stream->is_write_waiting = is_write_waiting;
        stream_update_event(stream);
    }
    if (stream->out.len > 0) {
        kw_stream_mark(stream); /* others' callbacks have added to it meanwhile */
    }
    if (before != stream->out.len) {
        stream->on_flushed(stream);
    }
}

/* Move streams from READABLE to FLYING and read them, as many as one burst takes. */
static void stream_receive_some(struct kw_list *readable, struct kw_list *flying)
{
    struct kw_stream *stream = KW_LIST_ENTRY(readable->next, struct kw_stream, readable);
    struct kw_burst *burst = kw_loop_burst(stream->loop);
    bool is_single = readable->next->next == readable;

    for (unsigned count = 0; count < KW_BURST_MAX && !kw_list_is_empty(readable); count++) {
        stream = KW_LIST_ENTRY(readable->next, struct kw_stream, readable);
        kw_list_remove(&stream->readable);
        if (!stream->is_reading) {
            continue; /* a handler of this pass stopped it; the event comes again when it may */
        }
        kw_list_append(flying, &stream->readable);
        if (!is_single) {
            const char *slot = kw_burst_receive(burst, stream->fd, &stream->result);
            stream->preread = kw_bytes_of(slot, KW_BURST_SLOT_BYTES);
        }
    }
    kw_burst_go(burst);
}

static void stream_update_event(struct kw_stream *stream)
{
    short what = EV_PERSIST; /* S2 */

    if (stream->is_reading && !stream->is_connecting) {
        what |= EV_READ;
    }
    if (stream->is_write_waiting || stream->is_connecting) {
        what |= EV_WRITE;
    }
    event_del(stream->event);
    event_assign(stream->event, kw_loop_base(stream->loop), stream->fd, what, stream_on_event,
                 stream);
    if ((what & (EV_READ | EV_WRITE)) != 0) {
        event_add(stream->event, NULL);
    }
}

static void stream_on_event(evutil_socket_t fd, short what, void *arg)
{
    struct kw_stream *stream = arg;

    (void)fd;
    if (stream->is_connecting) {
        stream->is_connecting = false;
        stream_update_event(stream);
        stream->on_connected(stream); /* may free the stream: nothing after it */
        return;
    }
    if ((what & EV_WRITE) != 0 && stream->is_write_waiting) {
        /* Marked, not written here: what this tick adds goes along. */
        stream->is_write_waiting = false;
        stream_update_event(stream);
        kw_stream_mark(stream);
    }
    if ((what & EV_READ) != 0 && stream->is_reading) {
        if (stream->is_chatty) {
            kw_list_append(kw_loop_readable(stream->loop), &stream->readable);
        } else {
            stream->on_readable(stream);
        }
    }
}
