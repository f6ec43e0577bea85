/* test_request.c - redirections, retries and their limits: what is sent again, in which order. */
#include "proxy/resend.h"
#include "tests/unit/proxy/proxy_scene.h"

static struct proxy_scene stage;

enum { RETRY_STEP_MS = 10 };

/* Nodes 0 and 1 with a link each, and a client whose link they are. */
static int open_stage(const char *config, int *first, int *second)
{
    proxy_scene_open(&stage, config, 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET b\r\nGET a\r\n");
    *first = proxy_scene_node(&stage, 0);
    *second = proxy_scene_node(&stage, 1);
    scene_expect(&stage.scene, *first, GET("b"));
    scene_expect(&stage.scene, *second, GET("a"));
    scene_say(&stage.scene, *first, "+b\r\n");
    scene_say(&stage.scene, *second, "+a\r\n");
    scene_expect(&stage.scene, client, "+b\r\n+a\r\n");
    return client;
}

/* Let the time pass that a request waits between two tries. */
static void retry(void)
{
    kw_resend_due(stage.proxy, stage.scene.now_ms + RETRY_STEP_MS);
    scene_turn(&stage.scene);
}

KW_TEST(request_follows_moved_and_the_slot_goes_there_from_then_on)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "SET b 1\r\n");
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_expect(&stage.scene, second, SET("b", "1"));
    scene_say(&stage.scene, second, "+OK\r\n");
    scene_expect(&stage.scene, client, "+OK\r\n");
    scene_say(&stage.scene, client, "GET b\r\n");

    scene_expect(&stage.scene, second, GET("b"));
    scene_expect_nothing(&stage.scene, first);
    assert_int_equal(FIGURE(&stage, redirects_moved), 1);
    assert_true(stage.scene.wishes > 0);
    proxy_scene_close(&stage);
}

KW_TEST(request_follows_ask_behind_asking_and_the_slot_stays)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "GET b\r\n");
    scene_expect(&stage.scene, first, GET("b"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-ASK 3300 127.0.0.1:", "\r\n"));
    scene_expect(&stage.scene, second, ASKING GET("b"));
    scene_say(&stage.scene, second, "+OK\r\n$1\r\nv\r\n");
    scene_expect(&stage.scene, client, "$1\r\nv\r\n");
    scene_say(&stage.scene, client, "GET b\r\n");

    scene_expect(&stage.scene, first, GET("b"));
    assert_int_equal(FIGURE(&stage, redirects_ask), 1);
    proxy_scene_close(&stage);
}

KW_TEST(request_follows_moved_to_a_node_that_is_not_known_yet)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    stage.scene.nodes_count = 3;
    scene_listen_again(&stage.scene, 2);
    scene_say(&stage.scene, client, "GET b\r\n");
    scene_expect(&stage.scene, first, GET("b"));
    scene_say(&stage.scene, first, with_port(&stage, 2, "-MOVED 3300 127.0.0.1:", "\r\n"));
    int third = proxy_scene_node(&stage, 2);
    scene_expect(&stage.scene, third, GET("b"));
    scene_say(&stage.scene, third, ":1\r\n");

    scene_expect(&stage.scene, client, ":1\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(request_keeps_its_place_while_it_is_redirected)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "SET b 1\r\nGET a\r\nPING\r\n");
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_expect(&stage.scene, second, GET("a"));
    scene_say(&stage.scene, second, ":7\r\n");
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_expect_nothing(&stage.scene, client);
    scene_expect(&stage.scene, second, SET("b", "1"));
    scene_say(&stage.scene, second, "+OK\r\n");

    scene_expect(&stage.scene, client, "+OK\r\n:7\r\n+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(request_of_the_same_slot_never_overtakes_a_redirected_one)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    /* given three writes of one slot in flight, of which the first two are redirected */
    scene_say(&stage.scene, client, "SET b 1\r\nSET b 2\r\nSET b 3\r\n");
    scene_expect(&stage.scene, first, SET("b", "1") SET("b", "2") SET("b", "3"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));

    /* then each is sent when the one before it is answered */
    scene_expect(&stage.scene, second, SET("b", "1"));
    scene_expect_nothing(&stage.scene, second);
    scene_say(&stage.scene, second, "+OK\r\n");
    scene_expect(&stage.scene, second, SET("b", "2"));
    scene_expect_nothing(&stage.scene, second);
    scene_say(&stage.scene, second, "+OK\r\n");
    scene_expect(&stage.scene, second, SET("b", "3"));
    scene_say(&stage.scene, second, "+OK\r\n");

    scene_expect(&stage.scene, client, "+OK\r\n+OK\r\n+OK\r\n");
    assert_int_equal(FIGURE(&stage, order_races), 0);
    proxy_scene_close(&stage);
}

KW_TEST(request_a_read_that_ran_out_of_turn_is_asked_again)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "SET b 1\r\nGET b\r\n");
    scene_expect(&stage.scene, first, SET("b", "1") GET("b"));
    scene_say(&stage.scene, first,
              with_port(&stage, 1, "-ASK 3300 127.0.0.1:", "\r\n$3\r\nold\r\n"));
    scene_expect(&stage.scene, second, ASKING SET("b", "1"));
    scene_expect_nothing(&stage.scene, client);
    scene_say(&stage.scene, second, "+OK\r\n+OK\r\n");
    scene_expect(&stage.scene, first, GET("b")); /* again, by the map */
    scene_say(&stage.scene, first, "$3\r\nnew\r\n");

    scene_expect(&stage.scene, client, "+OK\r\n$3\r\nnew\r\n");
    assert_int_equal(FIGURE(&stage, reads_reissued), 1);
    proxy_scene_close(&stage);
}

