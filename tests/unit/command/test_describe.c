/* test_describe.c - COMMAND and its family: whole replies, in the shapes that redis 7.0 uses. */
#include "tests/unit/kw_test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "command/command.h"
#include "command/describe.h"
#include "resp/reply_parser.h"

#include <stdio.h>

enum { ARGS = 16 };

/* The reply to TEXT, split at blanks, as a NUL-terminated text that the caller frees. */
static char *reply_to(const char *text, int proto)
{
    struct kw_bytes argv[ARGS];
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    size_t argc = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        argv[argc++] = kw_bytes_of(text, len);
        text += len + (text[len] == ' ' ? 1 : 0);
    }
    const struct kw_command *command = kw_command_resolve(argv, argc);
    assert_non_null(command);
    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kw_describe(&buf, command, &(struct kw_describe_rows){0}, argv, argc, proto);

    char *reply = kw_alloc(buf.len + 1);
    size_t len = 0;
    while (buf.len > 0) {
        struct iovec piece;
        assert_int_equal(kw_buf_iov(&buf, &piece, 1), 1);
        memcpy(reply + len, piece.iov_base, piece.iov_len);
        len += piece.iov_len;
        kw_buf_consume(&buf, piece.iov_len);
    }
    reply[len] = '\0';
    kw_chunk_pool_deinit(&pool);
    return reply;
}

static void expect(const char *request, int proto, const char *wanted)
{
    char *reply = reply_to(request, proto);

    assert_string_equal(reply, wanted);
    kw_free(reply);
}

/* The reply to REQUEST is one whole reply, and nothing behind it. */
static void expect_whole(const char *request, int proto)
{
    char *reply = reply_to(request, proto);
    struct kw_reply_parser parser = {0};
    size_t scanned = 0;

    if (kw_reply_scan(&parser, proto, reply, strlen(reply), &scanned) != KW_OK ||
        scanned != strlen(reply)) {
        fail_msg("%s in RESP%d: %zu of %zu bytes are a reply", request, proto, scanned,
                 strlen(reply));
    }
    kw_free(reply);
}

KW_TEST(describe_writes_whole_replies_for_every_command)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        for (int proto = 2; proto <= 3; proto++) {
            char request[80];
            (void)snprintf(request, sizeof request, "COMMAND INFO %s", kw_command_at(i)->name);
            expect_whole(request, proto);
            (void)snprintf(request, sizeof request, "COMMAND DOCS %s", kw_command_at(i)->name);
            expect_whole(request, proto);
        }
    }
}

KW_TEST(describe_writes_whole_replies_for_all_commands_at_once)
{
    for (int proto = 2; proto <= 3; proto++) {
        expect_whole("COMMAND", proto);
        expect_whole("COMMAND INFO", proto);
        expect_whole("COMMAND DOCS", proto);
        expect_whole("COMMAND LIST", proto);
        expect_whole("COMMAND COUNT", proto);
        expect_whole("COMMAND HELP", proto);
        expect_whole("CLIENT HELP", proto);
    }
}

KW_TEST(describe_counts_what_it_lists)
{
    char *count = reply_to("COMMAND COUNT", 2);
    char *all = reply_to("COMMAND", 2);

    assert_int_equal(count[0], ':');
    assert_int_equal(all[0], '*');
    assert_memory_equal(count + 1, all + 1, strcspn(count, "\r"));
    kw_free(count);
    kw_free(all);
}

#define GET_SPECIFICATION_2                                                                        \
    "*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n"     \
    "$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n"            \
    "$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n"    \
    ":1\r\n$5\r\nlimit\r\n:0\r\n"

#define GET_SPECIFICATION_3                                                                        \
    "%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n"     \
    "$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n"            \
    "$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n"    \
    ":1\r\n$5\r\nlimit\r\n:0\r\n"

