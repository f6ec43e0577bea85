/* test_command.c - the table is sane, and every name in it is found. */
#include "tests/unit/kw_test.h"

#include "command/command.h"
#include "command/keys.h"

#include <ctype.h>
#include <stdio.h>

static const struct kw_command *find(const char *text)
{
    return kw_command_find_full(kw_bytes_of_text(text));
}

static bool is_subcommand(const struct kw_command *row)
{
    return strchr(row->name, '|') != NULL;
}

/* Fail with the row's name when FACT is not true. */
static void check(const struct kw_command *row, bool fact, const char *what)
{
    if (!fact) {
        fail_msg("%s: %s", row->name, what);
    }
}

KW_TEST(command_ids_are_dense_and_in_the_order_of_the_table)
{
    assert_true(kw_command_count() > 600);
    for (size_t i = 0; i < kw_command_count(); i++) {
        assert_int_equal(kw_command_at(i)->id, i);
    }
}

KW_TEST(command_names_are_lower_case_and_unique)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        check(row, strlen(row->name) == row->name_len && row->name_len > 0, "length");
        for (size_t at = 0; at < row->name_len; at++) {
            check(row,
                  !isupper((unsigned char)row->name[at]) && isprint((unsigned char)row->name[at]),
                  "a letter that is no lower-case letter");
        }
        for (size_t j = i + 1; j < kw_command_count(); j++) {
            check(row, strcmp(row->name, kw_command_at(j)->name) != 0, "is there twice");
        }
    }
}

KW_TEST(command_names_are_found_in_lower_and_upper_case)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        char upper[KW_COMMAND_NAME_MAX + 1] = {0};
        for (size_t at = 0; at < row->name_len; at++) {
            upper[at] = (char)toupper((unsigned char)row->name[at]);
        }
        check(row, find(row->name) == row, "not found");
        check(row, find(upper) == row, "not found in upper case");
        check(row, is_subcommand(row) == (kw_command_find(kw_bytes_of_text(row->name)) == NULL),
              "the top level has commands only");
    }
}

KW_TEST(command_names_that_differ_in_one_byte_are_not_found)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        char name[KW_COMMAND_NAME_MAX + 1];
        for (size_t at = 0; at < row->name_len && !is_subcommand(row); at++) {
            memcpy(name, row->name, sizeof name);
            name[at] ^= (char)(isalpha((unsigned char)name[at]) ? 0x80 : 0x20);
            const struct kw_command *found = kw_command_find(kw_bytes_of(name, row->name_len));
            check(row, found == NULL, "found under another name");
        }
        check(row, kw_command_find(kw_bytes_of(row->name, row->name_len - 1u)) != row, "cut");
    }
}

KW_TEST(command_lookup_of_strange_names_finds_nothing)
{
    static const char *const names[] = {
        "",  "g",       "ge", "gett",    "\0\0\0",   "client|setname",
        "|", "config|", "*3", "GET\r\n", "foo\r\n+X"};
    char huge[4096];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(kw_command_find(kw_bytes_of_text(names[i])));
    }
    memset(huge, 'a', sizeof huge);
    for (size_t len = 0; len < sizeof huge; len++) {
        assert_null(kw_command_find(kw_bytes_of(huge, len)));
    }
    assert_null(kw_command_find(kw_bytes_of(NULL, 0)));
    assert_null(kw_command_find(kw_bytes_of("get\0", 4)));
    assert_null(find("client|"));
    assert_null(find("|setname"));
    assert_null(find("get|x"));
}

KW_TEST(command_resolve_finds_subcommands_and_gives_the_container_otherwise)
{
    struct kw_bytes argv[] = {KW_BYTES("Client"), KW_BYTES("sEtName"), KW_BYTES("x")};

    assert_string_equal(kw_command_resolve(argv, 3)->name, "client|setname");
    assert_string_equal(kw_command_resolve(argv, 1)->name, "client");
    argv[1] = KW_BYTES("nothing");
    assert_string_equal(kw_command_resolve(argv, 3)->name, "client");
    argv[1] = KW_BYTES("");
    assert_string_equal(kw_command_resolve(argv, 3)->name, "client");
    argv[1] = kw_bytes_of(NULL, 0);
    assert_string_equal(kw_command_resolve(argv, 2)->name, "client");
    argv[0] = KW_BYTES("get");
    assert_string_equal(kw_command_resolve(argv, 3)->name, "get");
    argv[0] = KW_BYTES("nothing");
    assert_null(kw_command_resolve(argv, 3));
}

