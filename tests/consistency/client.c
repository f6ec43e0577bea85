/* client.c - connections: a batch out, all its replies in, the next batch.
 *
 * Sending blocks: a batch is small, and who takes part here reads what it is sent.
 */
#include "tests/consistency/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void client_connect(struct check *check, struct client *client);

void client_go_on(struct check *check, struct client *client)
{
    if (client->is_off) {
        return;
    }
    if (client->fd < 0) {
        if (check->now_us >= client->connect_at_us) {
            client_connect(check, client);
        }
        return;
    }
    if (client->ops_count > 0) {
        if (check->now_us > client->sent_us + HANG_US) {
            check->hangs++;
            fprintf(stderr, "check: %s %d does not answer %s of %s\n",
                    client->role == DIRECT ? "node" : "keyway", client->place,
                    client->ops[client->ops_done].name,
                    check->regs[client->ops[client->ops_done].keys[0]].name);
            client_lose(check, client);
        }
        return;
    }
    if (client->role == PROBE && check->now_us < client->sent_us + PROBE_US) {
        return;
    }
    check->out_len = 0;
    client_make_batch(check, client);
    if (client->ops_count == 0) {
        return;
    }
    client->sent_us = clock_us();
    client->epoch = check->epoch;
    size_t sent = 0;
    while (sent < check->out_len) {
        ssize_t done = send(client->fd, check->out + sent, check->out_len - sent, MSG_NOSIGNAL);
        if (done < 0) {
            client_lose(check, client);
            return;
        }
        sent += (size_t)done;
    }
}

static void client_connect(struct check *check, struct client *client)
{
    const struct options *options = &check->options;
    int port =
        client->role == DIRECT ? options->nodes[client->place] : options->keyways[client->place];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        client->connect_at_us = check->now_us + RECONNECT_US;
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (epoll_ctl(check->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
    client->fd = fd;
    client->in_len = 0;
    client->sent_us = clock_us();
    check->out_len = 0;
    client->ops_count = 0;
    client->ops_done = 0;
    const char *hello = client->is_resp3 ? "HELLO 3\r\n" : "";
    const char *bypass = client->is_bypass ? "PROXY CACHE OFF\r\n" : "";
    char handshake[64];
    int len = snprintf(handshake, sizeof handshake, "%s%s", hello, bypass);
    for (int i = 0; i < client->is_resp3 + client->is_bypass; i++) {
        client->ops[client->ops_count++] =
            (struct op){.name = "handshake", .shape = NOTHING, .replies_left = 1};
    }
    if (len > 0 && send(fd, handshake, (size_t)len, MSG_NOSIGNAL) != len) {
        client_lose(check, client);
    }
}
void client_on_readable(struct check *check, struct client *client)
{
    struct reply reply;
    size_t taken = 0;

    if (client->fd < 0) {
        return;
    }
    if (client->in_size - client->in_len < 2048) {
        client->in_size *= 2;
        client->in = realloc(client->in, client->in_size);
        if (client->in == NULL) {
            die("memory");
        }
    }
    ssize_t got =
        recv(client->fd, client->in + client->in_len, client->in_size - client->in_len - 1, 0);
    if (got <= 0) {
        client_lose(check, client);
        return;
    }
    client->in_len += (size_t)got;
    client->in[client->in_len] = '\0'; /* numbers in it are read as text */
    check->now_us = clock_us();
    while (client->fd >= 0 && taken < client->in_len) {
        long len = reply_cut(client->in + taken, client->in + client->in_len, &reply);
        if (len == 0) {
            break;
        }
        if (len < 0 || client->ops_done == client->ops_count) {
            fprintf(stderr, "check: nonsense from a server: %.80s\n", client->in + taken);
            check->violations[FROM_NOWHERE]++;
            client_lose(check, client);
            return;
        }
        op_on_reply(check, client, &client->ops[client->ops_done], &reply);
        taken += (size_t)len;
    }
    memmove(client->in, client->in + taken, client->in_len - taken);
    client->in_len -= taken;
    if (client->ops_done == client->ops_count) {
        client->ops_count = client->ops_done = 0;
    }
}

/* What was under way may have been done or not. */
void client_lose(struct check *check, struct client *client)
{
    check->reconnects++;
    close(client->fd);
    client->fd = -1;
    client->connect_at_us = check->now_us + RECONNECT_US;
    for (; client->ops_done < client->ops_count; client->ops_done++) {
        op_fail(check, client, &client->ops[client->ops_done], false);
    }
    client->ops_count = client->ops_done = 0;
}
