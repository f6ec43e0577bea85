/* test_errors.c - error replies: one line each, whatever is put into them. */
#include "base/buf.h"
#include "base/limits.h"
#include "resp/errors.h"
#include "tests/unit/kw_test.h"

#include <string.h>

struct line {
    size_t len;
    char text[KW_ERROR_MAX_BYTES + 16];
};

static struct line line_of(enum kw_error error, const char *first, const char *second)
{
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    struct line line = {0};
    struct iovec piece;

    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kw_reply_error_text(&buf, error, first, second);
    assert_int_equal(kw_buf_iov(&buf, &piece, 1), 1);
    assert_int_equal(piece.iov_len, buf.len);
    assert_true(buf.len < sizeof line.text);
    line.len = buf.len;
    memcpy(line.text, piece.iov_base, buf.len);
    kw_buf_reset(&buf);
    kw_chunk_pool_deinit(&pool);
    return line;
}

/* "-", no control byte, CR LF, and nothing else. */
static void assert_one_line(const struct line *line)
{
    assert_in_range(line->len, 4, KW_ERROR_MAX_BYTES + 3);
    assert_int_equal(line->text[0], '-');
    assert_memory_equal(line->text + line->len - 2, "\r\n", 2);
    for (size_t i = 0; i + 2 < line->len; i++) {
        assert_true((unsigned char)line->text[i] >= ' ');
    }
}

KW_TEST(errors_every_row_is_one_line_that_starts_with_a_code)
{
    for (int i = 0; i < KW_ERROR_COUNT; i++) {
        const char *text = kw_error_text((enum kw_error)i);
        size_t code = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        struct line line = line_of((enum kw_error)i, "one", "two");
        assert_one_line(&line);
        assert_true(code >= 2 && text[code] == ' ');
        assert_true(strlen(text) < KW_ERROR_MAX_BYTES);
        assert_null(strchr(text, '\r'));
        assert_null(strchr(text, '\n'));
    }
}

KW_TEST(errors_no_text_of_a_client_makes_a_second_line)
{
    static const char *const texts[] = {
        "foo\r\n+X", "\r\n\r\n", "\n:1\r", "a\rb\nc", "\x01\x1f\t", "%s%s%n%d", "%", "",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (int error = 0; error < KW_ERROR_COUNT; error++) {
            struct line line = line_of((enum kw_error)error, texts[i], texts[i]);
            assert_one_line(&line);
        }
    }
    struct line line = line_of(KW_ERROR_UNKNOWN_COMMAND, "foo\r\n+X", "'a\nb' ");
    assert_memory_equal(line.text,
                        "-ERR unknown command 'foo  +X', with args beginning with: 'a b' \r\n",
                        line.len);
}

KW_TEST(errors_texts_take_the_place_of_percent_s_and_are_no_format)
{
    struct line line = line_of(KW_ERROR_UNKNOWN_SUBCOMMAND, "%s", "CLIENT");

    assert_memory_equal(line.text, "-ERR unknown subcommand '%s'. Try CLIENT HELP.\r\n", line.len);
    line = line_of(KW_ERROR_ARITY, "get", NULL);
    assert_memory_equal(line.text, "-ERR wrong number of arguments for 'get' command\r\n",
                        line.len);
    line = line_of(KW_ERROR_ARITY, NULL, NULL);
    assert_memory_equal(line.text, "-ERR wrong number of arguments for '' command\r\n", line.len);
}

KW_TEST(errors_a_line_is_cut_at_its_limit_and_still_ends)
{
    static char text[100000];

    memset(text, 'x', sizeof text - 1);
    struct line line = line_of(KW_ERROR_UNKNOWN_COMMAND, text, text);

    assert_one_line(&line);
    assert_int_equal(line.len, 1 + KW_ERROR_MAX_BYTES + 2);
}

KW_TEST(errors_texts_that_redis_has_too_are_byte_for_byte_its_own)
{
    static const struct {
        enum kw_error error;
        const char *text;
    } rows[] = {
        {KW_ERROR_CROSSSLOT, "CROSSSLOT Keys in request don't hash to the same slot"},
        {KW_ERROR_MBULK_LENGTH, "ERR Protocol error: invalid multibulk length"},
        {KW_ERROR_BULK_LENGTH, "ERR Protocol error: invalid bulk length"},
        {KW_ERROR_INLINE_TOO_BIG, "ERR Protocol error: too big inline request"},
        {KW_ERROR_UNBALANCED_QUOTES, "ERR Protocol error: unbalanced quotes in request"},
        {KW_ERROR_MBULK_COUNT_TOO_LONG, "ERR Protocol error: too big mbulk count string"},
        {KW_ERROR_BULK_COUNT_TOO_LONG, "ERR Protocol error: too big bulk count string"},
        {KW_ERROR_SYNTAX, "ERR syntax error"},
        {KW_ERROR_NOPROTO, "NOPROTO unsupported protocol version"},
        {KW_ERROR_DB_INDEX, "ERR DB index is out of range"},
        {KW_ERROR_MAXCLIENTS, "ERR max number of clients reached"},
        {KW_ERROR_SLOT_UNSERVED, "CLUSTERDOWN Hash slot not served"},
        {KW_ERROR_AUTH_NO_PASSWORD,
         "ERR AUTH <password> called without any password configured for the default user. Are "
         "you sure your configuration is correct?"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(kw_error_text(rows[i].error), rows[i].text);
    }
    struct line line = line_of(KW_ERROR_EXPECTED_DOLLAR, ":", NULL);
    assert_memory_equal(line.text, "-ERR Protocol error: expected '$', got ':'\r\n", line.len);
}
