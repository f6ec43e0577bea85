/* test_sha1.c - the vectors of FIPS 180, and lengths around the ends of a block. */
#include "base/sha1.h"
#include "tests/unit/kw_test.h"

static void assert_sha1(struct kw_bytes bytes, const char *expected)
{
    char text[KW_SHA1_TEXT_LEN + 1] = {0};

    kw_sha1_text(bytes, text);
    assert_string_equal(text, expected);
}

KW_TEST(sha1_of_the_standards_examples)
{
    static char million[1000000];

    memset(million, 'a', sizeof million);
    assert_sha1(KW_BYTES(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1(KW_BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_sha1(KW_BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_sha1(kw_bytes_of(million, sizeof million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_sha1(KW_BYTES("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

KW_TEST(sha1_around_the_end_of_a_block)
{
    char text[65];

    memset(text, 'a', sizeof text);
    assert_sha1(kw_bytes_of(text, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    assert_sha1(kw_bytes_of(text, 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    assert_sha1(kw_bytes_of(text, 63), "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    assert_sha1(kw_bytes_of(text, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    assert_sha1(kw_bytes_of(text, 65), "11655326c708d70319be2610e8a57d9a5b959d3b");
}
