/* scene.c - see scene.h. Plain blocking-free sockets; nothing here waits but by turning the loop. */
#include "tests/unit/backend/scene.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/config/loading.h"
#include "tests/unit/kept_port.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, IDLE_TURNS = 20 };

static void scene_on_topology_wanted(void *arg)
{
    struct scene *scene = arg;

    scene->wishes++;
}

void scene_open(struct scene *scene, const char *config_text, unsigned nodes_count)
{
    memset(scene, 0, sizeof *scene);
    signal(SIGPIPE, SIG_IGN); /* as keyway does */
    assert_int_equal(kw_log_open("/dev/null", KW_LOG_WARNING), KW_OK);
    scene->loop = kw_loop_new();
    scene->now_ms = kw_loop_now_ms(scene->loop);
    kw_loop_tell_time(scene->loop, scene->now_ms);
    scene->config = loaded(config_text);
    scene->hub.workers_count = 1;
    scene->hub.next_client_id = 1;
    scene->scratch = kw_alloc(KW_BACKEND_SCRATCH_BYTES);
    kw_chunk_pool_init(&scene->chunks);
    scene->backend = kw_backend_new(scene->loop, scene->config, &scene->hub.workers[0],
                                    &scene->chunks, scene->scratch);
    scene->backend->is_watching = true; /* so the timer is never started: time stands still */
    scene->backend->on_topology_wanted = scene_on_topology_wanted;
    scene->backend->on_topology_wanted_arg = scene;
    scene->nodes_count = nodes_count;
    for (unsigned i = 0; i < SCENE_NODES_MAX; i++) {
        scene->nodes[i].listener_fd = -1;
        if (i < nodes_count) {
            scene_listen_again(scene, i);
        }
    }
    if (nodes_count > 0) {
        struct kw_topology *topology = scene_topology(scene, 0, nodes_count);
        kw_backend_apply(scene->backend, topology);
        kw_topology_unref(&topology);
    }
}

void scene_close(struct scene *scene)
{
    if (scene->backend != NULL) {
        kw_backend_free(&scene->backend);
    }
    for (unsigned i = 0; i < scene->fds_count; i++) {
        if (scene->fds[i] >= 0) {
            close(scene->fds[i]);
        }
    }
    for (unsigned i = 0; i < SCENE_NODES_MAX; i++) {
        scene_stop_listening(scene, i);
        if (scene->nodes[i].port != 0) {
            close(scene->nodes[i].keeper_fd);
        }
    }
    assert_int_equal(scene->chunks.in_use_count, 0);
    assert_int_equal(scene->chunks.in_use_bytes, 0);
    kw_chunk_pool_deinit(&scene->chunks);
    kw_free(scene->scratch);
    kw_loop_free(&scene->loop);
    kw_config_unref(&scene->config);
    assert_int_equal(kw_log_open("", KW_LOG_NOTICE), KW_OK);
}

struct kw_topology *scene_topology(const struct scene *scene, unsigned first, unsigned count)
{
    struct kw_topology *topology = kw_topology_new(count);

    for (unsigned i = 0; i < count; i++) {
        struct kw_topology_node *node = &topology->nodes[i];
        memset(node->id, 'a' + (int)(first + i), KW_NODE_ID_LEN);
        memcpy(node->host, "127.0.0.1", sizeof "127.0.0.1");
        node->port = scene->nodes[first + i].port;
        node->is_master = true;
        node->shard = (uint16_t)i;
        assert_int_equal(kw_address_parse(KW_BYTES("127.0.0.1"), node->port, &node->address),
                         KW_OK);
        kw_topology_assign(
            topology, (uint16_t)(KW_SLOTS_COUNT / count * i),
            (uint16_t)(i + 1 == count ? KW_SLOTS_COUNT - 1 : KW_SLOTS_COUNT / count * (i + 1) - 1),
            (uint16_t)i);
    }
    return topology;
}

