/* test_reply_parser.c - where replies of nodes end: every type, every split, hostile numbers. */
#include "base/limits.h"
#include "resp/reply_parser.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS_MAX = 64, RESP2 = 2, RESP3 = 3 };

/* Where replies ended in a stream, and how the walk ended. */
struct frames {
    struct kw_reply_parser parser;
    enum kw_status status; /* KW_AGAIN or KW_E_PROTOCOL */
    size_t scanned;
    size_t count;
    size_t ends[ENDS_MAX];
    char types[ENDS_MAX + 1];
};

/* Walk on now that the first ARRIVED bytes of DATA are there. */
static void frames_more(struct frames *frames, int proto, const char *data, size_t arrived)
{
    while (frames->status != KW_E_PROTOCOL && frames->scanned < arrived) {
        size_t step = 0;
        frames->status = kw_reply_scan(&frames->parser, proto, data + frames->scanned,
                                       arrived - frames->scanned, &step);
        assert_true(step <= arrived - frames->scanned);
        frames->scanned += step;
        if (frames->status == KW_AGAIN) {
            return;
        }
        if (frames->status == KW_OK) {
            assert_true(frames->count < ENDS_MAX);
            frames->types[frames->count] = frames->parser.type;
            frames->ends[frames->count++] = frames->scanned;
        }
    }
}

static void assert_same_frames(const struct frames *a, const struct frames *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ends, b->ends, sizeof a->ends);
    assert_string_equal(a->types, b->types);
    assert_int_equal(a->status == KW_E_PROTOCOL, b->status == KW_E_PROTOCOL);
}

/* All of DATA at once, and the same in every two pieces and byte by byte. */
static struct frames frames_of(int proto, const char *data, size_t len)
{
    struct frames whole = {0};
    struct frames bytes = {0};

    frames_more(&whole, proto, data, len);
    for (size_t split = 0; split <= len; split++) {
        struct frames parts = {0};
        frames_more(&parts, proto, data, split);
        frames_more(&parts, proto, data, len);
        assert_same_frames(&parts, &whole);
    }
    for (size_t arrived = 1; arrived <= len; arrived++) {
        frames_more(&bytes, proto, data, arrived);
    }
    assert_same_frames(&bytes, &whole);
    return whole;
}

/* REPLY is one reply, whole, also with another one behind it. */
static void assert_one(int proto, const char *reply)
{
    char twice[1024];
    size_t len = strlen(reply);

    (void)snprintf(twice, sizeof twice, "%s%s", reply, reply);
    struct frames frames = frames_of(proto, twice, len * 2);
    if (frames.count != 2) {
        print_error("of: %s\n", reply);
    }
    assert_int_equal(frames.count, 2);
    assert_int_equal(frames.ends[0], len);
    assert_int_equal(frames.ends[1], len * 2);
    assert_int_equal(frames.types[0], reply[0]);
    for (size_t cut = 1; cut < len; cut++) { /* any start of it is not whole, and no error */
        struct frames start = {0};
        frames_more(&start, proto, reply, cut);
        assert_int_equal(start.count, 0);
        assert_int_equal(start.status, KW_AGAIN);
    }
}

static void assert_no_resp(int proto, const char *bytes)
{
    struct frames frames = frames_of(proto, bytes, strlen(bytes));

    if (frames.status != KW_E_PROTOCOL || frames.count != 0) {
        print_error("of: %s\n", bytes);
    }
    assert_int_equal(frames.status, KW_E_PROTOCOL);
    assert_int_equal(frames.count, 0);
}

KW_TEST(reply_types_of_resp2_end_where_they_should)
{
    static const char *const replies[] = {
        "+OK\r\n",
        "+\r\n",
        "-ERR no\r\n",
        ":0\r\n",
        ":-9223372036854775808\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "$3\r\nabc\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n+OK\r\n",
        "*1\r\n$0\r\n\r\n",
        "*1\r\n$3\r\nabc\r\n",
        "*1\r\n*1\r\n$3\r\nabc\r\n",
        "*2\r\n:1\r\n+x\r\n",
        "$4\r\n\r\n\r\n\r\n",
        "*2\r\n*2\r\n:1\r\n:2\r\n*0\r\n",
        "$11\r\n*9\r\n$99\r\nx\r\r\n",
        "*3\r\n*-1\r\n$-1\r\n*1\r\n*1\r\n-ERR in here\r\n",
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        assert_one(RESP2, replies[i]);
        assert_one(RESP3, replies[i]);
    }
}

