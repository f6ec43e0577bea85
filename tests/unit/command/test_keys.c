/* test_keys.c - keys are found where the server finds them; what does not add up is BAD. */
#include "tests/unit/kw_test.h"

#include "base/limits.h"
#include "base/mem.h"
#include "command/command.h"
#include "command/keys.h"

#include <stdio.h>

enum { ARGS = 40 };

/* Split TEXT at blanks into ARGV; "''" is an empty argument. Returns the count. */
static size_t split(const char *text, struct kw_bytes *argv)
{
    size_t argc = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        argv[argc++] = kw_bytes_of(text, len == 2 && text[0] == '\'' ? 0 : len);
        text += len + (text[len] == ' ' ? 1 : 0);
    }
    return argc;
}

/* "OK 1 3", "NONE" or "BAD": the verdict and the indexes for the request TEXT. */
static void keys_of(const char *text, char *out, size_t out_size)
{
    static const char *const verdicts[] = {"OK", "NONE", "BAD"};
    struct kw_bytes argv[ARGS];
    size_t argc = split(text, argv);
    const struct kw_command *command = kw_command_resolve(argv, argc);
    struct kw_keys keys;
    size_t len = 0;

    assert_non_null(command);
    len +=
        (size_t)snprintf(out, out_size, "%s", verdicts[kw_keys_find(command, argv, argc, &keys)]);
    for (uint32_t i = 0; i < keys.count; i++) {
        len += (size_t)snprintf(out + len, out_size - len, " %u", kw_keys_at(&keys, i));
    }
}

struct expectation {
    const char *request;
    const char *keys;
};

static void expect_all(const struct expectation *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char found[200];
        keys_of(cases[i].request, found, sizeof found);
        if (strcmp(found, cases[i].keys) != 0) {
            fail_msg("%s: %s, not %s", cases[i].request, found, cases[i].keys);
        }
    }
}

#define EXPECT(cases) expect_all(cases, sizeof(cases) / sizeof(cases)[0])

