#include "tests/unit/kw_test.h"

#include "cluster/judge.h"
#include "tests/unit/cluster/topologies.h"

#define CURRENT "0-8191 A, 8192-16383 B, C"

static enum kw_judgement heard(struct kw_judge *judge, const char *current_words,
                               const char *candidate_words, uint64_t epoch)
{
    struct kw_topology *current = current_words == NULL ? NULL : a_topology(current_words);
    struct kw_topology *candidate = a_topology(candidate_words);

    candidate->epoch = epoch;
    enum kw_judgement judgement = kw_judge_hear(judge, current, candidate);
    kw_topology_unref(&current);
    kw_topology_unref(&candidate);
    return judgement;
}

KW_TEST(judge_accepts_the_first_picture_even_when_slots_lack_owners)
{
    struct kw_judge judge = {0};

    assert_int_equal(heard(&judge, NULL, "0-99 A", 3), KW_JUDGE_ACCEPT);
    assert_int_equal(judge.epoch, 3);
}

KW_TEST(judge_never_accepts_a_cluster_without_slots)
{
    struct kw_judge judge = {0};

    assert_int_equal(heard(&judge, NULL, "A, B", 9), KW_JUDGE_REFUSE);
    for (int i = 0; i < 2 * KW_JUDGE_DOUBTS_MAX; i++) {
        assert_int_equal(heard(&judge, CURRENT, "A", 9), KW_JUDGE_REFUSE);
    }
}

KW_TEST(judge_accepts_moved_slots_and_new_masters)
{
    struct kw_judge judge = {.epoch = 4};

    assert_int_equal(heard(&judge, CURRENT, "0-8190 A, 8191-16383 B", 5), KW_JUDGE_ACCEPT);
    assert_int_equal(heard(&judge, CURRENT, "0-8191 D, 8192-16383 B", 5), KW_JUDGE_ACCEPT);
    assert_int_equal(heard(&judge, "0-99 A", CURRENT, 5), KW_JUDGE_ACCEPT);
}

static void assert_doubted_then_believed(const char *candidate, uint64_t epoch, enum kw_doubt doubt)
{
    struct kw_judge judge = {.epoch = 4};

    for (int i = 1; i < KW_JUDGE_DOUBTS_MIN; i++) {
        assert_int_equal(heard(&judge, CURRENT, candidate, epoch), KW_JUDGE_DOUBT);
        assert_int_equal(judge.doubt, doubt);
    }
    assert_int_equal(heard(&judge, CURRENT, candidate, epoch), KW_JUDGE_ACCEPT);
    assert_int_equal(judge.epoch, epoch);
    assert_int_equal(judge.doubts, 0);
}

KW_TEST(judge_doubts_worse_pictures_until_nobody_contradicts)
{
    assert_doubted_then_believed("0-8191 A, 8192-16382 B", 4, KW_DOUBT_FEWER_SLOTS);
    assert_doubted_then_believed("0-8191 A, 8192-16383 B", 3, KW_DOUBT_OLDER);
    assert_doubted_then_believed("0-16383 D", 9, KW_DOUBT_FOREIGN);
    assert_doubted_then_believed("0-8191 A, 8192-16383 B", 0, KW_DOUBT_OLDER);
}

KW_TEST(judge_forgets_doubts_when_one_node_speaks_for_what_we_have)
{
    struct kw_judge judge = {.epoch = 4};

    for (int i = 0; i < 50; i++) {
        enum kw_judgement expected = i % 4 == 3 ? KW_JUDGE_ACCEPT : KW_JUDGE_DOUBT;
        assert_int_equal(heard(&judge, CURRENT, i % 4 == 3 ? CURRENT : "0-8191 A", 4), expected);
    }
}

KW_TEST(judge_wants_more_doubts_in_a_larger_cluster)
{
    struct kw_judge judge = {.epoch = 1};
    int doubts = 0;

    while (heard(&judge, "0-16383 A, B, C, D, E, F, G, H", "0-1 A", 1) == KW_JUDGE_DOUBT) {
        doubts++;
    }
    assert_int_equal(doubts, 15);
}

KW_TEST(judge_doubts_a_plain_server_where_a_cluster_was)
{
    struct kw_judge judge = {0};
    struct kw_topology *current = a_topology("0-16383 A");
    struct kw_topology *plain = a_topology("0-16383 A");

    plain->is_plain = true;
    assert_int_equal(kw_judge_hear(&judge, current, plain), KW_JUDGE_DOUBT);
    assert_int_equal(judge.doubt, KW_DOUBT_PLAIN);
    assert_int_equal(kw_judge_hear(&judge, plain, plain), KW_JUDGE_ACCEPT);
    for (int doubt = KW_DOUBT_NONE; doubt <= KW_DOUBT_FEWER_SLOTS; doubt++) {
        assert_non_null(kw_doubt_text((enum kw_doubt)doubt));
    }
    kw_topology_unref(&current);
    kw_topology_unref(&plain);
}
