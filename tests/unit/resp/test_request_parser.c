/* test_request_parser.c - multibulk commands: what is cut, what is refused, and at what cost. */
#include "base/mem.h"
#include "tests/unit/resp/cutting.h"

#define TEN_DIGITS "1234567890"

static struct cut cut;

/* Cut STREAM at once and in all pieces; it must give WANTED (see cutting.h). */
static void assert_cuts(const char *stream, const char *wanted)
{
    size_t len = strlen(stream);

    cut_whole(&cut, stream, len);
    if (strcmp(cut.text, wanted) != 0) {
        print_error("of: %s\n", stream);
    }
    assert_string_equal(cut.text, wanted);
    assert_same_when_split(&cut, stream, len);
    cut_end(&cut);
}

/* STREAM breaks with ERROR, however it arrives. */
static void assert_breaks(const char *stream, enum kw_error error)
{
    size_t len = strlen(stream);

    cut_whole(&cut, stream, len);
    if (!cut.is_broken || cut.out.error != error) {
        print_error("of: %s\n", stream);
    }
    assert_true(cut.is_broken);
    assert_int_equal(cut.out.error, error);
    assert_same_when_split(&cut, stream, len);
    cut_end(&cut);
}

/* STREAM is the start of something: nothing is cut, nothing refused. */
static void assert_waits(const char *stream)
{
    cut_begin(&cut);
    assert_int_equal(cut_more(&cut, stream, strlen(stream)), KW_AGAIN);
    assert_int_equal(cut.at, 0);
    assert_string_equal(cut.text, "");
    cut_end(&cut);
}

KW_TEST(request_commands_are_the_same_however_their_bytes_are_split)
{
    assert_cuts("*1\r\n$4\r\nPING\r\n", "<4:PING>");
    assert_cuts("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "<3:GET,1:k>");
    assert_cuts("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n", "<3:SET,0:,0:>");
    assert_cuts("*2\r\n$4\r\nECHO\r\n$12\r\n*1\r\n$4\r\nPI\r\n\r\n",
                "<4:ECHO,12:*1\r\n$4\r\nPI\r\n>");
    assert_cuts("*1\r\n$10\r\n" TEN_DIGITS "\r\n", "<10:" TEN_DIGITS ">");
    assert_cuts(
        "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n",
        "<3:GET,1:a><3:GET,1:b><4:PING><4:QUIT>");
}

/* The quick pass takes numbers of up to three digits; in pieces nothing comes to it. */
KW_TEST(request_arguments_of_all_lengths_and_numbers_are_cut_alike)
{
    static const int lengths[] = {1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001};
    static char stream[4096];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int len = snprintf(stream, sizeof stream, "*2\r\n$%d\r\n%0*d\r\n$1\r\nk\r\n", lengths[i],
                           lengths[i], 7);
        cut_whole(&cut, stream, (size_t)len);
        assert_int_equal(cut.commands, 1);
        assert_int_equal(cut.argv.items[0].len, lengths[i]);
        assert_same_when_split(&cut, stream, (size_t)len);
        cut_end(&cut);
    }
    for (int count = 1; count <= 101; count += count < 9 ? 1 : 30) {
        int len = snprintf(stream, sizeof stream, "*%d\r\n", count);
        for (int i = 0; i < count; i++) {
            len += snprintf(stream + len, sizeof stream - (size_t)len, "$2\r\n%02d\r\n", i);
        }
        cut_whole(&cut, stream, (size_t)len);
        assert_int_equal(cut.commands, 1);
        assert_int_equal(cut.argv.count, count);
        assert_same_when_split(&cut, stream, (size_t)len);
        cut_end(&cut);
    }
}

KW_TEST(request_wire_bytes_of_a_multibulk_are_the_clients_own)
{
    static const char stream[] = "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

    cut_begin(&cut);
    (void)cut_more(&cut, stream, 15); /* the second command is resumed */
    (void)cut_more(&cut, stream, sizeof stream - 1);

    assert_ptr_equal(cut.out.wire.data, stream + 14);
    assert_int_equal(cut.out.wire.len, 20);
    assert_ptr_equal(cut.argv.items[1].data, stream + sizeof stream - 4);
    cut_end(&cut);
}

KW_TEST(request_arguments_may_hold_any_bytes)
{
    char stream[16 + 256 + 2];
    int head = snprintf(stream, sizeof stream, "*1\r\n$256\r\n");

    for (int i = 0; i < 256; i++) {
        stream[head + i] = (char)i;
    }
    memcpy(stream + head + 256, "\r\n", 2);
    cut_whole(&cut, stream, (size_t)head + 258);

    assert_int_equal(cut.argv.count, 1);
    assert_int_equal(cut.argv.items[0].len, 256);
    assert_memory_equal(cut.argv.items[0].data, stream + head, 256);
    assert_same_when_split(&cut, stream, (size_t)head + 258);
    cut_end(&cut);
}

