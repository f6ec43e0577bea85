/* test_near_warm.c - keys that are warm and cold. */
#include "proxy/near/warm.h"

#include "base/mem.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

enum { AGE_MS = 60000, KEPT = 200000, OTHERS = 200000, TAKEN_MAX = OTHERS * 6 / 1000 };

static struct kw_near_warm *a_warm(void)
{
    struct kw_near_warm *warm = kw_alloc_line(1, sizeof *warm);

    kw__warm_init(warm);
    return warm;
}

static void end(struct kw_near_warm *warm)
{
    kw__warm_deinit(warm);
    kw_free(warm);
}

static unsigned level_of(const struct kw_near_warm *warm)
{
    return 63 - atomic_load(&warm->shift);
}

/* M1: is each node the or of both below it, and are its level's ones counted? */
static void check_tree(const struct kw_near_warm *warm)
{
    for (unsigned level = KW_WARM_LEVEL_MIN; level <= KW_WARM_LEAVES; level++) {
        uint32_t ones_count = 0;
        for (size_t i = (size_t)1 << level; i < (size_t)2 << level; i++) {
            uint64_t word = atomic_load(&warm->tree[i]);
            ones_count += (uint32_t)__builtin_popcountll(word);
            if (level < KW_WARM_LEAVES) {
                assert_true(word == (atomic_load(&warm->tree[2 * i]) |
                                     atomic_load(&warm->tree[2 * i + 1])));
            }
        }
        assert_int_equal(warm->ones_count[level], ones_count);
    }
}

static bool is_all_cold(const struct kw_near_warm *warm)
{
    for (size_t i = 0; i < 2 << KW_WARM_LEAVES; i++) {
        if (atomic_load(&warm->tree[i]) != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof warm->ones_count / sizeof warm->ones_count[0]; i++) {
        assert_int_equal(warm->ones_count[i], 0);
    }
    assert_int_equal(level_of(warm), KW_WARM_LEVEL_MIN);
    return true;
}

KW_TEST(near_warm_a_key_is_warm_from_its_fill_until_whatever_was_kept_of_it_is_over)
{
    const uint64_t place = kw__warm_place(KW_BYTES("user:1234"));

    /* Whenever within a turn it is filled, and however often time is looked at. */
    for (uint64_t filled_ms = 1000; filled_ms < 400000; filled_ms += 7000) {
        struct kw_near_warm *warm = a_warm();
        uint64_t now_ms = 0;

        for (; now_ms < filled_ms; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
        }
        assert_false(kw__warm_has(warm, place));
        kw__warm_up(warm, place);
        for (; now_ms < filled_ms + AGE_MS + 15000; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
            assert_true(kw__warm_has(warm, place));
        }
        for (; now_ms < filled_ms + 4 * AGE_MS; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
        }
        assert_true(is_all_cold(warm));
        end(warm);
    }
}

KW_TEST(near_warm_a_key_that_is_filled_again_and_again_stays_warm)
{
    const uint64_t place = kw__warm_place(KW_BYTES("user:1234"));
    struct kw_near_warm *warm = a_warm();

    for (uint64_t now_ms = 1000; now_ms < 20 * AGE_MS; now_ms += 500) {
        if (now_ms % AGE_MS == 0) {
            kw__warm_up(warm, place);
        }
        kw__warm_cool(warm, now_ms, AGE_MS);
        assert_int_equal(kw__warm_has(warm, place), now_ms >= AGE_MS);
    }
    end(warm);
}

/* Another name whose place is, or is not, in the region of PLACE. */
static uint64_t a_place_beside(uint64_t place, bool is_of_region)
{
    const unsigned shift = 64 - KW_WARM_REGIONS_BITS;
    char text[32];

    for (unsigned i = 0;; i++) {
        snprintf(text, sizeof text, "user:%u", 5000 + i);
        uint64_t other = kw__warm_place(kw_bytes_of_text(text));
        if ((other >> shift == place >> shift) == is_of_region) {
            return other;
        }
    }
}

KW_TEST(near_warm_who_has_looked_sees_what_becomes_warm_since)
{
    const uint64_t place = kw__warm_place(KW_BYTES("user:1234"));
    const uint64_t near = a_place_beside(place, true);
    const uint64_t far = a_place_beside(place, false);
    struct kw_near_warm *warm = a_warm();

    for (unsigned i = 0; i < 12; i++) {
        uint32_t ups = (i - 6) & KW_WARM_UPS_MASK; /* it goes round */
        atomic_store(&warm->ups_count[place >> (64 - KW_WARM_REGIONS_BITS)], ups);
        uint64_t note = kw__warm_note(place, kw__warm_ups(warm, place));
        assert_false(kw__warm_has(warm, place));
        assert_false(kw__warm_has(warm, note));
        assert_false(kw__warm_has_since(warm, note));
        assert_true(kw__warm_note(place, (ups - 1) & KW_WARM_UPS_MASK) >> KW_WARM_UPS_BITS ==
                    place >> KW_WARM_UPS_BITS); /* whoever wants to look anyway: read.c */
        kw__warm_up(warm, far);
        assert_int_equal(kw__warm_ups(warm, note), ups);
        kw__warm_up(warm, near);
        assert_int_equal(kw__warm_ups(warm, note), (ups + 1) & KW_WARM_UPS_MASK);
        assert_false(kw__warm_has_since(warm, note));
        kw__warm_up(warm, near); /* it was warm */
        assert_int_equal(kw__warm_ups(warm, place), (ups + 1) & KW_WARM_UPS_MASK);
        kw__warm_up(warm, place);
        assert_true(kw__warm_has_since(warm, note));
        for (uint64_t turn = 1; turn <= 2; turn++) {
            kw__warm_cool(warm, atomic_load(&warm->turned_ms) + 2 * AGE_MS, AGE_MS);
        }
        assert_true(is_all_cold(warm));
        assert_false(kw__warm_has_since(warm, note));
    }
    end(warm);
}

/* Of each shape 200,000 names are warm, and how many of the others look so? */
KW_TEST(near_warm_names_of_all_shapes_are_told_apart)
{
    static const char *const shapes[][2] = {{"key:0000000", ""},
                                            {"", ""},
                                            {"k", ""},
                                            {"user:", ":profile"},
                                            {"user:", ":profile:settings"},
                                            {"{tag}:", ""},
                                            {"a:rather:long:prefix:", ":and:tail"}};
    char text[64];

    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        struct kw_near_warm *warm = a_warm();
        unsigned taken_count = 0;

        for (unsigned i = 0; i < KEPT + OTHERS; i++) {
            snprintf(text, sizeof text, "%s%u%s", shapes[shape][0], i, shapes[shape][1]);
            uint64_t place = kw__warm_place(kw_bytes_of_text(text));
            if (i < KEPT) {
                kw__warm_up(warm, place);
                assert_true(kw__warm_has(warm, place));
            } else {
                taken_count += kw__warm_has(warm, place);
            }
        }
        printf("  %sN%s: %u of %u are taken for warm\n", shapes[shape][0], shapes[shape][1],
               taken_count, OTHERS);
        assert_true(taken_count <= TAKEN_MAX);
        end(warm);
    }
}

