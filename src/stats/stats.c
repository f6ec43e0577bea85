/* stats.c - sums over the workers. */
#include "stats/stats.h"

#include <stdbool.h>

enum { COUNTER = 0, GAUGE = 1 };

static const struct metric_row {
    const char *name;
    int kind;
} metric_rows[KW_METRIC_COUNT] = {
#define KW_METRIC(name, kind, unit, help) {#name, kind},
#include "stats/metrics.def"
#undef KW_METRIC
};

uint64_t kw_stats_sum(const struct kw_stats_hub *hub, enum kw_metric metric)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < hub->workers_count; i++) {
        sum += atomic_load_explicit(&hub->workers[i].values[metric], memory_order_relaxed);
    }
    return sum;
}

const char *kw_metric_name(enum kw_metric metric)
{
    return metric_rows[metric].name;
}

void kw_stats_reset(struct kw_stats_hub *hub)
{
    for (unsigned i = 0; i < hub->workers_count; i++) {
        for (int metric = 0; metric < KW_METRIC_COUNT; metric++) {
            if (metric_rows[metric].kind == COUNTER) {
                atomic_store_explicit(&hub->workers[i].values[metric], 0, memory_order_relaxed);
            }
        }
    }
}