KW_TEST(request_empty_commands_are_cut_and_mean_nothing)
{
    assert_cuts("*0\r\n", "<>");
    assert_cuts("*-1\r\n", "<>");
    assert_cuts("*-9223372036854775808\r\n", "<>");
    assert_cuts("*0\r\n*1\r\n$4\r\nPING\r\n", "<><4:PING>");
    assert_cuts("\r\n", "<>");
    assert_cuts("\n", "<>");
    assert_cuts("  \t \r\n*1\r\n$4\r\nPING\r\n", "<><4:PING>");
}

KW_TEST(request_nothing_is_decided_about_the_start_of_a_command)
{
    static const char *const starts[] = {
        "*",
        "*1",
        "*1\r",
        "*1\r\n",
        "*1\r\n$",
        "*1\r\n$4",
        "*1\r\n$4\r",
        "*1\r\n$4\r\n",
        "*1\r\n$4\r\nPIN",
        "*1\r\n$4\r\nPING",
        "*1\r\n$4\r\nPING\r",
        "*184467",
        "*-",
        "P",
        "PING \"half",
    };

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        assert_waits(starts[i]);
    }
    cut_begin(&cut);
    assert_int_equal(
        kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of("", 0), &cut.argv, &cut.out),
        KW_AGAIN);
    cut_end(&cut);
}

KW_TEST(request_counts_that_are_no_counts_are_refused)
{
    static const char *const lines[] = {
        "*a\r\n",
        "*\r\n",
        "*1a\r\n",
        "*a1\r\n",
        "* 1\r\n",
        "*1 \r\n",
        "*+1\r\n",
        "*01\r\n",
        "*00\r\n",
        "*-0\r\n",
        "*-\r\n",
        "*--1\r\n",
        "*1.0\r\n",
        "*0x1\r\n",
        "*1\rX",
        "*1\r\r\n",
        "*\r\r\n",
        "**1\r\n",
        "*$1\r\n",
        "*1001\r\n",
        "*2147483648\r\n",
        "*4294967297\r\n",
        "*9223372036854775807\r\n",
        "*9223372036854775808\r\n",
        "*18446744073709551615\r\n",
        "*18446744073709551616\r\n",
        "*18446744073709551617\r\n",
        "*-9223372036854775809\r\n",
        "*99999999999999999999999999999999\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_breaks(lines[i], KW_ERROR_MBULK_LENGTH);
    }
}

KW_TEST(request_lengths_that_are_no_lengths_are_refused)
{
    static const char *const lines[] = {
        "*1\r\n$a\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$-0\r\n",
        "*1\r\n$+4\r\n",
        "*1\r\n$04\r\n",
        "*1\r\n$04\r\nPING\r\n",
        "*1\r\n$00\r\n\r\n",
        "*1\r\n$004\r\nPING\r\n",
        "*1\r\n$4 \r\n",
        "*1\r\n$ 4\r\n",
        "*1\r\n$4\rX",
        "*1\r\n$4a\r\n",
        "*1\r\n$524289\r\n",
        "*1\r\n$4294967300\r\n",
        "*1\r\n$9223372036854775807\r\n",
        "*1\r\n$18446744073709551615\r\n",
        "*1\r\n$18446744073709551620\r\n",
        "*2\r\n$3\r\nGET\r\n$-1\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_breaks(lines[i], KW_ERROR_BULK_LENGTH);
    }
}

KW_TEST(request_where_an_argument_starts_there_must_be_a_dollar)
{
    static const char *const streams[] = {
        "*1\r\n:1\r\n",
        "*1\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\nPING\r\n",
        "*1\r\n\r\n$4\r\nPING\r\n",
        "*2\r\n$3\r\nGET\r\n+k\r\n",
    };
    static const char bytes[] = ":*P\r+";

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        assert_breaks(streams[i], KW_ERROR_EXPECTED_DOLLAR);
        assert_int_equal(cut.out.error_byte, bytes[i]);
    }
}

KW_TEST(request_an_argument_ends_where_it_said_it_would)
{
    static const char *const streams[] = {
        "*1\r\n$3\r\nPING\r\n", "*1\r\n$4\r\nPINGxx", "*1\r\n$4\r\nPING\n\n",
        "*1\r\n$4\r\nPING\rx",  "*1\r\n$0\r\nxx",
    };

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        assert_breaks(streams[i], KW_ERROR_BULK_END);
    }
}

