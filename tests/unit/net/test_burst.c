/* test_burst.c - bursts give the same results with the ring and with calls one by one; streams
 * that are read and written in bursts survive what their callbacks do to each other.
 */
#include "base/mem.h"
#include "net/burst.h"
#include "net/loop.h"
#include "net/stream.h"
#include "tests/unit/kw_test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair_open(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static void check_sends_and_receives(bool may_use_ring)
{
    struct kw_burst *burst = kw_burst_new(may_use_ring);
    int pairs[KW_BURST_MAX][2];
    int results[KW_BURST_MAX];
    const char *slots[KW_BURST_MAX];

    for (int i = 0; i < KW_BURST_MAX; i++) {
        pair_open(pairs[i]);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < KW_BURST_MAX; i++) {
            kw_burst_send(burst, pairs[i][0], "abcdefgh", (size_t)(1 + i % 8), &results[i]);
        }
        kw_burst_go(burst);
        for (int i = 0; i < KW_BURST_MAX; i++) {
            assert_int_equal(results[i], 1 + i % 8);
            slots[i] = kw_burst_receive(burst, pairs[i][1], &results[i]);
        }
        kw_burst_go(burst);
        for (int i = 0; i < KW_BURST_MAX; i++) {
            assert_int_equal(results[i], 1 + i % 8);
            assert_memory_equal(slots[i], "abcdefgh", (size_t)results[i]);
        }
    }
    for (int i = 0; i < KW_BURST_MAX; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    kw_burst_free(&burst);
    assert_null(burst);
}

KW_TEST(burst_sends_and_receives_on_many_sockets)
{
    check_sends_and_receives(true);
    check_sends_and_receives(false);
}

static void check_odd_ends(bool may_use_ring)
{
    struct kw_burst *burst = kw_burst_new(may_use_ring);
    int empty[2];
    int ended[2];
    int broken[2];
    int full[2];
    int results[4];
    size_t len = 4 * 1024 * 1024;
    char *bytes = kw_alloc_zero(1, len);

    pair_open(empty);
    pair_open(ended);
    pair_open(broken);
    pair_open(full);
    close(ended[1]);
    close(broken[1]);
    kw_burst_receive(burst, empty[0], &results[0]);
    kw_burst_receive(burst, ended[0], &results[1]);
    kw_burst_send(burst, broken[0], "x", 1, &results[2]);
    kw_burst_send(burst, full[0], bytes, len, &results[3]);
    kw_burst_go(burst);

    assert_int_equal(results[0], -EAGAIN);
    assert_int_equal(results[1], 0);
    assert_int_equal(results[2], -EPIPE);
    assert_in_range(results[3], 1, len - 1);
    kw_burst_send(burst, full[0], bytes, len, &results[3]);
    kw_burst_receive(burst, empty[0], &results[0]);
    kw_burst_go(burst);
    assert_int_equal(results[3], -EAGAIN);
    kw_burst_go(burst); /* nothing planned: nothing happens */
    close(empty[0]);
    close(empty[1]);
    close(ended[0]);
    close(broken[0]);
    close(full[0]);
    close(full[1]);
    kw_free(bytes);
    kw_burst_free(&burst);
}

KW_TEST(burst_tells_of_empty_ended_broken_and_full_sockets)
{
    check_odd_ends(true);
    check_odd_ends(false);
}

/* Streams as clients use them: read with kw_stream_read(), answered with what came. */
enum { ROOM = 64 * 1024, CROWD = 2 * KW_BURST_MAX + 3 };

struct reader {
    struct kw_stream stream; /* first */
    int peer;
    size_t came;
    int reads;
    enum kw_status status;
    struct reader *victim; /* is closed in its stead when it reads */
    struct reader *pauses; /* is told to stop reading */
};

static char room[ROOM];

static void reader_on_readable(struct kw_stream *stream)
{
    struct reader *reader = (struct reader *)stream;
    size_t got = 0;

    reader->status = kw_stream_read(stream, room, sizeof room, &got);
    reader->came += got;
    reader->reads++;
    kw_buf_append(&stream->out, room, got);
    kw_stream_mark(stream);
    if (reader->victim != NULL) {
        kw_stream_deinit(&reader->victim->stream);
    }
    if (reader->pauses != NULL) {
        kw_stream_set_reading(&reader->pauses->stream, false);
    }
    if (reader->status == KW_E_CLOSED) {
        kw_stream_deinit(stream);
    }
}

static void reader_on_flushed(struct kw_stream *stream)
{
    struct reader *reader = (struct reader *)stream;

    if (reader->victim != NULL) {
        kw_stream_deinit(&reader->victim->stream);
    }
}

static void reader_on_broken(struct kw_stream *stream, enum kw_status status)
{
    (void)status;
    kw_stream_deinit(stream);
}

static struct crowd {
    struct kw_loop *loop;
    struct kw_stream_set set;
    struct kw_chunk_pool chunks;
    struct reader readers[CROWD];
} crowd;

