/* fake_node.h - a node on loopback that answers what a test tells it to.
 *
 * It runs on the test's own loop. Each command (words joined by spaces) is looked up in a table of
 * answers, newest first; what is not there gets an unknown-command error.
 */
#ifndef KW_TESTS_UNIT_CLUSTER_FAKE_NODE_H
#define KW_TESTS_UNIT_CLUSTER_FAKE_NODE_H

#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_node;

/* A node on a free port of 127.0.0.1. */
struct fake_node *fake_node_open(struct kw_loop *loop);
uint16_t fake_node_port(const struct fake_node *node);

/* Answer COMMAND with the raw bytes REPLY (a printf format); "" = say nothing at all. */
void fake_node_answers(struct fake_node *node, const char *command, const char *reply, ...)
    __attribute__((format(printf, 3, 4)));

/* As fake_node_answers(), TEXT as a bulk string. */
void fake_node_answers_bulk(struct fake_node *node, const char *command, const char *text);

/* Accept and read, but never answer: a hung process. */
void fake_node_set_silent(struct fake_node *node, bool is_silent);

/* Close all connections; with is_listening false also refuse new ones. */
void fake_node_drop(struct fake_node *node, bool is_listening);

/* Listen again on the same port. */
void fake_node_listen_again(struct fake_node *node);

/* How often COMMAND came, and connections accepted. */
uint32_t fake_node_heard(const struct fake_node *node, const char *command);
uint32_t fake_node_accepted(const struct fake_node *node);

void fake_node_close(struct fake_node **node);

/* What must happen is waited for so long: on a loaded machine it takes its time. */
enum { LOOP_PATIENCE_MS = 20000 };

/* Turn LOOP until IS_DONE(ARG), at most TIMEOUT_MS. Returns whether it was done. */
bool loop_run_until(struct kw_loop *loop, bool (*is_done)(void *arg), void *arg,
                    uint32_t timeout_ms);

/* Turn LOOP for so long, and about as often as an idle machine would. */
void loop_run_for(struct kw_loop *loop, uint32_t duration_ms);

/* The reply to CLUSTER SHARDS (RESP2) for "0-100 7000 [7001 ...], 101-200 7002": slots, the port of
 * their master, ports of replicas; all on 127.0.0.1, ids made from the ports. "-" = no slots. A '!'
 * after a port means that it fails. HOST replaces 127.0.0.1 when not NULL.
 */
char *shards_of(const char *words, const char *host);

/* The same for CLUSTER SLOTS. */
char *slots_of(const char *words);

#endif