struct kw_node *scene_node(struct scene *scene, unsigned index)
{
    for (uint32_t i = 0; i < scene->backend->nodes_count; i++) {
        struct kw_node *node = scene->backend->nodes[i];
        if (node != NULL && node->port == scene->nodes[index].port) {
            return node;
        }
    }
    return NULL;
}

void scene_turn(struct scene *scene)
{
    kw_loop_poll(scene->loop);
    if (scene->on_tick != NULL) {
        scene->on_tick(scene->on_tick_arg);
        return;
    }
    do {
        kw_backend_close_failed(scene->backend);
        kw_backend_flush(scene->backend);
    } while (scene->backend->failed != NULL);
}

void scene_pass(struct scene *scene, uint64_t ms)
{
    scene->now_ms += ms;
    kw_loop_tell_time(scene->loop, scene->now_ms);
}

void scene_turn_until(struct scene *scene, const bool *flag)
{
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;

    while (!*flag) {
        assert_true(kw_clock_ms() < until_ms);
        scene_turn(scene);
    }
}

struct kw_link *scene_link(struct scene *scene, unsigned index, int proto, uint64_t client_id)
{
    struct kw_link *link = NULL;

    assert_int_equal(kw_node_link(scene_node(scene, index), proto, 0, client_id, &link), KW_OK);
    assert_non_null(link);
    return link;
}

