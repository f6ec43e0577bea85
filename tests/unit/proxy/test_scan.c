/* test_scan.c - cursors, patterns, and what a node says of its slots. */
#include "proxy/gather/scan_check.h"
#include "proxy/gather/scan_cursor.h"
#include "tests/unit/kw_test.h"

#include <inttypes.h>
#include <stdio.h>

static bool reads(const char *text, struct kw_scan_cursor *cursor, bool *is_start)
{
    return kw_scan_cursor_read(kw_bytes_of_text(text), cursor, is_start);
}

KW_TEST(scan_cursors_come_back_as_they_were)
{
    static const uint64_t node_cursors[] = {
        0,          1,          (1ull << 28) - 1, 1ull << 28,      (1ull << 34) - 1,
        1ull << 34, 1ull << 39, 1ull << 40,       (1ull << 46) - 1};

    for (unsigned i = 0; i < sizeof node_cursors / sizeof node_cursors[0]; i++) {
        for (unsigned slot = 0; slot < KW_SLOTS_COUNT; slot += 1489) {
            struct kw_scan_cursor made = {slot % 2 == 1, (uint16_t)slot, node_cursors[i],
                                          UINT64_C(0x9e3779b97f4a7c15)};
            struct kw_scan_cursor read;
            char text[32];
            bool is_start = true;
            uint64_t value = kw_scan_cursor_value(&made);
            assert_true(value <= INT64_MAX);
            (void)snprintf(text, sizeof text, "%" PRIu64, value);
            assert_true(reads(text, &read, &is_start));
            assert_false(is_start);
            assert_int_equal(read.is_filtered, made.is_filtered);
            assert_int_equal(read.slot, made.slot);
            assert_true(read.node_cursor == made.node_cursor);
            assert_true(kw_scan_cursor_fits(&read, made.fingerprint));
            if (made.node_cursor < 1ull << 40) {
                assert_false(kw_scan_cursor_fits(&read, made.fingerprint ^ 1));
            }
        }
    }
}

KW_TEST(scan_cursors_that_are_too_big_can_t_be_made)
{
    struct kw_scan_cursor cursor = {.slot = 1, .node_cursor = 1ull << 46};

    assert_true(kw_scan_cursor_value(&cursor) == 0);
}

KW_TEST(scan_cursors_are_read_as_redis_reads_them)
{
    static const char *const bad[] = {"x",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "-1",
                                      "9223372036854775808",
                                      "+-",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    struct kw_scan_cursor cursor;
    bool is_start = false;

    assert_true(reads("0", &cursor, &is_start) && is_start);
    assert_true(reads("", &cursor, &is_start) && is_start);
    assert_true(reads("000", &cursor, &is_start) && is_start);
    assert_true(reads("+7", &cursor, &is_start) && !is_start);
    assert_true(reads("9223372036854775807", &cursor, &is_start) && !is_start);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reads(bad[i], &cursor, &is_start));
    }
}

KW_TEST(scan_patterns_with_a_literal_hash_tag_name_a_slot)
{
    static const struct {
        const char *pattern;
        const char *key; /* NULL: any slot */
    } rows[] = {
        {"{a}*", "a"},    {"x{a}*", "a"},   {"{a}", "a"},    {"key", "key"},   {"*", NULL},
        {"*{a}*", NULL},  {"{a*}", NULL},   {"{a?}*", NULL}, {"a*", NULL},     {"{a[b]}", NULL},
        {"{a\\}x", NULL}, {"{}*", NULL},    {"{}x", "{}x"},  {"{}{a}*", NULL}, {"", ""},
        {"}{a}*", "a"},   {"{a}{b}*", "a"}, {"{{a}*", "{a"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t slot = kw_scan_pattern_slot(kw_bytes_of_text(rows[i].pattern));
        uint16_t expected =
            rows[i].key == NULL ? KW_SLOT_NONE : kw_slot_of_key(kw_bytes_of_text(rows[i].key));
        if (slot != expected) {
            fail_msg("pattern %s: %u, not %u", rows[i].pattern, slot, expected);
        }
    }
}

KW_TEST(scan_reads_what_a_node_says_of_itself)
{
    static const char text[] =
        "aaa 127.0.0.1:1@2 slave bbb 0 0 1 connected\n"
        "bbb 127.0.0.1:3@4,host myself,master - 0 0 7 connected 0-2 5 [93-<-ccc] [5->-ddd]\n"
        "ccc 127.0.0.1:5@6 master - 0 0 2 connected 3-4 6-16383\n";
    struct kw_scan_self self;

    assert_true(kw_scan_self_read(kw_bytes_of_text(text), &self));
    assert_true(self.is_master);
    assert_int_equal(self.owned[0], 0x27);
    assert_int_equal(self.owned[1], 0);
    assert_int_equal(self.leaving_count, 1);
    assert_int_equal(self.leaving[0].slot, 5);
    assert_true(kw_bytes_equal(self.leaving[0].to, KW_BYTES("ddd")));
    assert_false(
        kw_scan_self_read(KW_BYTES("aaa 127.0.0.1:1@2 master - 0 0 1 connected\n"), &self));
    assert_true(kw_scan_self_read(KW_BYTES("a b myself,slave c 0 0 1 connected"), &self));
    assert_false(self.is_master);
}
