/* test_tally.c - figures of commands and kinds of errors, summed over workers. */
#include "stats/tally.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <string.h>

static struct kw_stats_hub hub;
static uint64_t seen_sum;
static unsigned seen_count;

static void hub_open(void)
{
    memset(&hub, 0, sizeof hub);
    hub.workers_count = 2;
    hub.tallies[0] = kw_tally_new(3);
    hub.tallies[1] = kw_tally_new(3);
}

static void hub_close(void)
{
    kw_tally_free(&hub.tallies[0]);
    kw_tally_free(&hub.tallies[1]);
}

static void on_code(void *arg, const char *code, uint64_t count)
{
    (void)arg;
    (void)code;
    seen_count++;
    seen_sum += count;
}

KW_TEST(tally_adds_up_workers_and_puts_times_into_redis_buckets)
{
    struct kw_tally_sum sum;
    hub_open();
    const uint64_t times[] = {0, 1, 2, 33, 34, 1000, UINT32_MAX, 1};
    KW_TALLY_ADD(&kw_tally_row(hub.tallies[0], 1)->calls, 2);
    KW_TALLY_ADD(&kw_tally_row(hub.tallies[1], 1)->calls, 3);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        kw_tally_time(kw_tally_row(hub.tallies[i % 2], 1), times[i]);
    }

    kw_tally_sum(&hub, 1, &sum);
    assert_int_equal(sum.calls, 5);
    assert_int_equal(sum.timed, 8);
    assert_int_equal(sum.buckets[0], 3);
    assert_int_equal(sum.buckets[1], 1);
    assert_int_equal(sum.buckets[6], 2); /* 33 and 34 us are above 32.768 */
    assert_int_equal(sum.buckets[10], 1);
    kw_tally_sum(&hub, 0, &sum);
    assert_int_equal(sum.timed, 0);
    assert_int_equal(kw_tally_bucket_us(0), 1);
    assert_int_equal(kw_tally_bucket_us(5), 33);
    assert_int_equal(kw_tally_bucket_us(10), 1056);
    kw_tally_reset(&hub);
    kw_tally_sum(&hub, 1, &sum);
    assert_int_equal(sum.calls + sum.timed + sum.usec, 0);
    hub_close();
}

KW_TEST(tally_counts_kinds_of_errors_and_is_bounded)
{
    hub_open();
    seen_sum = 0;
    seen_count = 0;
    char code[16];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(code, sizeof code, "E%d", i);
        kw_tally_error(hub.tallies[0], kw_bytes_of_text(code));
    }
    kw_tally_error(hub.tallies[1], KW_BYTES("E1"));
    kw_tally_error(hub.tallies[1], KW_BYTES("AVERYLONGCODETHATISCUTSOMEWHERE"));
    kw_tally_error(hub.tallies[1], KW_BYTES("AVERYLONGCODETHATISCUTSOMEWHERE"));

    kw_tally_errors(&hub, on_code, NULL);
    assert_int_equal(seen_count, KW_TALLY_ERRORS_MAX);
    assert_int_equal(seen_sum, 101); /* what has no place is left out */
    hub_close();
}
