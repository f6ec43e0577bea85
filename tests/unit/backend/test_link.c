/* test_link.c - one connection: replies by position, and what calls are told when it ends. */
#include "tests/unit/backend/scene.h"

#include "base/mem.h"
#include "base/prefetch.h"

#include <stdio.h>
#include <string.h>

static struct scene scene;

KW_TEST(link_matches_replies_to_calls_by_position)
{
    int fd = -1;
    struct heard calls[3];

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&calls[0], link, "*1\r\n$1\r\na\r\n");
    heard_send(&calls[1], link, "*1\r\n$1\r\nb\r\n");
    heard_send(&calls[2], link, "*1\r\n$1\r\nc\r\n");
    scene_expect(&scene, fd, "*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n");
    scene_say(&scene, fd, ":1\r\n$3\r\none\r\n");
    assert_heard(&calls[0], ":1\r\n");
    assert_heard(&calls[1], "$3\r\none\r\n");
    assert_false(calls[2].is_done);
    scene_say(&scene, fd, "-ERR no\r\n");
    assert_heard(&calls[2], "-ERR no\r\n");
    assert_int_equal(calls[2].type, '-');
    assert_int_equal(link->inflight_count, 0);
    scene_close(&scene);
}

/* What is fetched ahead while replies are handled: inflight.h. */
KW_TEST(link_tells_each_call_where_the_fourth_behind_it_is)
{
    int fd = -1;
    struct heard calls[6];

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    for (unsigned i = 0; i < 5; i++) {
        heard_send(&calls[i], link, GET_WIRE);
    }
    assert_int_equal(calls[0].call.lines_ahead,
                     ((char *)&calls[4].call - (char *)&calls[0].call) / KW_LINE_BYTES);
    assert_int_equal(calls[1].call.lines_ahead, 0);
    scene_expect(&scene, fd, GET_WIRE GET_WIRE GET_WIRE GET_WIRE GET_WIRE);
    scene_say(&scene, fd, ":1\r\n:2\r\n");
    assert_true(calls[1].is_done);
    heard_send(&calls[5], link, GET_WIRE); /* the fourth before it is over: nobody writes to it */
    assert_int_equal(calls[1].call.lines_ahead, 0);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, ":3\r\n:4\r\n:5\r\n:6\r\n");
    assert_heard(&calls[5], ":6\r\n");
    scene_close(&scene);
}

KW_TEST(link_puts_a_reply_that_arrives_byte_by_byte_together)
{
    static const char reply[] = "*3\r\n$3\r\nabc\r\n*1\r\n:1\r\n-ERR x\r\n";
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    for (size_t i = 0; i + 1 < sizeof reply; i++) {
        assert_false(call.is_done);
        scene_say_bytes(&scene, fd, reply + i, 1);
    }

    assert_heard(&call, reply);
    assert_int_equal(call.parts, 1);
    scene_close(&scene);
}

KW_TEST(link_is_closed_by_a_reply_that_nobody_waits_for)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "$1\r\n1\r\n+surplus\r\n");

    assert_heard(&call, "$1\r\n1\r\n");
    scene_expect_end(&scene, fd);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_links_protocol_errors), 1);
    assert_false(scene_node(&scene, 0)->is_down); /* the node is fine, the link was not */
    scene_close(&scene);
}

KW_TEST(link_is_closed_by_half_a_reply_that_nobody_waits_for)
{
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    (void)scene_ready_link(&scene, 0, &fd);
    scene_say(&scene, fd, "$100\r\nabc");

    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(link_a_reply_before_its_command_was_written_is_no_reply)
{
    int fd = -1;
    struct heard call;

    /* given a call that is queued, its bytes not yet written */
    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);

    /* when the node says something before that */
    assert_int_equal(send(fd, "+early\r\n", 8, 0), 8);
    kw_loop_poll(scene.loop);
    scene_turn(&scene);

    /* then the call is not answered with it, and is known not to have been sent */
    assert_unheard(&call, KW_E_PROTOCOL, false);
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(link_bytes_that_are_no_resp_fail_all_that_wait)
{
    static const char *const streams[] = {"OK\r\n", "+OK\n+OK\r\n", "$3\r\nabcd\r\n", "*x\r\n",
                                          "_\r\n"};

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        int fd = -1;
        struct heard first;
        struct heard second;
        scene_open(&scene, "node-timeout-ms 10000", 1);
        struct kw_link *link = scene_ready_link(&scene, 0, &fd);
        heard_send(&first, link, GET_WIRE);
        heard_send(&second, link, GET_WIRE);
        scene_expect(&scene, fd, GET_WIRE GET_WIRE);
        scene_say(&scene, fd, streams[i]);
        assert_unheard(&first, KW_E_PROTOCOL, true);
        assert_unheard(&second, KW_E_PROTOCOL, true);
        scene_close(&scene);
    }
}

