/* stream.h - one byte stream: a descriptor, its event, its output, and the tick that writes it.
 *
 * Handlers append to stream->out and call kw_stream_mark(); the bytes leave in
 * kw_stream_set_flush(), once per tick (K1). What the socket does not take waits for it to be
 * writable again.
 *
 * Thread: the loop's. Memory: embedded in its user; kw_stream_deinit() closes the descriptor.
 * See also: sock.h, loop.h.
 */
#ifndef KW_NET_STREAM_H
#define KW_NET_STREAM_H

#include "base/buf.h"
#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>

struct event;
struct kw_loop;
struct kw_stream;

/* The streams with something to write: one set for links, one for clients. */
struct kw_stream_set {
    struct kw_list marked;
    uint64_t writes_count; /* system calls made */
    uint64_t written_bytes;
};

struct kw_stream {
    int fd;                    /* -1 when closed */
    bool is_reading;           /* wants to be told of input */
    bool is_write_waiting;     /* the socket was full: waits until writable */
    bool is_connecting;        /* on_writable will tell that the connection is made */
    bool is_chatty;            /* its input is small: read together with that of others */
    int result;                /* of its operation in the burst */
    size_t sending_bytes;      /* of its output, in the burst; 0 = a call of its own will do it */
    struct kw_bytes preread;   /* what the burst has read; data is NULL when nothing was tried */
    struct kw_list readable;   /* in the loop's list while its input waits for the burst */
    struct event *event;       /* owned */
    struct kw_loop *loop;      /* set once */
    struct kw_stream_set *set; /* set once */
    struct kw_list marked;     /* in set->marked while output waits for the tick's end */
    struct kw_buf out;

    /* set once; they may close the stream, and even free what embeds it */
    void (*on_readable)(struct kw_stream *stream);
    void (*on_connected)(struct kw_stream *stream);
    void (*on_flushed)(struct kw_stream *stream); /* bytes left; out may still hold some */
    void (*on_broken)(struct kw_stream *stream, enum kw_status status); /* writing failed */
};

void kw_stream_set_init(struct kw_stream_set *set);

/* Write what every marked stream has. */
void kw_stream_set_flush(struct kw_stream_set *set);

/* Take over FD, reading from the start; with is_connecting, wait for the connection first.
 * The callbacks must be set before.
 */
void kw_stream_init(struct kw_stream *stream, struct kw_loop *loop, struct kw_stream_set *set,
                    struct kw_chunk_pool *chunks, int fd, bool is_connecting);

/* Close; output not yet written is dropped. Harmless when closed. */
void kw_stream_deinit(struct kw_stream *stream);

/* There is output: write it when the tick ends. */
static inline void kw_stream_mark(struct kw_stream *stream)
{
    if (stream->marked.next == &stream->marked && !stream->is_write_waiting &&
        !stream->is_connecting) {
        kw_list_append(&stream->set->marked, &stream->marked);
    }
}

/* Write what the streams of DUE have, which are linked by `marked`. Empties DUE. */
void kw_stream_list_flush(struct kw_list *due);

/* Have the streams of READABLE told of their input. For the loop. Empties READABLE. */
void kw_stream_list_read(struct kw_list *readable);

/* Read what is there, at most SIZE bytes (at least KW_BURST_SLOT_BYTES). Returns as
 * kw_sock_read(). on_readable must call it once, or close the stream.
 */
KW_CHECK enum kw_status kw_stream_read(struct kw_stream *stream, char *data, size_t size,
                                       size_t *got);

/* Be told of input, or not. Cheap when nothing changes. */
void kw_stream_set_reading(struct kw_stream *stream, bool is_reading);

#endif
