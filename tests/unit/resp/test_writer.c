/* test_writer.c - replies and commands as bytes, in both protocol versions. */
#include "base/buf.h"
#include "resp/reply_parser.h"
#include "resp/request_parser.h"
#include "resp/writer.h"
#include "tests/unit/kw_test.h"

#include <math.h>
#include <stdio.h>

/* A buf to write to, and its bytes as a text. */
struct page {
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    char text[4096];
};

static void page_open(struct page *page)
{
    kw_chunk_pool_init(&page->pool);
    kw_buf_init(&page->buf, &page->pool);
}

/* What was written since the last look. */
static const char *written(struct page *page)
{
    size_t len = 0;

    while (page->buf.len > 0) {
        struct iovec piece;
        assert_int_equal(kw_buf_iov(&page->buf, &piece, 1), 1);
        assert_true(len + piece.iov_len < sizeof page->text);
        memcpy(page->text + len, piece.iov_base, piece.iov_len);
        len += piece.iov_len;
        kw_buf_consume(&page->buf, piece.iov_len);
    }
    page->text[len] = '\0';
    return page->text;
}

static void page_close(struct page *page)
{
    kw_buf_reset(&page->buf);
    assert_int_equal(page->pool.in_use_count, 0);
    kw_chunk_pool_deinit(&page->pool);
}

KW_TEST(writer_scalars_look_the_same_in_both_protocols)
{
    struct page page;

    page_open(&page);
    kw_reply_status(&page.buf, KW_BYTES("OK"));
    assert_string_equal(written(&page), "+OK\r\n");
    kw_reply_int(&page.buf, 0);
    assert_string_equal(written(&page), ":0\r\n");
    kw_reply_int(&page.buf, INT64_MIN);
    assert_string_equal(written(&page), ":-9223372036854775808\r\n");
    kw_reply_int(&page.buf, INT64_MAX);
    assert_string_equal(written(&page), ":9223372036854775807\r\n");
    kw_reply_bulk(&page.buf, KW_BYTES(""));
    assert_string_equal(written(&page), "$0\r\n\r\n");
    kw_reply_bulk(&page.buf, KW_BYTES("a\r\nb"));
    assert_string_equal(written(&page), "$4\r\na\r\nb\r\n");
    kw_reply_array(&page.buf, 0);
    assert_string_equal(written(&page), "*0\r\n");
    page_close(&page);
}

KW_TEST(writer_resp2_gets_what_redis_sends_there_instead)
{
    struct page page;

    page_open(&page);
    kw_reply_null(&page.buf, 2);
    assert_string_equal(written(&page), "$-1\r\n");
    kw_reply_null_array(&page.buf, 2);
    assert_string_equal(written(&page), "*-1\r\n");
    kw_reply_bool(&page.buf, true, 2);
    kw_reply_bool(&page.buf, false, 2);
    assert_string_equal(written(&page), ":1\r\n:0\r\n");
    kw_reply_double(&page.buf, 0.5, 2);
    assert_string_equal(written(&page), "$3\r\n0.5\r\n");
    kw_reply_verbatim(&page.buf, KW_BYTES("# Server\r\n"), 2);
    assert_string_equal(written(&page), "$10\r\n# Server\r\n\r\n");
    kw_reply_set(&page.buf, 3, 2);
    assert_string_equal(written(&page), "*3\r\n");
    kw_reply_map(&page.buf, 7, 2);
    assert_string_equal(written(&page), "*14\r\n");
    page_close(&page);
}

KW_TEST(writer_resp3_has_types_of_its_own)
{
    struct page page;

    page_open(&page);
    kw_reply_null(&page.buf, 3);
    kw_reply_null_array(&page.buf, 3);
    assert_string_equal(written(&page), "_\r\n_\r\n");
    kw_reply_bool(&page.buf, true, 3);
    kw_reply_bool(&page.buf, false, 3);
    assert_string_equal(written(&page), "#t\r\n#f\r\n");
    kw_reply_double(&page.buf, 0.5, 3);
    kw_reply_double(&page.buf, (double)INFINITY, 3);
    kw_reply_double(&page.buf, -(double)INFINITY, 3);
    assert_string_equal(written(&page), ",0.5\r\n,inf\r\n,-inf\r\n");
    kw_reply_verbatim(&page.buf, KW_BYTES("abc"), 3);
    assert_string_equal(written(&page), "=7\r\ntxt:abc\r\n");
    kw_reply_set(&page.buf, 3, 3);
    kw_reply_map(&page.buf, 7, 3);
    assert_string_equal(written(&page), "~3\r\n%7\r\n");
    page_close(&page);
}

KW_TEST(writer_doubles_are_written_as_printf_does_with_17_digits)
{
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    0.1,
                                    3.3,
                                    99999999999999984.0,
                                    1e17,
                                    -1e17,
                                    123456789012345678.0,
                                    1e16,
                                    -1e16,
                                    9007199254740993.0,
                                    1e21,
                                    1e-7,
                                    5e-324,
                                    1e300,
                                    2147483648.0,
                                    -32769.0,
                                    0.5};
    char expected[64];

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct page page;
        page_open(&page);
        kw_reply_double(&page.buf, values[i], 3);
        snprintf(expected, sizeof expected, ",%.17g\r\n", values[i]);
        assert_string_equal(written(&page), expected);
        page_close(&page);
    }
}

KW_TEST(writer_every_reply_is_one_reply_to_the_parser)
{
    for (int proto = 2; proto <= 3; proto++) {
        struct page page;
        struct kw_reply_parser parser = {0};
        size_t scanned = 0;
        page_open(&page);
        kw_reply_array(&page.buf, 9);
        kw_reply_status(&page.buf, KW_BYTES("OK"));
        kw_reply_int(&page.buf, -1);
        kw_reply_bulk(&page.buf, KW_BYTES("\r\n"));
        kw_reply_verbatim(&page.buf, KW_BYTES(""), proto);
        kw_reply_null(&page.buf, proto);
        kw_reply_null_array(&page.buf, proto);
        kw_reply_bool(&page.buf, true, proto);
        kw_reply_double(&page.buf, 1e300, proto);
        kw_reply_map(&page.buf, 1, proto);
        kw_reply_set(&page.buf, 1, proto);
        kw_reply_int(&page.buf, 1);
        kw_reply_error(&page.buf, KW_ERROR_SYNTAX);
        const char *text = written(&page);
        assert_int_equal(kw_reply_scan(&parser, proto, text, strlen(text), &scanned), KW_OK);
        assert_int_equal(scanned, strlen(text));
        page_close(&page);
    }
}

KW_TEST(writer_a_command_reads_back_as_its_arguments)
{
    struct page page;
    const struct kw_bytes argv[] = {KW_BYTES("SET"), KW_BYTES(""), KW_BYTES("a\r\n$1\r\n")};

    page_open(&page);
    kw_write_command(&page.buf, argv, 3);
    assert_string_equal(written(&page), "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$7\r\na\r\n$1\r\n\r\n");
    page_close(&page);
}
