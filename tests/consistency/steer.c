/* steer.c - what whoever started us says on our stdin, a line each; some lines are answered.
 *
 *     season begin N ...   a fault comes that may lose acknowledged writes of the registers with
 *                          these tags; "season"
 *     season end           it is over; whatever is there now is the beginning; "checking"
 *     hold N ...           no more writes to the registers with these tags; "held" once all of
 *                          before are over
 *     settled INDEX N      a held register is at N (0: absent), as everybody has told
 *     release              writes again
 *     off PORT, on PORT    clients of that node stay away, come back
 *     vanish on|off        keys may be evicted at any time
 *     absent MS            the lease for absent keys from now on
 *     flush N              FLUSHALL through keyway N, or with -1 at all nodes; "flushed" when done
 *     figures              a line of JSON
 *     stop                 a line of JSON, and the end
 */
#include "tests/consistency/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void command_obey(struct check *check, const char *line);

void commands_read(struct check *check)
{
    ssize_t got = read(STDIN_FILENO, check->commands + check->commands_len,
                       sizeof check->commands - 1 - check->commands_len);

    if (got == 0) {
        check->is_over = true; /* who steers is gone */
        return;
    }
    if (got < 0) {
        return;
    }
    check->commands_len += (size_t)got;
    check->commands[check->commands_len] = '\0';
    char *line = check->commands;
    for (char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        *end = '\0';
        command_obey(check, line);
        line = end + 1;
    }
    check->commands_len = strlen(line);
    memmove(check->commands, line, check->commands_len + 1);
}

/* The word after HEAD, when LINE begins with it; or NULL. */
static const char *after(const char *line, const char *head)
{
    size_t len = strlen(head);

    return strncmp(line, head, len) == 0 ? line + len : NULL;
}

/* Is NUMBER among those that TEXT lists? */
static bool is_listed(const char *text, int number)
{
    char *end = NULL;

    for (long each = strtol(text, &end, 10); end != text; each = strtol(text, &end, 10)) {
        if (each == number) {
            return true;
        }
        text = end;
    }
    return false;
}

static void season_begin(struct check *check, const char *tags)
{
    check->epoch++;
    check->seasons++;
    for (int i = 0; i < check->regs_count; i++) {
        if (is_listed(tags, i % check->options.keys)) {
            reg_season_set(&check->regs[i], true);
            check->season_count++;
        }
    }
    printf("season\n");
}

static void season_end(struct check *check)
{
    check->epoch++;
    check->season_count = 0;
    for (int i = 0; i < check->regs_count; i++) {
        if (check->regs[i].is_season) {
            reg_season_set(&check->regs[i], false);
        }
    }
    printf("checking\n");
}

static void hold(struct check *check, const char *tags)
{
    for (int i = 0; i < check->regs_count; i++) {
        check->regs[i].is_held = is_listed(tags, i % check->options.keys);
    }
    check->is_hold_wanted = true;
}

void hold_go_on(struct check *check)
{
    if (!check->is_hold_wanted) {
        return;
    }
    for (int i = 0; i < check->regs_count; i++) {
        const struct reg *reg = &check->regs[i];
        if (reg->is_held && (reg->writers_count > 0 || check->now_us < reg->quiet_until_us)) {
            return;
        }
    }
    check->is_hold_wanted = false;
    printf("held\n");
}

static void settle(struct check *check, const char *words)
{
    char *end = NULL;
    long index = strtol(words, &end, 10);

    if (index < 0 || index >= check->regs_count || !check->regs[index].is_held) {
        fprintf(stderr, "check: register %ld is not held\n", index);
        exit(2);
    }
    reg_settle(&check->regs[index], strtoull(end, NULL, 10), clock_us());
}

static void direct_set_off(struct check *check, int port, bool is_off)
{
    for (int i = 0; i < check->clients_count; i++) {
        struct client *client = &check->clients[i];
        if (client->role != DIRECT || check->options.nodes[client->place] != port) {
            continue;
        }
        client->is_off = is_off;
        if (is_off && client->fd >= 0) {
            client_lose(check, client);
        }
    }
}

static void command_obey(struct check *check, const char *line)
{
    const char *rest = NULL;

    if ((rest = after(line, "season begin")) != NULL) {
        season_begin(check, rest);
    } else if (strcmp(line, "season end") == 0) {
        season_end(check);
    } else if ((rest = after(line, "hold")) != NULL) {
        hold(check, rest);
    } else if ((rest = after(line, "settled ")) != NULL) {
        settle(check, rest);
    } else if (strcmp(line, "release") == 0) {
        hold(check, "");
        check->is_hold_wanted = false;
    } else if ((rest = after(line, "off ")) != NULL) {
        direct_set_off(check, atoi(rest), true);
    } else if ((rest = after(line, "on ")) != NULL) {
        direct_set_off(check, atoi(rest), false);
    } else if ((rest = after(line, "vanish ")) != NULL) {
        check->may_vanish = strcmp(rest, "on") == 0;
    } else if ((rest = after(line, "absent ")) != NULL) {
        check->options.absent_lease_us = strtoull(rest, NULL, 10) * 1000;
    } else if ((rest = after(line, "flush ")) != NULL) {
        check->flush_place = (int)strtol(rest, NULL, 10);
        check->is_flush_wanted = true;
    } else if (strcmp(line, "figures") == 0) {
        figures_print(check);
    } else if (strcmp(line, "stop") == 0) {
        check->is_over = true;
    } else {
        fprintf(stderr, "check: what is \"%s\"?\n", line);
        exit(2);
    }
}

void figures_print(const struct check *check)
{
    printf("{\"seconds\": %.1f, \"reads\": %llu, \"writes\": %llu, \"direct_reads\": %llu, "
           "\"errors\": %llu, \"unchecked\": %llu, \"seasons\": %llu, \"flushes\": %llu, "
           "\"reconnects\": %llu, \"hangs\": %llu, \"stale_reads\": %llu, \"oldest_ms\": %.3f, "
           "\"oldest_by\": \"%s\", \"servers_own\": %llu, \"last_error\": \"%s\", ",
           (double)(check->now_us - check->began_us) / 1e6, (unsigned long long)check->reads,
           (unsigned long long)check->writes, (unsigned long long)check->direct_reads,
           (unsigned long long)check->errors, (unsigned long long)check->unchecked,
           (unsigned long long)check->seasons, (unsigned long long)check->flushes,
           (unsigned long long)check->reconnects, (unsigned long long)check->hangs,
           (unsigned long long)check->stale_reads, (double)check->oldest_us / 1000,
           check->oldest_by, (unsigned long long)check->servers_own, check->last_error);
    printf("\"violations\": {");
    for (int i = 0; i < VIOLATIONS; i++) {
        printf("%s\"%s\": %llu", i == 0 ? "" : ", ", VIOLATION_NAMES[i],
               (unsigned long long)check->violations[i]);
    }
    printf("}, \"examples\": [");
    for (int i = 0; i < check->examples_count; i++) {
        printf("%s\"%s\"", i == 0 ? "" : ", ", check->examples[i]);
    }
    printf("]}\n");
}