KW_TEST(request_is_tried_again_in_a_moment_when_the_node_says_so)
{
    static const char *const errors[] = {
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-LOADING Redis is loading\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-READONLY You can't write\r\n",
    };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int first = -1;
        int second = -1;
        int client = open_stage("", &first, &second);
        scene_say(&stage.scene, client, "SET b 1\r\n");
        scene_expect(&stage.scene, first, SET("b", "1"));
        scene_say(&stage.scene, first, errors[i]);
        kw_resend_due(stage.proxy, stage.scene.now_ms + RETRY_STEP_MS - 1);
        scene_expect_nothing(&stage.scene, first); /* not yet */
        retry();
        scene_expect(&stage.scene, first, SET("b", "1"));
        scene_say(&stage.scene, first, "+OK\r\n");
        scene_expect(&stage.scene, client, "+OK\r\n");
        assert_int_equal(FIGURE(&stage, retries_later), 1);
        proxy_scene_close(&stage);
    }
}

KW_TEST(request_gets_the_nodes_own_error_when_its_time_is_up)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "SET b 1\r\n");
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_say(&stage.scene, first, "-LOADING Redis is loading\r\n");
    struct kw_request *request =
        KW_LIST_ENTRY(stage.proxy->retrying.next, struct kw_request, retrying);
    uint64_t patience_ms = stage.scene.config->request_retry_ms;
    assert_in_range(request->deadline_ms, stage.scene.now_ms + patience_ms,
                    stage.scene.now_ms + patience_ms + 1000);
    request->deadline_ms = stage.scene.now_ms; /* as if so long had passed */
    retry();
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_say(&stage.scene, first, "-LOADING Redis is still loading\r\n");

    scene_expect(&stage.scene, client, "-LOADING Redis is still loading\r\n");
    assert_int_equal(stage.proxy->requests.in_use_count, 0);
    proxy_scene_close(&stage);
}

KW_TEST(request_writes_put_off_together_are_sent_again_one_at_a_time)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    /* given two writes of one slot that the node puts off */
    scene_say(&stage.scene, client, "SET b 1\r\nSET b 2\r\n");
    scene_expect(&stage.scene, first, SET("b", "1") SET("b", "2"));
    scene_say(&stage.scene, first, "-LOADING x\r\n-LOADING x\r\n");

    /* when they are tried again, and the first is put off once more */
    retry();
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_expect_nothing(&stage.scene, first); /* the second must not run before it */
    scene_say(&stage.scene, first, "-LOADING x\r\n");
    retry();
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_say(&stage.scene, first, "+OK\r\n");
    scene_expect(&stage.scene, first, SET("b", "2"));
    scene_say(&stage.scene, first, "+OK\r\n");

    scene_expect(&stage.scene, client, "+OK\r\n+OK\r\n");
    assert_int_equal(FIGURE(&stage, order_races), 0);
    proxy_scene_close(&stage);
}

KW_TEST(request_is_redirected_so_often_and_no_more)
{
    int nodes[2] = {-1, -1};
    int client = open_stage("", &nodes[0], &nodes[1]);

    scene_say(&stage.scene, client, "GET b\r\n");
    for (unsigned i = 0; i <= KW_ATTEMPTS_MAX; i++) {
        scene_expect(&stage.scene, nodes[i % 2], GET("b"));
        scene_say(&stage.scene, nodes[i % 2],
                  with_port(&stage, 1 - i % 2, "-MOVED 3300 127.0.0.1:", "\r\n"));
    }

    scene_expect(
        &stage.scene, client,
        "-ERR keyway: too many redirections, the cluster's nodes disagree about this slot\r\n");
    assert_int_equal(FIGURE(&stage, redirects_moved), KW_ATTEMPTS_MAX + 1);
    scene_say(&stage.scene, client, "PING\r\n");
    scene_expect(&stage.scene, client, "+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(request_redirected_to_nowhere_is_an_error_that_names_no_node_to_go_to)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "GET b\r\n");
    scene_expect(&stage.scene, first, GET("b"));
    scene_say(&stage.scene, first, "-MOVED 1 127.0.0.1:1\r\n");

    scene_expect(&stage.scene, client,
                 with_port(&stage, 0, "-ERR keyway: node 127.0.0.1:", " redirects to nowhere\r\n"));
    proxy_scene_close(&stage);
}

KW_TEST(request_a_write_whose_node_fails_is_never_sent_again)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "SET b 1\r\n");
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_reset(&stage.scene, first);

    scene_expect(&stage.scene, client,
                 with_port(&stage, 0, "-UNKNOWNRESULT node 127.0.0.1:",
                           " failed after the command was sent: it may or may not have been "
                           "executed\r\n"));
    assert_int_equal(FIGURE(&stage, results_unknown), 1);
    assert_int_equal(FIGURE(&stage, retries_failed_link), 0);
    proxy_scene_close(&stage);
}