KW_TEST(link_half_a_reply_and_an_end_fail_the_call_as_sent)
{
    int fd = -1;
    struct heard first;
    struct heard second;
    struct heard third;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&first, link, GET_WIRE);
    heard_send(&second, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE GET_WIRE);
    scene_say(&scene, fd, "$1\r\n1\r\n$10\r\nhalf");
    scene_hang_up(&scene, fd);

    assert_heard(&first, "$1\r\n1\r\n");
    assert_unheard(&second, KW_E_CLOSED, true);
    assert_int_equal(second.parts, 0); /* small: nothing of it was handed over */

    /* and the next call gets a new connection, with nothing of the old one in it */
    link = scene_ready_link(&scene, 0, &fd);
    heard_send(&third, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "$1\r\n3\r\n");
    assert_heard(&third, "$1\r\n3\r\n");
    scene_close(&scene);
}

KW_TEST(link_a_reset_fails_the_call_as_sent)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_reset(&scene, fd);

    assert_unheard(&call, KW_E_RESET, true);
    scene_close(&scene);
}

KW_TEST(link_calls_that_waited_for_the_handshake_are_told_that_they_were_not_sent)
{
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_link(&scene, 0, 2, 0);
    heard_send(&call, link, GET_WIRE);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE); /* and nothing of the call */
    scene_expect_nothing(&scene, fd);
    scene_hang_up(&scene, fd);

    assert_unheard(&call, KW_E_CLOSED, false);
    scene_close(&scene);
}