KW_TEST(keys_of_plain_commands_are_at_fixed_places)
{
    static const struct expectation cases[] = {
        {"GET a", "OK 1"},
        {"SET a b EX 1", "OK 1"},
        {"PING", "NONE"},
        {"XGROUP CREATE a g $", "OK 2"},
        {"OBJECT ENCODING a", "OK 2"},
        {"RENAME a b", "OK 1 2"},
        {"LCS a b LEN", "OK 1 2"},
        {"SPUBLISH c m", "OK 1"},
        {"FT.GET i d", "OK 2"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_ranges_end_where_the_command_says)
{
    static const struct expectation cases[] = {
        {"DEL a", "OK 1"},
        {"MGET a b c", "OK 1 2 3"},
        {"MSET a 1 b 2", "OK 1 3"},
        {"MSETNX a 1", "OK 1"},
        {"JSON.MSET a p v b p v", "OK 1 4"},
        {"TS.MADD a t v b t v", "OK 1 4"},
        {"JSON.MGET a b c path", "OK 1 2 3"},
        {"BLPOP a b 0", "OK 1 2"},
        {"BITOP AND d a b", "OK 2 3 4"},
        {"PFMERGE d", "OK 1"},
        {"PFMERGE d a b", "OK 1 2 3"},
        {"SDIFFSTORE d a b", "OK 1 2 3"},
        {"SUNSUBSCRIBE", "NONE"},
        {"SUNSUBSCRIBE c", "OK 1"},
    };

    EXPECT(cases);
}

KW_TEST(keys_that_are_counted_are_counted)
{
    static const struct expectation cases[] = {
        {"EVAL s 0", "NONE"},
        {"EVAL s 0 a b", "NONE"},
        {"EVAL s 1 a b", "OK 3"},
        {"EVALSHA s 2 a b c", "OK 3 4"},
        {"FCALL f 1 a", "OK 3"},
        {"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "OK 1 3 4"},
        {"ZDIFF 2 a b WITHSCORES", "OK 2 3"},
        {"LMPOP 1 a LEFT", "OK 2"},
        {"BLMPOP 0 2 a b LEFT", "OK 3 4"},
        {"BZMPOP 0 1 a MIN", "OK 3"},
        {"SINTERCARD 2 a b LIMIT 1", "OK 2 3"},
        {"MSETEX 2 a 1 b 2 EX 5", "OK 2 4"},
        {"TDIGEST.MERGE d 2 a b", "OK 1 3 4"},
        {"CMS.MERGE d 2 a b WEIGHTS 1 2", "OK 1 3 4"},
    };

    EXPECT(cases);
}

KW_TEST(keys_counts_that_do_not_add_up_are_bad)
{
    static const struct expectation cases[] = {
        {"EVAL s -1 a", "BAD"},
        {"EVAL s 2 a", "BAD"},
        {"EVAL s 1", "BAD"},
        {"EVAL s x a", "BAD"},
        {"EVAL s 1x a", "BAD"},
        {"EVAL s '' a", "BAD"},
        {"EVAL s +1 a", "BAD"},
        {"EVAL s 01 a", "BAD"},
        {"EVAL s 4294967297 a", "BAD"},
        {"EVAL s 18446744073709551617 a", "BAD"},
        {"EVAL s -9223372036854775808 a", "BAD"},
        {"EVAL s 9223372036854775807 a", "BAD"},
        {"EVAL s", "BAD"},
        {"ZUNION 0 a", "BAD"},
        {"ZUNION 3 a b", "BAD"},
        {"ZUNIONSTORE d 0 a", "BAD 1"},
        {"ZUNIONSTORE d 9 a", "BAD 1"},
        {"MSETEX 2 a 1 b", "BAD"},
        {"MSETEX 9223372036854775807 a 1", "BAD"},
        {"BLMPOP 0 2 a", "BAD"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_too_few_arguments_are_bad)
{
    static const struct expectation cases[] = {
        {"GET", "BAD"},
        {"RENAME a", "BAD 1"},
        {"DEL", "BAD"},
        {"MGET", "BAD"},
        {"MSET a", "BAD 1"},
        {"MSET a 1 b", "BAD 1 3"},
        {"JSON.MSET a p v b", "BAD 1 4"},
        {"BLPOP a", "BAD"},
        {"LCS a", "BAD"},
        {"XREAD", "BAD"},
        {"ZUNION", "BAD"},
        {"MIGRATE h p", "BAD"},
        {"OBJECT ENCODING", "BAD"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_streams_are_the_first_half)
{
    static const struct expectation cases[] = {
        {"XREAD STREAMS a 0", "OK 2"},
        {"XREAD COUNT 2 STREAMS a b 0 0", "OK 4 5"},
        {"xread block 0 streams a b c 0 0 0", "OK 4 5 6"},
        {"XREADGROUP GROUP streams streams COUNT 1 NOACK STREAMS a >", "OK 8"},
        {"XREADGROUP GROUP g c CLAIM 5 STREAMS a >", "OK 7"},
        {"XREAD STREAMS", "BAD"},
        {"XREAD STREAMS a", "BAD"},
        {"XREAD STREAMS a b 0", "BAD"},
        {"XREAD COUNT STREAMS a 0", "BAD"},
        {"XREAD FOO STREAMS a 0", "BAD"},
        {"XREADGROUP GROUP g", "BAD"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_store_options_are_the_last_ones_given)
{
    static const struct expectation cases[] = {
        {"GEORADIUS a 1 2 3 m", "OK 1"},
        {"GEORADIUS a 1 2 3 m STORE b", "OK 1 7"},
        {"GEORADIUS a 1 2 3 m store b STOREDIST c", "OK 1 9"},
        {"GEORADIUS a 1 2 3 m STORE store STORE c", "OK 1 9"},
        {"GEORADIUS a 1 2 3 m STORE", "OK 1"},
        {"GEORADIUSBYMEMBER a m 3 m STOREDIST b", "OK 1 6"},
        {"GEORADIUS_RO a 1 2 3 m STORE b", "OK 1"},
        {"SORT a", "OK 1"},
        {"SORT a BY w_* GET # GET d_* LIMIT 0 1 STORE b", "OK 1 12"},
        {"SORT a BY store GET store b", "OK 1"},
        {"SORT a LIMIT store 1 STORE b", "OK 1 6"},
        {"SORT a STORE b STORE c", "OK 1 5"},
        {"SORT a STORE", "OK 1"},
        {"SORT a LIMIT", "OK 1"},
        {"SORT_RO a BY w_* GET d_*", "OK 1"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_migrate_and_of_json_debug)
{
    static const struct expectation cases[] = {
        {"MIGRATE h p a 0 5", "OK 3"},
        {"MIGRATE h p a 0 5 COPY KEYS b", "OK 3"},
        {"MIGRATE h p '' 0 5 KEYS a b", "OK 7 8"},
        {"MIGRATE h p '' 0 5 AUTH keys KEYS a", "OK 9"},
        {"MIGRATE h p '' 0 5 AUTH2 keys keys REPLACE KEYS a b", "OK 11 12"},
        {"MIGRATE h p '' 0 5 KEYS", "BAD"},
        {"MIGRATE h p '' 0 5", "OK 3"},
        {"JSON.DEBUG MEMORY a p", "OK 2"},
        {"JSON.DEBUG MEMORY", "BAD"},
        {"JSON.DEBUG HELP", "NONE"},
    };

    EXPECT(cases);
}

KW_TEST(keys_of_the_single_key_path_agree_with_the_general_one)
{
    struct kw_bytes argv[ARGS];
    struct kw_keys keys;

    for (size_t i = 0; i < ARGS; i++) {
        argv[i] = KW_BYTES("1");
    }
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        uint32_t single = kw_keys_single(row);
        if (single != 0) {
            assert_int_equal(kw_keys_find(row, argv, 10, &keys), KW_KEYS_OK);
            assert_int_equal(keys.count, 1);
            assert_int_equal(kw_keys_at(&keys, 0), single);
        }
    }
}

KW_TEST(keys_of_every_command_stay_within_argv_at_every_count)
{
    struct kw_bytes argv[ARGS];
    struct kw_keys keys;

    for (size_t i = 0; i < kw_command_count(); i++) {
        for (size_t argc = 0; argc < ARGS; argc++) {
            argv[argc] = argc % 3 == 0 ? KW_BYTES("2") : KW_BYTES("STORE");
            enum kw_keys_verdict verdict = kw_keys_find(kw_command_at(i), argv, argc, &keys);
            assert_int_equal(verdict == KW_KEYS_OK && keys.count == 0, 0);
            for (uint32_t n = 0; n < keys.count; n++) {
                assert_true(kw_keys_at(&keys, n) >= 1 && kw_keys_at(&keys, n) < argc);
            }
        }
    }
}

KW_TEST(keys_of_a_hundred_thousand_arguments_cost_three_numbers)
{
    size_t argc = 100001;
    struct kw_bytes *argv = kw_alloc_zero(argc, sizeof *argv);
    struct kw_keys keys;
    uint64_t before = 0;

    argv[0] = KW_BYTES("mget");
    before = kw_mem_allocations_count();
    assert_int_equal(kw_keys_find(kw_command_resolve(argv, argc), argv, argc, &keys), KW_KEYS_OK);
    assert_int_equal(kw_mem_allocations_count(), before);
    assert_int_equal(keys.count, 100000);
    assert_int_equal(kw_keys_at(&keys, 99999), 100000);
    kw_free(argv);
}

KW_TEST(keys_of_more_arguments_than_a_request_may_have_are_bad)
{
    const struct kw_command *mget = kw_command_find(KW_BYTES("mget"));
    struct kw_keys keys;

    assert_int_equal(kw_keys_find(mget, NULL, KW_ARGS_MAX, &keys), KW_KEYS_OK);
    assert_int_equal(kw_keys_find(mget, NULL, KW_ARGS_MAX + 1, &keys), KW_KEYS_BAD);
    assert_int_equal(kw_keys_find(mget, NULL, SIZE_MAX, &keys), KW_KEYS_BAD);
    assert_int_equal(keys.count, 0);
}