/* The quick scan takes lengths of up to three digits; in pieces they never come to it. */
KW_TEST(reply_strings_of_all_lengths_end_where_they_should)
{
    static const size_t lengths[] = {1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001};
    static char stream[4096];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len = lengths[i];
        int head = snprintf(stream, sizeof stream, "*1\r\n$%zu\r\n", len);
        memset(stream + head, 'v', len);
        memcpy(stream + (size_t)head + len, "\r\n:1\r\n", 6);
        size_t all = (size_t)head + len + 6;

        struct frames inner = frames_of(RESP2, stream + 4, all - 4);
        struct frames outer = frames_of(RESP3, stream, all);

        assert_int_equal(inner.count, 2);
        assert_int_equal(inner.ends[0], all - 4 - 4);
        assert_int_equal(outer.count, 2);
        assert_int_equal(outer.ends[0], all - 4);
        stream[all - 5] = 'x'; /* the LF behind the value */
        assert_int_equal(frames_of(RESP2, stream, all).status, KW_E_PROTOCOL);
    }
}

/* What may be taken at once is what the whole scan would find, up to the first other one. */
KW_TEST(replies_of_one_element_are_found_together_while_they_are_whole)
{
    static const char stream[] = "*1\r\n$2\r\nab\r\n" /* ends at 12 */
                                 "*1\r\n$-1\r\n"      /* 21 */
                                 "*1\r\n$0\r\n\r\n"   /* 31 */
                                 "*2\r\n:1\r\n:2\r\n";
    static const uint32_t expected[] = {12, 21, 31};
    uint32_t ends[8];

    for (uint32_t len = 1; len < sizeof stream; len++) {
        char *exact = malloc(len); /* so that a look behind it is seen */
        uint32_t whole = 0;
        while (whole < 3 && expected[whole] <= len) {
            whole++;
        }
        memcpy(exact, stream, len);
        uint32_t count = kw_reply_scan_singles(exact, len, 8, ends);
        assert_int_equal(count, whole);
        assert_memory_equal(ends, expected, count * sizeof ends[0]);
        free(exact);
    }
    assert_int_equal(kw_reply_scan_singles(stream, sizeof stream - 1, 2, ends), 2);
    assert_int_equal(kw_reply_scan_singles("-ERR\r\n", 6, 8, ends), 0);
    assert_int_equal(kw_reply_scan_singles("$2\r\nab\r\n", 8, 8, ends), 0);
}

KW_TEST(reply_types_of_resp3_end_where_they_should)
{
    static const char *const replies[] = {
        "_\r\n",
        "#t\r\n",
        "#f\r\n",
        ",3.14\r\n",
        ",inf\r\n",
        "(3492890328409238509324850943850943825024385\r\n",
        "!5\r\nERR x\r\n",
        "=7\r\ntxt:abc\r\n",
        "%0\r\n",
        "%1\r\n+k\r\n:1\r\n",
        "%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n%1\r\n+c\r\n_\r\n",
        "~2\r\n+a\r\n+b\r\n",
        "~0\r\n",
        ">3\r\n+message\r\n+ch\r\n$2\r\nhi\r\n",
        "|1\r\n+ttl\r\n:3600\r\n$1\r\nx\r\n",
        "|0\r\n+x\r\n",
        "|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n*1\r\n:3\r\n",
        "*2\r\n|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n$1\r\nb\r\n",
        "%1\r\n|1\r\n+x\r\n+y\r\n+k\r\n|1\r\n+x\r\n+y\r\n+v\r\n",
        "*1\r\n|2\r\n+a\r\n%1\r\n:1\r\n:2\r\n+b\r\n~1\r\n:3\r\n_\r\n",
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        assert_one(RESP3, replies[i]);
    }
}

KW_TEST(reply_types_of_resp3_are_errors_on_a_resp2_link)
{
    static const char *const replies[] = {
        "_\r\n",  "#t\r\n", ",1\r\n", "(1\r\n", "!1\r\nx\r\n", "=5\r\ntxt:x\r\n",
        "%0\r\n", "~0\r\n", ">0\r\n", "|0\r\n", "*1\r\n_\r\n",
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        assert_no_resp(RESP2, replies[i]);
    }
}

