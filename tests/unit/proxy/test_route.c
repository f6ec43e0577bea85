/* test_route.c - which node gets a command, and which commands get none. */
#include "tests/unit/proxy/proxy_scene.h"

static struct proxy_scene stage;

#define CROSSSLOT "-CROSSSLOT Keys in request don't hash to the same slot\r\n"

KW_TEST(route_sends_each_key_to_the_owner_of_its_slot)
{
    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET b\r\nGET a\r\n");
    int first = proxy_scene_node(&stage, 0);
    int second = proxy_scene_node(&stage, 1);

    scene_expect(&stage.scene, first, GET("b"));
    scene_expect(&stage.scene, second, GET("a"));
    proxy_scene_close(&stage);
}

KW_TEST(route_passes_a_command_whose_keys_share_a_slot_as_it_is)
{
    static const char command[] = "*3\r\n$4\r\nMGET\r\n$4\r\n{b}1\r\n$4\r\n{b}2\r\n";

    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, command);
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, command);
    scene_say(&stage.scene, node, "*2\r\n$1\r\nx\r\n$-1\r\n");
    scene_expect(&stage.scene, client, "*2\r\n$1\r\nx\r\n$-1\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(route_refuses_keys_of_different_slots_with_redis_words)
{
    static const char *const commands[] = {
        "MSETNX a 1 b 2\r\n",       "SINTERSTORE a b c\r\n", "RENAME a b\r\n",
        "LMOVE a b LEFT RIGHT\r\n", "EVAL x 2 a b\r\n",      "ZUNIONSTORE {b}1 2 {b}2 a\r\n",
        "RENAME b c\r\n",
    };

    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        scene_say(&stage.scene, client, commands[i]);
        scene_expect(&stage.scene, client, CROSSSLOT);
    }
    scene_say(&stage.scene, client, "PING\r\n"); /* the stream is aligned */
    scene_expect(&stage.scene, client, "+PONG\r\n");
    assert_int_equal(FIGURE(&stage, calls_sent), 0);
    proxy_scene_close(&stage);
}

KW_TEST(route_a_command_without_keys_goes_to_one_node_always)
{
    proxy_scene_open(&stage, "", 2);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "EVAL b 0\r\n"); /* the script is hashed like a key */
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, "*3\r\n$4\r\nEVAL\r\n$1\r\nb\r\n$1\r\n0\r\n");
    scene_say(&stage.scene, node, ":1\r\n");
    scene_say(&stage.scene, client, "EVAL b 0\r\n");
    scene_expect(&stage.scene, node, "*3\r\n$4\r\nEVAL\r\n$1\r\nb\r\n$1\r\n0\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(route_a_slot_that_nobody_owns_is_an_error)
{
    proxy_scene_open(&stage, "", 2);
    struct kw_topology *topology = scene_topology(&stage.scene, 0, 2);
    kw_topology_assign(topology, 0, 8191, KW_NODE_NONE);
    kw_backend_apply(stage.scene.backend, topology);
    kw_topology_unref(&topology);
    int client = proxy_scene_client(&stage);
    unsigned wishes = stage.scene.wishes;
    scene_say(&stage.scene, client, "GET b\r\n");
    scene_expect(&stage.scene, client, "-CLUSTERDOWN Hash slot not served\r\n");
    assert_true(stage.scene.wishes > wishes);
    scene_say(&stage.scene, client, "GET a\r\n"); /* other slots are served */
    int node = proxy_scene_node(&stage, 1);
    scene_expect(&stage.scene, node, GET("a"));
    proxy_scene_close(&stage);
}

KW_TEST(route_requests_wait_for_the_first_topology)
{
    /* given a proxy that has just started */
    proxy_scene_open(&stage, "", 0);
    stage.scene.nodes_count = 1;
    scene_listen_again(&stage.scene, 0);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "PING\r\nGET b\r\nPING\r\n");
    scene_expect(&stage.scene, client, "+PONG\r\n");
    scene_expect_nothing(&stage.scene, client);

    /* when the topology comes */
    struct kw_topology *topology = scene_topology(&stage.scene, 0, 1);
    kw_backend_apply(stage.scene.backend, topology);
    kw_topology_unref(&topology);
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("b"));
    scene_say(&stage.scene, node, "$1\r\nv\r\n");

    scene_expect(&stage.scene, client, "$1\r\nv\r\n+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(route_requests_without_a_topology_fail_when_their_patience_is_over)
{
    proxy_scene_open(&stage, "", 0);
    stage.proxy->patient_until_ms = stage.scene.now_ms; /* it is over */
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET b\r\n");

    scene_expect(
        &stage.scene, client,
        "-CLUSTERDOWN keyway has not reached the cluster yet: none of its seeds answers\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(route_a_node_that_is_down_is_an_error_at_once)
{
    proxy_scene_open(&stage, "", 2);
    scene_stop_listening(&stage.scene, 0);
    struct kw_node *node = scene_node(&stage.scene, 0);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "SET b 1\r\n");
    scene_turn_until(&stage.scene, &node->is_down);
    const char *error = with_port(&stage, 0, "-ERR keyway: node 127.0.0.1:",
                                  " is down, nothing was sent; other nodes are not affected\r\n");
    scene_expect(&stage.scene, client, error);
    scene_say(&stage.scene, client, "SET b 1\r\nGET b\r\n");
    scene_expect(&stage.scene, client, error);
    scene_expect(&stage.scene, client, error);
    scene_say(&stage.scene, client, "SET a 1\r\n");
    int other = proxy_scene_node(&stage, 1);
    scene_expect(&stage.scene, other, SET("a", "1"));
    proxy_scene_close(&stage);
}