KW_TEST(describe_info_has_ten_elements_and_null_for_unknown_names)
{
    expect("COMMAND INFO get nothing", 2,
           "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
           "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n" GET_SPECIFICATION_2
           "*0\r\n$-1\r\n");
    expect("COMMAND INFO nothing GET", 3,
           "*2\r\n_\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
           "~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n" GET_SPECIFICATION_3 "~0\r\n");
}

KW_TEST(describe_docs_leave_unknown_names_out)
{
    expect("COMMAND DOCS nothing", 3, "%0\r\n");
    expect("COMMAND DOCS nothing", 2, "*0\r\n");
    expect("COMMAND DOCS ping nothing", 2,
           "*2\r\n$4\r\nping\r\n*8\r\n$7\r\nsummary\r\n$25\r\nAnswered by keyway itself\r\n"
           "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$10\r\nconnection\r\n"
           "$9\r\narguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$3\r\narg\r\n$4\r\ntype\r\n"
           "$6\r\nstring\r\n$5\r\nflags\r\n*2\r\n+optional\r\n+multiple\r\n");
}

KW_TEST(describe_list_filters)
{
    expect("COMMAND LIST FILTERBY PATTERN LMPO*", 2, "*1\r\n$5\r\nlmpop\r\n");
    expect("COMMAND LIST FILTERBY PATTERN Nothing", 2, "*0\r\n");
    expect("COMMAND LIST FILTERBY MODULE search", 2, "*0\r\n");
    expect("COMMAND LIST FILTERBY ACLCAT nothing", 2, "*0\r\n");
    expect("COMMAND LIST FILTERBY FOO x", 2, "-ERR syntax error\r\n");
    expect("COMMAND LIST FOO", 2, "-ERR syntax error\r\n");
    expect("COMMAND LIST FILTERBY PATTERN", 2, "-ERR syntax error\r\n");

    char *geo = reply_to("COMMAND LIST FILTERBY ACLCAT Geo", 2);
    assert_non_null(strstr(geo, "\r\ngeoadd\r\n"));
    assert_null(strstr(geo, "\r\nget\r\n"));
    kw_free(geo);
}

KW_TEST(describe_getkeys_finds_the_keys_of_a_request)
{
    expect("COMMAND GETKEYS MSET a 1 b 2", 2, "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    expect("COMMAND GETKEYS eval s 0 x", 2, "*0\r\n");
    expect("COMMAND GETKEYS xgroup create k g $", 2, "*1\r\n$1\r\nk\r\n");
    expect("COMMAND GETKEYS zunionstore d 2 a b", 2, "*3\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nb\r\n");
    expect("COMMAND GETKEYSANDFLAGS getdel k", 3,
           "*1\r\n*2\r\n$1\r\nk\r\n~3\r\n+RW\r\n+access\r\n+delete\r\n");
}

KW_TEST(describe_getkeys_refuses_what_has_none)
{
    expect("COMMAND GETKEYS nothing x", 2, "-ERR Invalid command specified\r\n");
    expect("COMMAND GETKEYS client nothing", 2, "-ERR Invalid command specified\r\n");
    expect("COMMAND GETKEYS ping x", 2, "-ERR The command has no key arguments\r\n");
    expect("COMMAND GETKEYS spublish c m", 2, "-ERR The command has no key arguments\r\n");
    expect("COMMAND GETKEYS get", 2, "-ERR Invalid number of arguments specified for command\r\n");
    expect("COMMAND GETKEYS zunion 9 a", 2, "-ERR Invalid arguments specified for command\r\n");
}

KW_TEST(describe_help_lists_the_subcommands_that_work)
{
    char *help = reply_to("CLIENT HELP", 2);

    assert_non_null(strstr(help, "+CLIENT <subcommand> [<arg> [value] [opt] ...]."));
    assert_non_null(strstr(help, "\r\n+SETNAME\r\n"));
    kw_free(help);
    help = reply_to("MODULE HELP", 2);
    assert_null(strstr(help, "\r\n+LOAD\r\n"));
    kw_free(help);
}
