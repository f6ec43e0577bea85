#include "tests/unit/kw_test.h"

#include "cluster/slot.h"

#include <stdlib.h>

/* The rule of the cluster specification, one bit at a time. */
static uint16_t slot_by_the_book(struct kw_bytes key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] == '{') {
            for (size_t j = i + 1; j < key.len; j++) {
                if (key.data[j] == '}') {
                    if (j > i + 1) {
                        key = kw_bytes_of(key.data + i + 1, j - i - 1);
                    }
                    break;
                }
            }
            break;
        }
    }
    uint16_t crc = 0;
    for (size_t i = 0; i < key.len; i++) {
        crc ^= (uint16_t)((unsigned char)key.data[i] << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc & 0x3fff;
}

KW_TEST(slot_of_key_is_as_the_specification_says)
{
    assert_int_equal(kw_slot_of_key(KW_BYTES("123456789")), 0x31c3);
    assert_int_equal(kw_slot_of_key(KW_BYTES("foo")), 12182);
    assert_int_equal(kw_slot_of_key(KW_BYTES("somekey")), 11058);
    assert_int_equal(kw_slot_of_key(KW_BYTES("foo{hash_tag}")), 2515);
    assert_int_equal(kw_slot_of_key(KW_BYTES("bar{hash_tag}")), 2515);
    assert_int_equal(kw_slot_of_key(KW_BYTES("")), 0);
    assert_int_equal(kw_slot_of_key(kw_bytes_of(NULL, 0)), 0);
}

KW_TEST(slot_of_key_uses_the_first_tag_unless_it_is_empty)
{
    static const struct {
        struct kw_bytes key;
        struct kw_bytes hashed;
    } cases[] = {
        {KW_BYTES("{user1000}.following"), KW_BYTES("user1000")},
        {KW_BYTES("foo{}{bar}"), KW_BYTES("foo{}{bar}")},
        {KW_BYTES("foo{{bar}}zap"), KW_BYTES("{bar")},
        {KW_BYTES("foo{bar}{zap}"), KW_BYTES("bar")},
        {KW_BYTES("foo{bar"), KW_BYTES("foo{bar")},
        {KW_BYTES("foo}bar{"), KW_BYTES("foo}bar{")},
        {KW_BYTES("}{a}"), KW_BYTES("a")},
        {KW_BYTES("{}"), KW_BYTES("{}")},
        {KW_BYTES("{"), KW_BYTES("{")},
        {KW_BYTES("{\0}x"), KW_BYTES("\0")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t hashed = slot_by_the_book(cases[i].key);

        assert_int_equal(kw_slot_of_key(cases[i].key), hashed);
        assert_int_equal(kw_slot_of_key_by_tables(cases[i].key), hashed);
        if (memchr(cases[i].hashed.data, '{', cases[i].hashed.len) == NULL) {
            assert_int_equal(slot_by_the_book(cases[i].hashed), hashed);
        }
    }
}

KW_TEST(slot_of_key_agrees_with_the_bitwise_rule_on_random_keys)
{
    static const char alphabet[] = "ab{}{}\0\xff";
    unsigned seed = 7;

    for (int round = 0; round < 60000; round++) {
        size_t len = (size_t)(rand_r(&seed) % 80);
        char *key = malloc(len + 1); /* exact, so that a sanitizer sees a read beyond */
        for (size_t i = 0; i < len; i++) {
            int pick = rand_r(&seed);
            key[i] = round % 2 == 0 ? (char)pick : alphabet[(size_t)pick % (sizeof alphabet - 1)];
        }
        char *exact = realloc(key, len == 0 ? 1 : len);
        struct kw_bytes bytes = kw_bytes_of(exact, len);

        assert_int_equal(kw_slot_of_key(bytes), slot_by_the_book(bytes));
        assert_int_equal(kw_slot_of_key_by_tables(bytes), slot_by_the_book(bytes));
        free(exact);
    }
}
