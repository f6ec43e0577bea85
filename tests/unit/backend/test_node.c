/* test_node.c - up and down: silence, refused connections, back-off, recovery; which link is whose. */
#include "backend/side.h"
#include "tests/unit/backend/scene.h"

#include "net/timer.h"

static struct scene scene;

/* 3 x 100 ms of silence and a node is down. */
#define BREAKER "node-timeout-ms 100\nnode-failure-limit 3"

/* Turn until the backend knows that a link of NODE has failed. */
static void turn_until_down(struct kw_node *node)
{
    scene_turn_until(&scene, &node->is_down);
}

KW_TEST(node_is_down_after_so_many_silences_and_not_before)
{
    struct heard call;
    int fd = -1;

    /* given a call that is not answered */
    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    unsigned wishes = scene.wishes;

    /* when one millisecond is missing */
    assert_int_equal(kw_node_dead_after_ms(node), 300);
    assert_true(kw_node_check(node, scene.now_ms + 299));
    assert_false(node->is_down);
    assert_false(call.is_done);
    assert_true(scene.wishes > wishes); /* but a fresh topology is asked for */

    /* and when it is not */
    (void)kw_node_check(node, scene.now_ms + 300);
    assert_true(node->is_down);
    assert_unheard(&call, KW_E_TIMEOUT, true);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_node_downs), 1);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_node_timeouts), 2);
    scene_close(&scene);
}

KW_TEST(node_any_byte_of_an_answer_breaks_the_silence)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    (void)kw_node_check(node, scene.now_ms + 250);
    assert_int_equal(link->silences, 2);
    scene_say(&scene, fd, "$5\r\nab");

    assert_int_equal(link->silences, 0);
    assert_false(call.is_done);
    scene_close(&scene);
}

KW_TEST(node_that_owes_nothing_is_never_silent)
{
    int fd = -1;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    (void)scene_ready_link(&scene, 0, &fd);

    assert_false(kw_node_check(node, scene.now_ms + 1000000)); /* and nothing to look after */
    assert_false(node->is_down);
    scene_close(&scene);
}

KW_TEST(node_that_hangs_accepts_connections_and_is_found_out_all_the_same)
{
    struct heard call;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    struct kw_link *link = scene_link(&scene, 0, 2, 0);
    heard_send(&call, link, GET_WIRE);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE); /* never answered */
    (void)kw_node_check(node, scene.now_ms + 299);
    assert_false(node->is_down);
    (void)kw_node_check(node, scene.now_ms + 300);

    assert_true(node->is_down);
    assert_unheard(&call, KW_E_TIMEOUT, false); /* it may be sent elsewhere */
    scene_close(&scene);
}

KW_TEST(node_that_refuses_connections_is_down_at_once)
{
    struct heard call;
    struct kw_link *link = NULL;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    scene_stop_listening(&scene, 0);
    heard_send(&call, scene_link(&scene, 0, 2, 0), GET_WIRE);
    turn_until_down(node);

    assert_unheard(&call, KW_E_REFUSED, false);
    assert_int_equal(kw_node_link(node, 2, 0, 0, &link), KW_E_REFUSED);
    assert_null(link);
    assert_int_equal(node->down_reason, KW_E_REFUSED);
    scene_close(&scene);
}

KW_TEST(node_that_is_down_is_tried_with_a_growing_jittered_delay)
{
    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    scene_stop_listening(&scene, 0);
    (void)scene_link(&scene, 0, 2, 0);
    turn_until_down(node);

    uint64_t wanted_ms = 50;
    for (int trial = 0; trial < 8; trial++) {
        /* given the next trial is due between half the delay and all of it */
        assert_int_equal(node->backoff_ms, wanted_ms);
        uint64_t delay_ms = node->retry_at_ms - scene.now_ms;
        assert_in_range(delay_ms, wanted_ms / 2, wanted_ms);

        /* when it is not due: nothing; when it is: one link, which is refused again */
        assert_true(kw_node_check(node, node->retry_at_ms - 1));
        assert_null(node->links[0][0]);
        assert_true(kw_node_check(node, node->retry_at_ms));
        assert_non_null(node->links[0][0]);
        assert_true(kw_node_check(node, node->retry_at_ms)); /* no second one beside it */
        bool is_over = false;
        while (!is_over) {
            scene_turn(&scene);
            is_over = node->links[0][0] == NULL;
        }
        wanted_ms = wanted_ms * 2 < 1000 ? wanted_ms * 2 : 1000;
    }
    assert_true(node->is_down);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_node_downs), 1); /* one outage */
    scene_close(&scene);
}

