/* test_handshake.c - what a new link says before any call, and which answers make it ready. */
#include "tests/unit/backend/scene.h"

#include "base/mem.h"

static struct scene scene;

#define AUTH_WIRE "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"

/* A call on a new link to node 0; *fd is the node's side. */
static struct kw_link *link_with_call(int proto, struct heard *call, int *fd)
{
    struct kw_link *link = scene_link(&scene, 0, proto, 0);

    heard_send(call, link, GET_WIRE);
    *fd = scene_accept(&scene, 0);
    return link;
}

KW_TEST(handshake_of_resp2_is_one_ping_and_the_calls_come_behind_it)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, PING_WIRE);
    scene_expect_nothing(&scene, fd);
    assert_int_equal(link->state, KW_LINK_HANDSHAKE);
    scene_say(&scene, fd, "+PONG\r\n");
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "$1\r\nv\r\n");

    assert_heard(&call, "$1\r\nv\r\n");
    scene_close(&scene);
}

KW_TEST(handshake_of_resp3_is_hello)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    (void)link_with_call(3, &call, &fd);
    scene_expect(&scene, fd, HELLO_WIRE);
    scene_say(&scene, fd, "%1\r\n$5\r\nproto\r\n:3\r\n");
    scene_expect(&scene, fd, GET_WIRE);
    scene_say(&scene, fd, "_\r\n");

    assert_heard(&call, "_\r\n");
    scene_close(&scene);
}

KW_TEST(handshake_waits_for_the_answer_to_auth_before_it_goes_on)
{
    struct heard call;
    int fd = -1;

    for (int proto = 2; proto <= 3; proto++) {
        scene_open(&scene, "node-timeout-ms 10000\ncluster-auth-pass secret", 1);
        (void)link_with_call(proto, &call, &fd);
        scene_expect(&scene, fd, AUTH_WIRE);
        scene_expect_nothing(&scene, fd);
        scene_say(&scene, fd, "+OK\r\n");
        scene_expect(&scene, fd, proto == 2 ? PING_WIRE : HELLO_WIRE);
        scene_expect_nothing(&scene, fd);
        scene_say(&scene, fd, proto == 2 ? "+PONG\r\n" : "%0\r\n");
        scene_expect(&scene, fd, GET_WIRE);
        scene_say(&scene, fd, ":1\r\n");
        assert_heard(&call, ":1\r\n");
        scene_close(&scene);
    }
}

KW_TEST(handshake_auth_names_the_user_when_there_is_one)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "cluster-auth-user bob\ncluster-auth-pass secret", 1);
    (void)link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, "*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$6\r\nsecret\r\n");
    scene_close(&scene);
    assert_unheard(&call, KW_E_CLOSED, false);
}

KW_TEST(handshake_a_node_that_rejects_the_password_is_down_for_that_reason)
{
    struct heard call;
    struct kw_link *link = NULL;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000\ncluster-auth-pass secret", 1);
    (void)link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, AUTH_WIRE);
    scene_say(&scene, fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");

    assert_unheard(&call, KW_E_AUTH, false);
    scene_expect_end(&scene, fd);
    assert_int_equal(kw_node_link(scene_node(&scene, 0), 2, 0, 0, &link), KW_E_AUTH);
    scene_close(&scene);
}

KW_TEST(handshake_a_node_that_wants_a_password_is_down_for_that_reason)
{
    struct heard call;
    int fd = -1;

    for (int proto = 2; proto <= 3; proto++) {
        scene_open(&scene, "node-timeout-ms 10000", 1);
        (void)link_with_call(proto, &call, &fd);
        scene_expect(&scene, fd, proto == 2 ? PING_WIRE : HELLO_WIRE);
        scene_say(&scene, fd, "-NOAUTH Authentication required.\r\n");
        assert_unheard(&call, KW_E_AUTH, false);
        scene_close(&scene);
    }
}

KW_TEST(handshake_a_node_that_is_alive_but_busy_is_ready)
{
    static const char *const answers[] = {
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-BUSY Redis is busy running a script.\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-MISCONF Errors writing to the AOF file\r\n",
        "$4\r\nPONG\r\n",
        "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct heard call;
        int fd = -1;
        scene_open(&scene, "node-timeout-ms 10000", 1);
        struct kw_link *link = link_with_call(2, &call, &fd);
        scene_expect(&scene, fd, PING_WIRE);
        scene_say(&scene, fd, answers[i]);
        assert_int_equal(link->state, KW_LINK_READY);
        scene_close(&scene);
    }
}

KW_TEST(handshake_answers_that_make_no_sense_fail_the_link)
{
    static const char *const answers[] = {
        "-ERR unknown command 'PING'\r\n",
        "-DENIED Redis is running in protected mode\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "+PONG\n",
        "%0\r\n",
        "\r\n",
    };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct heard call;
        int fd = -1;
        scene_open(&scene, "node-timeout-ms 10000", 1);
        (void)link_with_call(2, &call, &fd);
        scene_expect(&scene, fd, PING_WIRE);
        scene_say(&scene, fd, answers[i]);
        assert_unheard(&call, answers[i][0] == '-' ? KW_E_REJECTED : KW_E_PROTOCOL, false);
        scene_expect_end(&scene, fd);
        assert_true(scene_node(&scene, 0)->is_down);
        scene_close(&scene);
    }
}

KW_TEST(handshake_a_surplus_answer_fails_the_link)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    (void)link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n+PONG\r\n");

    assert_unheard(&call, KW_E_PROTOCOL, false);
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(handshake_a_banner_before_the_first_step_fails_the_link)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    (void)link_with_call(2, &call, &fd);
    scene_say(&scene, fd, "220 mail ready\r\n");

    assert_unheard(&call, KW_E_PROTOCOL, false);
    scene_close(&scene);
}

KW_TEST(handshake_half_an_answer_waits_for_the_rest)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PO");
    assert_int_equal(link->state, KW_LINK_HANDSHAKE);
    scene_expect_nothing(&scene, fd);
    scene_say(&scene, fd, "NG\r\n");

    assert_int_equal(link->state, KW_LINK_READY);
    scene_close(&scene);
}
KW_TEST(handshake_an_answer_to_a_step_not_yet_taken_fails_the_link)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000\ncluster-auth-pass secret", 1);
    (void)link_with_call(2, &call, &fd);
    scene_expect(&scene, fd, AUTH_WIRE);
    scene_say(&scene, fd, "+OK\r\n+PONG\r\n");

    assert_unheard(&call, KW_E_PROTOCOL, false);
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}