KW_TEST(request_a_read_whose_link_breaks_is_sent_again)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    scene_say(&stage.scene, client, "GET b\r\n");
    scene_expect(&stage.scene, first, GET("b"));
    scene_say(&stage.scene, first, "$5\r\nha"); /* half a reply */
    scene_reset(&stage.scene, first);
    first = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, first, GET("b"));
    scene_say(&stage.scene, first, "$5\r\nwhole\r\n");

    scene_expect(&stage.scene, client, "$5\r\nwhole\r\n");
    assert_int_equal(FIGURE(&stage, retries_failed_link), 1);
    proxy_scene_close(&stage);
}

KW_TEST(request_that_was_never_written_is_sent_again_even_when_it_writes)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "SET b 1\r\n");
    int first = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, first, SET("b", "1"));
    scene_say(&stage.scene, first, "+OK\r\n");
    scene_expect(&stage.scene, client, "+OK\r\n");

    /* given a write that comes in the same tick as the end of its link */
    assert_int_equal(send(client, "SET b 2\r\n", 9, 0), 9);
    scene_hang_up(&stage.scene, first);
    int again = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, again, SET("b", "2"));
    scene_say(&stage.scene, again, "+OK\r\n");

    scene_expect(&stage.scene, client, "+OK\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(request_a_read_is_not_sent_again_for_ever)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    int tries = 0;

    scene_say(&stage.scene, client, "GET b\r\n");
    for (; tries < 4; tries++) {
        int node = proxy_scene_node(&stage, 0);
        scene_expect(&stage.scene, node, GET("b"));
        scene_reset(&stage.scene, node);
    }
    scene_expect(
        &stage.scene, client,
        with_port(&stage, 0, "-ERR keyway: node 127.0.0.1:", " did not answer in time\r\n"));
    assert_int_equal(FIGURE(&stage, retries_failed_link), 3);
    proxy_scene_close(&stage);
}

KW_TEST(request_of_a_silent_node_fails_and_others_go_on)
{
    int first = -1;
    int second = -1;
    int client = open_stage("node-timeout-ms 100\nnode-failure-limit 3", &first, &second);
    int other = proxy_scene_client(&stage);

    scene_say(&stage.scene, client, "SET b 1\r\nGET c\r\n");
    scene_expect(&stage.scene, first, SET("b", "1") GET("c"));
    (void)kw_node_check(scene_node(&stage.scene, 0), stage.scene.now_ms + 300);
    scene_expect(&stage.scene, client,
                 with_port(&stage, 0, "-UNKNOWNRESULT node 127.0.0.1:",
                           " failed after the command was sent: it may or may not have been "
                           "executed\r\n"));
    scene_expect(
        &stage.scene, client,
        with_port(&stage, 0, "-ERR keyway: node 127.0.0.1:", " did not answer in time\r\n"));
    scene_say(&stage.scene, client, "GET a\r\n");
    scene_expect(&stage.scene, second, GET("a"));
    scene_say(&stage.scene, second, ":1\r\n");
    scene_expect(&stage.scene, client, ":1\r\n");
    scene_say(&stage.scene, other, "PING\r\n");
    scene_expect(&stage.scene, other, "+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(request_redirected_ones_that_fail_leave_the_queue_in_order)
{
    int first = -1;
    int second = -1;
    int client = open_stage("", &first, &second);

    /* given a pipeline of one slot: its first write waits to be sent again, answers wait behind it */
    scene_say(&stage.scene, client, "SET b 1\r\nSET b 2\r\nPING\r\nGET a\r\nPING\r\n");
    scene_expect(&stage.scene, first, SET("b", "1") SET("b", "2"));
    scene_expect(&stage.scene, second, GET("a"));
    scene_say(&stage.scene, second, ":1\r\n");
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_say(&stage.scene, first, with_port(&stage, 1, "-MOVED 3300 127.0.0.1:", "\r\n"));
    scene_expect(&stage.scene, second, SET("b", "1"));

    /* when the new owner breaks and refuses */
    scene_stop_listening(&stage.scene, 1);
    scene_reset(&stage.scene, second);

    scene_expect(&stage.scene, client,
                 with_port(&stage, 1, "-UNKNOWNRESULT node 127.0.0.1:",
                           " failed after the command was sent: it may or may not have been "
                           "executed\r\n"));
    scene_expect(&stage.scene, client,
                 with_port(&stage, 1, "-ERR keyway: node 127.0.0.1:",
                           " is down, nothing was sent; other nodes are not affected\r\n+PONG\r\n"
                           ":1\r\n+PONG\r\n"));
    assert_int_equal(stage.proxy->requests.in_use_count, 0);
    proxy_scene_close(&stage);
}
