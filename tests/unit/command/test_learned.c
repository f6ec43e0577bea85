/* test_learned.c - rows that are learned: found by any case, beside those of commands.def. */
#include "base/mem.h"
#include "command/learned.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

static struct kw_command row_named(const char *name)
{
    struct kw_command row;

    memset(&row, 0, sizeof row);
    row.name_len = (uint8_t)strlen(name);
    memcpy(row.name, name, row.name_len);
    row.arity = -1;
    return row;
}

static bool add(struct kw_learned *learned, const char *name, uint32_t flags)
{
    struct kw_command row = row_named(name);

    row.flags = flags;
    return kw_learned_add(learned, &row);
}

static const char *resolved(const struct kw_learned *learned, const char *first, const char *second)
{
    struct kw_bytes argv[2] = {kw_bytes_of_text(first),
                               kw_bytes_of_text(second == NULL ? "" : second)};
    const struct kw_command *row = kw_learned_resolve(learned, argv, second == NULL ? 1 : 2);

    return row == NULL ? "none" : row->name;
}

KW_TEST(learned_rows_are_found_in_any_case_and_order)
{
    struct kw_learned *learned = kw_learned_new();
    char name[32];

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "new.%d", i * 7919 % 500);
        assert_true(add(learned, name, 0));
    }
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "NeW.%d", i);
        struct kw_bytes argv = kw_bytes_of_text(name);
        const struct kw_command *row = kw_learned_resolve(learned, &argv, 1);
        assert_non_null(row);
        assert_int_equal(strcasecmp(row->name, name), 0);
        assert_int_equal(row->id, kw_command_count());
    }
    assert_string_equal(resolved(learned, "new.", NULL), "none");
    assert_string_equal(resolved(learned, "new.500", NULL), "none");
    assert_string_equal(resolved(learned, "", NULL), "none");
    assert_string_equal(resolved(NULL, "new.1", NULL), "none");
    kw_learned_free(&learned);
    assert_null(learned);
}

KW_TEST(learned_subcommands_stand_behind_their_container)
{
    struct kw_learned *learned = kw_learned_new();

    assert_true(add(learned, "box", KW_COMMAND_CONTAINER));
    assert_true(add(learned, "box|get", 0));
    assert_true(add(learned, "boxer", 0));
    assert_string_equal(resolved(learned, "BOX", "Get"), "box|get");
    assert_string_equal(resolved(learned, "box", "put"), "box");
    assert_string_equal(resolved(learned, "box", NULL), "box");
    assert_string_equal(resolved(learned, "boxer", "get"), "boxer");
    assert_string_equal(resolved(learned, "box|get", NULL), "none");
    assert_string_equal(
        resolved(learned, "box", "a-word-that-is-longer-than-any-name-of-a-command-may-be"), "box");
    kw_learned_free(&learned);
}

KW_TEST(learned_rows_never_replace_those_that_are_known)
{
    struct kw_learned *learned = kw_learned_new();

    assert_false(add(learned, "get", 0));
    assert_false(add(learned, "client|id", 0));
    assert_true(add(learned, "new", 0));
    assert_false(add(learned, "new", KW_COMMAND_READ));
    assert_int_equal(kw_learned_count(learned), 1);
    kw_learned_free(&learned);
}

KW_TEST(learned_rows_are_bounded)
{
    struct kw_learned *learned = kw_learned_new();
    char name[32];

    for (int i = 0; i < KW_LEARNED_ROWS_MAX + 10; i++) {
        snprintf(name, sizeof name, "new.%d", i);
        assert_int_equal(add(learned, name, 0), i < KW_LEARNED_ROWS_MAX);
    }
    assert_int_equal(kw_learned_count(learned), KW_LEARNED_ROWS_MAX);
    kw_learned_free(&learned);
}

KW_TEST(learned_sets_are_equal_when_they_say_the_same)
{
    struct kw_learned *one = kw_learned_new();
    struct kw_learned *other = kw_learned_new();

    assert_true(kw_learned_equal(one, other));
    add(one, "a", 0);
    add(one, "b", 0);
    add(other, "b", 0);
    assert_false(kw_learned_equal(one, other));
    add(other, "a", 0);
    assert_true(kw_learned_equal(one, other));
    kw_learned_set_databases(one, 16);
    assert_false(kw_learned_equal(one, other));
    assert_int_equal(kw_learned_databases(one), 16);
    kw_learned_free(&one);
    kw_learned_free(&other);
}
