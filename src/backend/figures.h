/* figures.h - what one worker has at one node, in numbers: for operators.
 *
 * Thread: the worker's. Memory: plain numbers; they may be added up over workers.
 */
#ifndef KW_BACKEND_FIGURES_H
#define KW_BACKEND_FIGURES_H

#include <stdint.h>

struct kw_node;

struct kw_node_figures {
    uint64_t links[2];       /* shared ones of database 0, by protocol version - 2 */
    uint64_t links_ready;    /* of those, how many have finished their handshake */
    uint64_t links_retired;  /* that carry a big reply */
    uint64_t links_database; /* of other databases than 0 */
    uint64_t links_private;  /* for one command of an operator */
    uint64_t links_leased;   /* for one client alone (lease.h), idle ones included */
    uint64_t leases_waiting; /* who wants one and finds none free */
    uint64_t inflight;       /* commands not answered, on all but leased ones */
    uint64_t queued_bytes;   /* of commands not written yet, the same */
};

/* Add what is at NODE to *sum. */
void kw_node_add_figures(const struct kw_node *node, struct kw_node_figures *sum);

/* Add FROM to *sum. */
void kw_figures_add(struct kw_node_figures *sum, const struct kw_node_figures *from);

#endif
