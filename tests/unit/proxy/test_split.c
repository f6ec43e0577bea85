/* test_split.c - one command for each slot, or for each key. */
#include "proxy/gather/split.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 64 };

static struct kw_split *split;

/* Cut TEXT at its spaces and split it; the commands, a ";" behind each, or "no". */
static const char *parts_of(const char *text, bool is_by_key)
{
    static char line[512];
    static char out[2048];
    struct kw_bytes words[WORDS_MAX];
    size_t count = 0;
    size_t len = 0;

    (void)snprintf(line, sizeof line, "%s", text);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        words[count++] = kw_bytes_of_text(word);
    }
    const struct kw_command *command = kw_command_resolve(words, count);
    split = kw_split_new(1);
    bool is_split = is_by_key ? kw_split_by_key(split, command, words, count)
                              : kw_split_by_slot(split, command, words, count);
    (void)snprintf(out, sizeof out, "no");
    for (uint32_t i = 0; i < split->parts_count; i++) {
        char wire[1024];
        size_t wire_len = kw_split_write(split, &split->parts[i], wire);
        assert_true(wire_len <= kw_split_len(split, &split->parts[i]));
        unsigned long words_left = strtoul(wire + 1, NULL, 10);
        char *at = strchr(wire, '\n') + 1;
        for (; words_left > 0; words_left--) {
            unsigned long word_len = strtoul(at + 1, &at, 10);
            len += (size_t)snprintf(out + len, sizeof out - len, "%.*s%s", (int)word_len, at + 2,
                                    words_left > 1 ? " " : ";");
            at += word_len + 4;
        }
        assert_ptr_equal(at, wire + wire_len);
    }
    if (is_split) {
        kw_split_clear(split);
    }
    for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot++) {
        assert_int_equal(split->part_of_slot[slot], 0);
    }
    kw_split_free(&split);
    return out;
}

KW_TEST(split_by_slot_keeps_the_order_of_keys)
{
    assert_string_equal(parts_of("MGET {a}1 {b}1 {a}2 {b}2 {a}1", false),
                        "MGET {a}1 {a}2 {a}1;MGET {b}1 {b}2;");
    assert_string_equal(parts_of("MSET {a}1 x {b}1 y {a}2 z", false),
                        "MSET {a}1 x {a}2 z;MSET {b}1 y;");
}

/* Above KW_SPLIT_FEW_KEYS slots are looked up in a table. */
KW_TEST(split_of_many_keys_is_like_that_of_few)
{
    static const char keys[] = "{a}1 {b}1 {c}1 {a}2 {b}2 {c}2 {a}3 {b}3 {c}3";
    static const char a_keys[] = "{a}1 {a}2 {a}3";
    char text[256];
    char wanted[256];

    (void)snprintf(text, sizeof text, "DEL %s %s %s", keys, keys, keys);
    (void)snprintf(wanted, sizeof wanted, "DEL %s %s %s;", a_keys, a_keys, a_keys);

    const char *parts = parts_of(text, false);

    assert_memory_equal(parts, wanted, strlen(wanted));
    assert_int_equal(strlen(parts), 3 * strlen(wanted));
}

KW_TEST(split_repeats_what_is_no_key)
{
    assert_string_equal(parts_of("JSON.MGET {a}1 {b}1 {a}2 $.x", false),
                        "JSON.MGET {a}1 {a}2 $.x;JSON.MGET {b}1 $.x;");
    assert_string_equal(parts_of("MSETEX 3 {a}1 x {b}1 y {a}2 z EX 10", false),
                        "MSETEX 2 {a}1 x {a}2 z EX 10;MSETEX 1 {b}1 y EX 10;");
    assert_string_equal(parts_of("TS.MADD {a}1 1 2 {b}1 3 4", false),
                        "TS.MADD {a}1 1 2;TS.MADD {b}1 3 4;");
}

KW_TEST(split_of_one_slot_is_none)
{
    assert_string_equal(parts_of("DEL {a}1 {a}2", false), "no");
    assert_string_equal(parts_of("DEL a", false), "no");
    assert_string_equal(parts_of("MSET a 1 b", false), "no");
    assert_string_equal(parts_of("MSETEX 9 a 1 b 2", false), "no");
}

KW_TEST(split_by_key_keeps_equal_keys_together)
{
    assert_string_equal(parts_of("MSET {a}1 x {a}2 y {a}1 z", true),
                        "MSET {a}1 x {a}1 z;MSET {a}2 y;");
    assert_string_equal(parts_of("DEL {a}1 {a}1", true), "no");
    assert_string_equal(parts_of("DEL {a}1 {a}2 {a}3", true), "DEL {a}1;DEL {a}2;DEL {a}3;");
}

KW_TEST(split_knows_ragged_requests)
{
    const struct kw_command *mset = kw_command_find(KW_BYTES("mset"));

    assert_false(kw_split_is_ragged(mset, 3));
    assert_true(kw_split_is_ragged(mset, 4));
    assert_false(kw_split_is_ragged(kw_command_find(KW_BYTES("mget")), 4));
}
