#include "tests/unit/cluster/fake_node.h"

#include "base/clock.h"
#include "base/text.h"
#include "net/timer.h"
#include "tests/unit/kept_port.h"
#include "tests/unit/kw_test.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 32, CLIENTS_MAX = 256, WORD_MAX = 128 };

struct answer {
    char command[WORD_MAX];
    char *reply;
    size_t reply_len;
    uint32_t heard;
};

struct fake_node {
    struct kw_loop *loop;
    struct evconnlistener *listener;
    struct bufferevent *clients[CLIENTS_MAX];
    struct answer answers[ANSWERS_MAX];
    int answers_count;
    uint32_t accepted;
    uint16_t port;
    int keeper_fd; /* keeps the port ours while nobody listens */
    bool is_silent;
};

static void node_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                           struct sockaddr *address, int len, void *arg);
static void node_on_bytes(struct bufferevent *client, void *arg);
static void node_on_event(struct bufferevent *client, short what, void *arg);

struct fake_node *fake_node_open(struct kw_loop *loop)
{
    struct fake_node *node = calloc(1, sizeof *node);

    signal(SIGPIPE, SIG_IGN); /* as keyway does */
    node->loop = loop;
    fake_node_listen_again(node);
    fake_node_answers(node, "PING", "+PONG\r\n");
    return node;
}

void fake_node_listen_again(struct fake_node *node)
{
    if (node->listener != NULL) {
        return;
    }
    if (node->port == 0) {
        node->keeper_fd = kept_port_bind(&node->port);
    }
    node->listener = evconnlistener_new(kw_loop_base(node->loop), node_on_accept, node,
                                        LEV_OPT_CLOSE_ON_FREE, 64, kept_port_bind(&node->port));
    if (node->listener == NULL) {
        abort();
    }
}

uint16_t fake_node_port(const struct fake_node *node)
{
    return node->port;
}

static struct answer *node_answer(const struct fake_node *node, const char *command)
{
    for (int i = 0; i < node->answers_count; i++) {
        if (strcmp(node->answers[i].command, command) == 0) {
            return (struct answer *)&node->answers[i];
        }
    }
    return NULL;
}

static void node_set_answer(struct fake_node *node, const char *command, char *reply)
{
    struct answer *answer = node_answer(node, command);

    if (answer == NULL) {
        if (node->answers_count == ANSWERS_MAX) {
            abort();
        }
        answer = &node->answers[node->answers_count++];
        snprintf(answer->command, sizeof answer->command, "%s", command);
    }
    free(answer->reply);
    answer->reply = reply;
    answer->reply_len = strlen(reply);
}

void fake_node_answers(struct fake_node *node, const char *command, const char *reply, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, reply);
    if (vasprintf(&text, reply, arguments) < 0) {
        abort();
    }
    va_end(arguments);
    node_set_answer(node, command, text);
}

void fake_node_answers_bulk(struct fake_node *node, const char *command, const char *text)
{
    fake_node_answers(node, command, "$%zu\r\n%s\r\n", strlen(text), text);
}

void fake_node_set_silent(struct fake_node *node, bool is_silent)
{
    node->is_silent = is_silent;
}

void fake_node_drop(struct fake_node *node, bool is_listening)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (node->clients[i] != NULL) {
            bufferevent_free(node->clients[i]);
            node->clients[i] = NULL;
        }
    }
    if (!is_listening && node->listener != NULL) {
        evconnlistener_free(node->listener);
        node->listener = NULL;
    }
}

uint32_t fake_node_heard(const struct fake_node *node, const char *command)
{
    const struct answer *answer = node_answer(node, command);

    return answer == NULL ? 0 : answer->heard;
}

uint32_t fake_node_accepted(const struct fake_node *node)
{
    return node->accepted;
}

void fake_node_close(struct fake_node **node)
{
    fake_node_drop(*node, false);
    evutil_closesocket((*node)->keeper_fd);
    for (int i = 0; i < (*node)->answers_count; i++) {
        free((*node)->answers[i].reply);
    }
    free(*node);
    *node = NULL;
}

static void node_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                           struct sockaddr *address, int len, void *arg)
{
    struct fake_node *node = arg;

    (void)listener;
    (void)address;
    (void)len;
    node->accepted++;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (node->clients[i] == NULL) {
            node->clients[i] =
                bufferevent_socket_new(kw_loop_base(node->loop), fd, BEV_OPT_CLOSE_ON_FREE);
            bufferevent_setcb(node->clients[i], node_on_bytes, NULL, node_on_event, node);
            bufferevent_enable(node->clients[i], EV_READ | EV_WRITE);
            return;
        }
    }
    evutil_closesocket(fd);
}

/* The number of the line at *AT, behind its type; *AT is behind the line then. -1: it has no end. */
static int64_t line_number(const char **at, const char *end)
{
    const char *line_end = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    int64_t number = 0;

    if (line_end == NULL) {
        return -1;
    }
    struct kw_bytes text = kw_bytes_of(*at + 1, (size_t)(line_end - *at) - 2);
    assert_int_equal(kw_text_to_int(text, &number), KW_OK);
    *at = line_end + 1;
    return number;
}

/* Cut one command out of INPUT; its words joined by spaces go to COMMAND. */
static bool command_cut(struct evbuffer *input, char *command, size_t size)
{
    size_t len = evbuffer_get_length(input);
    const char *text = (const char *)evbuffer_pullup(input, -1);
    const char *at = text;
    size_t written = 0;

    int64_t words = line_number(&at, text + len);
    if (words < 0) {
        return false;
    }
    for (int64_t i = 0; i < words; i++) {
        int64_t word_len = line_number(&at, text + len);
        if (word_len < 0 || at + word_len + 2 > text + len) {
            return false;
        }
        written += (size_t)snprintf(command + written, size - written, "%s%.*s", i == 0 ? "" : " ",
                                    (int)word_len, at);
        at += word_len + 2;
    }
    evbuffer_drain(input, (size_t)(at - text));
    return true;
}