KW_TEST(request_what_came_before_an_error_is_cut_and_nothing_behind_it)
{
    assert_cuts("*1\r\n$4\r\nPING\r\nECHO x\r\n*1\r\n!oops\r\n*1\r\n$4\r\nPING\r\n",
                "<4:PING><4:ECHO,1:x>!2");
    assert_int_equal(KW_ERROR_EXPECTED_DOLLAR, 2);
}

KW_TEST(request_an_argument_may_be_as_long_as_the_limit_and_no_longer)
{
    static char stream[CUT_BULK_MAX + 64];

    cut_begin(&cut);
    int head = snprintf(stream, sizeof stream, "*1\r\n$%d\r\n", CUT_BULK_MAX);
    size_t len = (size_t)head + CUT_BULK_MAX + 2;
    memset(stream + head, 'v', CUT_BULK_MAX);
    memcpy(stream + len - 2, "\r\n", 2);
    enum kw_status fits =
        kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, len), &cut.argv, &cut.out);
    size_t consumed = cut.out.consumed;
    head = snprintf(stream, sizeof stream, "*1\r\n$%d\r\n", CUT_BULK_MAX + 1);
    enum kw_status is_over = kw_request_parse(
        &cut.parser, &cut.limits, kw_bytes_of(stream, (size_t)head), &cut.argv, &cut.out);

    assert_int_equal(fits, KW_OK);
    assert_int_equal(consumed, len);
    assert_int_equal(is_over, KW_E_PROTOCOL); /* at once: not one byte of it is waited for */
    assert_int_equal(cut.out.error, KW_ERROR_BULK_LENGTH);
    cut_end(&cut);
}

KW_TEST(request_may_have_as_many_arguments_as_the_limit_and_no_more)
{
    static char stream[16 + KW_ARGS_MAX * 6];
    int head = snprintf(stream, sizeof stream, "*%d\r\n", KW_ARGS_MAX);
    size_t len = (size_t)head;

    for (int i = 0; i < KW_ARGS_MAX; i++) {
        memcpy(stream + len, "$0\r\n\r\n", 6);
        len += 6;
    }
    cut_begin(&cut);
    cut.limits.args_max = KW_ARGS_MAX;
    enum kw_status half = kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, len / 2),
                                           &cut.argv, &cut.out);
    enum kw_status fits =
        kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, len), &cut.argv, &cut.out);
    size_t count = cut.argv.count;
    head = snprintf(stream, sizeof stream, "*%d\r\n", KW_ARGS_MAX + 1);
    enum kw_status is_over = kw_request_parse(
        &cut.parser, &cut.limits, kw_bytes_of(stream, (size_t)head), &cut.argv, &cut.out);

    assert_int_equal(half, KW_AGAIN);
    assert_int_equal(fits, KW_OK);
    assert_int_equal(count, KW_ARGS_MAX);
    assert_int_equal(is_over, KW_E_PROTOCOL);
    assert_int_equal(cut.out.error, KW_ERROR_MBULK_LENGTH);
    cut_end(&cut);
}

KW_TEST(request_a_count_line_without_an_end_is_refused_at_64_kib)
{
    static char stream[KW_INLINE_MAX_BYTES + 16];

    memset(stream, '1', sizeof stream);
    stream[0] = '*';
    cut_begin(&cut);
    assert_int_equal(cut_more(&cut, stream, KW_INLINE_MAX_BYTES), KW_AGAIN);
    assert_int_equal(cut_more(&cut, stream, KW_INLINE_MAX_BYTES + 1), KW_E_PROTOCOL);
    assert_int_equal(cut.out.error, KW_ERROR_MBULK_COUNT_TOO_LONG);
    cut_end(&cut);

    memcpy(stream, "*1\r\n$", 5);
    cut_begin(&cut);
    assert_int_equal(cut_more(&cut, stream, KW_INLINE_MAX_BYTES + 4), KW_AGAIN);
    assert_int_equal(cut_more(&cut, stream, KW_INLINE_MAX_BYTES + 5), KW_E_PROTOCOL);
    assert_int_equal(cut.out.error, KW_ERROR_BULK_COUNT_TOO_LONG);
    cut_end(&cut);
}

KW_TEST(request_a_big_count_alone_allocates_nothing)
{
    cut_begin(&cut);
    cut.limits.args_max = KW_ARGS_MAX;
    uint64_t before = kw_mem_allocations_count();
    enum kw_status status = cut_more(&cut, "*1048576\r\n$1\r\nx\r\n", 17);
    uint64_t after = kw_mem_allocations_count();

    assert_int_equal(status, KW_AGAIN);
    assert_int_equal(after, before);
    cut_end(&cut);
}