KW_TEST(link_a_call_behind_the_written_ones_is_told_that_it_was_not_sent)
{
    /* given one call that fills the socket and another behind it */
    size_t big_len = 40u * 1024 * 1024; /* more than a loopback socket takes in one go */
    int fd = -1;
    struct heard big = {0};
    struct heard small;

    scene_open(&scene, "node-timeout-ms 10000\nnode-queue-limit 1gb", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    char *bytes = kw_alloc_zero(1, big_len + 1);
    memset(bytes, 'x', big_len);
    heard_send(&big, link, bytes);
    kw_free(bytes); /* copied: no chunk was given */
    heard_send(&small, link, GET_WIRE);
    scene_turn(&scene);
    assert_true(link->stream.is_write_waiting);

    scene_reset(&scene, fd);

    assert_true(big.is_failed && big.was_sent);
    assert_true(small.is_failed && !small.was_sent);
    scene_close(&scene);
}

KW_TEST(link_closing_tells_every_call_once_in_order)
{
    int fd = -1;
    struct heard calls[100];
    struct heard *last = NULL;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    for (int i = 0; i < 100; i++) {
        heard_send(&calls[i], link, GET_WIRE);
        calls[i].order = &last;
    }
    scene_turn(&scene);
    kw_node_close_links(scene_node(&scene, 0), KW_E_TIMEOUT);

    for (int i = 0; i < 100; i++) {
        assert_unheard(&calls[i], KW_E_TIMEOUT, true);
    }
    assert_ptr_equal(last, &calls[99]);
    scene_close(&scene);
}

KW_TEST(link_sends_the_commands_of_a_tick_in_one_write)
{
    int fd = -1;
    static struct heard calls[200];

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    uint64_t before = scene.backend->streams.writes_count;
    for (int i = 0; i < 200; i++) {
        heard_send(&calls[i], link, GET_WIRE);
    }
    scene_turn(&scene);
    uint64_t writes = scene.backend->streams.writes_count - before;
    for (int i = 0; i < 200; i++) {
        scene_expect(&scene, fd, GET_WIRE);
        scene_say(&scene, fd, "$-1\r\n");
    }

    assert_int_equal(writes, 1);
    assert_heard(&calls[199], "$-1\r\n");
    scene_close(&scene);
}

KW_TEST(link_takes_large_commands_by_reference_and_small_ones_by_copy)
{
    int fd = -1;
    struct heard small = {0};
    struct heard large = {0};

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    struct kw_chunk *chunk = kw_chunk_get(&scene.chunks, KW_COPY_MAX_BYTES + 1);
    memset(chunk->data, 'x', KW_COPY_MAX_BYTES + 1);
    chunk->end = KW_COPY_MAX_BYTES + 1;
    heard_send(&small, link, GET_WIRE); /* sets its user */
    large.call.user = small.call.user;
    struct heard at_limit = {.call.user = small.call.user};
    assert_int_equal(
        kw_link_send(link, &at_limit.call, kw_bytes_of(chunk->data, KW_COPY_MAX_BYTES), chunk),
        KW_OK);
    assert_int_equal(
        kw_link_send(link, &large.call, kw_bytes_of(chunk->data, KW_COPY_MAX_BYTES + 1), chunk),
        KW_OK);

    assert_ptr_not_equal(at_limit.call.chunk, chunk);
    assert_ptr_equal(large.call.chunk, chunk);
    assert_int_equal(kw_call_bytes(&large.call).len, KW_COPY_MAX_BYTES + 1);
    kw_chunk_unref(&chunk);
    kw_node_close_links(scene_node(&scene, 0), KW_E_CLOSED);
    assert_int_equal(scene.chunks.in_use_count, 0);
    scene_close(&scene);
}

static void ignore_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    (void)call;
    (void)part;
}

static void ignore_failure(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                           bool was_sent)
{
    (void)call;
    (void)link;
    (void)status;
    (void)was_sent;
}

static const struct kw_call_user keeping_user = {.on_reply = ignore_reply,
                                                 .on_fail = ignore_failure};

KW_TEST(link_a_call_keeps_its_bytes_to_be_sent_again)
{
    int fd = -1;
    int other_fd = -1;
    struct kw_call call = {.user = &keeping_user};
    size_t big_len = KW_COPY_MAX_BYTES + 100;
    char *big = kw_alloc_zero(1, big_len + 1);

    for (int round = 0; round < 2; round++) {
        scene_open(&scene, "node-timeout-ms 10000", 2);
        struct kw_link *link = scene_ready_link(&scene, 0, &fd);
        struct kw_link *other = scene_ready_link(&scene, 1, &other_fd);
        memset(big, 'x', big_len);
        struct kw_bytes bytes = round == 0 ? KW_BYTES(GET_WIRE) : kw_bytes_of(big, big_len);
        assert_int_equal(kw_link_send(link, &call, bytes, NULL), KW_OK);
        char *sent = round == 0 ? kw_text_copy(GET_WIRE) : kw_text_copy(big);
        memset(big, 'y', big_len); /* it must have its own */
        scene_expect(&scene, fd, sent);
        scene_say(&scene, fd, "-MOVED 1 127.0.0.1:7000\r\n");
        assert_int_equal(kw_link_resend(other, &call), KW_OK);
        scene_expect(&scene, other_fd, sent);
        scene_say(&scene, other_fd, "+OK\r\n");
        assert_null(call.link);
        kw_call_release(&call);
        kw_free(sent);
        scene_close(&scene);
    }
    kw_free(big);
}

KW_TEST(link_a_prefix_is_adjacent_and_its_reply_is_dropped)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    assert_int_equal(kw_link_send_prefix(link, KW_BYTES("*1\r\n$6\r\nASKING\r\n")), KW_OK);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, "*1\r\n$6\r\nASKING\r\n" GET_WIRE);
    scene_say(&scene, fd, "+OK\r\n$1\r\nv\r\n");

    assert_heard(&call, "$1\r\nv\r\n");
    assert_int_equal(scene.backend->ignored_calls.in_use_count, 0);
    scene_close(&scene);
}