KW_TEST(command_recent_names_are_found_again_and_mistaken_for_nothing)
{
    static const char *const words[] = {"get",
                                        "GET",
                                        "gET",
                                        "set",
                                        "del",
                                        "getex",
                                        "getdel",
                                        "mget",
                                        "ping",
                                        "xyz",
                                        "georadiusbymember_ro",
                                        "georadiusbymember",
                                        "client",
                                        "config",
                                        "gea",
                                        ""};
    enum { COUNT = sizeof words / sizeof words[0] };
    struct kw_command_recent recent = {0};
    struct kw_bytes argv[2] = {{0}, kw_bytes_of_text("id")};

    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT * COUNT; i++) { /* each one behind each other one */
            argv[0] = kw_bytes_of_text(words[i % 2 == 0 ? i / 2 % COUNT : i / COUNT]);
            for (size_t argc = 1; argc <= 2; argc++) {
                assert_ptr_equal(kw_command_resolve_recent(&recent, argv, argc),
                                 kw_command_resolve(argv, argc));
            }
        }
    }
    argv[0] = kw_bytes_of_text("client"); /* what it comes to depends on the next word */
    argv[1] = kw_bytes_of_text("setname");
    assert_string_equal(kw_command_resolve_recent(&recent, argv, 2)->name, "client|setname");
    argv[1] = kw_bytes_of_text("getname");
    assert_string_equal(kw_command_resolve_recent(&recent, argv, 2)->name, "client|getname");
}

KW_TEST(command_rows_of_subcommands_stand_behind_their_container)
{
    const struct kw_command *container = NULL;

    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        if (!is_subcommand(row)) {
            container = row;
            bool has_some = i + 1 < kw_command_count() && is_subcommand(kw_command_at(i + 1));
            check(row, has_some == ((row->flags & KW_COMMAND_CONTAINER) != 0), "CONTAINER");
        } else {
            assert_non_null(container);
            check(row, kw_command_is_within(row, container), "stands behind another container");
            check(row, (row->flags & KW_COMMAND_CONTAINER) == 0, "is no container itself");
        }
    }
}

KW_TEST(command_rows_have_arities_and_key_places_that_fit)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        int least = row->arity < 0 ? -row->arity : row->arity;
        check(row, least >= (is_subcommand(row) && row->arity > 0 ? 2 : 1), "arity");
        for (size_t at = 0; at < KW_COMMAND_KEY_SPECS_MAX; at++) {
            const struct kw_key_spec *spec = &row->keys[at];
            if (spec->find == KW_FIND_NONE) {
                continue;
            }
            check(row, at == 0 || row->keys[at - 1].find != KW_FIND_NONE, "a gap in KEYS");
            check(row, spec->begin >= 1 && spec->step >= 1, "begin and step");
            check(row, spec->find != KW_FIND_AT || spec->begin < least, "a key the arity misses");
            uint32_t kinds =
                spec->flags & (KW_KEY_RO | KW_KEY_RW | KW_KEY_OW | KW_KEY_RM | KW_KEY_NOT_KEY);
            check(row, kinds != 0 && (kinds & (kinds - 1)) == 0, "one of RO RW OW RM NOT_KEY");
        }
        uint32_t single = kw_keys_single(row);
        check(row, single == 0 || single < (uint32_t)least, "a single key the arity misses");
    }
}

