/* stream.c - one persistent libevent event per stream.
 *
 * INVARIANTS
 * S1  a stream is marked only while it has a descriptor, is connected and does not wait to be
 *     writable.
 * S2  the event's interest is what is_reading, is_write_waiting and is_connecting say.
 * S3  in steady state no event is added or removed: reading stays on, writes fit the socket.
 */
#include "net/stream.h"

#include "base/assert.h"
#include "net/loop.h"
#include "net/sock.h"

#include <event2/event.h>

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
        struct kw_stream *stream = KW_LIST_ENTRY(set->marked.next, struct kw_stream, marked);
        kw_list_remove(&stream->marked);
        kw_stream_flush(stream);
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
    kw_list_init(&stream->marked);
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
    kw_buf_reset(&stream->out);
}

void kw_stream_flush(struct kw_stream *stream)
{
    size_t before = stream->out.len;

    KW_ASSERT(stream->fd >= 0); /* S1 */
    if (before == 0) {
        return;
    }
    enum kw_status status = kw_sock_write(stream->fd, &stream->out);
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
    if (before != stream->out.len) {
        stream->on_flushed(stream);
    }
}

void kw_stream_set_reading(struct kw_stream *stream, bool is_reading)
{
    if (stream->is_reading != is_reading) {
        stream->is_reading = is_reading;
        stream_update_event(stream);
    }
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
        stream->on_readable(stream);
    }
}