int scene_accept(struct scene *scene, unsigned index)
{
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;
    int one = 1;
    int fd = -1;

    while (fd < 0) {
        assert_true(kw_clock_ms() < until_ms);
        scene_turn(scene);
        fd = accept4(scene->nodes[index].listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_true(scene->fds_count < SCENE_FDS_MAX);
    scene->fds[scene->fds_count++] = fd;
    return fd;
}

void scene_stop_listening(struct scene *scene, unsigned index)
{
    if (scene->nodes[index].listener_fd >= 0) {
        close(scene->nodes[index].listener_fd);
        scene->nodes[index].listener_fd = -1;
    }
}

void scene_listen_again(struct scene *scene, unsigned index)
{
    struct scene_node *node = &scene->nodes[index];

    if (node->port == 0) {
        node->keeper_fd = kept_port_bind(&node->port);
    }
    node->listener_fd = kept_port_bind(&node->port);
    assert_int_equal(listen(node->listener_fd, 16), 0);
}

void scene_expect(struct scene *scene, int fd, const char *text)
{
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;
    size_t len = strlen(text);
    size_t got = 0;
    char *came = kw_alloc_zero(1, len + 1);

    while (got < len) {
        if (kw_clock_ms() >= until_ms) {
            fail_msg("waited for: %s\nthere came: %s", text, came);
        }
        scene_turn(scene);
        ssize_t count = recv(fd, came + got, len - got, MSG_DONTWAIT);
        if (count == 0) {
            fail_msg("closed, while waiting for %s", text);
        }
        got += count > 0 ? (size_t)count : 0;
    }
    assert_string_equal(came, text);
    kw_free(came);
}

void scene_expect_nothing(struct scene *scene, int fd)
{
    char byte = 0;

    for (int i = 0; i < IDLE_TURNS; i++) {
        scene_turn(scene);
    }
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

void scene_expect_end(struct scene *scene, int fd)
{
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;
    char bytes[4096];

    for (;;) {
        assert_true(kw_clock_ms() < until_ms);
        scene_turn(scene);
        ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count == 0) {
            return;
        }
        if (count < 0 && errno == ECONNRESET) {
            return;
        }
    }
}

void scene_say(struct scene *scene, int fd, const char *text)
{
    scene_say_bytes(scene, fd, text, strlen(text));
}

void scene_say_bytes(struct scene *scene, int fd, const char *data, size_t len)
{
    uint64_t until_ms = kw_clock_ms() + PATIENCE_MS;
    size_t sent = 0;
    int unsent = 1;

    while (sent < len) {
        assert_true(kw_clock_ms() < until_ms);
        ssize_t count = send(fd, data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        if (count > 0 && sent == len) {
            break;
        }
        scene_turn(scene);
    }
    while (unsent > 0) { /* until the other side's kernel has all of it */
        assert_true(kw_clock_ms() < until_ms);
        scene_turn(scene);
        if (ioctl(fd, SIOCOUTQNSD, &unsent) < 0) {
            break;
        }
    }
    for (size_t i = 0; i < 2 + len / KW_READ_MAX_BYTES; i++) {
        scene_turn(scene);
    }
}

static void scene_forget(struct scene *scene, int fd)
{
    for (unsigned i = 0; i < scene->fds_count; i++) {
        if (scene->fds[i] == fd) {
            scene->fds[i] = -1;
        }
    }
    close(fd);
    for (int i = 0; i < IDLE_TURNS; i++) {
        scene_turn(scene);
    }
}

void scene_hang_up(struct scene *scene, int fd)
{
    scene_forget(scene, fd);
}

void scene_reset(struct scene *scene, int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    scene_forget(scene, fd);
}

struct kw_link *scene_ready_link(struct scene *scene, unsigned index, int *fd)
{
    struct kw_link *link = scene_link(scene, index, 2, 0);

    *fd = scene_accept(scene, index);
    scene_expect(scene, *fd, PING_WIRE);
    scene_say(scene, *fd, "+PONG\r\n");
    assert_int_equal(link->state, KW_LINK_READY);
    return link;
}

static void heard_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct heard *heard = (struct heard *)call;

    assert_false(heard->is_done); /* told once */
    bool is_end = part->is_last && part->replies_left == 0;

    assert_int_equal(part->is_first, !heard->is_inside);
    heard->is_inside = !part->is_last;
    assert_true((call->link == NULL) == is_end);
    if (heard->len < HEARD_MAX_BYTES) {
        size_t room = HEARD_MAX_BYTES - 1 - heard->len;
        memcpy(heard->text + heard->len, part->bytes.data,
               part->bytes.len < room ? part->bytes.len : room);
    }
    heard->len += part->bytes.len;
    heard->type = part->type;
    heard->parts++;
    if (is_end) {
        heard->is_done = true;
        kw_call_release(call);
        if (heard->order != NULL) {
            *heard->order = heard;
        }
    }
}

static void heard_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                          bool was_sent)
{
    struct heard *heard = (struct heard *)call;

    assert_non_null(link);
    assert_false(heard->is_done); /* told once */
    heard->is_done = true;
    heard->is_failed = true;
    heard->status = status;
    heard->was_sent = was_sent;
    kw_call_release(call);
    if (heard->order != NULL) {
        *heard->order = heard;
    }
}

static const struct kw_call_user heard_user = {.on_reply = heard_on_reply,
                                               .on_fail = heard_on_fail};

void heard_send(struct heard *heard, struct kw_link *link, const char *text)
{
    *heard = (struct heard){.call.user = &heard_user};
    assert_int_equal(kw_link_send(link, &heard->call, kw_bytes_of_text(text), NULL), KW_OK);
}

void heard_send_run(struct heard *heard, struct kw_link *link, const char *text,
                    uint32_t replies_count)
{
    *heard = (struct heard){.call.user = &heard_user, .call.replies_count = replies_count};
    assert_int_equal(kw_link_send(link, &heard->call, kw_bytes_of_text(text), NULL), KW_OK);
}

void assert_heard(const struct heard *heard, const char *text)
{
    assert_true(heard->is_done);
    assert_false(heard->is_failed);
    assert_string_equal(heard->text, text);
    assert_int_equal(heard->len, strlen(text));
}

void assert_unheard(const struct heard *heard, enum kw_status status, bool was_sent)
{
    assert_true(heard->is_done);
    assert_true(heard->is_failed);
    assert_int_equal(heard->status, status);
    assert_int_equal(heard->was_sent, was_sent);
}
