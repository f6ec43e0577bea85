/* stub.c - a server that answers at once, so that a proxy in front of it is the limit.
 *
 * One process, one epoll loop, K ports. Each port plays one master of a Redis Cluster whose slots
 * are split into K equal ranges, so a cluster proxy can discover it (CLUSTER SHARDS, SLOTS, NODES,
 * INFO); a proxy that knows no clusters can use the ports as plain servers.
 *
 * How it is fast: one read fetches all that has arrived, a length-driven scan answers every whole
 * request into one output run, one write sends that run. GET is answered with a reply rendered once
 * (every key "exists"), MGET with as many of them, SET with +OK, and nothing is stored. `CONFIG SET value-size N` changes the
 * size of what GET returns, so that one stub serves all workloads.
 *
 * Not done on purpose: keys, expiry, arity checks, MOVED, limits on input (a trusted benchmark
 * drives it on the loopback).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORTS_MAX = 64,
    ARGS_MAX = 16, /* arguments kept of one request; further ones are skipped */
    EVENTS_MAX = 512,
    READ_BYTES = 256 * 1024, /* free room offered to each read */
    SLOTS_COUNT = 16384,
    WAIT_FOR_MORE = 0 /* a scan's answer for "the request is not whole yet" */
};

/* Bytes that grow; never shrinks. */
struct run {
    char *bytes;
    size_t len;
    size_t cap;
};

/* One connection, or one listening port when is_listener. */
struct peer {
    int fd;
    int port_index; /* which of the K masters it talks to */
    int proto;      /* 2 or 3, set by HELLO */
    bool is_listener;
    bool is_blocked;    /* pending is not empty: reading waits until it is */
    struct run partial; /* the first part of a request that is not whole yet */
    struct run pending; /* replies the socket did not take */
};

struct arg {
    const char *bytes;
    size_t len;
};

struct stub {
    int epoll_fd;
    int ports[PORTS_MAX];
    int ports_count;
    struct run in;        /* bytes being scanned; shared by all connections */
    struct run out;       /* replies to what was just scanned; shared too */
    struct run get_reply; /* the one reply to every GET */
};

static void run_reserve(struct run *run, size_t more);
static void run_add(struct run *run, const void *bytes, size_t len);
static void run_printf(struct run *run, const char *format, ...);
static void stub_set_value_size(struct stub *stub, size_t size);
static void stub_listen(struct stub *stub, int port_index);
static void peer_accept(struct stub *stub, struct peer *listener);
static void peer_on_readable(struct stub *stub, struct peer *peer);
static void peer_on_writable(struct stub *stub, struct peer *peer);
static void peer_close(struct peer **peer);
static size_t scan_request(struct stub *stub, struct peer *peer, const char *at, const char *end);
static size_t scan_inline(struct stub *stub, struct peer *peer, const char *at, const char *end);
static bool arg_is(const struct arg *args, int count, int index, const char *word);
static void answer(struct stub *stub, struct peer *peer, const struct arg *args, int count);
static void answer_cluster(struct stub *stub, struct peer *peer, const struct arg *args, int count);

static void die(const char *what)
{
    fprintf(stderr, "stub: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void parse_ports(struct stub *stub, const char *text)
{
    char *rest = NULL;
    for (const char *at = text; *at != '\0'; at = *rest == ',' ? rest + 1 : rest) {
        const long port = strtol(at, &rest, 10);
        const bool is_end = *rest == '\0' || *rest == ',';
        if (!is_end || port < 1 || port > 65535 || stub->ports_count == PORTS_MAX) {
            fprintf(stderr, "stub: bad --ports %s\n", text);
            exit(1);
        }
        stub->ports[stub->ports_count++] = (int)port;
    }
}

int main(int argc, char **argv)
{
    struct stub stub = {.ports_count = 0};
    long value_size = 64;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--ports") == 0) {
            parse_ports(&stub, argv[i + 1]);
        } else if (strcmp(argv[i], "--value-size") == 0) {
            value_size = strtol(argv[i + 1], NULL, 10);
        } else {
            stub.ports_count = 0;
            break;
        }
    }
    if (stub.ports_count == 0 || argc % 2 == 0 || value_size < 0) {
        fprintf(stderr, "usage: stub --ports PORT[,PORT...] [--value-size BYTES]\n");
        return 2;
    }

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    stub.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (stub.epoll_fd < 0) {
        die("epoll_create1");
    }
    stub_set_value_size(&stub, (size_t)value_size);
    for (int i = 0; i < stub.ports_count; i++) {
        stub_listen(&stub, i);
    }
    printf("ready\n");
    fflush(stdout);

    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int count = epoll_wait(stub.epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->is_listener) {
                peer_accept(&stub, peer);
            } else if (peer->is_blocked) {
                peer_on_writable(&stub, peer);
            } else {
                peer_on_readable(&stub, peer);
            }
        }
    }
}

