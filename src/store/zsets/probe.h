/* probe.h - a place between elements of a sorted set: what comes before it, what behind.
 *
 * Elements are ordered by score, those of one score by their members' bytes.
 *
 * Thread: any. Memory: members are borrowed.
 */
#ifndef KW_STORE_ZSETS_PROBE_H
#define KW_STORE_ZSETS_PROBE_H

#include "base/bytes.h"

#include <stdint.h>

enum kw_probe_kind {
    KW_PROBE_ELEMENT = 0, /* score and member */
    KW_PROBE_SCORE,       /* whatever the member */
    KW_PROBE_MEMBER       /* whatever the score: for sets in which all have the same */
};

struct kw_probe {
    enum kw_probe_kind kind;
    bool is_behind; /* the place is behind elements that are equal, else before them */
    double score;
    struct kw_bytes member;
};

static inline int kw_member_compare(struct kw_bytes a, struct kw_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* True when the element of SCORE and MEMBER comes before the place. */
static inline bool kw_probe_is_past(const struct kw_probe *probe, double score,
                                    struct kw_bytes member)
{
    if (probe->kind != KW_PROBE_MEMBER) {
        if (score < probe->score || score > probe->score) {
            return score < probe->score;
        }
        if (probe->kind == KW_PROBE_SCORE) {
            return probe->is_behind;
        }
    }
    int order = kw_member_compare(member, probe->member);
    return order < 0 || (order == 0 && probe->is_behind);
}

#endif
