/* test_file.c - the grammar of redis.conf: lines, words and quotes. */
#include "config/file.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <stdlib.h>

/* LINE must split into COUNT words, shown as "one|two|three". */
static void assert_words(const char *line, const char *wanted)
{
    struct kw_file_words words = {0};
    const char *reason = NULL;
    char joined[256] = "";

    enum kw_status status = kw_file_words_split(kw_bytes_of_text(line), &words, &reason);
    assert_int_equal(status, KW_OK);
    assert_null(reason);
    for (size_t i = 0; i < words.count; i++) {
        size_t len = strlen(joined);
        (void)snprintf(joined + len, sizeof joined - len, "%s%s", i > 0 ? "|" : "", words.words[i]);
    }
    assert_string_equal(joined, wanted);
    kw_file_words_deinit(&words);
    assert_int_equal(words.count, 0);
}

static void assert_no_words(struct kw_bytes line, const char *wanted)
{
    struct kw_file_words words = {0};
    const char *reason = NULL;

    enum kw_status status = kw_file_words_split(line, &words, &reason);
    assert_int_equal(status, KW_E_INVALID);
    assert_string_equal(reason, wanted);
    assert_int_equal(words.count, 0);
    assert_null(words.words);
}

KW_TEST(words_are_separated_by_blanks_of_every_kind)
{
    assert_words("", "");
    assert_words("  \t ", "");
    assert_words("port 6379", "port|6379");
    assert_words("\tbind  a\t\vb\fc ", "bind|a|b|c");
}

KW_TEST(double_quotes_know_the_escapes_of_c)
{
    assert_words("save \"\"", "save|");
    assert_words("a \"b c\" d", "a|b c|d");
    assert_words("\"\\x41\\x7a\\x4B\"", "AzK");
    assert_words("\"\\n\\r\\t\\b\\a\"", "\n\r\t\b\a");
    assert_words("\"\\\"\\\\\\q\"", "\"\\q");
    assert_words("\"\\x4\" \"\\xzz\"", "x4|xzz");
    assert_words("\"it's\"", "it's");
}

KW_TEST(single_quotes_escape_only_themselves)
{
    assert_words("'a b'", "a b");
    assert_words("'it\\'s'", "it's");
    assert_words("'\\n\\x41\"'", "\\n\\x41\"");
}

KW_TEST(quotes_may_open_within_a_word)
{
    assert_words("a\"b c\" d", "ab c|d");
    assert_words("a'b c'", "ab c");
}

KW_TEST(unbalanced_quotes_are_refused)
{
    assert_no_words(KW_BYTES("port \"6379"), "quotes are not balanced");
    assert_no_words(KW_BYTES("port '6379"), "quotes are not balanced");
    assert_no_words(KW_BYTES("port \"6379\\\""), "quotes are not balanced");
    assert_no_words(KW_BYTES("port \"6379\\"), "quotes are not balanced");
    assert_no_words(KW_BYTES("port '6379\\'"), "quotes are not balanced");
    assert_no_words(KW_BYTES("\""), "quotes are not balanced");
    assert_no_words(KW_BYTES("\"a\"b"), "a closing quote must be followed by a blank");
    assert_no_words(KW_BYTES("'a'b"), "a closing quote must be followed by a blank");
    assert_no_words(KW_BYTES("'a'\"b\""), "a closing quote must be followed by a blank");
}

KW_TEST(a_nul_byte_is_refused_however_it_is_written)
{
    assert_no_words(KW_BYTES("port 63\00079"), "a value can't hold a NUL byte");
    assert_no_words(KW_BYTES("port \"63\\x0079\""), "a value can't hold a NUL byte");
}

KW_TEST(words_on_a_line_are_at_most_1024)
{
    char line[2 * (KW_FILE_WORDS_MAX + 1)];
    struct kw_file_words words = {0};
    const char *reason = NULL;

    for (size_t i = 0; i < sizeof line; i++) {
        line[i] = i % 2 == 0 ? 'w' : ' ';
    }
    enum kw_status status =
        kw_file_words_split(kw_bytes_of(line, 2 * KW_FILE_WORDS_MAX), &words, &reason);
    assert_int_equal(status, KW_OK);
    assert_int_equal(words.count, KW_FILE_WORDS_MAX);
    kw_file_words_deinit(&words);

    assert_no_words(kw_bytes_of(line, sizeof line), "more than 1024 words on a line");
}

KW_TEST(a_line_cut_at_any_byte_is_split_or_refused)
{
    static const char line[] = "a \"b\\x41\\n c\" 'd\\'e' f\"g h\" 'i'";
    struct kw_file_words words = {0};

    for (size_t len = 0; len < sizeof line; len++) {
        const char *reason = NULL;
        char *exact = malloc(len + 1); /* so that a sanitizer sees a read behind it */
        assert_non_null(exact);
        memcpy(exact, line, len);
        enum kw_status status = kw_file_words_split(kw_bytes_of(exact, len), &words, &reason);
        assert_true((status == KW_OK) == (reason == NULL));
        kw_file_words_deinit(&words);
        free(exact);
    }
}

KW_TEST(lines_skip_comments_and_blank_ones_but_count_them)
{
    struct kw_file_cursor cursor;
    struct kw_bytes line;

    kw_file_cursor_init(&cursor, KW_BYTES("\xef\xbb\xbf# one\n\n  port 1 \r\n\t# four\n\rbind a"));

    assert_true(kw_file_cursor_next(&cursor, &line));
    assert_int_equal(cursor.line_number, 3);
    assert_true(kw_bytes_equal(line, KW_BYTES("port 1")));
    assert_true(kw_file_cursor_next(&cursor, &line));
    assert_int_equal(cursor.line_number, 5);
    assert_true(kw_bytes_equal(line, KW_BYTES("bind a")));
    assert_false(kw_file_cursor_next(&cursor, &line));
    assert_false(kw_file_cursor_next(&cursor, &line));
}

KW_TEST(an_empty_text_has_no_lines)
{
    struct kw_file_cursor cursor;
    struct kw_bytes line;

    kw_file_cursor_init(&cursor, kw_bytes_of(NULL, 0));

    assert_false(kw_file_cursor_next(&cursor, &line));
}