KW_TEST(reply_bytes_that_are_no_resp_are_refused)
{
    static const char *const streams[] = {
        "OK\r\n",
        "\r\n",
        "\n",
        " +OK\r\n",
        "\x80OK\r\n",
        "\xab\r\n",
        "$a\r\n",
        "$\r\n",
        "$-2\r\n",
        "$+1\r\nx\r\n",
        "$01\r\nx\r\n",
        "$ 1\r\nx\r\n",
        "$1 \r\nx\r\n",
        "*a\r\n",
        "*\r\n",
        "*-2\r\n",
        "*01\r\n",
        "*1\r\nOK\r\n",
        "$3\r\nabcd\r\n",
        "$3\r\nabc\rx",
        "$3\r\nabc\n\n",
        "*1\r\n$3\r\nabcd\r\n",
        "*1\r\n$03\r\nabc\r\n",
        "$00\r\n\r\n",
        "$001\r\nx\r\n",
        "$10a\r\n0123456789\r\n",
        "+OK\n\n",
        "$0\r\nx\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "*18446744073709551617\r\n",
        "$18446744073709551617\r\n",
        "*9223372036854775807\r\n",
        "$9223372036854775807\r\n",
        "*99999999999999999999\r\n",
        "$-9223372036854775809\r\n",
    };
    static const char *const resp3_streams[] = {
        "%-1\r\n",
        "|-1\r\n",
        "%a\r\n",
        "~x\r\n",
        "%9223372036854775807\r\n",
        "|9223372036854775807\r\n",
        "=x\r\n",
        "!-2\r\n",
        "\xdf\r\n",
    };

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        assert_no_resp(RESP2, streams[i]);
        assert_no_resp(RESP3, streams[i]);
    }
    for (size_t i = 0; i < sizeof resp3_streams / sizeof resp3_streams[0]; i++) {
        assert_no_resp(RESP3, resp3_streams[i]);
    }
}

KW_TEST(reply_a_line_ended_by_a_bare_lf_never_swallows_the_next_reply)
{
    static const char *const streams[] = {
        "+OK\n+OK\r\n", "-ERR x\n:1\r\n", ":1\n:2\r\n", "*1\n:1\r\n",
        "$1\nx\r\n",    "_\n_\r\n",       "+a\nb\r\n",
    };

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        assert_no_resp(RESP3, streams[i]);
    }
    struct frames frames = frames_of(RESP2, "+OK\r\n+OK\n", 9);
    assert_int_equal(frames.count, 1); /* what came before stands */
    assert_int_equal(frames.status, KW_E_PROTOCOL);
}

KW_TEST(reply_what_a_pipeline_answers_is_cut_one_by_one)
{
    static const char stream[] = "+OK\r\n$3\r\nabc\r\n*2\r\n:1\r\n:2\r\n-ERR x\r\n$-1\r\n$7";
    struct frames frames = frames_of(RESP2, stream, sizeof stream - 1);

    assert_int_equal(frames.count, 5);
    assert_string_equal(frames.types, "+$*-$");
    assert_int_equal(frames.ends[4], sizeof stream - 3);
    assert_int_equal(frames.status, KW_AGAIN);
    assert_int_equal(frames.scanned,
                     sizeof stream - 3); /* an unfinished length line is not scanned */
}

KW_TEST(reply_a_push_between_two_replies_is_told_apart)
{
    struct frames frames =
        frames_of(RESP3, ":1\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:2\r\n", 39);

    assert_string_equal(frames.types, ":>:");
}

KW_TEST(reply_may_nest_as_deep_as_it_likes_and_costs_the_same)
{
    static char stream[4 * 100000 + 4];
    struct kw_reply_parser parser = {0};
    size_t scanned = 0;

    for (size_t at = 0; at < sizeof stream; at += 4) {
        memcpy(stream + at, "*1\r\n", 4);
    }
    memcpy(stream + sizeof stream - 4, ":1\r\n", 4);

    assert_int_equal(kw_reply_scan(&parser, RESP2, stream, sizeof stream - 1, &scanned), KW_AGAIN);
    size_t first = scanned;
    assert_int_equal(kw_reply_scan(&parser, RESP2, stream + first, sizeof stream - first, &scanned),
                     KW_OK);
    assert_int_equal(first + scanned, sizeof stream);
    assert_true(sizeof parser <= 32); /* one on every link */
}