KW_TEST(link_refuses_what_would_make_its_queue_longer_than_the_limit)
{
    int fd = -1;
    struct heard first;
    struct heard second;
    struct heard third = {0};

    scene_open(&scene, "node-timeout-ms 10000\nnode-queue-limit 1mb", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    size_t len = 1024 * 1024; /* as much as the limit: the next one still fits, that after not */
    char *bytes = kw_alloc_zero(1, len + 1);
    memset(bytes, 'x', len);
    heard_send(&first, link, bytes);
    heard_send(&second, link, "*1\r\n$1\r\nx\r\n");
    third.call.user = second.call.user;

    assert_int_equal(kw_link_send(link, &third.call, KW_BYTES(GET_WIRE), NULL), KW_E_FULL);
    assert_null(third.call.link);
    assert_null(third.call.chunk);
    kw_free(bytes);
    scene_close(&scene);
}

KW_TEST(link_a_big_reply_is_handed_over_in_parts_as_it_comes)
{
    int fd = -1;
    struct heard call;
    struct heard next;
    size_t len = 3 * 1024 * 1024;
    char *value = kw_alloc(len);

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    memset(value, 'v', len);
    scene_say(&scene, fd, "$3145728\r\n");
    size_t most_bytes = 0;
    for (size_t at = 0; at < len; at += 32768) {
        scene_say_bytes(&scene, fd, value + at, 32768);
        most_bytes =
            scene.chunks.in_use_bytes > most_bytes ? scene.chunks.in_use_bytes : most_bytes;
    }
    assert_true(link->is_retired); /* new calls go elsewhere while it lasts */
    scene_say(&scene, fd, "\r\n");

    assert_true(call.is_done && !call.is_failed);
    assert_int_equal(call.len, len + 12);
    assert_true(call.parts > 10);
    assert_true(most_bytes < 256 * 1024);
    assert_false(link->is_retired); /* nobody needed another one: it is back */
    assert_ptr_equal(scene_link(&scene, 0, 2, 0), link);
    heard_send(&next, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "+ok\r\n");
    assert_heard(&next, "+ok\r\n");
    kw_free(value);
    scene_close(&scene);
}

KW_TEST(link_that_is_retired_serves_its_own_calls_and_then_ends)
{
    int fd = -1;
    int second_fd = -1;
    struct heard big;
    struct heard behind;
    struct heard later;

    /* given a link with a big reply under way, and a call behind it */
    scene_open(&scene, "node-timeout-ms 10000\nlinks-per-node 1", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&big, link, GET_WIRE);
    heard_send(&behind, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE GET_WIRE);
    scene_say(&scene, fd, "$1000000\r\nabc");
    assert_true(kw_node_has_retired(scene_node(&scene, 0)));

    /* when a new call comes: it goes to a link of its own, and is answered first */
    struct kw_link *second = scene_ready_link(&scene, 0, &second_fd);
    assert_ptr_not_equal(second, link);
    heard_send(&later, second, GET_WIRE);
    scene_expect(&scene, second_fd, GET_WIRE);
    scene_say(&scene, second_fd, "+later\r\n");
    assert_heard(&later, "+later\r\n");
    assert_false(big.is_done);

    /* then the old one finishes what it owes, and is closed */
    char *rest = kw_alloc(1000000);
    memset(rest, 'v', 1000000);
    scene_say_bytes(&scene, fd, rest, 1000000 - 3);
    scene_say(&scene, fd, "\r\n+behind\r\n");
    assert_int_equal(big.len, 1000000 + 12);
    assert_heard(&behind, "+behind\r\n");
    scene_expect_end(&scene, fd);
    assert_false(kw_node_has_retired(scene_node(&scene, 0)));
    kw_free(rest);
    scene_close(&scene);
}

KW_TEST(link_a_big_reply_that_breaks_off_fails_after_its_parts)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "$1000000\r\nabc");
    assert_true(call.parts > 0);
    scene_hang_up(&scene, fd);

    assert_unheard(&call, KW_E_CLOSED, true);
    scene_close(&scene);
}

