/* test_stats.c - figures of workers: summed by the reader, counters reset, gauges kept. */
#include "stats/stats.h"
#include "tests/unit/kw_test.h"

#include <pthread.h>
#include <string.h>

static struct kw_stats_hub hub;

static void hub_clear(unsigned workers_count)
{
    memset(&hub, 0, sizeof hub);
    hub.workers_count = workers_count;
}

KW_TEST(stats_sum_adds_up_the_workers_there_are)
{
    hub_clear(3);
    KW_STAT_ADD(&hub.workers[0], requests, 1);
    KW_STAT_ADD(&hub.workers[1], requests, 10);
    KW_STAT_ADD(&hub.workers[2], requests, 100);
    KW_STAT_ADD(&hub.workers[3], requests, 1000); /* there is no such worker */
    KW_STAT_ADD(&hub.workers[0], calls_sent, 5);

    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_requests), 111);
    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_calls_sent), 5);
    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_input_bytes), 0);
}

KW_TEST(stats_gauges_go_down_also_when_another_worker_raised_them)
{
    hub_clear(2);
    KW_STAT_ADD(&hub.workers[0], clients_connected, 3);
    KW_STAT_ADD(&hub.workers[1], clients_connected, -1);

    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_clients_connected), 2);
}

KW_TEST(stats_reset_clears_counters_and_keeps_gauges)
{
    hub_clear(2);
    KW_STAT_ADD(&hub.workers[0], requests, 7);
    KW_STAT_ADD(&hub.workers[1], clients_connected, 7);
    KW_STAT_ADD(&hub.workers[1], requests_inflight, 7);
    kw_stats_reset(&hub);

    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_requests), 0);
    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_clients_connected), 7);
    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_requests_inflight), 7);
}

KW_TEST(stats_names_are_different_words)
{
    for (int i = 0; i < KW_METRIC_COUNT; i++) {
        const char *name = kw_metric_name((enum kw_metric)i);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(name));
        for (int n = 0; n < i; n++) {
            assert_string_not_equal(name, kw_metric_name((enum kw_metric)n));
        }
    }
    assert_string_equal(kw_metric_name(KW_METRIC_requests), "requests");
}

KW_TEST(stats_of_two_workers_share_no_cache_line)
{
    assert_int_equal(sizeof hub.workers[0] % 64, 0);
    assert_int_equal((uintptr_t)&hub.workers[1] % 64, 0);
}

static void *count_to_a_million(void *arg)
{
    for (int i = 0; i < 1000000; i++) {
        KW_STAT_ADD((struct kw_stats *)arg, requests, 1);
    }
    return NULL;
}

KW_TEST(stats_of_workers_are_exact_whoever_reads_meanwhile)
{
    pthread_t threads[2];
    uint64_t last = 0;

    hub_clear(2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_to_a_million, &hub.workers[i]), 0);
    }
    while (last < 1000000) {
        uint64_t sum = kw_stats_sum(&hub, KW_METRIC_requests);
        assert_true(sum >= last);
        last = sum;
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(kw_stats_sum(&hub, KW_METRIC_requests), 2000000);
}
