/* test_slowlog.c - what SLOWLOG keeps, and events of LATENCY. */
#include "stats/latency.h"
#include "stats/slowlog.h"
#include "tests/unit/kw_test.h"

#include <string.h>

static size_t announced;
static const char *expected_last;

static void on_count(void *arg, size_t count)
{
    (void)arg;
    announced = count;
}

static void on_entry(void *arg, const struct kw_slowlog_entry *entry)
{
    *(size_t *)arg += 1;
    const char *last = entry->arguments[entry->arguments_count - 1];
    size_t len = entry->lens[entry->arguments_count - 1];
    assert_int_equal(len, strlen(expected_last));
    assert_memory_equal(last, expected_last, len);
}

KW_TEST(slowlog_cuts_long_requests_and_forgets_the_oldest)
{
    struct kw_slowlog *slowlog = kw_slowlog_new();
    struct kw_bytes arguments[40];
    size_t seen = 0;
    for (size_t i = 0; i < 40; i++) {
        arguments[i] = KW_BYTES("x");
    }

    for (int i = 0; i < 5; i++) {
        kw_slowlog_add(slowlog, &(struct kw_slowlog_request){7, arguments, 40, "a:1", ""}, 3);
    }

    expected_last = "... (9 more arguments)";
    kw_slowlog_each(slowlog, 2, on_count, on_entry, &seen);
    assert_int_equal(announced, 2);
    assert_int_equal(seen, 2);
    assert_int_equal(kw_slowlog_len(slowlog), 3);
    kw_slowlog_reset(slowlog);
    assert_int_equal(kw_slowlog_len(slowlog), 0);
    kw_slowlog_add(slowlog, &(struct kw_slowlog_request){7, arguments, 1, "a:1", "me"}, 0);
    assert_int_equal(kw_slowlog_len(slowlog), 0);
    kw_slowlog_free(&slowlog);
}

KW_TEST(latency_keeps_the_longest_of_a_second)
{
    struct kw_latency *latency = kw_latency_new();
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];

    kw_latency_add(latency, "one", 5);
    kw_latency_add(latency, "one", 9);
    kw_latency_add(latency, "one", 7);
    kw_latency_add(latency, "two", 1);

    assert_int_equal(kw_latency_events(latency, events), 2);
    assert_int_equal(events[0].max_ms, 9);
    assert_in_range(events[0].samples_count, 1, 2); /* a second may have passed */
    assert_int_equal(kw_latency_reset(latency, KW_BYTES("ONE")), 1);
    assert_int_equal(kw_latency_reset(latency, KW_BYTES("")), 1);
    assert_int_equal(kw_latency_events(latency, events), 0);
    kw_latency_free(&latency);
}
