/* test_client.c - what a client's bytes and absence can do to keyway: nothing. */
#include "tests/unit/proxy/proxy_scene.h"

#include "base/mem.h"

static struct proxy_scene stage;

KW_TEST(client_bytes_that_are_no_resp_get_an_error_and_a_close)
{
    static const struct {
        const char *bytes;
        const char *reply;
    } rows[] = {
        {"*18446744073709551617\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
        {"*1\r\n$1\r\nabc", "-ERR Protocol error: expected CR LF behind the bulk\r\n"},
        {"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
        {"PING\r\n*x\r\nPING\r\n", "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        proxy_scene_open(&stage, "", 1);
        int client = proxy_scene_client(&stage);
        int other = proxy_scene_client(&stage);
        scene_say(&stage.scene, client, rows[i].bytes);
        scene_expect(&stage.scene, client, rows[i].reply);
        assert_int_equal(shutdown(client, SHUT_WR), 0);
        scene_expect_end(&stage.scene, client);
        assert_int_equal(FIGURE(&stage, protocol_errors), 1);
        scene_say(&stage.scene, other, "PING\r\n");
        scene_expect(&stage.scene, other, "+PONG\r\n");
        proxy_scene_close(&stage);
    }
}

KW_TEST(client_errors_come_behind_the_answers_of_what_was_asked_before)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "GET a\r\n*x\r\nGET a\r\n");
    int node = proxy_scene_node(&stage, 0);
    scene_expect(&stage.scene, node, GET("a"));
    scene_expect_nothing(&stage.scene, node);
    scene_say(&stage.scene, node, ":1\r\n");

    scene_expect(&stage.scene, client, ":1\r\n-ERR Protocol error: invalid multibulk length\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(client_command_names_cannot_forge_a_reply)
{
    static const char command[] = "*1\r\n$7\r\nfoo\r\n+X\r\n*1\r\n$4\r\nPING\r\n";

    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, command);

    scene_expect(&stage.scene, client,
                 "-ERR unknown command 'foo  +X', with args beginning with: \r\n+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(client_commands_arrive_whole_however_their_bytes_are_split)
{
    static const char stream[] =
        "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\nPING\r\n*0\r\n*1\r\n$4\r\nPING\r\n";
    static const char replies[] = "$3\r\nabc\r\n+PONG\r\n+PONG\r\n";

    proxy_scene_open(&stage, "", 1);
    for (size_t split = 0; split < sizeof stream; split++) {
        int client = proxy_scene_client(&stage);
        scene_say_bytes(&stage.scene, client, stream, split);
        scene_say_bytes(&stage.scene, client, stream + split, sizeof stream - 1 - split);
        scene_expect(&stage.scene, client, replies);
        scene_hang_up(&stage.scene, client);
    }
    assert_int_equal(stage.scene.chunks.in_use_count, 0);
    proxy_scene_close(&stage);
}

KW_TEST(client_that_is_idle_holds_no_buffer_and_an_unfinished_command_little)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "PING\r\n");
    scene_expect(&stage.scene, client, "+PONG\r\n");
    assert_int_equal(stage.scene.chunks.in_use_count, 0);
    scene_say(&stage.scene, client, "*2\r\n$3\r\nGET\r\n$1");

    assert_int_equal(stage.scene.chunks.in_use_count, 1);
    assert_true(stage.scene.chunks.in_use_bytes <= 256);
    proxy_scene_close(&stage);
}

KW_TEST(client_announcing_a_huge_argument_gets_no_memory_for_it)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nabc");

    assert_true(stage.scene.chunks.in_use_bytes < 4096);
    scene_hang_up(&stage.scene, client);
    assert_int_equal(stage.scene.chunks.in_use_count, 0);
    proxy_scene_close(&stage);
}

/* What is read of several clients at once is not cut to what the end of a large command needs. */
KW_TEST(client_commands_behind_a_large_one_may_come_with_its_end)
{
    enum { BIG = 20000, FIRST = 17000, NEXT = 100 };
    static char wire[BIG + 64];
    static char reply[BIG + 64];
    int len = 0;

    (void)snprintf(reply, sizeof reply, "$%d\r\n%0*d\r\n+PONG\r\n", BIG, BIG, 7);
    len = snprintf(wire, sizeof wire, "*2\r\n$4\r\nECHO\r\n$%d\r\n%0*d\r\nPING\r\n", BIG, BIG, 7);
    proxy_scene_open(&stage, "", 1);
    int other = proxy_scene_client(&stage);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, other, "PING\r\n");
    scene_expect(&stage.scene, other, "+PONG\r\n");
    scene_say_bytes(&stage.scene, client, wire, FIRST);
    scene_say_bytes(&stage.scene, client, wire + FIRST, NEXT);
    size_t rest = (size_t)len - FIRST - NEXT;
    assert_int_equal(send(client, wire + FIRST + NEXT, rest, 0), rest);
    assert_int_equal(send(other, "PING\r\n", 6, 0), 6);

    scene_expect(&stage.scene, client, reply);
    scene_expect(&stage.scene, other, "+PONG\r\n");
    proxy_scene_close(&stage);
}

