/* test_merge.c - several replies become one; what does not fit becomes an error. */
#include "proxy/gather/merge.h"
#include "proxy/gather/merge_own.h"
#include "tests/unit/kw_test.h"

enum { PARTS_MAX = 8 };

#define MISFIT "-ERR keyway: the replies of the nodes do not fit together\r\n"

/* The merge of REPLIES, up to a NULL, for the command NAME. */
static const char *merged_for(const char *name, int proto, const char *const *replies,
                              uint32_t keys_each, const uint32_t *key_parts, uint32_t keys_count,
                              bool may_be_partial)
{
    static char text[4096];
    struct kw_merge_part parts[PARTS_MAX];
    struct kw_merge_job job = {
        .command = kw_command_find_full(kw_bytes_of_text(name)),
        .proto = proto,
        .parts = parts,
        .key_parts = key_parts,
        .keys_count = keys_count,
        .may_be_partial = may_be_partial,
    };
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    size_t len = 0;

    job.how = job.command->merge;
    for (; replies[job.parts_count] != NULL; job.parts_count++) {
        parts[job.parts_count] = (struct kw_merge_part){
            .reply = kw_bytes_of_text(replies[job.parts_count]),
            .keys_count = keys_each,
            .node = "n:1",
        };
    }
    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kw_merge(&job, &buf);
    while (buf.len > 0) {
        struct iovec piece;
        assert_int_equal(kw_buf_iov(&buf, &piece, 1), 1);
        assert_true(len + piece.iov_len < sizeof text);
        memcpy(text + len, piece.iov_base, piece.iov_len);
        len += piece.iov_len;
        kw_buf_consume(&buf, piece.iov_len);
    }
    text[len] = '\0';
    kw_buf_reset(&buf);
    kw_chunk_pool_deinit(&pool);
    return text;
}

#define MERGED(name, proto, ...)                                                                   \
    merged_for(name, proto, (const char *const[]){__VA_ARGS__, NULL}, 0, NULL, 0, false)
#define MERGED_KEYS(name, ...)                                                                     \
    merged_for(name, 2, (const char *const[]){__VA_ARGS__, NULL}, 2, NULL, 0, false)

KW_TEST(merge_sums_and_finds_the_least)
{
    assert_string_equal(MERGED("dbsize", 2, ":1\r\n", ":20\r\n", ":0\r\n"), ":21\r\n");
    assert_string_equal(MERGED("lastsave", 2, ":30\r\n", ":20\r\n", ":25\r\n"), ":20\r\n");
    assert_string_equal(MERGED("msetex", 2, ":1\r\n", ":1\r\n"), ":1\r\n");
    assert_string_equal(MERGED("msetex", 2, ":1\r\n", ":0\r\n"), ":0\r\n");
    assert_string_equal(MERGED("dbsize", 2, ":1\r\n", "+OK\r\n"), MISFIT);
}

KW_TEST(merge_of_each_place)
{
    assert_string_equal(
        MERGED("script|exists", 2, "*3\r\n:1\r\n:1\r\n:0\r\n", "*3\r\n:1\r\n:0\r\n:0\r\n"),
        "*3\r\n:1\r\n:0\r\n:0\r\n");
    assert_string_equal(MERGED("script|exists", 2, "*1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"), MISFIT);
    assert_string_equal(MERGED("script|exists", 2, "*1\r\n:1\r\n", "*1\r\n+x\r\n"), MISFIT);
}

KW_TEST(merge_puts_elements_in_the_order_of_keys)
{
    static const uint32_t order[] = {1, 0, 1, 0};
    static const char *const replies[] = {"*2\r\n$1\r\na\r\n*1\r\n:7\r\n",
                                          "*2\r\n$-1\r\n$2\r\nbb\r\n", NULL};
    static const char *const failed[] = {"*2\r\n$1\r\na\r\n:7\r\n", "-ERR no\r\n", NULL};
    static const char *const short_one[] = {"*2\r\n$1\r\na\r\n:7\r\n", "*1\r\n:1\r\n", NULL};

    assert_string_equal(merged_for("mget", 2, replies, 2, order, 4, false),
                        "*4\r\n$-1\r\n$1\r\na\r\n$2\r\nbb\r\n*1\r\n:7\r\n");
    assert_string_equal(merged_for("mget", 2, failed, 2, order, 4, false), "-ERR no\r\n");
    assert_string_equal(merged_for("mget", 2, failed, 2, order, 4, true),
                        "*4\r\n-ERR no\r\n$1\r\na\r\n-ERR no\r\n:7\r\n");
    assert_string_equal(merged_for("mget", 2, short_one, 2, order, 4, false), MISFIT);
}

