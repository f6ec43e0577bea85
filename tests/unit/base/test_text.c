/* test_text.c - numbers, sizes and globs: strict, bounded, the same as redis reads them. */
#include "base/clock.h"
#include "base/text.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

KW_TEST(text_ints_are_read_strictly)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"1", 1},
        {"-1", -1},
        {"42", 42},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775806", INT64_MAX - 1},
        {"1000000000000000000", 1000000000000000000},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        "01",
        "-0",
        "00",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "a",
        "--1",
        "1-",
        "9223372036854775808",
        "-9223372036854775809",
        "9999999999999999999",
        "18446744073709551616",
        "18446744073709551617",
        "100000000000000000000000000",
        "\xd9\xa1",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t value = 77;
        assert_int_equal(kw_text_to_int(kw_bytes_of_text(good[i].text), &value), KW_OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t value = 77;
        if (kw_text_to_int(kw_bytes_of_text(bad[i]), &value) != KW_E_INVALID) {
            fail_msg("accepted: '%s'", bad[i]);
        }
        assert_int_equal(value, 77);
    }
    int64_t value = 0;
    assert_int_equal(kw_text_to_int(kw_bytes_of("1\0", 2), &value), KW_E_INVALID);
}

KW_TEST(text_ints_are_written_as_they_are_read)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, INT64_MIN + 1};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char out[KW_TEXT_INT_MAX];
        char wanted[32];
        int64_t again = 0;
        size_t len = kw_text_from_int(values[i], out);
        (void)snprintf(wanted, sizeof wanted, "%lld", (long long)values[i]);
        assert_true(kw_bytes_equal(kw_bytes_of(out, len), kw_bytes_of_text(wanted)));
        assert_int_equal(kw_text_to_int(kw_bytes_of(out, len), &again), KW_OK);
        assert_true(again == values[i]);
    }
}

KW_TEST(text_sizes_have_the_units_of_redis_conf)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"1", 1},
        {"1b", 1},
        {"1k", 1000},
        {"1kb", 1024},
        {"1K", 1000},
        {"1Kb", 1024},
        {"2m", 2000000},
        {"2MB", 2097152},
        {"3g", 3000000000},
        {"3gb", 3221225472},
        {"0gb", 0},
        {"9223372036854775807", INT64_MAX},
        {"17179869183gb", 18446744072635809792u},
    };
    static const char *const bad[] = {
        "",
        "k",
        "b",
        "-1",
        "-1k",
        "1kk",
        "1tb",
        "1 k",
        " 1",
        "1.5g",
        "01",
        "1bk",
        "k1",
        "17179869184gb",
        "99999999999999999999",
        "9223372036854775807kb",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t bytes = 77;
        if (kw_text_to_size(kw_bytes_of_text(good[i].text), &bytes) != KW_OK) {
            fail_msg("refused: '%s'", good[i].text);
        }
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t bytes = 77;
        if (kw_text_to_size(kw_bytes_of_text(bad[i]), &bytes) != KW_E_INVALID) {
            fail_msg("accepted: '%s'", bad[i]);
        }
        assert_int_equal(bytes, 77);
    }
    uint64_t bytes = 0;
    assert_int_equal(kw_text_to_size(kw_bytes_of("1\0kb", 4), &bytes), KW_E_INVALID);
}

KW_TEST(text_globs_match_as_in_redis)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool is_match;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"**", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"a", "a", true},
        {"a", "A", false},
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"h*llo", "heeello", true},
        {"h*llo", "hell", false},
        {"*llo*", "hello world", true},
        {"a*b*c", "aXbXbXc", true},
        {"a*b*c", "aXcXb", false},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-c]llo", "hbllo", true},
        {"h[a-c]llo", "hdllo", false},
        {"h[c-a]llo", "hbllo", true},
        {"[\\]]", "]", true},
        {"[\\-x]", "-", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\?x", "?x", true},
        {"a\\", "a\\", true},
        {"[", "[", false},
        {"[a", "a", true},
        {"[^", "a", true},
        {"[]", "a", false},
        {"*[", "x", false},
        {"a[b", "ab", true},
        {"[\\a-z]", "m", false},
        {"[\\a-z]", "-", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_match =
            kw_text_glob(kw_bytes_of_text(rows[i].pattern), kw_bytes_of_text(rows[i].text), false);
        if (is_match != rows[i].is_match) {
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].text);
        }
    }
    assert_true(kw_text_glob(KW_BYTES("TIMEOUT"), KW_BYTES("timeout"), true));
    assert_true(kw_text_glob(KW_BYTES("t[A-Z]me*"), KW_BYTES("TImeout"), true));
    assert_false(kw_text_glob(KW_BYTES("t[A-Z]me*"), KW_BYTES("timeout"), false));
    assert_true(kw_text_glob(KW_BYTES("a\0*"), kw_bytes_of("a\0b", 3), false));
}

