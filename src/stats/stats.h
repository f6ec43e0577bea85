/* stats.h - what keyway counts: one struct per worker, summed by whoever reads.
 *
 * Rows are in metrics.def. A worker adds to its own struct with plain, relaxed stores: no locked
 * instruction, no shared cache line on the path (T4).
 *
 * Thread: KW_STAT_ADD on the worker that owns the struct; sums from any thread.
 * Memory: kw_stats_hub is the process's; workers' structs are embedded in it.
 */
#ifndef KW_STATS_STATS_H
#define KW_STATS_STATS_H

#include "base/limits.h"
#include "stats/keyspace.h"

#include <stdatomic.h>
#include <stdint.h>

enum kw_metric {
#define KW_METRIC(name, kind, unit, help) KW_METRIC_##name,
#include "stats/metrics.def"
#undef KW_METRIC
    KW_METRIC_COUNT
};

struct kw_census;

struct kw_stats {
    _Alignas(64) _Atomic uint64_t values[KW_METRIC_COUNT];
};

/* The process's figures and the few counters that all workers share (none is on the path). */
struct kw_stats_hub {
    struct kw_stats workers[KW_WORKERS_MAX];
    unsigned workers_count;          /* set once */
    uint64_t started_ms;             /* monotonic, set once */
    _Atomic uint64_t clients_count;  /* connected now: what maxclients is compared with */
    _Atomic uint64_t next_client_id; /* ids are unique in the process and never 0 */
    _Atomic uint32_t nodes_known;    /* of the last topology */
    _Atomic uint32_t slots_covered;  /* of the last topology */
    _Atomic uint64_t topology_version;
    char run_id[41];                          /* drawn at the start; set once */
    struct kw_tally *tallies[KW_WORKERS_MAX]; /* the workers', set before they start; tally.h */
    struct kw_slowlog *slowlog;               /* set once, NULL = none; slowlog.h */
    struct kw_latency *latency;               /* set once, NULL = none; latency.h */
    _Atomic(struct kw_census *)
        census;                  /* who subscribes to what, proxy/census.h; NULL = nobody yet */
    struct kw_keyspace keyspace; /* as the masters said last */
};

/* Add N (may be negative for gauges) to the worker's figure NAME. */
#define KW_STAT_ADD(stats, name, n)                                                                \
    atomic_store_explicit(                                                                         \
        &(stats)->values[KW_METRIC_##name],                                                        \
        atomic_load_explicit(&(stats)->values[KW_METRIC_##name], memory_order_relaxed) +           \
            (uint64_t)(n),                                                                         \
        memory_order_relaxed)

/* The worker's own figure METRIC. */
static inline uint64_t kw_stat_value(const struct kw_stats *stats, enum kw_metric metric)
{
    return atomic_load_explicit(&stats->values[metric], memory_order_relaxed);
}

/* Make the worker's figure NAME VALUE, which is counted elsewhere. */
#define KW_STAT_SET(stats, name, value)                                                            \
    atomic_store_explicit(&(stats)->values[KW_METRIC_##name], (uint64_t)(value),                   \
                          memory_order_relaxed)

/* The sum of METRIC over all workers. */
uint64_t kw_stats_sum(const struct kw_stats_hub *hub, enum kw_metric metric);

/* Its name, as in metrics.def. Static storage. */
const char *kw_metric_name(enum kw_metric metric);

/* Set all counters (not gauges) back to 0: CONFIG RESETSTAT. Racing increments may be lost. */
void kw_stats_reset(struct kw_stats_hub *hub);

#endif
