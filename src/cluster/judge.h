/* judge.h - is this picture of the cluster better than the one we have? (R3)
 *
 * Pure. A node that was reset, belongs to another cluster or sits in a partition's minority tells a
 * worse story than the others. Worse stories are doubted: one is believed only when every source
 * told such a story, one after the other, and none spoke for what we have. discover.c asks the
 * source that it has not asked for the longest time, so all are heard.
 *
 * Thread: the owner's. Memory: a plain value.
 * See also: discover.h.
 */
#ifndef KW_CLUSTER_JUDGE_H
#define KW_CLUSTER_JUDGE_H

#include "cluster/topology.h"

enum kw_judgement {
    KW_JUDGE_ACCEPT = 0, /* use it */
    KW_JUDGE_DOUBT,      /* worse, and not yet confirmed: keep the current one, ask on */
    KW_JUDGE_REFUSE      /* no slots at all: never of use */
};

enum kw_doubt {
    KW_DOUBT_NONE = 0,
    KW_DOUBT_FOREIGN,    /* not one node in common */
    KW_DOUBT_PLAIN,      /* cluster mode is off there, but was on */
    KW_DOUBT_OLDER,      /* its epoch is lower than one already seen */
    KW_DOUBT_FEWER_SLOTS /* than now */
};

enum {
    KW_JUDGE_DOUBTS_MIN = 8, /* worse answers in a row that convince, in a small cluster */
    KW_JUDGE_DOUBTS_MAX = 64 /* in a large one; between them, twice the number of nodes */
};

/* Zero-initialise. */
struct kw_judge {
    uint64_t epoch;      /* of the last one accepted */
    uint32_t doubts;     /* worse answers in a row */
    enum kw_doubt doubt; /* why the last one was doubted */
};

/* Judge CANDIDATE, which some node told, against CURRENT (NULL: there is none yet). */
enum kw_judgement kw_judge_hear(struct kw_judge *judge, const struct kw_topology *current,
                                const struct kw_topology *candidate);

/* For logs: "it has fewer slots" and the like. Static storage. */
const char *kw_doubt_text(enum kw_doubt doubt);

#endif
