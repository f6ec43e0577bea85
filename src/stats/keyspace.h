/* keyspace.h - how many keys the nodes have, as they said last: INFO keyspace.
 *
 * Nodes count keys, keyway does not. The control thread's probe asks the masters for
 * `INFO keyspace` in place of a PING: often while somebody wants to know, now and then otherwise
 * (cluster/probe.c). So INFO costs the nodes nothing, and is a few seconds behind.
 *
 *     db0:keys=1200,expires=30,avg_ttl=59000
 *
 * Thread: parsing and adding are pure. kw_keyspace is written by the control thread and read by
 *         any; its figures are each true, and of nearly the same moment.
 * Memory: the caller's; no heap.
 * See also: cluster/probe.h.
 */
#ifndef KW_STATS_KEYSPACE_H
#define KW_STATS_KEYSPACE_H

#include "base/bytes.h"

#include <stdatomic.h>
#include <stdint.h>

enum { KW_KEYSPACE_DBS_MAX = 64 }; /* databases; more are not shown */

/* One node's keys in one database; or the sum of several nodes'. */
struct kw_keyspace_count {
    uint64_t keys;
    uint64_t expires;    /* of them: with a time to live */
    uint64_t ttl_sum_ms; /* of those: avg_ttl x expires. Wraps around, which sums survive */
};

/* By database. */
struct kw_keyspace_counts {
    struct kw_keyspace_count dbs[KW_KEYSPACE_DBS_MAX];
};

struct kw_keyspace {
    _Atomic uint64_t wanted_ms; /* monotonic: when somebody looked, last; 0: nobody yet */
    struct {
        _Atomic uint64_t keys;
        _Atomic uint64_t expires;
        _Atomic uint64_t avg_ttl_ms;
    } dbs[KW_KEYSPACE_DBS_MAX];
};

/* Read what a node says to `INFO keyspace` into COUNTS, which is overwritten. Lines that are
 * nothing of the kind are passed over.
 */
void kw_keyspace_parse(struct kw_bytes text, struct kw_keyspace_counts *counts);

/* TOTAL loses BEFORE and gains NOW: what one node said before, and says now. Either may be NULL. */
void kw_keyspace_replace(struct kw_keyspace_counts *total, const struct kw_keyspace_counts *before,
                         const struct kw_keyspace_counts *now);

/* Show TOTAL to those who ask. */
void kw_keyspace_publish(struct kw_keyspace *keyspace, const struct kw_keyspace_counts *total);

#endif
