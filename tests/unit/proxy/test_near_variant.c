/* test_near_variant.c - what replies become when they are kept: RESP3 as the same node would say it in RESP2. */
#include "proxy/near/variant.h"

#include "base/mem.h"
#include "tests/unit/kw_test.h"

static void assert_converts(const char *reply, const char *expected)
{
    struct kw_bytes bytes = kw_bytes_of_text(reply);
    char *buffer = kw_alloc(kw__variant_converted_max(bytes.len));
    size_t len = kw__variant_convert(bytes, buffer);

    assert_int_equal(len, strlen(expected));
    assert_memory_equal(buffer, expected, len);
    kw_free(buffer);
}

KW_TEST(near_variant_scalars_are_the_same_but_for_nulls_and_doubles)
{
    assert_converts("$5\r\nhello\r\n", "$5\r\nhello\r\n");
    assert_converts("$0\r\n\r\n", "$0\r\n\r\n");
    assert_converts(":-3\r\n", ":-3\r\n");
    assert_converts("+string\r\n", "+string\r\n");
    assert_converts("_\r\n", "$-1\r\n");
    assert_converts(",3.25\r\n", "$4\r\n3.25\r\n");
    assert_converts(",-inf\r\n", "$4\r\n-inf\r\n");
}

KW_TEST(near_variant_maps_and_sets_become_arrays)
{
    assert_converts("%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$2\r\n\r\n\r\n",
                    "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$2\r\n\r\n\r\n");
    assert_converts("~1\r\n$1\r\nm\r\n", "*1\r\n$1\r\nm\r\n");
    assert_converts("%0\r\n", "*0\r\n");
    assert_converts("*2\r\n_\r\n$1\r\nx\r\n", "*2\r\n$-1\r\n$1\r\nx\r\n");
}

KW_TEST(near_variant_pairs_with_scores_become_flat)
{
    assert_converts("*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n",
                    "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n");
}

KW_TEST(near_variant_what_has_no_equal_in_resp2_is_not_converted)
{
    static const char *const replies[] = {"#t\r\n",
                                          "(123\r\n",
                                          "=7\r\ntxt:abc\r\n",
                                          "*1\r\n~1\r\n:1\r\n",
                                          "|1\r\n+a\r\n+b\r\n",
                                          "$9\r\nshort\r\n",
                                          "no type",
                                          "*-1\r\n"};
    char buffer[256];

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        assert_int_equal(kw__variant_convert(kw_bytes_of_text(replies[i]), buffer), 0);
    }
}

KW_TEST(near_variant_commands_and_arrays_are_walked_argument_by_argument)
{
    struct kw_bytes command = KW_BYTES("*3\r\n$4\r\nMGET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    struct kw_bytes argv[2];
    struct kw_bytes whole;

    assert_int_equal(kw__variant_cut(command, argv, 2), 3);
    assert_true(kw_bytes_equal(argv[1], KW_BYTES("k\r\n")));

    struct kw_near_walk walk = kw__walk_begin(KW_BYTES("*3\r\n$-1\r\n_\r\n$1\r\nx\r\n"));
    assert_null(kw__walk_next(&walk, &whole).data);
    assert_true(kw_bytes_equal(whole, KW_BYTES("$-1\r\n")));
    assert_null(kw__walk_next(&walk, &whole).data);
    assert_true(kw_bytes_equal(whole, KW_BYTES("_\r\n")));
    assert_true(kw_bytes_equal(kw__walk_next(&walk, &whole), KW_BYTES("x")));
    assert_int_equal(walk.left_count, 0);
}

KW_TEST(near_variant_what_is_said_of_a_key_that_is_not_there)
{
    assert_true(kw__variant_is_of_none(KW_BYTES("_\r\n")));
    assert_true(kw__variant_is_of_none(KW_BYTES(":0\r\n")));
    assert_true(kw__variant_is_of_none(KW_BYTES("%0\r\n")));
    assert_false(kw__variant_is_of_none(KW_BYTES("$1\r\n0\r\n")));
    assert_false(kw__variant_is_of_none(KW_BYTES(":1\r\n")));
}
