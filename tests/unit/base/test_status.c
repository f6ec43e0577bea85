/* test_status.c - every status has a word and a meaning of its own. */
#include "base/status.h"
#include "tests/unit/kw_test.h"

#include <string.h>

KW_TEST(status_has_a_word_and_a_meaning_for_each)
{
    assert_int_equal(KW_OK, 0);
    assert_true(KW_STATUS_COUNT <= 20);
    for (int i = 0; i < KW_STATUS_COUNT; i++) {
        assert_true(strlen(kw_status_name((enum kw_status)i)) > 0);
        assert_true(strlen(kw_status_meaning((enum kw_status)i)) > 0);
        for (int n = 0; n < i; n++) {
            assert_string_not_equal(kw_status_name((enum kw_status)i),
                                    kw_status_name((enum kw_status)n));
        }
    }
}

KW_TEST(status_that_is_none_is_unknown)
{
    assert_string_equal(kw_status_name((enum kw_status)KW_STATUS_COUNT), "unknown");
    assert_string_equal(kw_status_name((enum kw_status) - 1), "unknown");
    assert_string_equal(kw_status_meaning((enum kw_status)999), "unknown status");
}
