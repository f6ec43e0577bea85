/* test_near_hearing.c - what nodes are asked to tell of, and when their word counts. */
#include "proxy/origin/hearing.h"

#include "config/config.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

static struct kw_config *a_config(const char *broadcast, const char *prefixes)
{
    struct kw_config *config = NULL;
    char error[256];
    char text[512];
    int len = snprintf(text, sizeof text, "near-cache-broadcast %s\nnear-cache-prefix \"%s\"\n",
                       broadcast, prefixes);

    assert_int_equal(
        kw_config_load_text(kw_bytes_of(text, (size_t)len), &config, error, sizeof error), KW_OK);
    return config;
}

static struct kw_hearing a_hearing(const char *broadcast, const char *prefixes, bool is_blind)
{
    struct kw_config *config = a_config(broadcast, prefixes);
    struct kw_hearing hearing = {0};

    kw__hearing_begin(&hearing, config, is_blind);
    assert_true(is_blind || kw__hearing_suits(&hearing, config));
    kw_config_unref(&config);
    return hearing;
}

/* The words of the greeting, with blanks between. */
static void expect_greeting(const char *broadcast, const char *prefixes, bool is_blind,
                            const char *words)
{
    struct kw_hearing hearing = a_hearing(broadcast, prefixes, is_blind);
    struct kw_blob wanted = {0};
    unsigned count = 1;

    for (const char *at = words; *at != '\0'; at++) {
        count += *at == ' ' ? 1 : 0;
    }
    kw_blob_print(&wanted, "*%u\r\n", count);
    for (size_t len = 0; *words != '\0'; words += len + (words[len] == ' ' ? 1 : 0)) {
        len = strcspn(words, " ");
        kw_blob_print(&wanted, "$%zu\r\n%.*s\r\n", len, (int)len, words);
    }
    assert_int_equal(hearing.greeting.len, wanted.len);
    assert_memory_equal(hearing.greeting.data, wanted.data, wanted.len);
    kw_blob_deinit(&wanted);
    kw__hearing_end(&hearing);
}

KW_TEST(near_hearing_asks_for_keys_that_are_fetched_or_for_all_that_begin_so)
{
    expect_greeting("no", "a b", false, "CLIENT TRACKING ON");
    expect_greeting("no", "a b", true, "PING");
    expect_greeting("yes", "a b", true, "PING");
    expect_greeting("yes", "", false, "CLIENT TRACKING ON BCAST");
    expect_greeting("yes", "  ", false, "CLIENT TRACKING ON BCAST");
    expect_greeting("yes", " b  a", false, "CLIENT TRACKING ON BCAST PREFIX b PREFIX a");
}

KW_TEST(near_hearing_names_no_prefix_that_another_one_begins)
{
    expect_greeting("yes", "a a", false, "CLIENT TRACKING ON BCAST PREFIX a");
    expect_greeting("yes", "ab a abc b a", false, "CLIENT TRACKING ON BCAST PREFIX a PREFIX b");
    expect_greeting("yes", "a: ab a", false, "CLIENT TRACKING ON BCAST PREFIX a");
}

KW_TEST(near_hearing_covers_what_its_node_was_asked_for)
{
    struct kw_hearing hearing = a_hearing("yes", " user: s:x", false);

    assert_true(kw__hearing_covers(&hearing, KW_BYTES("user:")));
    assert_true(kw__hearing_covers(&hearing, KW_BYTES("user:1")));
    assert_true(kw__hearing_covers(&hearing, KW_BYTES("s:xx")));
    assert_false(kw__hearing_covers(&hearing, KW_BYTES("s:")));
    assert_false(kw__hearing_covers(&hearing, KW_BYTES("user")));
    assert_false(kw__hearing_covers(&hearing, KW_BYTES("")));
    kw__hearing_end(&hearing);

    hearing = a_hearing("yes", "", false);
    assert_true(kw__hearing_covers(&hearing, KW_BYTES("anything")));
    kw__hearing_end(&hearing);

    hearing = a_hearing("no", "user:", false);
    assert_true(kw__hearing_covers(&hearing, KW_BYTES("anything")));
    kw__hearing_end(&hearing);
}

KW_TEST(near_hearing_suits_until_it_would_be_another_one)
{
    struct kw_hearing hearing = a_hearing("yes", "a b", false);
    struct kw_config *other = a_config("yes", "a");
    struct kw_config *quiet = a_config("no", "a b");

    assert_false(kw__hearing_suits(&hearing, other));
    assert_false(kw__hearing_suits(&hearing, quiet));
    kw__hearing_begin(&hearing, quiet, false);
    assert_true(kw__hearing_suits(&hearing, quiet));
    kw_config_unref(&quiet);
    quiet = a_config("no", "c");
    assert_true(kw__hearing_suits(&hearing, quiet));
    assert_false(kw__hearing_suits(&hearing, other));
    kw__hearing_end(&hearing);

    /* of a node that can't tell of anything: it may be asked for something else then */
    hearing = a_hearing("yes", "a", true);
    assert_true(kw__hearing_suits(&hearing, other));
    assert_false(kw__hearing_suits(&hearing, quiet));
    kw__hearing_end(&hearing);
    kw_config_unref(&quiet);
    kw_config_unref(&other);
}

KW_TEST(near_hearing_an_answer_counts_at_once_when_words_stand_in_order)
{
    struct kw_hearing hearing = a_hearing("no", "", false);

    assert_int_equal(kw__hearing_answer(&hearing, 100, 150), 100);
    assert_int_equal(kw__hearing_answer(&hearing, 110, 150), 110);
    assert_int_equal(kw__hearing_ask_after(&hearing, 120), 120);
    kw__hearing_end(&hearing);
}

KW_TEST(near_hearing_of_a_broadcast_an_answer_counts_with_what_was_sent_behind_it)
{
    struct kw_hearing hearing = a_hearing("yes", "", false);

    assert_int_equal(kw__hearing_answer(&hearing, 100, 150), 0);
    assert_int_equal(kw__hearing_ask_after(&hearing, 90), 149); /* it needs one behind it */
    assert_int_equal(kw__hearing_ask_after(&hearing, 100), 100);
    /* sent before the first was answered: perhaps executed with it */
    assert_int_equal(kw__hearing_answer(&hearing, 110, 160), 0);
    assert_int_equal(kw__hearing_answer(&hearing, 149, 170), 0);
    /* sent with the answer or behind it */
    assert_int_equal(kw__hearing_answer(&hearing, 150, 200), 100);
    assert_int_equal(kw__hearing_answer(&hearing, 180, 210), 100);
    assert_int_equal(kw__hearing_ask_after(&hearing, 140), 199);
    assert_int_equal(kw__hearing_ask_after(&hearing, 170), 170);
    assert_int_equal(kw__hearing_answer(&hearing, 230, 250), 150);
    /* sent in one microsecond: the last answer of them counts */
    assert_int_equal(kw__hearing_answer(&hearing, 230, 260), 150);
    assert_int_equal(kw__hearing_answer(&hearing, 255, 270), 150);
    assert_int_equal(kw__hearing_answer(&hearing, 260, 280), 230);
    kw__hearing_end(&hearing);
}