KW_TEST(reply_a_line_may_be_of_any_length_and_none_of_it_is_looked_at_twice)
{
    static char piece[10000];
    struct kw_reply_parser parser = {0};
    size_t scanned = 0;

    memset(piece, 'x', sizeof piece);
    assert_int_equal(kw_reply_scan(&parser, RESP2, "+", 1, &scanned), KW_AGAIN);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(kw_reply_scan(&parser, RESP2, piece, sizeof piece, &scanned), KW_AGAIN);
        assert_int_equal(scanned, sizeof piece);
    }
    assert_int_equal(kw_reply_scan(&parser, RESP2, "\r", 1, &scanned), KW_AGAIN);
    assert_int_equal(kw_reply_scan(&parser, RESP2, "\n", 1, &scanned), KW_OK);
    assert_int_equal(parser.type, '+');
}

KW_TEST(reply_a_length_line_without_an_end_is_refused_soon)
{
    static const char zeros[] = "00000000000000000000000000000000000000000000";

    for (size_t i = 0; i < 3; i++) {
        char line[64];
        struct kw_reply_parser parser = {0};
        size_t scanned = 0;
        (void)snprintf(line, sizeof line, "%c%s", "$*%"[i], zeros);
        assert_int_equal(kw_reply_scan(&parser, RESP3, line, 20, &scanned), KW_AGAIN);
        assert_int_equal(scanned, 0);
        assert_int_equal(kw_reply_scan(&parser, RESP3, line, strlen(line), &scanned),
                         KW_E_PROTOCOL);
    }
}

KW_TEST(reply_tells_how_much_of_a_bulk_is_to_come)
{
    struct kw_reply_parser parser = {0};
    size_t scanned = 0;

    assert_int_equal(kw_reply_scan(&parser, RESP2, "$536870912\r\nabc", 15, &scanned), KW_AGAIN);
    assert_int_equal(scanned, 15);
    assert_int_equal(kw_reply_left_bytes(&parser), 536870912 - 3 + 2);
    assert_int_equal(parser.type, '$');
    assert_true(parser.is_started);
}

KW_TEST(reply_a_huge_bulk_costs_no_memory_and_no_look_at_its_bytes)
{
    static char piece[64 * 1024]; /* zeros: no CR LF anywhere */
    struct kw_reply_parser parser = {0};
    uint64_t left = 512u * 1024 * 1024;
    size_t scanned = 0;

    assert_int_equal(kw_reply_scan(&parser, RESP2, "$536870912\r\n", 12, &scanned), KW_AGAIN);
    while (left > 0) {
        assert_int_equal(kw_reply_scan(&parser, RESP2, piece, sizeof piece, &scanned), KW_AGAIN);
        assert_int_equal(scanned, sizeof piece);
        left -= sizeof piece;
    }
    assert_int_equal(kw_reply_scan(&parser, RESP2, "\r", 1, &scanned), KW_AGAIN);
    assert_int_equal(kw_reply_scan(&parser, RESP2, "\n+", 2, &scanned), KW_OK);
    assert_int_equal(scanned, 1);
}

KW_TEST(reply_hostile_counts_wait_for_ever_and_never_wrap_around)
{
    /* A count that wrapped around would end the reply early, and shift all that follow. */
    static const char *const lines[] = {"*1152921504606846975\r\n", "%1152921504606846975\r\n",
                                        "|1152921504606846975\r\n"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_reply_parser parser = {0};
        enum kw_status status = KW_AGAIN;
        size_t scanned = 0;
        int count = 0;
        for (; count < 100 && status == KW_AGAIN; count++) {
            uint64_t left = parser.left_values;
            status = kw_reply_scan(&parser, RESP3, lines[i], strlen(lines[i]), &scanned);
            assert_true(status != KW_AGAIN || parser.left_values > left);
        }
        assert_int_equal(status, KW_E_PROTOCOL);
        assert_in_range(count, 4, 9);
    }
}

KW_TEST(reply_the_parser_starts_anew_behind_each_reply)
{
    struct kw_reply_parser parser = {0};
    size_t scanned = 0;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(kw_reply_scan(&parser, RESP2, "*2\r\n$1\r\nx\r\n:1\r\n", 15, &scanned),
                         KW_OK);
        assert_int_equal(scanned, 15);
        assert_false(parser.is_started);
        assert_int_equal(kw_reply_left_bytes(&parser), 0);
    }
}