KW_TEST(node_is_up_again_with_the_first_answer)
{
    struct heard call;
    struct kw_link *link = NULL;

    /* given a node that is down and a trial link to it, accepted but not answered */
    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    scene_stop_listening(&scene, 0);
    (void)scene_link(&scene, 0, 2, 0);
    turn_until_down(node);
    scene_listen_again(&scene, 0);
    (void)kw_node_check(node, node->retry_at_ms);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    assert_int_equal(kw_node_link(node, 2, 0, 0, &link), KW_E_REFUSED); /* not yet */

    scene_say(&scene, fd, "+PONG\r\n");

    assert_false(node->is_down);
    assert_int_equal(node->backoff_ms, 0);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_node_ups), 1);
    heard_send(&call, scene_link(&scene, 0, 2, 0), GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE); /* over the trial link */
    scene_say(&scene, fd, "+OK\r\n");
    assert_heard(&call, "+OK\r\n");
    scene_close(&scene);
}

KW_TEST(node_a_trial_link_has_a_second_and_is_then_given_up)
{
    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    scene_stop_listening(&scene, 0);
    (void)scene_link(&scene, 0, 2, 0);
    turn_until_down(node);
    scene_listen_again(&scene, 0);
    (void)kw_node_check(node, node->retry_at_ms);
    int fd = scene_accept(&scene, 0);
    struct kw_link *trial = node->links[0][0];
    assert_non_null(trial);

    (void)kw_node_check(node, trial->progress_ms + 1000);
    scene_turn(&scene);
    assert_ptr_equal(node->links[0][0], trial);
    (void)kw_node_check(node, trial->progress_ms + 1001);
    scene_expect_end(&scene, fd);
    assert_null(node->links[0][0]);
    assert_true(node->is_down);
    scene_close(&scene);
}

KW_TEST(node_is_tried_at_once_when_a_probe_says_that_it_is_alive)
{
    scene_open(&scene, BREAKER, 2);
    struct kw_node *node = scene_node(&scene, 0);
    scene_stop_listening(&scene, 0);
    (void)scene_link(&scene, 0, 2, 0);
    turn_until_down(node);
    scene_listen_again(&scene, 0);

    kw_backend_on_node_alive(scene.backend, &scene_node(&scene, 1)->address); /* not this one */
    assert_true(node->retry_at_ms > 0);
    kw_backend_on_node_alive(scene.backend, &node->address);
    (void)kw_node_check(node, scene.now_ms);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n");

    assert_false(node->is_down);
    scene_close(&scene);
}

