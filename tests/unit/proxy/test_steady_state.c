/* test_steady_state.c - once warm, a request costs no heap allocation (rule B4). */
#include "tests/unit/proxy/proxy_scene.h"

#include "base/mem.h"

#include <string.h>

static struct proxy_scene stage;

enum { CLIENTS = 10, BATCH = 100, ROUNDS = 100 }; /* 100,000 requests */

/* Send LEN bytes of DATA on FD, and turn. */
static void say(int fd, const char *data, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        ssize_t count = send(fd, data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        scene_turn(&stage.scene);
    }
}

/* Read LEN bytes from FD, whatever they are. */
static void drain(int fd, size_t len)
{
    char bytes[16384];

    while (len > 0) {
        size_t room = len < sizeof bytes ? len : sizeof bytes;
        ssize_t count = recv(fd, bytes, room, MSG_DONTWAIT);
        len -= count > 0 ? (size_t)count : 0;
        if (count <= 0) {
            assert_int_not_equal(count, 0);
            scene_turn(&stage.scene);
        }
    }
}

static size_t repeat(char *out, const char *text)
{
    size_t len = strlen(text);

    for (int i = 0; i < BATCH; i++) {
        memcpy(out + len * (size_t)i, text, len);
    }
    return len * BATCH;
}

/* What the clients send and receive for one request, and what the node does. */
struct exchange {
    const char *command;
    const char *calls;   /* that the node gets for it */
    const char *answers; /* of the node */
    const char *reply;
};

/* ROUNDS times, each client sends BATCH times a command, and all are answered. */
static void assert_exchange_allocates_nothing(struct exchange one)
{
    static char commands[BATCH * 2048];
    static char answers[BATCH * 2048];
    size_t commands_len = repeat(commands, one.command);
    size_t answers_len = repeat(answers, one.answers);
    size_t calls_len = strlen(one.calls) * BATCH;
    size_t replies_len = strlen(one.reply) * BATCH;
    int clients[CLIENTS];
    uint64_t before = 0;

    proxy_scene_open(&stage, "node-timeout-ms 60000\nlinks-per-node 1", 1);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = proxy_scene_client(&stage);
    }
    say(clients[0], one.command, strlen(one.command));
    int node = proxy_scene_node(&stage, 0);
    drain(node, strlen(one.calls));
    say(node, one.answers, strlen(one.answers));
    drain(clients[0], strlen(one.reply));
    for (int round = -10; round < ROUNDS; round++) { /* the first ones warm up */
        before = round == 0 ? kw_mem_allocations_count() : before;
        for (int i = 0; i < CLIENTS; i++) {
            say(clients[i], commands, commands_len);
        }
        for (int i = 0; i < CLIENTS; i++) {
            drain(node, calls_len);
            say(node, answers, answers_len);
        }
        for (int i = 0; i < CLIENTS; i++) {
            drain(clients[i], replies_len);
        }
    }

    assert_int_equal(kw_mem_allocations_count() - before, 0);
    assert_int_equal(FIGURE(&stage, requests), 1 + CLIENTS * BATCH * (ROUNDS + 10));
    assert_int_equal(stage.proxy->requests.in_use_count, 0);
    assert_int_equal(stage.scene.chunks.in_use_count, 0); /* idle clients hold nothing (B1) */
    proxy_scene_close(&stage);
}

/* The same for a command that passes as it is, and its reply. */
static void assert_allocates_nothing(const char *command, const char *reply)
{
    assert_exchange_allocates_nothing((struct exchange){command, command, reply, reply});
}

KW_TEST(steady_state_of_gets_allocates_nothing)
{
    assert_allocates_nothing(GET("b"), "$5\r\nvalue\r\n");
}

KW_TEST(steady_state_of_sets_allocates_nothing)
{
    char command[2048] = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1024\r\n";
    size_t head = strlen(command);

    memset(command + head, 'v', 1024);
    memcpy(command + head + 1024, "\r\n", 3);
    assert_allocates_nothing(command, "+OK\r\n");
}

KW_TEST(steady_state_of_kilobyte_replies_allocates_nothing)
{
    char reply[2048] = "$1024\r\n";
    size_t head = strlen(reply);

    memset(reply + head, 'v', 1024);
    memcpy(reply + head + 1024, "\r\n", 3);
    assert_allocates_nothing(GET("b"), reply);
}

KW_TEST(steady_state_of_split_requests_allocates_nothing)
{
    /* b, c and f are keys of three slots. */
    assert_exchange_allocates_nothing((struct exchange){
        .command = "*4\r\n$4\r\nMGET\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nf\r\n",
        .calls = "*2\r\n$4\r\nMGET\r\n$1\r\nb\r\n*2\r\n$4\r\nMGET\r\n$1\r\nc\r\n"
                 "*2\r\n$4\r\nMGET\r\n$1\r\nf\r\n",
        .answers = "*1\r\n$1\r\nb\r\n*1\r\n$-1\r\n*1\r\n$1\r\nf\r\n",
        .reply = "*3\r\n$1\r\nb\r\n$-1\r\n$1\r\nf\r\n",
    });
}
