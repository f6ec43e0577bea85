/* test_number.c - numbers as bytes: of every width, with and without a sign, wherever they lie. */
#include "base/number.h"
#include "tests/unit/kw_test.h"

KW_TEST(number_has_its_lowest_byte_first)
{
    static const char bytes[] = "\x01\x02\x83\x04\x05\x06\x07\x88";

    assert_int_equal(kw_number_at(bytes, 0), 0);
    assert_int_equal(kw_number_at(bytes, 1), 1);
    assert_int_equal(kw_number_at(bytes, 2), 0x201);
    assert_int_equal(kw_number_at(bytes + 1, 2), 0x8302);
    assert_int_equal(kw_number_at(bytes, 3), 0x830201);
    assert_int_equal(kw_number_at(bytes, 8), 0x8807060504830201u);
}

KW_TEST(number_has_the_sign_of_its_highest_bit)
{
    static const char bytes[] = "\xff\xff\xff\xff\xff\xff\xff\x7f\x80";

    assert_int_equal(kw_number_signed_at(bytes, 1), -1);
    assert_int_equal(kw_number_signed_at(bytes, 7), -1);
    assert_int_equal(kw_number_signed_at(bytes, 8), INT64_MAX);
    assert_int_equal(kw_number_signed_at(bytes + 7, 2), INT16_MIN + 0x7f);
    assert_int_equal(kw_number_signed_at(bytes + 8, 1), INT8_MIN);
    assert_int_equal(kw_number_signed(0x1000, 13), -4096);
    assert_int_equal(kw_number_signed(0xfff, 13), 4095);
    assert_int_equal(kw_number_signed(UINT64_MAX, 64), -1);
}