KW_TEST(node_that_is_down_costs_only_its_own_calls)
{
    struct heard lost;
    struct heard kept;
    int fd = -1;
    int other_fd = -1;

    scene_open(&scene, BREAKER, 2);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    struct kw_link *other = scene_ready_link(&scene, 1, &other_fd);
    heard_send(&lost, link, GET_WIRE);
    heard_send(&kept, other, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    scene_expect(&scene, other_fd, GET_WIRE);
    (void)kw_node_check(scene_node(&scene, 0), scene.now_ms + 300);
    scene_say(&scene, other_fd, "+OK\r\n");

    assert_unheard(&lost, KW_E_TIMEOUT, true);
    assert_heard(&kept, "+OK\r\n");
    assert_false(scene_node(&scene, 1)->is_down);
    scene_close(&scene);
}

KW_TEST(node_a_ready_link_that_breaks_does_not_make_the_node_down)
{
    int fd = -1;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    (void)scene_ready_link(&scene, 0, &fd);
    scene_hang_up(&scene, fd);

    assert_false(node->is_down);
    assert_null(node->links[0][0]);
    (void)scene_ready_link(&scene, 0, &fd); /* the next call gets another */
    scene_close(&scene);
}

KW_TEST(node_gives_a_client_the_same_link_always_and_versions_their_own)
{
    scene_open(&scene, "node-timeout-ms 10000\nlinks-per-node 3", 1);
    struct kw_link *first = scene_link(&scene, 0, 2, 7);

    assert_ptr_equal(scene_link(&scene, 0, 2, 7), first);
    assert_ptr_equal(scene_link(&scene, 0, 2, 10), first); /* 10 mod 3 = 7 mod 3 */
    assert_ptr_not_equal(scene_link(&scene, 0, 2, 8), first);
    struct kw_link *resp3 = scene_link(&scene, 0, 3, 7);
    assert_ptr_not_equal(resp3, first);
    assert_int_equal(resp3->proto, 3);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_links_opened), 3);
    scene_close(&scene);
}

KW_TEST(node_counts_what_is_in_flight_over_all_links)
{
    struct heard calls[3];

    scene_open(&scene, "node-timeout-ms 10000\nlinks-per-node 2", 1);
    heard_send(&calls[0], scene_link(&scene, 0, 2, 0), GET_WIRE);
    heard_send(&calls[1], scene_link(&scene, 0, 2, 1), GET_WIRE);
    heard_send(&calls[2], scene_link(&scene, 0, 3, 0), GET_WIRE);

    assert_int_equal(kw_node_inflight_count(scene_node(&scene, 0)), 3);
    kw_node_close_links(scene_node(&scene, 0), KW_E_CLOSED);
    assert_int_equal(kw_node_inflight_count(scene_node(&scene, 0)), 0);
    scene_close(&scene);
}

/* A user that asks for the link again as soon as it is told of the failure, as requests do. */
struct stubborn {
    struct kw_call call; /* first */
    enum kw_status second_try;
};

static void stubborn_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    (void)call;
    (void)part;
    fail();
}

static void stubborn_on_fail(struct kw_call *call, const struct kw_link *link,
                             enum kw_status status, bool was_sent)
{
    struct stubborn *stubborn = (struct stubborn *)call;
    struct kw_link *again = NULL;

    (void)status;
    (void)was_sent;
    stubborn->second_try = kw_node_link(link->node, 2, 0, 0, &again);
    kw_call_release(call);
}

KW_TEST(node_is_down_before_its_calls_are_told_so)
{
    static const struct kw_call_user user = {.on_reply = stubborn_on_reply,
                                             .on_fail = stubborn_on_fail};
    struct stubborn stubborn = {.call.user = &user};

    scene_open(&scene, BREAKER, 1);
    struct kw_link *link = scene_link(&scene, 0, 2, 0);
    assert_int_equal(kw_link_send(link, &stubborn.call, KW_BYTES(GET_WIRE), NULL), KW_OK);
    (void)kw_node_check(scene_node(&scene, 0), scene.now_ms + 300);

    assert_int_equal(stubborn.second_try, KW_E_TIMEOUT);
    scene_close(&scene);
}

KW_TEST(node_that_does_not_speak_resp3_serves_resp2_all_the_same)
{
    struct heard call;
    struct kw_link *link = NULL;
    int fd = -1;

    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    heard_send(&call, scene_link(&scene, 0, 3, 0), GET_WIRE);
    fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, HELLO_WIRE);
    scene_say(&scene, fd, "-ERR unknown command 'HELLO'\r\n");

    assert_unheard(&call, KW_E_PROTOCOL, false);
    assert_false(node->is_down);
    assert_int_equal(kw_node_link(node, 3, 0, 0, &link), KW_E_PROTOCOL);
    (void)scene_ready_link(&scene, 0, &fd);
    scene_close(&scene);
}

