/* tally.c - see tally.h. */
#include "proxy/origin/tally.h"

#include <string.h>

enum { REFUSED_MS = 60 * 1000 };

static uint64_t calls_count(struct kw_bytes answer, struct kw_bytes head);

bool kw__tally_take(struct kw_tally *tally, struct kw_bytes answer)
{
    if (kw_bytes_start_with(answer, KW_BYTES("-NOPERM"))) {
        tally->due_ms += REFUSED_MS;
    }
    if (answer.len == 0 || answer.data[0] == '-') {
        return false; /* keyway may not ask, or not now: README.md */
    }
    uint64_t swaps_count = calls_count(answer, KW_BYTES("cmdstat_swapdb:calls="));
    uint64_t infos_count = calls_count(answer, KW_BYTES("cmdstat_info:calls="));
    bool is_reset = tally->infos_count > 0 && infos_count <= tally->infos_count;
    bool is_other = tally->is_known && (swaps_count != tally->swaps_count || is_reset);

    tally->is_known = true;
    tally->swaps_count = swaps_count;
    tally->infos_count = infos_count;
    return is_other;
}

/* What is not there has not happened. */
static uint64_t calls_count(struct kw_bytes answer, struct kw_bytes head)
{
    const char *at = memmem(answer.data, answer.len, head.data, head.len);
    const char *end = answer.data + answer.len;
    uint64_t count = 0;

    for (at = at != NULL ? at + head.len : end; at < end && *at >= '0' && *at <= '9'; at++) {
        count = 10 * count + (uint64_t)(*at - '0');
    }
    return count;
}