KW_TEST(merge_concatenates_arrays_and_sets)
{
    assert_string_equal(
        MERGED("keys", 2, "*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    assert_string_equal(MERGED("keys", 3, "~1\r\n+a\r\n", "~1\r\n+b\r\n"), "~2\r\n+a\r\n+b\r\n");
    assert_string_equal(MERGED("keys", 2, "*1\r\n$1\r\na\r\n", ":1\r\n"), MISFIT);
}

KW_TEST(merge_of_failures)
{
    assert_string_equal(MERGED_KEYS("mset", "+OK\r\n", "-OOM no\r\n", "+OK\r\n"),
                        "-PARTIALRESULT only 4 of 6 keys were written; the others failed: "
                        "OOM no\r\n");
    assert_string_equal(MERGED_KEYS("mset", "-ERR a\r\n", "-ERR b\r\n"), "-ERR a\r\n");
    assert_string_equal(MERGED_KEYS("exists", ":2\r\n", "-ERR b\r\n"), "-ERR b\r\n");
    assert_string_equal(MERGED("flushall", 2, "+OK\r\n", "-ERR b\r\n"),
                        "-PARTIALRESULT only 1 of 2 shards were written; the others failed: "
                        "ERR b\r\n");
    assert_string_equal(MERGED("script|kill", 2, "-NOTBUSY x\r\n", "+OK\r\n"), "+OK\r\n");
    assert_string_equal(MERGED("script|kill", 2, "-NOTBUSY x\r\n", "-UNKILLABLE y\r\n"),
                        "-UNKILLABLE y\r\n");
    assert_string_equal(MERGED("function|delete", 2, "-ERR Library not found\r\n", "+OK\r\n"),
                        "+OK\r\n");
    assert_string_equal(
        MERGED("function|load", 2, "-ERR Library 'x' already exists\r\n", "$1\r\nx\r\n"),
        "-ERR Library 'x' already exists\r\n");
}

KW_TEST(merge_of_function_stats_names_the_running_script)
{
    static const char idle[] = "%2\r\n+running_script\r\n_\r\n+engines\r\n:1\r\n";
    static const char busy[] = "%2\r\n+running_script\r\n%1\r\n+name\r\n+f\r\n"
                               "+engines\r\n:1\r\n";

    assert_string_equal(MERGED("function|stats", 3, idle, busy), busy);
    assert_string_equal(MERGED("function|stats", 3, idle, idle), idle);
}

KW_TEST(merge_of_memory_stats_adds_and_averages)
{
    assert_string_equal(MERGED("memory|stats", 2,
                               "*8\r\n+total\r\n:5\r\n+keys.bytes-per-key\r\n:10\r\n"
                               "+ratio\r\n$3\r\n1.5\r\n+db.0\r\n*2\r\n+x\r\n:1\r\n",
                               "*6\r\n+total\r\n:6\r\n+keys.bytes-per-key\r\n:20\r\n"
                               "+ratio\r\n$3\r\n2.5\r\n"),
                        "*8\r\n+total\r\n:11\r\n+keys.bytes-per-key\r\n:15\r\n"
                        "+ratio\r\n$1\r\n2\r\n+db.0\r\n*2\r\n+x\r\n:1\r\n");
    assert_string_equal(MERGED("memory|doctor", 2, "$2\r\nok\r\n", "$3\r\nbad\r\n"),
                        "$19\r\n# n:1\nok\n# n:1\nbad\n\r\n");
    assert_string_equal(MERGED("memory|stats", 2, "*2\r\n+a\r\n:5\r\n", ":5\r\n"), MISFIT);
}