static void crowd_open(bool may_use_ring)
{
    memset(&crowd, 0, sizeof crowd);
    crowd.loop = kw_loop_new();
    if (may_use_ring) {
        kw_loop_allow_ring(crowd.loop);
    }
    kw_stream_set_init(&crowd.set);
    kw_chunk_pool_init(&crowd.chunks);
    for (int i = 0; i < CROWD; i++) {
        struct reader *reader = &crowd.readers[i];
        int fds[2];
        pair_open(fds);
        reader->peer = fds[1];
        reader->stream.on_readable = reader_on_readable;
        reader->stream.on_flushed = reader_on_flushed;
        reader->stream.on_broken = reader_on_broken;
        kw_stream_init(&reader->stream, crowd.loop, &crowd.set, &crowd.chunks, fds[0], false);
    }
}

static void crowd_close(void)
{
    for (int i = 0; i < CROWD; i++) {
        kw_stream_deinit(&crowd.readers[i].stream);
        close(crowd.readers[i].peer);
    }
    assert_true(kw_list_is_empty(&crowd.set.marked));
    assert_true(kw_list_is_empty(kw_loop_readable(crowd.loop)));
    assert_int_equal(crowd.chunks.in_use_count, 0);
    kw_chunk_pool_deinit(&crowd.chunks);
    kw_loop_free(&crowd.loop);
}

/* Everybody says TEXT; one pass; everybody is answered what it said. */
static void crowd_talk(const char *text)
{
    for (int i = 0; i < CROWD; i++) {
        ssize_t sent = send(crowd.readers[i].peer, text, strlen(text), MSG_NOSIGNAL);
        (void)sent; /* some are closed */
    }
    for (int pass = 0; pass < 8; pass++) { /* epoll tells of some at a time */
        kw_loop_poll(crowd.loop);
    }
    kw_stream_set_flush(&crowd.set);
}

static bool reader_hears(const struct reader *reader, const char *text)
{
    char came[256] = "";
    ssize_t got = recv(reader->peer, came, sizeof came, MSG_DONTWAIT);

    return got == (ssize_t)strlen(text) && memcmp(came, text, strlen(text)) == 0;
}

static void check_crowd(bool may_use_ring)
{
    crowd_open(may_use_ring);
    for (int round = 0; round < 3; round++) {
        crowd_talk("hello");
        for (int i = 0; i < CROWD; i++) {
            assert_true(reader_hears(&crowd.readers[i], "hello"));
            assert_true(crowd.readers[i].stream.is_chatty);
        }
    }
    assert_int_equal(crowd.set.writes_count, 3 * CROWD);
    assert_int_equal(crowd.set.written_bytes, 3 * CROWD * 5);
    crowd_close();
}

KW_TEST(burst_streams_hear_and_say_the_same_with_and_without_the_ring)
{
    check_crowd(true);
    check_crowd(false);
}

static void check_victims(bool may_use_ring)
{
    crowd_open(may_use_ring);
    crowd_talk("a");
    for (int i = 0; i + 1 < CROWD; i += 2) {
        crowd.readers[i].victim = &crowd.readers[i + 1];
    }
    for (int i = 0; i < CROWD; i++) {
        assert_true(reader_hears(&crowd.readers[i], "a"));
    }
    crowd_talk("b");
    for (int i = 0; i + 1 < CROWD; i += 2) {
        assert_true(reader_hears(&crowd.readers[i], "b"));
        assert_int_equal(crowd.readers[i + 1].stream.fd, -1);
        assert_false(reader_hears(&crowd.readers[i + 1], "b"));
    }
    crowd_close();
}

KW_TEST(burst_streams_may_be_closed_by_each_others_callbacks)
{
    check_victims(true);
    check_victims(false);
}

KW_TEST(burst_keeps_what_was_read_for_a_stream_that_is_paused_meanwhile)
{
    crowd_open(true);
    crowd_talk("a");
    crowd.readers[0].pauses = &crowd.readers[1];
    crowd_talk("b");

    assert_true(reader_hears(&crowd.readers[1], "ab"));
    crowd_talk("c");
    assert_false(reader_hears(&crowd.readers[1], "c"));
    kw_stream_set_reading(&crowd.readers[1].stream, true);
    crowd.readers[0].pauses = NULL;
    crowd_talk("d");
    assert_true(reader_hears(&crowd.readers[1], "cd"));
    crowd_close();
}

KW_TEST(burst_stream_with_much_input_gets_a_call_of_its_own)
{
    static char much[3 * KW_BURST_SLOT_BYTES];
    struct reader *reader = &crowd.readers[7];

    crowd_open(true);
    crowd_talk("a");
    int reads = reader->reads;
    assert_int_equal(send(reader->peer, much, sizeof much, 0), sizeof much);
    crowd_talk("b");

    assert_int_equal(reader->came, 1 + sizeof much + 1);
    assert_int_equal(reader->reads - reads, 2); /* a slot full, then all the rest */
    assert_false(reader->stream.is_chatty);
    crowd_talk("c");
    assert_true(reader->stream.is_chatty);
    crowd_close();
}

KW_TEST(burst_stream_that_ends_or_breaks_is_told_so)
{
    crowd_open(true);
    crowd_talk("a");
    close(crowd.readers[3].peer);
    crowd.readers[3].peer = -1;
    assert_int_equal(shutdown(crowd.readers[4].peer, SHUT_WR), 0);
    crowd_talk("b");

    assert_int_equal(crowd.readers[3].stream.fd, -1);
    assert_int_equal(crowd.readers[4].status, KW_E_CLOSED);
    crowd_close();
}