KW_TEST(node_that_hangs_is_found_out_while_commands_keep_coming)
{
    struct heard first;
    struct heard second;
    int fd = -1;

    /* given a call that has waited for 250 of 300 ms */
    scene_open(&scene, BREAKER, 1);
    struct kw_node *node = scene_node(&scene, 0);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&first, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    link->progress_ms -= 250;

    /* when another one is written: the kernel takes it, the node says nothing */
    heard_send(&second, link, GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    (void)kw_node_check(node, scene.now_ms + 50);

    assert_true(node->is_down);
    assert_unheard(&first, KW_E_TIMEOUT, true);
    assert_unheard(&second, KW_E_TIMEOUT, true);
    scene_close(&scene);
}

/* A link of database 3, after its handshake; *fd is the node's side. */
static struct kw_link *ready_link_of_3(struct scene *on, int *fd)
{
    struct kw_link *link = NULL;

    assert_int_equal(kw_node_link(scene_node(on, 0), 2, 3, 0, &link), KW_OK);
    *fd = scene_accept(on, 0);
    scene_expect(on, *fd, PING_WIRE);
    scene_say(on, *fd, "+PONG\r\n");
    scene_expect(on, *fd, "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
    scene_say(on, *fd, "+OK\r\n");
    assert_int_equal(link->state, KW_LINK_READY);
    return link;
}

KW_TEST(node_has_links_of_other_databases_and_closes_idle_ones)
{
    struct kw_link *again = NULL;
    int fd = -1;

    scene_open(&scene, "", 1);
    struct kw_node *node = scene_node(&scene, 0);
    struct kw_link *link = ready_link_of_3(&scene, &fd);
    assert_int_equal(kw_node_link(node, 2, 3, 7, &again), KW_OK);
    assert_ptr_equal(again, link);
    assert_int_equal(kw_node_link(node, 2, 4, 0, &again), KW_OK);
    assert_ptr_not_equal(again, link);
    kw_side_close_idle(node, scene.now_ms + 59000);
    scene_expect_nothing(&scene, fd);
    kw_side_close_idle(node, scene.now_ms + 120000);
    scene_expect_end(&scene, fd);
    assert_false(node->is_down);
    scene_close(&scene);
}

KW_TEST(node_that_lacks_a_database_is_not_down)
{
    struct kw_link *link = NULL;
    struct heard heard;

    scene_open(&scene, "", 1);
    struct kw_node *node = scene_node(&scene, 0);
    assert_int_equal(kw_node_link(node, 2, 3, 0, &link), KW_OK);
    heard_send(&heard, link, GET_WIRE);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n");
    scene_expect(&scene, fd, "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
    scene_say(&scene, fd, "-ERR DB index is out of range\r\n");
    scene_turn(&scene);
    assert_unheard(&heard, KW_E_INVALID, false);
    assert_false(node->is_down);
    assert_int_equal(kw_node_link(node, 2, 3, 0, &link), KW_E_INVALID);
    assert_int_equal(kw_node_link(node, 2, 9, 0, &link), KW_E_INVALID);
    assert_int_equal(kw_node_link(node, 2, 2, 0, &link), KW_OK);
    scene_close(&scene);
}

KW_TEST(node_gives_private_links_for_one_command_each)
{
    struct kw_link *link[5] = {NULL};
    struct heard heard;

    scene_open(&scene, "", 1);
    struct kw_node *node = scene_node(&scene, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(kw_side_link_open_private(node, 2, &link[i]), KW_OK);
    }
    assert_int_equal(kw_side_link_open_private(node, 2, &link[4]), KW_E_FULL);
    heard_send(&heard, link[0], GET_WIRE);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n");
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "+v\r\n");
    assert_heard(&heard, "+v\r\n");
    scene_expect_end(&scene, fd);
    assert_int_equal(kw_side_link_open_private(node, 2, &link[4]), KW_OK);
    scene_close(&scene);
}