/* ---- sockets ---------------------------------------------------------------------------- */

static void stub_listen(struct stub *stub, int port_index)
{
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)stub->ports[port_index]);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16384) != 0) {
        die("cannot listen");
    }

    struct peer *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        die("memory");
    }
    *listener = (struct peer){.fd = fd, .port_index = port_index, .is_listener = true};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (epoll_ctl(stub->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void peer_accept(struct stub *stub, struct peer *listener)
{
    const int on = 1;
    for (;;) {
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct peer *peer = calloc(1, sizeof *peer);
        if (peer == NULL) {
            die("memory");
        }
        *peer = (struct peer){.fd = fd, .port_index = listener->port_index, .proto = 2};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        if (epoll_ctl(stub->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            peer_close(&peer);
        }
    }
}

static void peer_watch(struct stub *stub, struct peer *peer, bool is_blocked)
{
    struct epoll_event event = {.events = is_blocked ? EPOLLOUT : EPOLLIN, .data.ptr = peer};
    peer->is_blocked = is_blocked;
    epoll_ctl(stub->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event);
}

/* Sends stub->out; what the socket does not take waits in peer->pending. */
static bool peer_send(struct stub *stub, struct peer *peer)
{
    if (stub->out.len == 0) {
        return true;
    }
    ssize_t sent = send(peer->fd, stub->out.bytes, stub->out.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        return false;
    }
    sent = sent < 0 ? 0 : sent;
    if ((size_t)sent < stub->out.len) {
        run_add(&peer->pending, stub->out.bytes + sent, stub->out.len - (size_t)sent);
        peer_watch(stub, peer, true);
    }
    return true;
}

static void peer_on_readable(struct stub *stub, struct peer *peer)
{
    struct run *in = &stub->in;
    in->len = 0;
    stub->out.len = 0;
    run_add(in, peer->partial.bytes, peer->partial.len);
    peer->partial.len = 0;
    run_reserve(in, READ_BYTES);
    const ssize_t got = recv(peer->fd, in->bytes + in->len, READ_BYTES, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        peer_close(&peer);
        return;
    }
    in->len += got > 0 ? (size_t)got : 0;

    const char *at = in->bytes;
    const char *const end = at + in->len;
    while (at < end) {
        const size_t used = scan_request(stub, peer, at, end);
        if (used == WAIT_FOR_MORE) {
            break;
        }
        at += used;
    }
    run_add(&peer->partial, at, (size_t)(end - at));
    if (!peer_send(stub, peer)) {
        peer_close(&peer);
    }
}

static void peer_on_writable(struct stub *stub, struct peer *peer)
{
    struct run *pending = &peer->pending;
    const ssize_t sent = send(peer->fd, pending->bytes, pending->len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        peer_close(&peer);
        return;
    }
    if (sent > 0) {
        pending->len -= (size_t)sent;
        memmove(pending->bytes, pending->bytes + sent, pending->len);
    }
    if (pending->len == 0) {
        peer_watch(stub, peer, false);
    }
}

static void peer_close(struct peer **peer)
{
    close((*peer)->fd);
    free((*peer)->partial.bytes);
    free((*peer)->pending.bytes);
    free(*peer);
    *peer = NULL;
}

/* ---- requests --------------------------------------------------------------------------- */

/* Reads the number after the type byte at AT; NULL when its line is not whole. */
static const char *scan_number(const char *at, const char *end, long *number)
{
    long value = 0;
    for (at++; at < end && *at != '\r'; at++) {
        value = value * 10 + (*at - '0');
    }
    *number = value;
    return end - at < 2 ? NULL : at + 2;
}

/* Scans one request at AT and appends its reply; returns its length or WAIT_FOR_MORE. */
static size_t scan_request(struct stub *stub, struct peer *peer, const char *at, const char *end)
{
    static const char get_head[] = "*2\r\n$3\r\nGET\r\n$";
    enum { HEAD_LEN = sizeof get_head - 1 };
    const char *const start = at;
    long len = 0;

    if (end - at > HEAD_LEN && memcmp(at, get_head, HEAD_LEN) == 0) {
        at = scan_number(at + HEAD_LEN - 1, end, &len);
        if (at == NULL || end - at < len + 2) {
            return WAIT_FOR_MORE;
        }
        run_add(&stub->out, stub->get_reply.bytes, stub->get_reply.len);
        return (size_t)(at + len + 2 - start);
    }
    if (*at != '*') {
        return scan_inline(stub, peer, at, end);
    }

    struct arg args[ARGS_MAX];
    long count = 0;
    at = scan_number(at, end, &count);
    for (long i = 0; at != NULL && i < count; i++) {
        at = at < end ? scan_number(at, end, &len) : NULL;
        if (at == NULL || end - at < len + 2) {
            return WAIT_FOR_MORE;
        }
        if (i < ARGS_MAX) {
            args[i] = (struct arg){.bytes = at, .len = (size_t)len};
        }
        at += len + 2;
    }
    if (at == NULL) {
        return WAIT_FOR_MORE;
    }
    if (count > 1 && arg_is(args, 1, 0, "MGET")) {
        run_printf(&stub->out, "*%ld\r\n", count - 1);
        for (long i = 1; i < count; i++) {
            run_add(&stub->out, stub->get_reply.bytes, stub->get_reply.len);
        }
        return (size_t)(at - start);
    }
    answer(stub, peer, args, count < ARGS_MAX ? (int)count : ARGS_MAX);
    return (size_t)(at - start);
}

static size_t scan_inline(struct stub *stub, struct peer *peer, const char *at, const char *end)
{
    const char *const line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL) {
        return WAIT_FOR_MORE;
    }
    struct arg args[ARGS_MAX];
    int count = 0;
    for (const char *word = at; word < line_end && count < ARGS_MAX;) {
        const size_t len = strcspn(word, " \r\n");
        if (len > 0) {
            args[count++] = (struct arg){.bytes = word, .len = len};
        }
        word += len + 1;
    }
    answer(stub, peer, args, count);
    return (size_t)(line_end + 1 - at);
}

/* ---- replies ---------------------------------------------------------------------------- */

static bool arg_is(const struct arg *args, int count, int index, const char *word)
{
    return index < count && args[index].len == strlen(word) &&
           strncasecmp(args[index].bytes, word, args[index].len) == 0;
}

static void add_bulk(struct run *out, const char *text)
{
    run_printf(out, "$%zu\r\n", strlen(text));
    run_add(out, text, strlen(text));
    run_add(out, "\r\n", 2);
}

static void add_map(struct run *out, const struct peer *peer, int pairs_count)
{
    run_printf(out, peer->proto == 3 ? "%%%d\r\n" : "*%d\r\n",
               peer->proto == 3 ? pairs_count : pairs_count * 2);
}

static void answer_hello(struct stub *stub, struct peer *peer, const struct arg *args, int count)
{
    struct run *out = &stub->out;
    if (count > 1) {
        if (!arg_is(args, count, 1, "2") && !arg_is(args, count, 1, "3")) {
            run_printf(out, "-NOPROTO unsupported protocol version\r\n");
            return;
        }
        peer->proto = args[1].bytes[0] - '0';
    }
    add_map(out, peer, 7);
    run_printf(out, "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n");
    run_printf(out, "$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:%d\r\n", peer->proto, peer->fd);
    run_printf(out, "$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n");
    run_printf(out, "$7\r\nmodules\r\n*0\r\n");
}

static void answer_config(struct stub *stub, const struct arg *args, int count)
{
    if (arg_is(args, count, 1, "GET")) {
        run_printf(&stub->out, "*0\r\n");
        return;
    }
    if (arg_is(args, count, 1, "SET") && arg_is(args, count, 2, "value-size") && count == 4) {
        stub_set_value_size(stub, strtoul(args[3].bytes, NULL, 10));
    }
    run_printf(&stub->out, "+OK\r\n");
}

static void answer(struct stub *stub, struct peer *peer, const struct arg *args, int count)
{
    struct run *out = &stub->out;
    if (count == 0) {
        return;
    }
    if (arg_is(args, count, 0, "SET")) {
        run_add(out, "+OK\r\n", 5);
    } else if (arg_is(args, count, 0, "GET")) {
        run_add(out, stub->get_reply.bytes, stub->get_reply.len);
    } else if (arg_is(args, count, 0, "PING")) {
        run_add(out, "+PONG\r\n", 7);
    } else if (arg_is(args, count, 0, "CLUSTER")) {
        answer_cluster(stub, peer, args, count);
    } else if (arg_is(args, count, 0, "HELLO")) {
        answer_hello(stub, peer, args, count);
    } else if (arg_is(args, count, 0, "CONFIG")) {
        answer_config(stub, args, count);
    } else if (arg_is(args, count, 0, "INFO")) {
        add_bulk(out, "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n"
                      "loading:0\r\nrole:master\r\ncluster_enabled:1\r\n");
    } else if (arg_is(args, count, 0, "COMMAND")) {
        run_add(out, "*0\r\n", 4);
    } else if (arg_is(args, count, 0, "CLIENT") && arg_is(args, count, 1, "ID")) {
        run_printf(out, ":%d\r\n", peer->fd);
    } else {
        run_add(out, "+OK\r\n", 5);
    }
}

static int first_slot(const struct stub *stub, int port_index)
{
    return port_index * SLOTS_COUNT / stub->ports_count;
}

static int last_slot(const struct stub *stub, int port_index)
{
    return first_slot(stub, port_index + 1) - 1;
}

static void add_node_id(struct run *out, int port)
{
    run_printf(out, "%040d", port);
}

static void add_shards(struct stub *stub, const struct peer *peer)
{
    struct run *out = &stub->out;
    run_printf(out, "*%d\r\n", stub->ports_count);
    for (int i = 0; i < stub->ports_count; i++) {
        add_map(out, peer, 2);
        run_printf(out, "$5\r\nslots\r\n*2\r\n:%d\r\n:%d\r\n", first_slot(stub, i),
                   last_slot(stub, i));
        run_printf(out, "$5\r\nnodes\r\n*1\r\n");
        add_map(out, peer, 7);
        run_printf(out, "$2\r\nid\r\n$40\r\n");
        add_node_id(out, stub->ports[i]);
        run_printf(out, "\r\n$4\r\nport\r\n:%d\r\n", stub->ports[i]);
        run_printf(out, "$2\r\nip\r\n$9\r\n127.0.0.1\r\n$8\r\nendpoint\r\n$9\r\n127.0.0.1\r\n");
        run_printf(out, "$4\r\nrole\r\n$6\r\nmaster\r\n$18\r\nreplication-offset\r\n:1\r\n");
        run_printf(out, "$6\r\nhealth\r\n$6\r\nonline\r\n");
    }
}

static void add_slots(struct stub *stub)
{
    struct run *out = &stub->out;
    run_printf(out, "*%d\r\n", stub->ports_count);
    for (int i = 0; i < stub->ports_count; i++) {
        run_printf(out, "*3\r\n:%d\r\n:%d\r\n", first_slot(stub, i), last_slot(stub, i));
        run_printf(out, "*4\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n", stub->ports[i]);
        add_node_id(out, stub->ports[i]);
        run_printf(out, "\r\n*0\r\n");
    }
}

static void add_nodes(struct stub *stub, const struct peer *peer)
{
    struct run text = {.bytes = NULL};
    for (int i = 0; i < stub->ports_count; i++) {
        add_node_id(&text, stub->ports[i]);
        run_printf(&text, " 127.0.0.1:%d@%d %smaster - 0 0 %d connected %d-%d\n", stub->ports[i],
                   (stub->ports[i] + 10000) % 65536, i == peer->port_index ? "myself," : "", i + 1,
                   first_slot(stub, i), last_slot(stub, i));
    }
    add_bulk(&stub->out, text.bytes);
    free(text.bytes);
}

static void answer_cluster(struct stub *stub, struct peer *peer, const struct arg *args, int count)
{
    struct run *out = &stub->out;
    if (arg_is(args, count, 1, "SHARDS")) {
        add_shards(stub, peer);
    } else if (arg_is(args, count, 1, "SLOTS")) {
        add_slots(stub);
    } else if (arg_is(args, count, 1, "NODES")) {
        add_nodes(stub, peer);
    } else if (arg_is(args, count, 1, "MYID")) {
        run_printf(out, "$40\r\n");
        add_node_id(out, stub->ports[peer->port_index]);
        run_printf(out, "\r\n");
    } else if (arg_is(args, count, 1, "INFO")) {
        char text[256];
        snprintf(text, sizeof text,
                 "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
                 "cluster_slots_ok:16384\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
                 "cluster_known_nodes:%d\r\ncluster_size:%d\r\ncluster_current_epoch:%d\r\n",
                 stub->ports_count, stub->ports_count, stub->ports_count);
        add_bulk(out, text);
    } else {
        run_printf(out, "+OK\r\n");
    }
}

static void stub_set_value_size(struct stub *stub, size_t size)
{
    struct run *reply = &stub->get_reply;
    reply->len = 0;
    run_printf(reply, "$%zu\r\n", size);
    run_reserve(reply, size + 2);
    memset(reply->bytes + reply->len, 'x', size);
    reply->len += size;
    run_add(reply, "\r\n", 2);
}

/* ---- growing bytes ---------------------------------------------------------------------- */

static void run_reserve(struct run *run, size_t more)
{
    if (run->cap - run->len >= more) {
        return;
    }
    run->cap = run->cap * 2 > run->len + more ? run->cap * 2 : run->len + more;
    run->bytes = realloc(run->bytes, run->cap);
    if (run->bytes == NULL) {
        die("memory");
    }
}

static void run_add(struct run *run, const void *bytes, size_t len)
{
    if (len == 0) {
        return;
    }
    run_reserve(run, len);
    memcpy(run->bytes + run->len, bytes, len);
    run->len += len;
}

static void run_printf(struct run *run, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text) {
        die("reply too long for run_printf");
    }
    run_reserve(run, (size_t)len + 1);
    memcpy(run->bytes + run->len, text, (size_t)len + 1); /* the NUL is beyond len */
    run->len += (size_t)len;
}
