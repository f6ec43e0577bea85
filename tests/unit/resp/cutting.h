/* cutting.h - for the tests of the request parser: cut bytes that arrive in pieces, write down what
 * was cut.
 *
 * What is written down is a text: each command as <len:bytes,len:bytes>, an error as !NUMBER.
 *
 * Thread: the tests'. Memory: a struct cut is heavy: static or one at a time on the stack;
 *         cut_end() frees what it holds.
 */
#ifndef KW_TESTS_UNIT_RESP_CUTTING_H
#define KW_TESTS_UNIT_RESP_CUTTING_H

#include "base/limits.h"
#include "resp/request_parser.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <string.h>

enum { CUT_TEXT_MAX = 64 * 1024, CUT_BULK_MAX = 512 * 1024, CUT_ARGS_MAX = 1000 };

struct cut {
    struct kw_request_limits limits;
    struct kw_request_parser parser;
    struct kw_argv argv;
    struct kw_request_bytes out; /* of the last command or error */
    size_t at;                   /* bytes of the stream that were consumed */
    size_t commands;
    bool is_broken; /* a protocol error was seen: nothing follows it */
    size_t text_len;
    char text[CUT_TEXT_MAX];
};

static inline void cut_begin(struct cut *cut)
{
    memset(cut, 0, offsetof(struct cut, text));
    cut->limits.bulk_max_bytes = CUT_BULK_MAX;
    cut->limits.args_max = CUT_ARGS_MAX;
    cut->text[0] = '\0';
    kw_argv_init(&cut->argv);
}

static inline void cut_end(struct cut *cut)
{
    kw_argv_deinit(&cut->argv);
}

static inline void cut_note(struct cut *cut, const char *data, size_t len)
{
    assert_true(cut->text_len + len < sizeof cut->text);
    memcpy(cut->text + cut->text_len, data, len);
    cut->text_len += len;
    cut->text[cut->text_len] = '\0';
}

static inline void cut_note_argv(struct cut *cut, const struct kw_argv *argv)
{
    cut_note(cut, "<", 1);
    for (size_t i = 0; i < argv->count; i++) {
        char head[32];
        int len = snprintf(head, sizeof head, "%s%zu:", i == 0 ? "" : ",", argv->items[i].len);
        cut_note(cut, head, (size_t)len);
        cut_note(cut, argv->items[i].data, argv->items[i].len);
    }
    cut_note(cut, ">", 1);
}

/* The wire form of a command, parsed once more, is the same command and nothing else. */
static inline void cut_check_wire(const struct cut *cut)
{
    struct kw_request_parser parser = {0};
    struct kw_request_bytes out = {0};
    struct kw_argv argv;

    kw_argv_init(&argv);
    assert_int_equal(kw_request_parse(&parser, &cut->limits, cut->out.wire, &argv, &out), KW_OK);
    assert_int_equal(out.consumed, cut->out.wire.len);
    assert_int_equal(argv.count, cut->argv.count);
    for (size_t i = 0; i < argv.count; i++) {
        assert_true(kw_bytes_equal(argv.items[i], cut->argv.items[i]));
    }
    kw_argv_deinit(&argv);
}

/* Cut all that can be cut now that the first ARRIVED bytes of the stream DATA are there. Returns
 * the last status: KW_OK when all of it was used up.
 */
static inline enum kw_status cut_more(struct cut *cut, const char *data, size_t arrived)
{
    enum kw_status status = KW_OK;

    while (status == KW_OK && cut->at < arrived && !cut->is_broken) {
        struct kw_bytes input = kw_bytes_of(data + cut->at, arrived - cut->at);
        status = kw_request_parse(&cut->parser, &cut->limits, input, &cut->argv, &cut->out);
        if (status == KW_OK) {
            assert_in_range(cut->out.consumed, 1, input.len);
            cut_note_argv(cut, &cut->argv);
            cut_check_wire(cut);
            cut->at += cut->out.consumed;
            cut->commands++;
        } else if (status == KW_AGAIN) {
            assert_int_equal(cut->out.consumed, 0);
        } else {
            char note[16];
            int len = snprintf(note, sizeof note, "!%d", (int)cut->out.error);
            cut_note(cut, note, (size_t)len);
            cut->is_broken = true;
        }
    }
    return status;
}

/* All of DATA at once. */
static inline void cut_whole(struct cut *cut, const char *data, size_t len)
{
    cut_begin(cut);
    (void)cut_more(cut, data, len);
}

/* However DATA is split in two, and also byte by byte, what is cut is what CUT holds. */
static inline void assert_same_when_split(const struct cut *cut, const char *data, size_t len)
{
    static struct cut other;

    for (size_t split = 0; split <= len; split++) {
        cut_begin(&other);
        (void)cut_more(&other, data, split);
        (void)cut_more(&other, data, len);
        assert_string_equal(other.text, cut->text);
        assert_int_equal(other.at, cut->at);
        cut_end(&other);
    }
    cut_begin(&other);
    for (size_t arrived = 1; arrived <= len; arrived++) {
        (void)cut_more(&other, data, arrived);
    }
    assert_string_equal(other.text, cut->text);
    assert_int_equal(other.at, cut->at);
    cut_end(&other);
}

#endif
