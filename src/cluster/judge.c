/* judge.c - rule R3: no step back unless everybody says so.
 *
 * Epochs are the highest CONFIG epoch of a master, not the cluster's current epoch: elections that
 * a minority tries and loses raise the latter, so the wrong side of a partition may have the higher
 * one. A won election and the first slot moved to a node raise the former.
 *
 * What this does not catch: a node that lags in gossip after a second slot was moved to the same
 * node has the same epoch and an older owner of that slot. MOVED corrects that at once (R1).
 */
#include "cluster/judge.h"

#include "base/assert.h"

static enum kw_doubt judge_doubt(const struct kw_judge *judge, const struct kw_topology *current,
                                 const struct kw_topology *candidate);
static bool has_node_in_common(const struct kw_topology *a, const struct kw_topology *b);
static uint32_t doubts_needed(const struct kw_topology *current);

enum kw_judgement kw_judge_hear(struct kw_judge *judge, const struct kw_topology *current,
                                const struct kw_topology *candidate)
{
    if (candidate->slots_covered == 0) {
        return KW_JUDGE_REFUSE;
    }
    judge->doubt = current == NULL ? KW_DOUBT_NONE : judge_doubt(judge, current, candidate);
    if (judge->doubt != KW_DOUBT_NONE) {
        judge->doubts++;
        if (judge->doubts < doubts_needed(current)) {
            return KW_JUDGE_DOUBT;
        }
    }
    judge->doubts = 0;
    judge->epoch = candidate->epoch;
    return KW_JUDGE_ACCEPT;
}

static enum kw_doubt judge_doubt(const struct kw_judge *judge, const struct kw_topology *current,
                                 const struct kw_topology *candidate)
{
    if (!has_node_in_common(current, candidate)) {
        return KW_DOUBT_FOREIGN;
    }
    if (candidate->is_plain && !current->is_plain) {
        return KW_DOUBT_PLAIN;
    }
    if (candidate->epoch < judge->epoch) {
        return KW_DOUBT_OLDER;
    }
    if (candidate->slots_covered < current->slots_covered) {
        return KW_DOUBT_FEWER_SLOTS;
    }
    return KW_DOUBT_NONE;
}

static bool has_node_in_common(const struct kw_topology *a, const struct kw_topology *b)
{
    for (uint32_t i = 0; i < a->nodes_count; i++) {
        for (uint32_t j = 0; j < b->nodes_count; j++) {
            if (kw_topology_node_is_same(&a->nodes[i], &b->nodes[j])) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t doubts_needed(const struct kw_topology *current)
{
    uint32_t needed = 2 * current->nodes_count;

    needed = needed < KW_JUDGE_DOUBTS_MIN ? KW_JUDGE_DOUBTS_MIN : needed;
    return needed > KW_JUDGE_DOUBTS_MAX ? KW_JUDGE_DOUBTS_MAX : needed;
}

const char *kw_doubt_text(enum kw_doubt doubt)
{
    switch (doubt) {
    case KW_DOUBT_NONE:
        return "nothing is wrong with it";
    case KW_DOUBT_FOREIGN:
        return "it knows none of our nodes";
    case KW_DOUBT_PLAIN:
        return "cluster mode is off there";
    case KW_DOUBT_OLDER:
        return "its epoch is older";
    case KW_DOUBT_FEWER_SLOTS:
        return "it has fewer slots";
    default:
        KW_UNREACHABLE();
    }
}