KW_TEST(link_that_is_paused_reads_nothing_and_owes_no_answer)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 100\nnode-failure-limit 2", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    struct kw_node *node = scene_node(&scene, 0);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    kw_link_pause(link);
    scene_say(&scene, fd, "+late\r\n");
    assert_false(call.is_done);
    (void)kw_node_check(node, scene.now_ms + 1000000);
    assert_false(node->is_down); /* the silence is ours */
    kw_link_resume(link);
    scene_turn(&scene);

    assert_heard(&call, "+late\r\n");
    scene_close(&scene);
}

KW_TEST(link_pushes_are_not_replies)
{
    int fd = -1;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_link(&scene, 0, 3, 0);
    fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, HELLO_WIRE);
    scene_say(&scene, fd, ">1\r\n+early\r\n%1\r\n+proto\r\n:3\r\n");
    assert_int_equal(link->state, KW_LINK_READY);
    scene_say(&scene, fd, ">2\r\n+invalidate\r\n*1\r\n+k\r\n"); /* also while nobody waits */
    scene_say(&scene, fd, ">2\r\n+inval");
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "idate\r\n*1\r\n+k\r\n_\r\n");

    assert_heard(&call, "_\r\n");
    scene_close(&scene);
}

#define RUN_WIRE "*1\r\n$5\r\nMULTI\r\n" GET_WIRE "*1\r\n$4\r\nEXEC\r\n"

KW_TEST(link_gives_a_run_all_its_replies_and_the_next_call_the_next_one)
{
    int fd = -1;
    struct heard run;
    struct heard call;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send_run(&run, link, RUN_WIRE, 3);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, RUN_WIRE GET_WIRE);
    scene_say(&scene, fd, "+OK\r\n+QUEUED\r\n*1\r\n$1\r\n");
    assert_false(run.is_done);
    scene_say(&scene, fd, "v\r\n$1\r\nw\r\n");

    assert_heard(&run, "+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n");
    assert_heard(&call, "$1\r\nw\r\n");
    scene_close(&scene);
}

KW_TEST(link_that_ends_inside_a_run_fails_it_once)
{
    int fd = -1;
    struct heard run;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send_run(&run, link, RUN_WIRE, 3);
    scene_expect(&scene, fd, RUN_WIRE);
    scene_say(&scene, fd, "+OK\r\n+QUEUED\r\n");
    scene_hang_up(&scene, fd);
    scene_turn_until(&scene, &run.is_done);

    assert_unheard(&run, KW_E_CLOSED, true);
    scene_close(&scene);
}

KW_TEST(link_calls_a_run_sent_only_when_all_of_it_was_written)
{
    enum { BIG_BYTES = 16 * 1024 * 1024 };
    int fd = -1;
    struct heard run;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    char *text = kw_alloc(BIG_BYTES + 1); /* more than the kernel swallows unread */
    memset(text, 'x', BIG_BYTES);
    text[BIG_BYTES] = '\0';
    heard_send_run(&run, link, text, 3);
    scene_turn(&scene);
    scene_turn(&scene);
    assert_true(link->stream.out.len > 0 && link->stream.out.len < BIG_BYTES);
    scene_reset(&scene, fd);
    scene_turn_until(&scene, &run.is_done);

    assert_true(run.is_failed);
    assert_false(run.was_sent); /* its last command can't have run */
    kw_free(text);
    scene_close(&scene);
}

KW_TEST(link_does_not_take_the_last_reply_of_a_run_that_has_not_left)
{
    enum { BIG_BYTES = 16 * 1024 * 1024 };
    int fd = -1;
    struct heard run;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    char *text = kw_alloc(BIG_BYTES + 1);
    memset(text, 'x', BIG_BYTES);
    text[BIG_BYTES] = '\0';
    heard_send_run(&run, link, text, 2);
    scene_turn(&scene);
    scene_say(&scene, fd, "+OK\r\n*0\r\n");
    scene_turn_until(&scene, &run.is_done);

    assert_unheard(&run, KW_E_PROTOCOL, false);
    kw_free(text);
    scene_close(&scene);
}
