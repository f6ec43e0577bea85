/* test_intset.c - sorted arrays of integers, beside a simple model. */
#include "store/sets/intset.h"
#include "store/tables/table_walk.h"
#include "tests/unit/kw_test.h"

enum { NUMBERS = 400 };

/* Distinct and ascending in INDEX, of every width. */
static int64_t number_of(unsigned index)
{
    int64_t middle = (int64_t)index - NUMBERS / 2;

    if (index < 100) {
        return INT64_MIN + index;
    }
    return index >= 300 ? INT64_MAX - NUMBERS + index : middle * (index % 2 == 0 ? 1000 : 1001);
}

KW_TEST(numbers_are_ascending_and_different_through_random_operations)
{
    bool model[NUMBERS] = {false};
    struct kw_intset intset;
    uint64_t random = 2;

    kw_intset_init(&intset);
    for (unsigned step = 0; step < 20000; step++) {
        /* Narrow ones first, so that it is widened on the way. */
        unsigned below = step < 5000 ? 10 : NUMBERS / 2;
        unsigned index = NUMBERS / 2 - below + (unsigned)kw_table_random(&random, 2 * below);
        assert_int_equal(kw_intset_has(&intset, number_of(index)), model[index]);
        if (kw_table_random(&random, 100) < (step % 4000 < 2000 ? 70u : 30u)) {
            assert_int_equal(kw_intset_add(NULL, &intset, number_of(index)), !model[index]);
            model[index] = true;
        } else {
            assert_int_equal(kw_intset_remove(NULL, &intset, number_of(index)), model[index]);
            model[index] = false;
        }
        unsigned count = 0;
        for (unsigned i = 0; i < NUMBERS && step % 64 == 0; i++) {
            if (model[i]) {
                assert_true(kw_intset_at(&intset, count) == number_of(i));
                count++;
            }
        }
        assert_true(step % 64 != 0 || count == intset.count);
    }
    kw_intset_deinit(NULL, &intset);
    assert_int_equal(kw_intset_bytes(&intset), 0);
}

KW_TEST(numbers_take_as_many_bytes_as_the_widest_needs)
{
    static const int64_t numbers[] = {-32768, 32767, 32768, -2147483648, 2147483648};
    static const unsigned widths[] = {2, 2, 4, 4, 8};
    struct kw_intset intset;

    kw_intset_init(&intset);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(kw_intset_add(NULL, &intset, numbers[i]));
        assert_int_equal(intset.width, widths[i]);
    }
    assert_true(kw_intset_at(&intset, 0) == -2147483648);
    assert_true(kw_intset_at(&intset, 1) == -32768);
    assert_true(kw_intset_at(&intset, 2) == 32767);
    assert_true(kw_intset_at(&intset, 4) == 2147483648);
    kw_intset_deinit(NULL, &intset);
}
