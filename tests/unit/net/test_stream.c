/* test_stream.c - output leaves once a tick, waits while the socket is full, and breaks orderly. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "tests/unit/kw_test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* A stream, its other side, and what it has been told. */
struct stage {
    struct kw_stream stream; /* first */
    struct kw_loop *loop;
    struct kw_stream_set set;
    struct kw_chunk_pool chunks;
    int peer;
    int readable;
    int connected;
    int flushed;
    int broken;
    enum kw_status status;
    bool does_read; /* on_readable takes the bytes */
};

static struct stage stage;

static void on_readable(struct kw_stream *stream)
{
    char bytes[65536];

    assert_false(stream->is_connecting);
    stage.readable++;
    if (stage.does_read) {
        ssize_t got = read(stream->fd, bytes, sizeof bytes);
        (void)got;
    }
}

static void on_connected(struct kw_stream *stream)
{
    (void)stream;
    stage.connected++;
}

static void on_flushed(struct kw_stream *stream)
{
    (void)stream;
    stage.flushed++;
}

static void on_broken(struct kw_stream *stream, enum kw_status status)
{
    stage.broken++;
    stage.status = status;
    kw_stream_deinit(stream);
}

static void stage_open(bool is_connecting)
{
    int fds[2];

    memset(&stage, 0, sizeof stage);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    stage.peer = fds[1];
    stage.does_read = true;
    stage.loop = kw_loop_new();
    kw_chunk_pool_init(&stage.chunks);
    kw_stream_set_init(&stage.set);
    stage.stream.on_readable = on_readable;
    stage.stream.on_connected = on_connected;
    stage.stream.on_flushed = on_flushed;
    stage.stream.on_broken = on_broken;
    kw_stream_init(&stage.stream, stage.loop, &stage.set, &stage.chunks, fds[0], is_connecting);
}

static void stage_close(void)
{
    kw_stream_deinit(&stage.stream);
    kw_stream_deinit(&stage.stream); /* harmless */
    close(stage.peer);
    assert_true(kw_list_is_empty(&stage.set.marked));
    assert_int_equal(stage.chunks.in_use_count, 0);
    kw_chunk_pool_deinit(&stage.chunks);
    kw_loop_free(&stage.loop);
}

static void append(const char *text)
{
    kw_buf_append_bytes(&stage.stream.out, kw_bytes_of_text(text));
    kw_stream_mark(&stage.stream);
}

KW_TEST(stream_writes_once_however_often_it_was_marked)
{
    char came[16] = "";

    stage_open(false);
    append("one ");
    append("two ");
    append("three");
    assert_int_equal(recv(stage.peer, came, sizeof came, MSG_DONTWAIT),
                     -1); /* not before the end */
    kw_stream_set_flush(&stage.set);

    assert_int_equal(recv(stage.peer, came, sizeof came, MSG_DONTWAIT), 13);
    assert_memory_equal(came, "one two three", 13);
    assert_int_equal(stage.set.writes_count, 1);
    assert_int_equal(stage.set.written_bytes, 13);
    assert_int_equal(stage.flushed, 1);
    kw_stream_set_flush(&stage.set);
    assert_int_equal(stage.set.writes_count, 1); /* nothing more to do */
    stage_close();
}

KW_TEST(stream_marked_without_output_writes_nothing)
{
    stage_open(false);
    kw_stream_mark(&stage.stream);
    kw_stream_set_flush(&stage.set);

    assert_int_equal(stage.set.writes_count, 0);
    assert_int_equal(stage.flushed, 0);
    stage_close();
}

KW_TEST(stream_whose_socket_is_full_waits_and_then_writes_the_rest)
{
    size_t len = 4 * 1024 * 1024;
    char *bytes = kw_alloc_zero(1, len);
    size_t came = 0;
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;

    stage_open(false);
    kw_buf_append(&stage.stream.out, bytes, len);
    kw_stream_mark(&stage.stream);
    kw_stream_set_flush(&stage.set);
    assert_true(stage.stream.is_write_waiting);
    uint64_t writes = stage.set.writes_count;

    /* what is appended meanwhile does not try in vain */
    append("more");
    kw_stream_set_flush(&stage.set);
    kw_loop_poll(stage.loop);
    kw_stream_set_flush(&stage.set);
    assert_int_equal(stage.set.writes_count, writes);

    while (came < len + 4) {
        assert_true(kw_clock_ms() < until_ms);
        ssize_t got = recv(stage.peer, bytes, len, MSG_DONTWAIT);
        came += got > 0 ? (size_t)got : 0;
        kw_loop_poll(stage.loop);
        kw_stream_set_flush(&stage.set);
    }
    assert_int_equal(stage.stream.out.len, 0);
    assert_false(stage.stream.is_write_waiting);
    kw_free(bytes);
    stage_close();
}

KW_TEST(stream_whose_peer_is_gone_is_broken_once)
{
    stage_open(false);
    close(stage.peer);
    append("into the void");
    kw_stream_set_flush(&stage.set);

    assert_int_equal(stage.broken, 1);
    assert_int_equal(stage.status, KW_E_RESET);
    assert_int_equal(stage.flushed, 0);
    assert_int_equal(stage.stream.fd, -1);
    stage.peer = dup(0);
    stage_close();
}

KW_TEST(stream_tells_of_input_only_when_it_is_asked_to)
{
    stage_open(false);
    assert_int_equal(write(stage.peer, "x", 1), 1);
    kw_stream_set_reading(&stage.stream, false);
    kw_loop_poll(stage.loop);
    assert_int_equal(stage.readable, 0);
    kw_stream_set_reading(&stage.stream, true);
    kw_loop_poll(stage.loop);

    assert_int_equal(stage.readable, 1);
    kw_loop_poll(stage.loop);
    assert_int_equal(stage.readable, 1);
    stage_close();
}

KW_TEST(stream_that_is_connecting_says_when_and_neither_reads_nor_writes_before)
{
    char came[8] = "";

    stage_open(true);
    assert_int_equal(write(stage.peer, "early", 5), 5);
    append("late");
    kw_stream_set_flush(&stage.set);
    assert_int_equal(recv(stage.peer, came, sizeof came, MSG_DONTWAIT), -1);
    kw_loop_poll(stage.loop);

    assert_int_equal(stage.connected, 1);
    kw_loop_poll(stage.loop);
    assert_int_equal(stage.readable, 1);
    append("");
    kw_stream_set_flush(&stage.set);
    assert_int_equal(recv(stage.peer, came, sizeof came, MSG_DONTWAIT), 4);
    stage_close();
}

KW_TEST(stream_that_is_closed_drops_its_output_and_leaves_the_set)
{
    stage_open(false);
    append("never sent");
    kw_stream_deinit(&stage.stream);
    kw_stream_set_flush(&stage.set);

    assert_int_equal(stage.set.writes_count, 0);
    stage_close();
}

KW_TEST(stream_tells_again_of_input_that_was_left)
{
    stage_open(false);
    stage.does_read = false;
    assert_int_equal(write(stage.peer, "x", 1), 1);
    kw_loop_poll(stage.loop);
    kw_loop_poll(stage.loop);

    assert_int_equal(stage.readable, 2);
    stage_close();
}
