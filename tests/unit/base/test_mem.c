/* test_mem.c - the counter that shows whether a steady state allocates, and refusals. */
#include "base/mem.h"
#include "tests/unit/kw_test.h"

#include <string.h>

KW_TEST(mem_counts_every_allocation_and_no_free)
{
    uint64_t before = kw_mem_allocations_count();

    void *one = kw_alloc(10);
    void *two = kw_alloc_zero(4, 10);
    void *three = kw_try_alloc(10);
    char *four = kw_text_copy("text");
    one = kw_realloc(one, 1000);
    assert_int_equal(kw_mem_allocations_count() - before, 5);
    assert_string_equal(four, "text");
    assert_int_equal(((char *)two)[39], 0);
    kw_free(one);
    kw_free(two);
    kw_free(three);
    kw_free(four);
    kw_free(NULL);

    assert_int_equal(kw_mem_allocations_count() - before, 5);
}

#ifndef KW_NO_JEMALLOC /* sanitizers end the process instead of refusing */
KW_TEST(mem_try_refuses_what_there_is_not_and_keeps_what_there_was)
{
    char *text = kw_text_copy("kept");

    assert_null(kw_try_alloc(SIZE_MAX / 2));
    assert_null(kw_try_realloc(text, SIZE_MAX / 2));
    assert_string_equal(text, "kept");
    text = kw_try_realloc(text, 100);
    assert_string_equal(text, "kept");
    kw_free(text);
}
#endif
