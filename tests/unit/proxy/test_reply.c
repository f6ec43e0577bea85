/* test_reply.c - replies leave in the order of the requests, whatever made them and when. */
#include "tests/unit/proxy/proxy_scene.h"

#include "base/mem.h"

static struct proxy_scene stage;

KW_TEST(reply_order_is_that_of_the_requests_when_nodes_answer_out_of_order)
{
    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET b\r\nGET a\r\nGET c\r\nGET d\r\n");
    int first = proxy_scene_node(&stage, 0);
    int second = proxy_scene_node(&stage, 1);
    scene_expect(&stage.scene, first, GET("b") GET("c"));
    scene_expect(&stage.scene, second, GET("a") GET("d"));
    scene_say(&stage.scene, second, "$1\r\na\r\n$1\r\nd\r\n");
    scene_expect_nothing(&stage.scene, client);
    scene_say(&stage.scene, first, "$1\r\nb\r\n");
    scene_expect(&stage.scene, client, "$1\r\nb\r\n$1\r\na\r\n");
    scene_expect_nothing(&stage.scene, client);
    scene_say(&stage.scene, first, "$1\r\nc\r\n");

    scene_expect(&stage.scene, client, "$1\r\nc\r\n$1\r\nd\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(reply_of_keyway_itself_waits_for_the_nodes_before_it)
{
    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client,
              "PING\r\nGET b\r\nPING x\r\nFOO\r\nRENAME a b\r\nGET\r\nECHO y\r\n");
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, client, "+PONG\r\n");
    scene_expect_nothing(&stage.scene, client);
    scene_expect(&stage.scene, node, GET("b"));
    scene_say(&stage.scene, node, "$-1\r\n");

    scene_expect(&stage.scene, client,
                 "$-1\r\n$1\r\nx\r\n"
                 "-ERR unknown command 'FOO', with args beginning with: \r\n"
                 "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
                 "-ERR wrong number of arguments for 'get' command\r\n$1\r\ny\r\n");
    assert_int_equal(FIGURE(&stage, requests), 7);
    assert_int_equal(FIGURE(&stage, requests_local), 3);
    assert_int_equal(FIGURE(&stage, requests_refused), 3);
    assert_int_equal(FIGURE(&stage, requests_inflight), 0);
    proxy_scene_close(&stage);
}

KW_TEST(reply_order_holds_for_every_order_of_completion)
{
    /* Six requests to three nodes, two each; the nodes answer in all 90 interleavings. */
    for (int code = 0; code < 729; code++) {
        int order[6];
        int count[3] = {0, 0, 0};
        for (int i = 0, rest = code; i < 6; i++, rest /= 3) {
            order[i] = rest % 3;
            count[order[i]]++;
        }
        if (count[0] != 2 || count[1] != 2 || count[2] != 2) {
            continue;
        }
        proxy_scene_open(&stage, "", 3);
        int client = proxy_scene_client(&stage);
        /* b 3300 and f 3168 -> 0; k 7629 and z 8157 -> 1; a 15495 and e 15363 -> 2 */
        scene_say(&stage.scene, client, "GET b\r\nGET k\r\nGET a\r\nGET f\r\nGET z\r\nGET e\r\n");
        int nodes[3] = {proxy_scene_node(&stage, 0), proxy_scene_node(&stage, 1),
                        proxy_scene_node(&stage, 2)};
        static const char *const answers[3][2] = {{"$1\r\nb\r\n", "$1\r\nf\r\n"},
                                                  {"$1\r\nk\r\n", "$1\r\nz\r\n"},
                                                  {"$1\r\na\r\n", "$1\r\ne\r\n"}};
        int said[3] = {0, 0, 0};
        scene_expect(&stage.scene, nodes[0], GET("b") GET("f"));
        scene_expect(&stage.scene, nodes[1], GET("k") GET("z"));
        scene_expect(&stage.scene, nodes[2], GET("a") GET("e"));
        for (int i = 0; i < 6; i++) {
            scene_say(&stage.scene, nodes[order[i]], answers[order[i]][said[order[i]]++]);
        }
        scene_expect(&stage.scene, client,
                     "$1\r\nb\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\nf\r\n$1\r\nz\r\n$1\r\ne\r\n");
        proxy_scene_close(&stage);
    }
}

