/* test_near_tally.c - how often a plain server has exchanged its databases. */
#include "proxy/origin/tally.h"

#include "tests/unit/kw_test.h"

#include <stdio.h>

/* What INFO commandstats says; -1: the command was never called. */
static bool take(struct kw_tally *tally, int infos_count, int swaps_count)
{
    char text[256];
    int len =
        snprintf(text, sizeof text, "=200\r\ntxt:# Commandstats\r\ncmdstat_get:calls=9,usec=1\r\n");

    if (infos_count >= 0) {
        len += snprintf(text + len, sizeof text - (size_t)len, "cmdstat_info:calls=%d,usec=7\r\n",
                        infos_count);
    }
    if (swaps_count >= 0) {
        len += snprintf(text + len, sizeof text - (size_t)len, "cmdstat_swapdb:calls=%d,usec=7\r\n",
                        swaps_count);
    }
    return kw__tally_take(tally, kw_bytes_of(text, (size_t)len));
}

KW_TEST(near_tally_another_count_says_so_and_the_first_one_does_not)
{
    struct kw_tally tally = {0};

    assert_false(take(&tally, -1, -1));
    assert_false(take(&tally, 1, -1));
    assert_true(take(&tally, 2, 1));
    assert_false(take(&tally, 3, 1));
    assert_true(take(&tally, 9, 12));
    assert_false(take(&tally, 10, 12));
    tally = (struct kw_tally){0}; /* another connection */
    assert_false(take(&tally, 1000, 13));
    assert_false(take(&tally, 1001, 13));
}

KW_TEST(near_tally_counts_that_were_reset_say_so)
{
    struct kw_tally tally = {0};

    assert_false(take(&tally, 100, 1));
    assert_true(take(&tally, 1, 1));
    assert_false(take(&tally, 2, 1));
    assert_true(take(&tally, -1, 1));
}

KW_TEST(near_tally_a_server_that_does_not_count_its_infos_is_not_taken_for_a_reset_one)
{
    struct kw_tally tally = {0};

    for (int i = 0; i < 3; i++) {
        assert_false(take(&tally, -1, 4));
        assert_int_equal(tally.infos_count, 0);
    }
    assert_true(take(&tally, -1, 5));
}

KW_TEST(near_tally_a_server_that_does_not_say_has_not_exchanged_any)
{
    struct kw_tally tally = {0};

    assert_false(kw__tally_take(&tally, KW_BYTES("-NOPERM no\r\n")));
    assert_false(tally.is_known);
    assert_false(take(&tally, 4, -1));
    assert_false(kw__tally_take(&tally, KW_BYTES("-NOPERM no\r\n")));
    assert_false(take(&tally, 5, -1));
    assert_int_equal(tally.due_ms, 120000); /* refused twice */
    /* an answer that is cut is none that was given: it must only not be read beyond its end */
    assert_true(kw__tally_take(&tally, KW_BYTES("$21\r\ncmdstat_swapdb:calls=")));
}
