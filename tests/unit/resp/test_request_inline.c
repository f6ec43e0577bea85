/* test_request_inline.c - commands typed as a line: words, quotes, and the multibulk made of them. */
#include "tests/unit/resp/cutting.h"

static struct cut cut;

/* LINE (LEN bytes, with its end) must give WANTED, in whatever pieces it arrives. */
static void assert_words(const char *line, size_t len, const char *wanted)
{
    cut_whole(&cut, line, len);
    if (strcmp(cut.text, wanted) != 0) {
        print_error("of: %s", line);
    }
    assert_string_equal(cut.text, wanted);
    assert_same_when_split(&cut, line, len);
    cut_end(&cut);
}

KW_TEST(inline_words_are_split_and_unquoted_as_redis_does)
{
    static const struct {
        const char *line;
        const char *wanted;
    } rows[] = {
        {"PING\r\n", "<4:PING>"},
        {"PING\n", "<4:PING>"},
        {"  GET   k  \r\n", "<3:GET,1:k>"},
        {"\tGET\tk\t\n", "<3:GET,1:k>"},
        {"SET k \"a b\"\r\n", "<3:SET,1:k,3:a b>"},
        {"SET k 'a b'\r\n", "<3:SET,1:k,3:a b>"},
        {"SET k \"\"\r\n", "<3:SET,1:k,0:>"},
        {"SET k ''\r\n", "<3:SET,1:k,0:>"},
        {"SET k \"\\x41\\x7a\\xFf\"\r\n", "<3:SET,1:k,3:Az\xff>"},
        {"SET k \"\\xg1\\x4\"\r\n", "<3:SET,1:k,5:xg1x4>"},
        {"SET k \"\\n\\r\\t\\b\\a\"\r\n", "<3:SET,1:k,5:\n\r\t\b\a>"},
        {"SET k \"\\\"\\\\\\q\"\r\n", "<3:SET,1:k,3:\"\\q>"},
        {"SET k 'it\\'s'\r\n", "<3:SET,1:k,4:it's>"},
        {"SET k 'a\\nb'\r\n", "<3:SET,1:k,4:a\\nb>"},
        {"SET k '\"'\r\n", "<3:SET,1:k,1:\">"},
        {"SET k \"'\"\r\n", "<3:SET,1:k,1:'>"},
        {"SET k a\"b c\"\r\n", "<3:SET,1:k,4:ab c>"},
        {"SET k a\\nb\r\n", "<3:SET,1:k,4:a\\nb>"},
        {"SET k $5\r\n", "<3:SET,1:k,2:$5>"},
        {"\xff\xfe\r\n", "<2:\xff\xfe>"},
        {"GET a\rb\r\n", "<3:GET,1:a,1:b>"},
        {"GET k\r\r\n", "<3:GET,1:k>"},
        {"$4\r\n", "<2:$4>"},
        {"+OK\r\n", "<3:+OK>"},
        {"A\nB\r\n\nC\n", "<1:A><1:B><><1:C>"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_words(rows[i].line, strlen(rows[i].line), rows[i].wanted);
    }
}

KW_TEST(inline_quotes_must_balance_and_end_their_word)
{
    static const char *const lines[] = {
        "SET k \"abc\r\n",
        "SET k 'abc\r\n",
        "SET k \"a\"b\r\n",
        "SET k 'a'b\r\n",
        "SET k \"a\"\"b\"\r\n",
        "\"\r\n",
        "'\r\n",
        "SET k \"abc\\\"\r\n",
        "SET k 'abc\\'\r\n",
        "SET k \"abc\\\r\n",
        "a \"b\" 'c\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t len = strlen(lines[i]);
        cut_whole(&cut, lines[i], len);
        assert_true(cut.is_broken);
        assert_int_equal(cut.out.error, KW_ERROR_UNBALANCED_QUOTES);
        assert_same_when_split(&cut, lines[i], len);
        cut_end(&cut);
    }
}

KW_TEST(inline_a_nul_ends_the_line_as_in_redis)
{
    assert_words("GET k\0 x\r\n", 10, "<3:GET,1:k>");
    assert_words("\0\r\n", 3, "<>");
}

KW_TEST(inline_an_escaped_line_end_cannot_forge_a_command)
{
    static const char line[] = "ECHO \"a\\r\\n*1\\r\\n$8\\r\\nFLUSHALL\\r\\n\"\r\n";

    /* The bytes inside become an argument with a length: the wire form is one command. */
    assert_words(line, sizeof line - 1, "<4:ECHO,21:a\r\n*1\r\n$8\r\nFLUSHALL\r\n>");
}

KW_TEST(inline_is_sent_on_as_multibulk)
{
    cut_whole(&cut, "SET k \"a b\"\r\n", 13);

    assert_true(
        kw_bytes_equal(cut.out.wire, KW_BYTES("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na b\r\n")));
    assert_int_equal(cut.out.consumed, 13);
    cut_end(&cut);
}

KW_TEST(inline_a_line_may_be_64_kib_long_and_no_longer)
{
    static char line[KW_INLINE_MAX_BYTES + 8];

    memset(line, 'x', sizeof line);
    memcpy(line + KW_INLINE_MAX_BYTES, "\r\n", 2);
    cut_begin(&cut);
    enum kw_status fits = kw_request_parse(
        &cut.parser, &cut.limits, kw_bytes_of(line, KW_INLINE_MAX_BYTES + 2), &cut.argv, &cut.out);
    size_t len = cut.argv.count == 1 ? cut.argv.items[0].len : 0;
    memcpy(line + KW_INLINE_MAX_BYTES, "x\r\n", 3);
    enum kw_status is_over = kw_request_parse(
        &cut.parser, &cut.limits, kw_bytes_of(line, KW_INLINE_MAX_BYTES + 3), &cut.argv, &cut.out);

    assert_int_equal(fits, KW_OK);
    assert_int_equal(len, KW_INLINE_MAX_BYTES);
    assert_int_equal(is_over, KW_E_PROTOCOL);
    assert_int_equal(cut.out.error, KW_ERROR_INLINE_TOO_BIG);
    cut_end(&cut);
}

KW_TEST(inline_a_line_without_an_end_is_refused_once_it_is_too_long)
{
    static char line[KW_INLINE_MAX_BYTES + 8];

    memset(line, 'x', sizeof line);
    cut_begin(&cut);

    assert_int_equal(cut_more(&cut, line, KW_INLINE_MAX_BYTES), KW_AGAIN);
    assert_int_equal(cut.parser.offset, KW_INLINE_MAX_BYTES); /* not looked at again */
    assert_int_equal(cut_more(&cut, line, KW_INLINE_MAX_BYTES + 2), KW_E_PROTOCOL);
    assert_int_equal(cut.out.error, KW_ERROR_INLINE_TOO_BIG);
    cut_end(&cut);
}

KW_TEST(inline_the_longest_line_is_accepted_also_when_its_end_comes_late)
{
    static char line[KW_INLINE_MAX_BYTES + 2];

    memset(line, 'x', KW_INLINE_MAX_BYTES);
    memcpy(line + KW_INLINE_MAX_BYTES, "\r\n", 2);
    for (size_t split = KW_INLINE_MAX_BYTES - 1; split < sizeof line; split++) {
        struct kw_request_bytes out;
        cut_begin(&cut);
        assert_int_equal(
            kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(line, split), &cut.argv, &out),
            KW_AGAIN);
        assert_int_equal(kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(line, sizeof line),
                                          &cut.argv, &out),
                         KW_OK);
        cut_end(&cut);
    }
}

KW_TEST(inline_a_line_of_single_letters_fits_its_buffer)
{
    static char line[KW_INLINE_MAX_BYTES + 1];

    for (size_t i = 0; i < sizeof line; i++) {
        line[i] = i % 2 == 0 ? 'w' : ' ';
    }
    line[sizeof line - 1] = '\n';
    cut_begin(&cut);
    struct kw_request_bytes out;
    assert_int_equal(
        kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(line, sizeof line), &cut.argv, &out),
        KW_OK);
    assert_int_equal(cut.argv.count, KW_INLINE_MAX_BYTES / 2);
    cut.out = out;
    cut.limits.args_max = KW_ARGS_MAX;
    cut_check_wire(&cut);
    cut_end(&cut);
}
