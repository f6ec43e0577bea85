/* test_zset.c - sorted sets of the store, against an array that is searched from its beginning. */
#include "base/text.h"
#include "store/zsets/zset.h"
#include "tests/unit/kw_test.h"

#include <math.h>
#include <stdlib.h>

enum { MODEL_MAX = 5000, MEMBER_MAX = 90 };

struct model_element {
    double score;
    size_t len;
    char member[MEMBER_MAX];
};

/* What a sorted set should be: its elements in order. */
struct zset_model {
    struct model_element elements[MODEL_MAX];
    uint64_t count;
    struct kw_zset *zset;
    uint64_t random;
    uint64_t members_count; /* members are below it: how often the same one comes */
    uint64_t scores_count;
    bool has_long_members;
};

static uint64_t model_random(struct zset_model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static struct kw_bytes model_member(struct zset_model *model, char *room)
{
    uint64_t number = model_random(model, model->members_count);
    size_t len = kw_text_from_int((int64_t)(number * 7919 % 100003), room);

    if (model->has_long_members && number % 5 == 0) {
        memset(room + len, 'x', 65);
        len += 65;
    }
    return kw_bytes_of(room, number == 3 ? 0 : len);
}

static double model_score(struct zset_model *model)
{
    double score = (double)model_random(model, model->scores_count);

    switch (model_random(model, 8)) {
    case 0:
        return score / 3;
    case 1:
        return score * 1e6;
    case 2:
        return model_random(model, 50) == 0 ? INFINITY : -score;
    default:
        return score;
    }
}

static struct kw_bytes model_name(const struct zset_model *model, uint64_t rank)
{
    return kw_bytes_of(model->elements[rank].member, model->elements[rank].len);
}

static bool model_find(const struct zset_model *model, struct kw_bytes member, uint64_t *rank)
{
    for (*rank = 0; *rank < model->count; (*rank)++) {
        if (kw_bytes_equal(model_name(model, *rank), member)) {
            return true;
        }
    }
    return false;
}

static void model_remove(struct zset_model *model, uint64_t rank, uint64_t count)
{
    model->count -= count;
    memmove(model->elements + rank, model->elements + rank + count,
            (model->count - rank) * sizeof model->elements[0]);
}

static enum kw_zset_put model_put(struct zset_model *model, struct kw_bytes member, double score)
{
    enum kw_zset_put put = KW_ZSET_ADDED;
    uint64_t rank = 0;

    if (model_find(model, member, &rank)) {
        if (model->elements[rank].score == score) {
            return KW_ZSET_SAME;
        }
        model_remove(model, rank, 1);
        put = KW_ZSET_CHANGED;
    }
    struct kw_probe probe = {.score = score, .member = member};
    for (rank = 0; rank < model->count; rank++) {
        if (!kw_probe_is_past(&probe, model->elements[rank].score, model_name(model, rank))) {
            break;
        }
    }
    memmove(model->elements + rank + 1, model->elements + rank,
            (model->count - rank) * sizeof model->elements[0]);
    model->count++;
    model->elements[rank].score = score;
    model->elements[rank].len = member.len;
    memcpy(model->elements[rank].member, member.data, member.len);
    return put;
}

static void assert_walk(const struct zset_model *model, uint64_t rank, bool is_reverse)
{
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    kw_zset_walk_begin(&walk, model->zset, rank, is_reverse);
    while (rank < model->count) {
        assert_true(kw_zset_walk_next(&walk, &item));
        assert_true(item.score == model->elements[rank].score);
        assert_true(kw_bytes_equal(item.member, model_name(model, rank)));
        rank += is_reverse ? (uint64_t)-1 : 1;
    }
    assert_false(kw_zset_walk_next(&walk, &item));
}

static void model_check(const struct zset_model *model)
{
    assert_int_equal(model->zset->count, model->count);
    if (model->zset->is_large) {
        assert_int_equal(kw_order_check(&model->zset->large->order), model->count);
        assert_int_equal(model->zset->large->table.count, model->count);
    }
    assert_walk(model, 0, false);
    assert_walk(model, model->count - 1, true);
}

static void model_look(struct zset_model *model)
{
    char room[MEMBER_MAX];
    struct kw_bytes member = model_member(model, room);
    struct kw_probe probe = {.kind = (enum kw_probe_kind)model_random(model, 2),
                             .is_behind = model_random(model, 2) == 0,
                             .score = model_score(model),
                             .member = member};
    uint64_t rank = 0;
    uint64_t expected = 0;
    double score = 0;

    bool is_there = model_find(model, member, &expected);
    assert_int_equal(kw_zset_rank(model->zset, member, &rank, &score), is_there);
    if (is_there) {
        assert_int_equal(rank, expected);
        assert_true(score == model->elements[expected].score);
        assert_true(kw_zset_score(model->zset, member, &score));
        assert_true(score == model->elements[expected].score);
    }
    expected = 0;
    for (uint64_t i = 0; i < model->count; i++) {
        expected += kw_probe_is_past(&probe, model->elements[i].score, model_name(model, i));
    }
    assert_int_equal(kw_zset_rank_of(model->zset, &probe), expected);
    assert_walk(model, model_random(model, model->count + 1), model_random(model, 2) == 0);
}

static void model_step(struct zset_model *model, uint64_t puts_share)
{
    uint64_t what = model_random(model, 100);
    char room[MEMBER_MAX];
    struct kw_bytes member = model_member(model, room);
    uint64_t rank = 0;

    if (what < puts_share) {
        double score = model_score(model);
        if (model->count < MODEL_MAX - 1) {
            assert_int_equal(kw_zset_put(NULL, model->zset, member, score),
                             model_put(model, member, score));
        }
    } else if (what < 98) {
        if (what % 2 == 0 && model->count > 0) { /* one that is there */
            struct model_element element = model->elements[model_random(model, model->count)];
            memcpy(room, element.member, element.len);
            member = kw_bytes_of(room, element.len);
        }
        bool is_there = model_find(model, member, &rank);
        assert_int_equal(kw_zset_remove(NULL, model->zset, member), is_there);
        if (is_there) {
            model_remove(model, rank, 1);
        }
    } else if (what == 98 && model->count > 0) {
        rank = model_random(model, model->count);
        uint64_t count = model_random(model, model->count - rank + 1);
        count = count < 50 ? count : 50;
        kw_zset_remove_range(NULL, model->zset, rank, count);
        model_remove(model, rank, count);
    } else {
        model_look(model);
    }
}

static void model_run(struct zset_model *model, uint64_t seed, unsigned steps)
{
    model->random = seed;
    model->count = 0;
    model->zset = kw_zset_new(NULL);
    for (unsigned step = 0; step < steps; step++) {
        model_step(model, step / 1000 % 3 == 2 ? 30 : 70);
        if (step % 100 == 0) {
            model_check(model);
        }
    }
    model_check(model);
    kw_zset_free(NULL, &model->zset);
}

KW_TEST(a_small_sorted_set_does_what_a_sorted_array_does)
{
    static struct zset_model model = {.members_count = 60, .scores_count = 20};

    for (uint64_t seed = 1; seed < 5; seed++) {
        model_run(&model, seed * 104729, 2000);
    }
}

KW_TEST(a_large_sorted_set_does_what_a_sorted_array_does)
{
    static struct zset_model model = {.members_count = 5000, .scores_count = 100000};

    model_run(&model, 31337, 12000);
    model.scores_count = 3; /* nearly all of it is decided by the members */
    model_run(&model, 31338, 9000);
    model.has_long_members = true;
    model_run(&model, 31339, 3000);
}

KW_TEST(a_large_sorted_set_shrinks_to_nothing_and_grows_again)
{
    static struct zset_model model = {.members_count = 20000, .scores_count = 1000};
    char room[MEMBER_MAX];

    model.random = 99;
    model.zset = kw_zset_new(NULL);
    for (unsigned round = 0; round < 2; round++) {
        while (model.count < 3000) {
            struct kw_bytes member = model_member(&model, room);
            double score = model_score(&model);
            assert_int_equal(kw_zset_put(NULL, model.zset, member, score),
                             model_put(&model, member, score));
        }
        model_check(&model);
        while (model.count > 0) {
            uint64_t rank = model_random(&model, model.count);
            assert_true(kw_zset_remove(NULL, model.zset, model_name(&model, rank)));
            model_remove(&model, rank, 1);
            if (model.count % 500 == 0) {
                model_check(&model);
            }
        }
        assert_int_equal(model.zset->large->order.nodes_bytes, 0);
    }
    kw_zset_free(NULL, &model.zset);
}

KW_TEST(a_sorted_set_that_grows_at_its_end_fills_its_nodes)
{
    struct kw_zset *zset = kw_zset_new(NULL);
    char room[KW_TEXT_INT_MAX];

    for (int64_t i = 0; i < 100000; i++) {
        size_t len = kw_text_from_int(i, room);
        kw_zset_put(NULL, zset, kw_bytes_of(room, len), (double)i);
    }
    assert_true(zset->large->order.nodes_bytes < zset->count * 18);
    assert_int_equal(kw_order_check(&zset->large->order), zset->count);

    unsigned turns = 0; /* freed bit by bit */
    while (!kw_zset_free_some(NULL, zset, 1000)) {
        turns++;
    }
    assert_true(turns > 100);
}
