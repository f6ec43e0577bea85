/* discover.h - keeps a true picture of the cluster, at a rate that doesn't depend on the clients.
 *
 * It asks one known node (seeds when no other answers), another one at once when that fails and
 * beside it when that is silent, and publishes what it learns when it differs and rule R3 allows.
 * It never gives up: without any answer it tries again for ever, with a growing pause.
 *
 * A server without cluster mode is taken for a master that owns all slots, so that a plain redis
 * works behind keyway too.
 *
 * Thread: the control loop's; workers ask for a refresh by a letter to it (T2, T3).
 * Memory: kw_discover_new() returns an owned pointer and keeps a reference of the config.
 * See also: topology.h, probe.h, judge.h (what R3 allows), ask.h.
 */
#ifndef KW_CLUSTER_DISCOVER_H
#define KW_CLUSTER_DISCOVER_H

#include "cluster/topology.h"

struct kw_config;
struct kw_discover;
struct kw_loop;

enum kw_refresh_reason {
    KW_REFRESH_REDIRECTED = 0, /* MOVED */
    KW_REFRESH_UNREACHABLE,    /* a link could not connect, or broke */
    KW_REFRESH_TIMEOUT,        /* a node is silent */
    KW_REFRESH_NO_OWNER,       /* CLUSTERDOWN, or a request for a slot that nobody owns */
    KW_REFRESH_NODE_DOWN,      /* the probe gave a node up */
    KW_REFRESH_NODE_UP,        /* the probe has it back: also ends a pause after failures */
    KW_REFRESH_OPERATOR,
    KW_REFRESH_REASONS_COUNT
};

enum {
    KW_DISCOVER_GAP_MS = 100,       /* least time between two rounds */
    KW_DISCOVER_HURRY_MS = 200,     /* between rounds while something is wrong */
    KW_DISCOVER_PAUSE_MAX_MS = 1500 /* between rounds that nobody answers */
};

/* What happened so far: for INFO and tests. */
struct kw_discover_counts {
    uint64_t rounds;    /* started */
    uint64_t questions; /* nodes asked; more than rounds when some didn't answer */
    uint64_t failures;  /* rounds without any answer */
    uint64_t doubted;   /* answers held back by rule R3 */
    uint64_t published;
    uint64_t wishes[KW_REFRESH_REASONS_COUNT]; /* calls of kw_discover_refresh() */
};

/* A discovery that is not started. ON_TOPOLOGY(ARG, TAKEN) gets one reference of each new topology,
 * never the same picture twice in a row.
 */
struct kw_discover *kw_discover_new(struct kw_loop *loop, struct kw_config *config,
                                    void (*on_topology)(void *arg, struct kw_topology *taken),
                                    void *arg);

/* Ask the seeds now. */
void kw_discover_start(struct kw_discover *discover);

/* Ask soon: calls within KW_DISCOVER_GAP_MS, or while a round is under way, make one round. Calls
 * before the start are forgotten. */
void kw_discover_refresh(struct kw_discover *discover, enum kw_refresh_reason reason);

/* While is_wanted, ask every KW_DISCOVER_HURRY_MS: a master is down and a successor is expected. */
void kw_discover_set_hurry(struct kw_discover *discover, bool is_wanted);

/* The last one published, borrowed; NULL when there is none yet. */
const struct kw_topology *kw_discover_topology(const struct kw_discover *discover);

const struct kw_discover_counts *kw_discover_counts(const struct kw_discover *discover);

/* Go by CONFIG, which is referenced, from now on. */
void kw_discover_reconfigure(struct kw_discover *discover, struct kw_config *config);

/* Stop, free and clear. NULL inside is allowed. */
void kw_discover_free(struct kw_discover **discover);

#endif
