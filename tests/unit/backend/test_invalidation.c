/* test_invalidation.c - what nodes tell of keys that have changed. */
#include "backend/invalidation.h"

#include "tests/unit/kw_test.h"

#define HEAD ">2\r\n$10\r\ninvalidate\r\n"

/* How many names TEXT has, all of them "k" or empty; *IS_BROKEN: it can't be read to its end. */
static unsigned names_count(const char *text, bool *is_broken)
{
    struct kw_invalidation told;
    struct kw_bytes name;
    unsigned count = 0;

    assert_true(kw_invalidation_begin(&told, kw_bytes_of_text(text)));
    assert_false(told.is_of_all);
    while (kw_invalidation_next(&told, &name)) {
        assert_true(name.len == 0 || kw_bytes_equal(name, KW_BYTES("k")));
        count++;
    }
    *is_broken = told.is_broken;
    return count;
}

KW_TEST(invalidation_names_come_one_after_the_other)
{
    bool is_broken = false;

    assert_int_equal(names_count(HEAD "*0\r\n", &is_broken), 0);
    assert_false(is_broken);
    assert_int_equal(names_count(HEAD "*3\r\n$1\r\nk\r\n$0\r\n\r\n$1\r\nk\r\n", &is_broken), 3);
    assert_false(is_broken);
}

KW_TEST(invalidation_of_all_has_no_names)
{
    struct kw_invalidation told;
    struct kw_bytes name;

    assert_true(kw_invalidation_begin(&told, KW_BYTES(HEAD "_\r\n")));
    assert_true(told.is_of_all);
    assert_false(kw_invalidation_next(&told, &name));
    assert_false(told.is_broken);
}

KW_TEST(invalidation_what_can_not_be_read_says_so)
{
    static const struct {
        const char *text;
        unsigned names_count; /* before that */
    } rows[] = {
        {HEAD "$1\r\nk\r\n", 0},
        {HEAD "*-1\r\n", 0},
        {HEAD "*x\r\n", 0},
        {HEAD "*2\r\n$1\r\nk\r\n", 1},
        {HEAD "*2\r\n$1\r\nk\r\n:1\r\n", 1},
        {HEAD "*1\r\n$-1\r\n", 0},
        {HEAD "*1\r\n$9\r\nk\r\n", 0},
    };
    bool is_broken = false;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(names_count(rows[i].text, &is_broken), rows[i].names_count);
        assert_true(is_broken);
    }
}

KW_TEST(invalidation_other_pushes_are_none)
{
    struct kw_invalidation told;

    assert_false(kw_invalidation_begin(&told, KW_BYTES(">2\r\n$4\r\npong\r\n$0\r\n\r\n")));
    assert_false(kw_invalidation_begin(&told, KW_BYTES("")));
}