KW_TEST(reply_belongs_to_the_client_that_asked)
{
    int clients[20];

    proxy_scene_open(&stage, "links-per-node 1", 1);
    for (int i = 0; i < 20; i++) {
        char command[64];
        clients[i] = proxy_scene_client(&stage);
        (void)snprintf(command, sizeof command, "ECHO %d\r\nGET %02d\r\n", i, i);
        scene_say(&stage.scene, clients[i], command);
    }
    int node = proxy_scene_node(&stage, 0);
    for (int i = 0; i < 20; i++) {
        char wire[64];
        char answer[32];
        (void)snprintf(wire, sizeof wire, "*2\r\n$3\r\nGET\r\n$2\r\n%02d\r\n", i);
        scene_expect(&stage.scene, node, wire);
        (void)snprintf(answer, sizeof answer, ":%d\r\n", i);
        scene_say(&stage.scene, node, answer);
    }
    for (int i = 0; i < 20; i++) {
        char answer[64];
        (void)snprintf(answer, sizeof answer, "$%d\r\n%d\r\n:%d\r\n", i < 10 ? 1 : 2, i, i);
        scene_expect(&stage.scene, clients[i], answer);
        scene_expect_nothing(&stage.scene, clients[i]);
    }
    proxy_scene_close(&stage);
}

KW_TEST(reply_to_a_client_that_is_gone_is_dropped_and_shifts_nothing)
{
    proxy_scene_open(&stage, "links-per-node 1", 1);
    int gone = proxy_scene_client(&stage);
    int stays = proxy_scene_client(&stage);
    scene_say(&stage.scene, gone, "GET a\r\nGET b\r\nPING\r\n");
    scene_say(&stage.scene, stays, "GET c\r\n");
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("a") GET("b") GET("c"));
    scene_reset(&stage.scene, gone);
    scene_say(&stage.scene, node, ":1\r\n:2\r\n:3\r\n");

    scene_expect(&stage.scene, stays, ":3\r\n");
    scene_expect_nothing(&stage.scene, stays);
    assert_int_equal(stage.proxy->requests.in_use_count, 0);
    assert_int_equal(kw_proxy_clients_count(stage.proxy), 1);
    proxy_scene_close(&stage);
}

KW_TEST(reply_comes_also_after_the_client_has_said_that_it_will_ask_no_more)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET a\r\nPING\r\n");
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("a"));
    scene_say(&stage.scene, node, ":1\r\n");

    scene_expect(&stage.scene, client, ":1\r\n+PONG\r\n");
    scene_expect_end(&stage.scene, client);
    proxy_scene_close(&stage);
}

KW_TEST(reply_that_is_big_passes_through_unchanged_and_is_never_held_whole)
{
    enum { BIG = 8 * 1024 * 1024, PIECE = 64 * 1024 };
    char *piece = kw_alloc(PIECE);
    char *read = kw_alloc(PIECE);
    size_t most_bytes = 0;
    size_t taken = 0;

    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET a\r\nPING\r\n");
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("a"));
    scene_say(&stage.scene, node, "$8388608\r\n");
    scene_expect(&stage.scene, client, "$8388608\r\n");
    for (size_t at = 0; at < BIG; at += PIECE) {
        for (size_t i = 0; i < PIECE; i++) {
            piece[i] = (char)((at + i) * 31 + (at + i) / 4096);
        }
        scene_say_bytes(&stage.scene, node, piece, PIECE);
        for (int tries = 0; taken < at + PIECE && tries < 1000; tries++) {
            ssize_t got = recv(client, read, PIECE, MSG_DONTWAIT);
            for (ssize_t i = 0; i < got; i++, taken++) {
                assert_int_equal(read[i], (char)(taken * 31 + taken / 4096));
            }
            scene_turn(&stage.scene);
        }
        most_bytes = stage.scene.chunks.in_use_bytes > most_bytes ? stage.scene.chunks.in_use_bytes
                                                                  : most_bytes;
    }
    scene_say(&stage.scene, node, "\r\n");

    assert_int_equal(taken, BIG);
    scene_expect(&stage.scene, client, "\r\n+PONG\r\n");
    assert_true(most_bytes < 1024 * 1024);
    kw_free(piece);
    kw_free(read);
    proxy_scene_close(&stage);
}

KW_TEST(reply_that_breaks_off_in_the_middle_ends_the_connection)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET a\r\nPING\r\n");
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("a"));
    scene_say(&stage.scene, node, "$1000000\r\nstart");
    scene_expect(&stage.scene, client, "$1000000\r\nstart");
    scene_hang_up(&stage.scene, node);

    scene_expect_end(&stage.scene, client); /* only that is honest: no error inside a bulk */
    proxy_scene_close(&stage);
}
