/* flush.c - FLUSHALL: a serial write to every register at once. */
#include "tests/consistency/check.h"

#include <stdio.h>
#include <sys/socket.h>

/* CLIENT is idle: is it to flush? Begins once no write is under way, or of unknown outcome. */
bool flush_begin(struct check *check, struct client *client)
{
    bool is_mine = check->flush_place < 0
                       ? client->role == DIRECT
                       : client->role == CLIENT && client->place == check->flush_place;

    if (!is_mine || check->flush_left > 0) {
        return false;
    }
    for (int i = 0; i < check->regs_count; i++) {
        if (check->regs[i].writers_count > 0 || check->regs[i].is_held ||
            check->now_us < check->regs[i].quiet_until_us) {
            return false;
        }
    }
    struct client *chosen[NODES_MAX] = {client};
    int count = check->flush_place < 0 ? 0 : 1;
    for (int i = 0; i < check->clients_count && check->flush_place < 0; i++) {
        struct client *other = &check->clients[i];
        if (other->role == DIRECT && other->place == count && other->fd >= 0 &&
            other->ops_count == 0) {
            chosen[count++] = other;
        }
    }
    if (check->flush_place < 0 && count < check->options.nodes_count) {
        return false;
    }
    for (int i = 0; i < check->regs_count; i++) {
        check->regs[i].writer = check;
        check->regs[i].writers_count = 1;
        (void)reg_draw_absent(&check->regs[i], clock_us());
    }
    check->is_flush_failed = false;
    check->flush_left = count;
    for (int i = 0; i < count; i++) {
        chosen[i]->ops_done = 0;
        (void)op_add(chosen[i], "FLUSHALL", FLUSH, 1);
        chosen[i]->sent_us = clock_us();
        chosen[i]->epoch = check->epoch;
        if (send(chosen[i]->fd, "FLUSHALL\r\n", 10, MSG_NOSIGNAL) != 10) {
            client_lose(check, chosen[i]);
        }
    }
    return true;
}

void flush_on_reply(struct check *check, const struct client *client, bool is_failed)
{
    check->is_flush_failed |= is_failed;
    if (--check->flush_left > 0) {
        return;
    }
    bool is_known =
        !check->is_flush_failed && client->epoch == check->epoch && check->season_count == 0;
    for (int i = 0; i < check->regs_count; i++) {
        struct reg *reg = &check->regs[i];
        reg->writer = NULL;
        reg->writers_count = 0;
        if (check->is_flush_failed) {
            reg->quiet_until_us = check->now_us + QUIET_US;
        } else if (is_known) {
            reg_acknowledge(reg, reg->started, check->now_us);
            if (client->role == CLIENT) {
                reg_raise(reg, client->view, reg->started, "FLUSHALL", check->now_us);
            }
        }
    }
    check->flushes += !check->is_flush_failed;
    check->is_flush_wanted = false;
    printf("%s\n", check->is_flush_failed ? "flush failed" : "flushed");
}