KW_TEST(near_warm_names_of_all_lengths_have_a_place_of_their_own)
{
    const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t places[sizeof text];

    for (size_t len = 0; len < sizeof text; len++) {
        places[len] = kw__warm_place(kw_bytes_of(text, len));
        for (size_t shorter = 0; shorter < len; shorter++) {
            assert_true(places[shorter] != places[len]);
        }
    }
}

/* Looks begin at a level that is not full, whatever is kept, and find the same there. */
KW_TEST(near_warm_looks_begin_at_a_level_that_fits)
{
    enum { STEP = 1000 };
    struct kw_near_warm *warm = a_warm();
    uint64_t *places = kw_alloc_zero(KEPT, sizeof *places);
    unsigned level = KW_WARM_LEVEL_MIN;
    char text[32];

    for (unsigned i = 0; i < KEPT; i++) {
        snprintf(text, sizeof text, "key:%012u", i);
        places[i] = kw__warm_place(kw_bytes_of_text(text));
        kw__warm_up(warm, places[i]);
        assert_true(level_of(warm) >= level);
        if (level_of(warm) > level) {
            level = level_of(warm);
            printf("  level %u, %u bytes: with %u keys\n", level, 8u << level, i + 1);
        }
        if (i % STEP == 0) {
            assert_true(kw__warm_has(warm, places[i / 2]));
        }
    }
    assert_true(level > KW_WARM_LEVEL_MIN + 3);
    check_tree(warm);
    /* A part of them is used again: nothing of that is lost by cooling, and the rest is. */
    for (uint64_t turn = 1; turn <= 2; turn++) {
        for (unsigned i = 0; i < KEPT / 16; i++) {
            kw__warm_up(warm, places[i]);
        }
        kw__warm_cool(warm, atomic_load(&warm->turned_ms) + 2 * AGE_MS, AGE_MS);
        check_tree(warm);
        for (unsigned i = 0; i < KEPT / 16; i++) {
            assert_true(kw__warm_has(warm, places[i]));
        }
    }
    assert_true(level_of(warm) < level);
    kw__warm_cool(warm, atomic_load(&warm->turned_ms) + 2 * AGE_MS, AGE_MS);
    kw__warm_cool(warm, atomic_load(&warm->turned_ms) + 2 * AGE_MS, AGE_MS);
    assert_true(is_all_cold(warm));
    kw_free(places);
    end(warm);
}
