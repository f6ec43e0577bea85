/* proxy_scene.h - a proxy whose clients and nodes are both played by the test.
 *
 * Clients are socket pairs; nodes are those of backend/scene.h. Keys b, c, f, k and z belong to
 * node 0, a, d, e, x and y to node 1, when there are two.
 *
 *     proxy_scene_open(&stage, "", 2);
 *     int client = proxy_scene_client(&stage);
 *     scene_say(&stage.scene, client, "GET b\r\n");
 *     int node = proxy_scene_node(&stage, 0);      after its link's handshake
 *     scene_expect(&stage.scene, node, GET("b"));
 *
 * Thread: the tests'. Memory: proxy_scene_close() asserts that every request and chunk came back.
 */
#ifndef KW_TESTS_UNIT_PROXY_PROXY_SCENE_H
#define KW_TESTS_UNIT_PROXY_PROXY_SCENE_H

#include "base/log.h"
#include "proxy/client.h"
#include "proxy/internal.h"
#include "proxy/proxy.h"
#include "proxy/request.h"
#include "tests/unit/backend/scene.h"

#include <stdio.h>
#include <sys/socket.h>

/* Commands on a node's wire; keys and values have one byte. */
#define GET(key) "*2\r\n$3\r\nGET\r\n$1\r\n" key "\r\n"
#define SET(key, value) "*3\r\n$3\r\nSET\r\n$1\r\n" key "\r\n$1\r\n" value "\r\n"
#define ASKING "*1\r\n$6\r\nASKING\r\n"

struct proxy_scene {
    struct scene scene;
    struct kw_proxy *proxy;
};

static inline void proxy_scene_on_tick(void *arg)
{
    kw_proxy_tick(arg);
}

static inline void proxy_scene_open(struct proxy_scene *stage, const char *config_text,
                                    unsigned nodes_count)
{
    struct scene *scene = &stage->scene;

    scene_open(scene, config_text, nodes_count);
    stage->proxy = kw_proxy_new(&scene->hub, scene->backend);
    scene->on_tick = proxy_scene_on_tick;
    scene->on_tick_arg = stage->proxy;
}

static inline void proxy_scene_close(struct proxy_scene *stage)
{
    kw_proxy_drain(stage->proxy);
    kw_backend_free(&stage->scene.backend);
    kw_proxy_free(&stage->proxy); /* asserts that its requests are back */
    scene_close(&stage->scene);
}

/* A client's side of a new connection. */
static inline int proxy_scene_client(struct proxy_scene *stage)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(stage->scene.fds_count < SCENE_FDS_MAX);
    stage->scene.fds[stage->scene.fds_count++] = fds[0];
    kw_proxy_accept(stage->proxy, fds[1], KW_PERSONALITY_STANDALONE);
    return fds[0];
}

/* The node's side of the next link to node INDEX, after its handshake. */
static inline int proxy_scene_node(struct proxy_scene *stage, unsigned index)
{
    int fd = scene_accept(&stage->scene, index);

    scene_expect(&stage->scene, fd, PING_WIRE);
    scene_say(&stage->scene, fd, "+PONG\r\n");
    return fd;
}

/* A figure of the worker's. */
#define FIGURE(stage, name) kw_stats_sum(&(stage)->scene.hub, KW_METRIC_##name)

/* BEFORE, the port of node INDEX, AFTER: for MOVED and ASK. Valid until the next call. */
static inline const char *with_port(const struct proxy_scene *stage, unsigned index,
                                    const char *before, const char *after)
{
    static char line[256];

    (void)snprintf(line, sizeof line, "%s%u%s", before, stage->scene.nodes[index].port, after);
    return line;
}

#endif