KW_TEST(request_argv_gives_the_memory_of_a_huge_command_back)
{
    struct kw_argv argv;
    struct kw_request_parser parser = {0};
    struct kw_request_limits limits = {1, 4000};
    struct kw_request_bytes out;
    static char stream[8 + 4000 * 6];
    size_t len = (size_t)snprintf(stream, sizeof stream, "*4000\r\n");

    for (int i = 0; i < 4000; i++) {
        memcpy(stream + len, "$0\r\n\r\n", 6);
        len += 6;
    }
    kw_argv_init(&argv);
    size_t ordinary = argv.capacity;
    assert_int_equal(kw_request_parse(&parser, &limits, kw_bytes_of(stream, len), &argv, &out),
                     KW_OK);
    size_t grown = argv.capacity;
    kw_argv_trim(&argv);

    assert_true(grown >= 4000);
    assert_int_equal(argv.capacity, ordinary);
    kw_argv_deinit(&argv);
}

/* What was checked once is not looked at again until the command is whole: it is blotted out while
 * the rest arrives, and put back for the last byte. A parser that started over would stumble.
 */
static void assert_costs_only_new_bytes(const char *stream, size_t len, size_t step)
{
    static char copy[CUT_BULK_MAX];

    assert_true(len <= sizeof copy);
    memcpy(copy, stream, len);
    cut_begin(&cut);
    for (size_t arrived = step; arrived < len; arrived += step) {
        assert_int_equal(cut_more(&cut, copy, arrived), KW_AGAIN);
        if (cut.parser.offset > 1) {
            memset(copy + 1, '?', cut.parser.offset - 1);
        }
    }
    memcpy(copy, stream, len);
    assert_int_equal(cut_more(&cut, copy, len), KW_OK);
    assert_int_equal(cut.commands, 1);
    assert_int_equal(cut.at, len);
    cut_end(&cut);
}

KW_TEST(request_that_arrives_slowly_costs_only_its_new_bytes)
{
    static char stream[CUT_BULK_MAX];
    size_t len = (size_t)snprintf(stream, sizeof stream, "*1000\r\n");

    for (int i = 0; i < 1000; i++) {
        len += (size_t)snprintf(stream + len, sizeof stream - len, "$5\r\n%05d\r\n", i);
    }
    assert_costs_only_new_bytes(stream, len, 1);
    assert_costs_only_new_bytes(stream, len, 7);
}

KW_TEST(request_bytes_of_a_big_argument_are_never_looked_at)
{
    /* given a command whose last argument is big and has arrived but for the end */
    static char stream[60000];
    struct kw_request_bytes out;
    size_t head = (size_t)snprintf(stream, sizeof stream, "*2\r\n$3\r\nSET\r\n$50000\r\n");

    cut_begin(&cut);
    memset(stream + head, '\n', 50000);
    enum kw_status first =
        kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, head), &cut.argv, &out);

    /* then the parser says how much it needs, and its offset stays before the argument */
    assert_int_equal(first, KW_AGAIN);
    assert_int_equal(cut.parser.wanted, head + 50002);
    size_t offset = cut.parser.offset;
    for (size_t arrived = head; arrived < head + 50002; arrived += 5000) {
        assert_int_equal(kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, arrived),
                                          &cut.argv, &out),
                         KW_AGAIN);
        assert_int_equal(cut.parser.offset, offset);
    }
    memcpy(stream + head + 50000, "\r\n", 2);
    assert_int_equal(kw_request_parse(&cut.parser, &cut.limits, kw_bytes_of(stream, head + 50002),
                                      &cut.argv, &out),
                     KW_OK);
    assert_int_equal(cut.argv.items[1].len, 50000);
    cut_end(&cut);
}

KW_TEST(request_a_huge_pipeline_is_cut_without_losing_one)
{
    static const char one[] = "*2\r\n$3\r\nGET\r\n$6\r\n";
    static char stream[100000 * 32];
    struct kw_request_bytes out;
    size_t len = 0;
    size_t at = 0;

    for (int i = 0; i < 100000; i++) {
        len += (size_t)snprintf(stream + len, sizeof stream - len, "%s%06d\r\n", one, i);
    }
    cut_begin(&cut);
    for (int i = 0; i < 100000; i++) {
        char wanted[16];
        (void)snprintf(wanted, sizeof wanted, "%06d", i);
        assert_int_equal(kw_request_parse(&cut.parser, &cut.limits,
                                          kw_bytes_of(stream + at, len - at), &cut.argv, &out),
                         KW_OK);
        assert_true(kw_bytes_equal(cut.argv.items[1], kw_bytes_of_text(wanted)));
        at += out.consumed;
    }
    assert_int_equal(at, len);
    cut_end(&cut);
}
