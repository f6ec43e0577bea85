/* operator.h - the PROXY family: keyway and the nodes behind it, for operators.
 *
 *   PROXY TOPOLOGY              who owns which slots, as keyway knows it
 *   PROXY NODES, POOLS          links, requests in flight, bytes queued: by node, by worker
 *   PROXY NODE which command    one command on one node, whatever keyway thinks of it
 *   PROXY VERSION
 *
 * Thread: the worker's; NODES and POOLS visit all workers (crew.h).
 * Memory: a survey lives until its reply is complete.
 */
#ifndef KW_PROXY_FACE_OPERATOR_H
#define KW_PROXY_FACE_OPERATOR_H

#include "proxy/internal.h"

/* Answer the PROXY command in the client's proxy->argv, whose row is COMMAND: what this worker
 * knows alone. Returns KW_ANSWERED.
 */
enum kw_verdict kw_operator_answer(struct kw_client *client, const struct kw_command *command);

/* PROXY NODE, operator_node.c. Returns KW_REFUSED, KW_WAITING or KW_SENT. */
enum kw_verdict kw__operator_node(struct kw_client *client, const struct kw_command *command);

/* PROXY NODES and POOLS, survey.c. Returns KW_SENT. */
enum kw_verdict kw__operator_survey(struct kw_client *client, const struct kw_command *command);

#endif
