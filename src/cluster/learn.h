/* learn.h - asks the servers which commands they have, beside those of commands.def (C1).
 *
 * One master is asked COMMAND, and how many databases there are: when a topology is new, and rarely
 * besides (T3). What differs from the last answer is published.
 *
 * Thread: the control loop's. Memory: every set that was published lives until kw_learn_free():
 *         requests in workers hold rows of older ones. There are at most KW_LEARN_SETS_MAX.
 * See also: command_reply.h (what becomes of the answer), command/learned.h, discover.h.
 */
#ifndef KW_CLUSTER_LEARN_H
#define KW_CLUSTER_LEARN_H

#include "cluster/topology.h"
#include "command/learned.h"

struct kw_config;
struct kw_learn;
struct kw_loop;

/* Servers that say something else each time are not followed for ever. */
enum { KW_LEARN_SETS_MAX = 100 };

struct kw_learn_options {
    struct kw_loop *loop;
    struct kw_config *config;
    void (*on_learned)(void *arg, const struct kw_learned *learned);
    void *arg;
};

/* Follows no topology yet. */
struct kw_learn *kw_learn_new(const struct kw_learn_options *options);

/* TOPOLOGY is new: ask one of its masters soon. */
void kw_learn_follow(struct kw_learn *learn, const struct kw_topology *topology);

/* Stop, free all sets and clear; nobody may use one any more. NULL inside is allowed. */
void kw_learn_free(struct kw_learn **learn);

#endif