static void node_on_bytes(struct bufferevent *client, void *arg)
{
    struct fake_node *node = arg;
    char command[512];

    while (command_cut(bufferevent_get_input(client), command, sizeof command)) {
        struct answer *answer = node_answer(node, command);
        if (answer != NULL) {
            answer->heard++;
        }
        if (node->is_silent) {
            continue;
        }
        if (answer == NULL) {
            evbuffer_add_printf(bufferevent_get_output(client), "-ERR unknown command '%.32s'\r\n",
                                command);
        } else {
            bufferevent_write(client, answer->reply, answer->reply_len);
        }
    }
}

static void node_on_event(struct bufferevent *client, short what, void *arg)
{
    struct fake_node *node = arg;

    (void)what;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (node->clients[i] == client) {
            node->clients[i] = NULL;
        }
    }
    bufferevent_free(client);
}

struct run {
    struct kw_loop *loop;
    bool (*is_done)(void *arg);
    void *arg;
    uint64_t end_ms;
    uint32_t passes;
    uint32_t passes_min;
    struct kw_timer *timer;
};

static void run_on_timer(void *arg)
{
    struct run *run = arg;

    bool is_over = kw_clock_ms() >= run->end_ms && run->passes >= run->passes_min;
    if ((run->is_done != NULL && run->is_done(run->arg)) || is_over) {
        kw_loop_stop(run->loop);
        return;
    }
    run->passes++;
    kw_timer_start(run->timer, 1);
}

bool loop_run_until(struct kw_loop *loop, bool (*is_done)(void *arg), void *arg,
                    uint32_t timeout_ms)
{
    struct run run = {.loop = loop,
                      .is_done = is_done,
                      .arg = arg,
                      .end_ms = kw_clock_ms() + timeout_ms,
                      .passes_min =
                          timeout_ms / 2 + 3}; /* a stall of the machine counts for little */

    run.timer = kw_timer_new(loop, run_on_timer, &run);
    kw_timer_start(run.timer, 0);
    kw_loop_run(loop);
    kw_timer_free(&run.timer);
    return is_done != NULL && is_done(arg);
}

void loop_run_for(struct kw_loop *loop, uint32_t duration_ms)
{
    loop_run_until(loop, NULL, NULL, duration_ms);
}

/* One shard of WORDS. Returns what follows. */
struct shard_words {
    unsigned first;
    unsigned last;
    bool has_slots;
    unsigned ports[8];
    bool fails[8];
    int ports_count;
};

static const char *shard_cut(const char *words, struct shard_words *shard)
{
    int used = 0;

    memset(shard, 0, sizeof *shard);
    if (sscanf(words, "%u-%u%n", &shard->first, &shard->last, &used) == 2) {
        shard->has_slots = true;
        words += used;
    } else {
        words += strspn(words, " -");
    }
    while (*words != '\0' && *words != ',' && shard->ports_count < 8) {
        if (sscanf(words, "%u%n", &shard->ports[shard->ports_count], &used) != 1) {
            abort();
        }
        words += used;
        shard->fails[shard->ports_count] = *words == '!';
        shard->ports_count++;
        words += strspn(words, "! ");
    }
    return words + strspn(words, ", ");
}

char *shards_of(const char *words, const char *host)
{
    char *out = calloc(1, 65536);
    char *body = calloc(1, 65536);
    size_t len = 0;
    int shards = 0;

    host = host == NULL ? "127.0.0.1" : host;
    while (*words != '\0') {
        struct shard_words shard;
        words = shard_cut(words, &shard);
        shards++;
        len += (size_t)sprintf(body + len, "*4\r\n$5\r\nslots\r\n");
        len += (size_t)(shard.has_slots
                            ? sprintf(body + len, "*2\r\n:%u\r\n:%u\r\n", shard.first, shard.last)
                            : sprintf(body + len, "*0\r\n"));
        len += (size_t)sprintf(body + len, "$5\r\nnodes\r\n*%d\r\n", shard.ports_count);
        for (int i = 0; i < shard.ports_count; i++) {
            len +=
                (size_t)sprintf(body + len,
                                "*10\r\n$2\r\nid\r\n$40\r\n%040u\r\n$4\r\nport\r\n:%u\r\n"
                                "$8\r\nendpoint\r\n$%zu\r\n%s\r\n$4\r\nrole\r\n+%s\r\n"
                                "$6\r\nhealth\r\n+%s\r\n",
                                shard.ports[i], shard.ports[i], strlen(host), host,
                                i == 0 ? "master" : "replica", shard.fails[i] ? "fail" : "online");
        }
    }
    snprintf(out, 65536, "*%d\r\n%s", shards, body);
    free(body);
    return out;
}

char *slots_of(const char *words)
{
    char *out = calloc(1, 65536);
    char *body = calloc(1, 65536);
    size_t len = 0;
    int shards = 0;

    while (*words != '\0') {
        struct shard_words shard;
        words = shard_cut(words, &shard);
        shards++;
        len += (size_t)sprintf(body + len, "*%d\r\n:%u\r\n:%u\r\n", 2 + shard.ports_count,
                               shard.first, shard.last);
        for (int i = 0; i < shard.ports_count; i++) {
            len += (size_t)sprintf(body + len, "*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$40\r\n%040u\r\n",
                                   shard.ports[i], shard.ports[i]);
        }
    }
    snprintf(out, 65536, "*%d\r\n%s", shards, body);
    free(body);
    return out;
}