KW_TEST(client_big_commands_reach_the_node_unchanged)
{
    enum { BIG = 3 * 1024 * 1024 };
    char *command = kw_alloc_zero(1, BIG + 64);
    char *came = kw_alloc(BIG + 64);
    size_t len = (size_t)snprintf(command, 64, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", BIG);
    size_t got = 0;
    size_t sent = 0;

    proxy_scene_open(&stage, "", 1);
    for (size_t i = 0; i < BIG; i++) {
        command[len + i] = (char)(i * 31 + i / 4096);
    }
    len += BIG;
    memcpy(command + len, "\r\n", 2);
    len += 2;
    int client = proxy_scene_client(&stage);
    while (sent < len) {
        ssize_t count = send(client, command + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        scene_turn(&stage.scene);
    }
    int node = proxy_scene_node(&stage, 0);
    while (got < len) {
        ssize_t count = recv(node, came + got, len - got, MSG_DONTWAIT);
        assert_int_not_equal(count, 0);
        got += count > 0 ? (size_t)count : 0;
        scene_turn(&stage.scene);
    }
    assert_memory_equal(came, command, len);
    scene_say(&stage.scene, node, "+OK\r\n");
    scene_expect(&stage.scene, client, "+OK\r\n");
    assert_int_equal(stage.scene.chunks.in_use_count, 0);
    kw_free(command);
    kw_free(came);
    proxy_scene_close(&stage);
}

KW_TEST(client_one_too_many_is_told_so)
{
    proxy_scene_open(&stage, "maxclients 2", 1);
    int first = proxy_scene_client(&stage);
    (void)proxy_scene_client(&stage);
    int third = proxy_scene_client(&stage);
    scene_expect(&stage.scene, third, "-ERR max number of clients reached\r\n");
    scene_expect_end(&stage.scene, third);
    scene_hang_up(&stage.scene, first);
    int fourth = proxy_scene_client(&stage);
    scene_say(&stage.scene, fourth, "PING\r\n");

    scene_expect(&stage.scene, fourth, "+PONG\r\n");
    assert_int_equal(FIGURE(&stage, connections_rejected), 1);
    proxy_scene_close(&stage);
}

KW_TEST(client_that_quits_gets_ok_and_an_end_and_nothing_behind_it_runs)
{
    proxy_scene_open(&stage, "", 1);
    int client = proxy_scene_client(&stage);
    scene_say(&stage.scene, client, "PING\r\nQUIT\r\nSET a 1\r\n");
    scene_expect(&stage.scene, client, "+PONG\r\n+OK\r\n");
    assert_int_equal(FIGURE(&stage, calls_sent), 0);
    proxy_scene_close(&stage);
}

KW_TEST(client_a_pipeline_has_a_bound_and_goes_on_when_it_is_answered)
{
    enum { MANY = KW_CLIENT_QUEUE_MAX + 1000, WIRE = sizeof GET("b") - 1 };
    char *bytes = kw_alloc(MANY * WIRE);
    size_t sent = 0;
    size_t asked = 0;    /* bytes that the node has got */
    size_t answered = 0; /* bytes that the client has got */

    /* given a client that sends more than may be in flight, and a node that says nothing */
    proxy_scene_open(&stage, "node-timeout-ms 60000", 1);
    for (int i = 0; i < MANY; i++) {
        memcpy(bytes + i * WIRE, GET("b"), WIRE);
    }
    int client = proxy_scene_client(&stage);
    assert_int_equal(send(client, bytes, WIRE, 0), WIRE);
    int node = proxy_scene_node(&stage, 0);
    sent = WIRE;
    while (asked < KW_CLIENT_QUEUE_MAX * WIRE) {
        char got[16384];
        ssize_t count = send(client, bytes + sent, MANY * WIRE - sent, MSG_DONTWAIT);
        sent += count > 0 ? (size_t)count : 0;
        scene_turn(&stage.scene);
        count = recv(node, got, sizeof got, MSG_DONTWAIT);
        asked += count > 0 ? (size_t)count : 0;
    }

    /* then so many are in flight and no more */
    scene_expect_nothing(&stage.scene, node);
    assert_int_equal(FIGURE(&stage, requests_inflight), KW_CLIENT_QUEUE_MAX);

    /* and each answer lets another one go */
    scene_say(&stage.scene, node, "+1\r\n");
    scene_expect(&stage.scene, client, "+1\r\n");
    scene_expect(&stage.scene, node, GET("b"));
    for (int i = 1; i < MANY; i++) {
        memcpy(bytes + (i - 1) * 4, "+x\r\n", 4);
    }
    assert_true(sent >= (KW_CLIENT_QUEUE_MAX + 1) * WIRE);
    scene_say_bytes(&stage.scene, node, bytes, KW_CLIENT_QUEUE_MAX * 4);
    while (answered < KW_CLIENT_QUEUE_MAX * 4) {
        char got[16384];
        scene_turn(&stage.scene);
        ssize_t count = recv(client, got, sizeof got, MSG_DONTWAIT);
        answered += count > 0 ? (size_t)count : 0;
    }
    assert_int_equal(answered, KW_CLIENT_QUEUE_MAX * 4);
    kw_free(bytes);
    proxy_scene_close(&stage);
}
