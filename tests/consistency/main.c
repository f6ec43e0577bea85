/* main.c - many clients of several keyways and of the nodes behind them, in one thread; what each
 * is told is held against what the others were told before.
 *
 *     check --keyway PORT ... --node PORT ... [--clients N] [--bypass N] [--direct N] [--keys N]
 *           [--pipeline N] [--writes PERMILLE] [--lease-ms N] [--absent-lease-ms N] [--lag-ms N]
 *           [--no-counters] [--plain] [--seed N]
 *
 * --plain: keys are read by one command each, GET or HGET
 *
 * A client sends a batch of requests in one write and waits for all replies. For each request it
 * notes, before it sends, what each key's view has told by then: no reply may be older. One thread
 * and one clock, so "before" is what it says.
 *
 * Who steers writes lines to our stdin: see steer.c.
 * The rules themselves are in register.c.
 */
#include "tests/consistency/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

const char *const VIOLATION_NAMES[VIOLATIONS] = {"went_back", "stale", "expired", "from_nowhere",
                                                 "undone"};

static void options_parse(struct options *options, int argc, char **argv);
static void check_open(struct check *check);
static void clients_add(struct check *check, enum role role, int place, int view, int count);
static void check_turn(struct check *check);

int main(int argc, char **argv)
{
    static struct check check;

    options_parse(&check.options, argc, argv);
    check_open(&check);
    while (!check.is_over) {
        check_turn(&check);
    }
    figures_print(&check);
    return 0;
}
/* ---- small things ---- */

void die(const char *what)
{
    fprintf(stderr, "check: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *need(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

uint64_t clock_us(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) {
        die("clock");
    }
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

uint64_t draw(struct check *check, uint64_t below)
{
    check->chance ^= check->chance >> 12;
    check->chance ^= check->chance << 25;
    check->chance ^= check->chance >> 27;
    return (check->chance * 0x2545F4914F6CDD1DULL >> 32) % below;
}

uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
/* ---- start ---- */

static void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.clients = 16,
                                .bypass = 4,
                                .direct = 2,
                                .keys = 48,
                                .pipeline = 8,
                                .writes_permille = 60,
                                .lease_us = 300 * 1000,
                                .absent_lease_us = 300 * 1000,
                                .lag_us = 20 * 1000,
                                .has_counters = true,
                                .seed = 1};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--no-counters") == 0) {
            options->has_counters = false;
            continue;
        }
        if (strcmp(name, "--plain") == 0) {
            options->is_plain = true;
            continue;
        }
        long value = i + 1 < argc ? strtol(argv[++i], NULL, 10) : 0;
        if (strcmp(name, "--keyway") == 0 && options->keyways_count < KEYWAYS_MAX) {
            options->keyways[options->keyways_count++] = (int)value;
        } else if (strcmp(name, "--node") == 0 && options->nodes_count < NODES_MAX) {
            options->nodes[options->nodes_count++] = (int)value;
        } else if (strcmp(name, "--clients") == 0) {
            options->clients = (int)value;
        } else if (strcmp(name, "--bypass") == 0) {
            options->bypass = (int)value;
        } else if (strcmp(name, "--direct") == 0) {
            options->direct = (int)value;
        } else if (strcmp(name, "--keys") == 0) {
            options->keys = (int)value;
        } else if (strcmp(name, "--pipeline") == 0 && value <= OPS_MAX) {
            options->pipeline = (int)value;
        } else if (strcmp(name, "--writes") == 0) {
            options->writes_permille = (int)value;
        } else if (strcmp(name, "--lease-ms") == 0) {
            options->lease_us = (uint64_t)value * 1000;
            options->absent_lease_us = options->lease_us;
        } else if (strcmp(name, "--absent-lease-ms") == 0) {
            options->absent_lease_us = (uint64_t)value * 1000;
        } else if (strcmp(name, "--lag-ms") == 0) {
            options->lag_us = (uint64_t)value * 1000;
        } else if (strcmp(name, "--seed") == 0) {
            options->seed = (uint64_t)value;
        } else {
            fprintf(stderr, "check: %s: see the top of check.c\n", name);
            exit(2);
        }
    }
}

static void check_open(struct check *check)
{
    static const char *const KIND_NAMES[KINDS] = {"text", "expiring", "counter", "hash"};
    const struct options *options = &check->options;

    setvbuf(stdout, NULL, _IOLBF, 0);
    check->chance = (options->seed + 1) * 0x9E3779B97F4A7C15ULL | 1;
    check->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    check->out = need(1, OUT_BYTES);
    check->regs_count = options->keys * KINDS;
    check->regs = need((size_t)check->regs_count, sizeof *check->regs);
    for (int i = 0; i < check->regs_count; i++) {
        struct reg *reg = &check->regs[i];
        reg->kind = (enum kind)(i / options->keys);
        snprintf(reg->name, sizeof reg->name, "{t%d}:%s:%d", i % options->keys,
                 KIND_NAMES[reg->kind], i % options->keys);
        (void)reg_draw_absent(reg, 0);
    }
    check->began_us = check->now_us = clock_us();
    for (int i = 0; i < options->keyways_count; i++) {
        clients_add(check, CLIENT, i, i, options->clients);
        clients_add(check, PROBE, i, i, PROBES_EACH);
    }
    for (int i = 0; i < options->nodes_count; i++) {
        clients_add(check, DIRECT, i, VIEWS_MAX - 1, options->direct);
    }
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) != 0 ||
        epoll_ctl(check->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        die("stdin (a pipe is expected)");
    }
}

static void clients_add(struct check *check, enum role role, int place, int view, int count)
{
    for (int i = 0; i < count && check->clients_count < CLIENTS_MAX; i++) {
        struct client *client = &check->clients[check->clients_count++];
        client->fd = -1;
        client->role = role;
        client->place = place;
        client->view = view;
        client->is_resp3 = role == CLIENT && i % 3 == 1;
        client->is_bypass = role == CLIENT && i < check->options.bypass;
        client->in_size = 4096;
        client->in = need(1, client->in_size);
    }
}
/* ---- one turn ---- */

static void check_turn(struct check *check)
{
    struct epoll_event events[128];

    for (int i = 0; i < check->clients_count; i++) {
        client_go_on(check, &check->clients[i]);
    }
    int count = epoll_wait(check->epoll_fd, events, 128, 1);
    check->now_us = clock_us();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            commands_read(check);
        } else {
            client_on_readable(check, events[i].data.ptr);
        }
    }
    hold_go_on(check);
    if (check->now_us - check->lag_turned_us > LAG_WINDOW_US) {
        memcpy(check->lag_before_us, check->lag_us, sizeof check->lag_us);
        memset(check->lag_us, 0, sizeof check->lag_us);
        check->lag_turned_us = check->now_us;
    }
}
uint64_t lag_of(const struct check *check, int place)
{
    uint64_t lag_us = larger(check->lag_us[place], check->lag_before_us[place]);

    for (int i = 0; i < check->clients_count; i++) {
        const struct client *client = &check->clients[i];
        if (client->role == PROBE && client->place == place && client->ops_count > 0 &&
            check->now_us > client->sent_us) {
            lag_us = larger(lag_us, check->now_us - client->sent_us);
        }
    }
    return lag_us + check->options.lag_us;
}
