/* scene.h - a backend before nodes that the test plays itself, byte by byte.
 *
 * The nodes listen on loopback; their side of each connection is a descriptor in the test's hands.
 * Time stands still: the loop's clock is the scene's `now_ms`, moved on by scene_pass() alone, the
 * backend's own timer never runs, and what would happen later is asked for with
 * kw_node_check(node, now_ms + N). Waiting only ever means turning the loop until the kernel has
 * carried the bytes over.
 *
 *     scene_open(&scene, "node-timeout-ms 100", 1);
 *     struct kw_link *link = scene_link(&scene, 0, 2, 0);
 *     int fd = scene_accept(&scene, 0);
 *     scene_expect(&scene, fd, PING_WIRE);
 *     scene_say(&scene, fd, "+PONG\r\n");
 *
 * Thread: the tests'. Memory: scene_close() closes all and asserts that nothing is left in use.
 */
#ifndef KW_TESTS_UNIT_BACKEND_SCENE_H
#define KW_TESTS_UNIT_BACKEND_SCENE_H

#include "backend/backend.h"
#include "backend/link.h"
#include "backend/node.h"
#include "net/loop.h"
#include "tests/unit/kw_test.h"

enum { SCENE_NODES_MAX = 4, SCENE_FDS_MAX = 64, HEARD_MAX_BYTES = 4096 };

#define PING_WIRE "*1\r\n$4\r\nPING\r\n"
#define HELLO_WIRE "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"
#define GET_WIRE "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"

/* One node as the test plays it. */
struct scene_node {
    int listener_fd; /* -1 while nobody listens */
    int keeper_fd;   /* keeps the port ours meanwhile */
    uint16_t port;
};

struct scene {
    struct kw_loop *loop;
    struct kw_config *config;
    struct kw_stats_hub hub;
    struct kw_chunk_pool chunks;
    struct kw_backend *backend;
    char *scratch;
    uint64_t now_ms;
    unsigned wishes; /* how often a fresh topology was asked for */
    struct scene_node nodes[SCENE_NODES_MAX];
    unsigned nodes_count;
    int fds[SCENE_FDS_MAX]; /* accepted, to be closed with the scene */
    unsigned fds_count;
    void (*on_tick)(void *arg); /* the end of a turn; NULL: the backend alone */
    void *on_tick_arg;
};

/* A backend with CONFIG_TEXT (may be "") and NODES_COUNT nodes, which share the slots evenly. */
void scene_open(struct scene *scene, const char *config_text, unsigned nodes_count);
void scene_close(struct scene *scene);

/* A topology of the nodes FIRST .. FIRST + COUNT - 1, which share the slots evenly; owned. */
struct kw_topology *scene_topology(const struct scene *scene, unsigned first, unsigned count);

/* The backend's node that the test plays as number INDEX. */
struct kw_node *scene_node(struct scene *scene, unsigned index);

/* One pass of the loop and the end of its tick. */
void scene_turn(struct scene *scene);

/* MS have passed, for all that looks at the loop's time. */
void scene_pass(struct scene *scene, uint64_t ms);

/* Turn until *FLAG is true. Fails the test when that takes 10 s. */
void scene_turn_until(struct scene *scene, const bool *flag);

/* The link of CLIENT_ID to node INDEX; the node must be up. */
struct kw_link *scene_link(struct scene *scene, unsigned index, int proto, uint64_t client_id);

/* Take the next connection to node INDEX. Returns its descriptor. */
int scene_accept(struct scene *scene, unsigned index);

/* Stop listening, or listen again on the same port. */
void scene_stop_listening(struct scene *scene, unsigned index);
void scene_listen_again(struct scene *scene, unsigned index);

/* What comes next on FD must be TEXT. */
void scene_expect(struct scene *scene, int fd, const char *text);

/* Nothing more has come on FD, after some turns. */
void scene_expect_nothing(struct scene *scene, int fd);

/* FD's other side must be closed now, or soon. */
void scene_expect_end(struct scene *scene, int fd);

/* Send TEXT, and turn until it has been read. */
void scene_say(struct scene *scene, int fd, const char *text);
void scene_say_bytes(struct scene *scene, int fd, const char *data, size_t len);

/* Close FD from the test's side: orderly, or with a reset. */
void scene_hang_up(struct scene *scene, int fd);
void scene_reset(struct scene *scene, int fd);

/* A link to node INDEX after its PING was answered; *fd is the node's side. */
struct kw_link *scene_ready_link(struct scene *scene, unsigned index, int *fd);

/* A call that writes down what becomes of it. */
struct heard {
    struct kw_call call;        /* first */
    char text[HEARD_MAX_BYTES]; /* the first bytes of the reply */
    size_t len;                 /* all of them */
    unsigned parts;
    char type;
    bool is_inside; /* a reply that is not whole yet */
    bool is_done;   /* answered or failed */
    bool is_failed;
    bool was_sent;
    enum kw_status status;
    struct heard **order; /* if not NULL: *order moves on to point at who was told last */
};

/* Send TEXT as a call on LINK. */
void heard_send(struct heard *heard, struct kw_link *link, const char *text);

/* The same as a run that makes REPLIES_COUNT replies; heard are all of them in a row. */
void heard_send_run(struct heard *heard, struct kw_link *link, const char *text,
                    uint32_t replies_count);

/* It was answered with TEXT, whole. */
void assert_heard(const struct heard *heard, const char *text);

/* It failed. */
void assert_unheard(const struct heard *heard, enum kw_status status, bool was_sent);

#endif
