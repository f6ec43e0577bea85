/* info_commands.c - INFO commandstats, errorstats, latencystats.
 *
 * usec of commandstats is the time from a request's arrival to the end of its reply, the nodes'
 * time included; what a proxy answers itself counts as calls without time. The embedded store
 * times each command that may take long, and of the others the first of a tick: what these took
 * stands for the rest.
 */
#include "proxy/local/info.h"

#include "stats/tally.h"

static void on_code(void *arg, const char *code, uint64_t count);
static void on_code_add(void *arg, const char *code, uint64_t count);
static double percentile(const struct kw_tally_sum *sum, double share);

void kw__info_commandstats(struct kw_info *info)
{
    struct kw_tally_sum sum;

    for (size_t i = 0; i < kw_command_count(); i++) {
        kw_tally_sum(info->proxy->hub, i, &sum);
        if (sum.calls == 0 && sum.failed == 0 && sum.rejected == 0) {
            continue;
        }
        uint64_t timed = info->proxy->embedded != NULL ? sum.timed : sum.calls;
        double per_call = timed > 0 ? (double)sum.usec / (double)timed : 0;
        kw_blob_print(&info->text,
                      "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
                      "failed_calls=%llu\r\n",
                      kw_command_at(i)->name, (unsigned long long)sum.calls,
                      (unsigned long long)((double)sum.calls * per_call), per_call,
                      (unsigned long long)sum.rejected, (unsigned long long)sum.failed);
    }
}

void kw__info_errorstats(struct kw_info *info)
{
    kw_tally_errors(info->proxy->hub, on_code, info);
}

void kw__info_latencystats(struct kw_info *info)
{
    struct kw_tally_sum sum;

    for (size_t i = 0; i < kw_command_count(); i++) {
        kw_tally_sum(info->proxy->hub, i, &sum);
        if (sum.timed > 0) {
            kw_blob_print(&info->text,
                          "latency_percentiles_usec_%s:p50=%.3f,p99=%.3f,p99.9=%.3f\r\n",
                          kw_command_at(i)->name, percentile(&sum, 0.5), percentile(&sum, 0.99),
                          percentile(&sum, 0.999));
        }
    }
}

uint64_t kw__info_errors(const struct kw_info *info)
{
    uint64_t total = 0;

    kw_tally_errors(info->proxy->hub, on_code_add, &total);
    return total;
}

static void on_code(void *arg, const char *code, uint64_t count)
{
    struct kw_info *info = arg;

    kw_blob_print(&info->text, "errorstat_%s:count=%llu\r\n", code, (unsigned long long)count);
}

static void on_code_add(void *arg, const char *code, uint64_t count)
{
    (void)code;
    *(uint64_t *)arg += count;
}

/* As exact as the buckets are: straight between their bounds. */
static double percentile(const struct kw_tally_sum *sum, double share)
{
    double wanted = share * (double)sum->timed;
    double so_far = 0;

    for (unsigned i = 0; i < KW_TALLY_BUCKETS; i++) {
        double here = (double)sum->buckets[i];
        if (here > 0 && so_far + here >= wanted) {
            double low = i == 0 ? 0 : (double)kw_tally_bucket_us(i - 1);
            double high = (double)kw_tally_bucket_us(i);
            return low + (high - low) * (wanted - so_far) / here;
        }
        so_far += here;
    }
    return 0;
}