KW_TEST(text_hostile_globs_take_bounded_time)
{
    static char pattern[200];
    static char text[20000];

    for (size_t i = 0; i + 1 < sizeof pattern; i += 2) {
        pattern[i] = 'a';
        pattern[i + 1] = '*';
    }
    pattern[sizeof pattern - 1] = 'b';
    memset(text, 'a', sizeof text);
    uint64_t before_us = kw_clock_us();
    bool is_match =
        kw_text_glob(kw_bytes_of(pattern, sizeof pattern), kw_bytes_of(text, sizeof text), false);
    uint64_t after_us = kw_clock_us();

    assert_false(is_match);
    assert_true(after_us - before_us <
                5000000); /* a recursive one takes longer than the universe */
}

KW_TEST(text_ranges_are_cut_as_getrange_cuts_them)
{
    static const struct {
        int64_t first;
        int64_t last;
        const char *cut;
    } cases[] = {
        {0, -1, "hello"},
        {0, 0, "h"},
        {1, 2, "el"},
        {-3, -2, "ll"},
        {-99, 1, "he"},
        {3, 99, "lo"},
        {-99, 99, "hello"},
        {-99, -98, "h"},
        {-98, -99, ""},
        {2, 1, ""},
        {5, 9, ""},
        {-1, -2, ""},
        {0, -5, "h"},
        {0, -6, "h"},
        {1, -6, ""},
        {INT64_MIN, INT64_MAX, "hello"},
        {INT64_MAX, INT64_MIN, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kw_bytes cut = kw_text_range(KW_BYTES("hello"), cases[i].first, cases[i].last);
        assert_int_equal(cut.len, strlen(cases[i].cut));
        assert_memory_equal(cut.data, cases[i].cut, cut.len);
        assert_int_equal(kw_text_range(KW_BYTES(""), cases[i].first, cases[i].last).len, 0);
    }
}

KW_TEST(text_printable_escapes_what_could_forge_a_line_and_fits)
{
    char out[8];

    assert_int_equal(kw_text_printable(KW_BYTES("a\r\nb'\"\\"), out, sizeof out), 7);
    assert_string_equal(out, "a??b???");
    assert_int_equal(kw_text_printable(KW_BYTES("123456789"), out, sizeof out), 7);
    assert_string_equal(out, "1234567");
    assert_int_equal(kw_text_printable(kw_bytes_of("\0\x7f\xff", 3), out, sizeof out), 3);
    assert_string_equal(out, "???");
    assert_int_equal(kw_text_printable(KW_BYTES("x"), out, 1), 0);
    assert_string_equal(out, "");
}

KW_TEST(text_words_stand_between_blanks)
{
    struct kw_bytes text = KW_BYTES("  a  bc d ");
    struct kw_bytes word;

    assert_true(kw_text_next_word(&text, &word));
    assert_true(kw_bytes_equal(word, KW_BYTES("a")));
    assert_true(kw_text_next_word(&text, &word));
    assert_true(kw_bytes_equal(word, KW_BYTES("bc")));
    assert_true(kw_text_next_word(&text, &word));
    assert_true(kw_bytes_equal(word, KW_BYTES("d")));
    for (int i = 0; i < 2; i++) {
        assert_false(kw_text_next_word(&text, &word));
        assert_int_equal(word.len, 0);
    }
    text = KW_BYTES("");
    assert_false(kw_text_next_word(&text, &word));
}

KW_TEST(same_bytes_are_told_from_others_at_every_length_and_place)
{
    char a[48];
    char b[48];

    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    for (size_t len = 0; len < sizeof a; len++) {
        assert_true(kw_same_bytes(a, b, len));
        for (size_t at = 0; at < sizeof a; at++) {
            b[at] ^= 1;
            assert_int_equal(kw_same_bytes(a, b, len), at >= len);
            b[at] ^= 1;
        }
    }
}