KW_TEST(command_rows_have_policies_that_fit_each_other)
{
    for (size_t i = 0; i < kw_command_count(); i++) {
        const struct kw_command *row = kw_command_at(i);
        bool has_keys = row->keys[0].find != KW_FIND_NONE;
        bool is_write = (row->flags & KW_COMMAND_WRITE) != 0;
        bool is_read = (row->flags & KW_COMMAND_READ) != 0;
        check(row, !(is_write && is_read), "reads or writes");
        check(row, row->local == KW_LOCAL_NONE || row->route == KW_ROUTE_LOCAL, "ANSWER");
        check(row, row->route != KW_ROUTE_ONE_SLOT || has_keys, "ONE_SLOT needs keys");
        check(row, row->route != KW_ROUTE_SPLIT || (has_keys && row->merge != KW_MERGE_NONE),
              "SPLIT needs keys and MERGE");
        check(row, row->route != KW_ROUTE_ALL_SHARDS || row->merge != KW_MERGE_NONE, "MERGE");
        check(row, row->route != KW_ROUTE_SESSION || row->session != KW_SESSION_NONE, "SESSION");
        check(row,
              row->cache != KW_CACHE_EACH_KEY && row->cache != KW_CACHE_WHOLE_REPLY ? true
                                                                                    : is_read,
              "only what reads is cached");
        check(row,
              !is_write || !has_keys || row->cache == KW_CACHE_INVALIDATES ||
                  row->route == KW_ROUTE_REFUSED,
              "what writes keys invalidates");
        check(row,
              row->session != KW_SESSION_BLOCK && row->session != KW_SESSION_BLOCK_OPTION
                  ? true
                  : (row->flags & KW_COMMAND_BLOCKING) != 0,
              "what blocks has BLOCKING");
        check(row, !kw_command_may_retry(row) || !is_write, "no write is sent twice");
    }
}

KW_TEST(command_arity_is_exact_or_a_minimum)
{
    assert_true(kw_command_arity_ok(find("get"), 2));
    assert_false(kw_command_arity_ok(find("get"), 1));
    assert_false(kw_command_arity_ok(find("get"), 3));
    assert_false(kw_command_arity_ok(find("set"), 2));
    assert_true(kw_command_arity_ok(find("set"), 3));
    assert_true(kw_command_arity_ok(find("set"), 1000000));
}

/* Split TEXT at blanks into ARGV; returns the count. */
static size_t split(const char *text, struct kw_bytes *argv)
{
    size_t argc = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        argv[argc++] = kw_bytes_of(text, len);
        text += len + (text[len] == ' ' ? 1 : 0);
    }
    return argc;
}

KW_TEST(command_blocks_only_with_its_block_option)
{
    static const struct {
        const char *request;
        bool is_blocking;
    } cases[] = {
        {"XREAD STREAMS a 0", false},
        {"XREAD BLOCK 0 STREAMS a 0", true},
        {"xread count 2 block 5 streams a $", true},
        {"XREAD COUNT block STREAMS a 0", false},
        {"XREAD STREAMS block block", false},
        {"XREADGROUP GROUP block block STREAMS a >", false},
        {"XREADGROUP GROUP g c NOACK BLOCK 1 STREAMS a >", true},
        {"XREADGROUP GROUP", false},
        {"BLPOP a 0", true},
        {"WAIT 1 0", true},
        {"GET block", false},
        {"TS.READ block 0", false},
        {"TS.READ a BLOCK 5", true},
    };
    struct kw_bytes argv[16];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t argc = split(cases[i].request, argv);
        const struct kw_command *command = kw_command_resolve(argv, argc);
        assert_non_null(command);
        if (kw_command_is_blocking(command, argv, argc) != cases[i].is_blocking) {
            fail_msg("%s", cases[i].request);
        }
    }
}

KW_TEST(command_only_reads_that_do_not_block_may_be_sent_again)
{
    assert_true(kw_command_may_retry(find("get")));
    assert_true(kw_command_may_retry(find("eval_ro")));
    assert_false(kw_command_may_retry(find("set")));
    assert_false(kw_command_may_retry(find("eval")));
    assert_false(kw_command_may_retry(find("xread")));
    assert_false(kw_command_may_retry(find("publish")));
}

KW_TEST(command_offers_what_it_carries_out)
{
    assert_true(kw_command_is_offered(find("get")));
    assert_true(kw_command_is_offered(find("client")));
    assert_true(kw_command_is_offered(find("xgroup|create")));
    assert_false(kw_command_is_offered(find("shutdown")));
    assert_false(kw_command_is_offered(find("module|load")));
    assert_true(kw_command_is_offered(find("blpop")));
    assert_true(kw_command_is_offered(find("exec")));
    assert_false(kw_command_is_offered(find("debug")));
}
