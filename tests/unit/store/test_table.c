/* test_table.c - tables beside a simple model: an array of what each key must have. */
#include "base/text.h"
#include "store/tables/table_walk.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <string.h>

enum { KEYS = 6000, NAME_MAX_BYTES = 32 };

static const struct kw_table_limits LIMITS = {128, 64};

struct model {
    struct kw_table table;
    uint64_t random;
    uint32_t version[KEYS]; /* 0: absent */
    uint32_t len[KEYS];
    uint32_t count;
    uint32_t seen[KEYS]; /* by a walk or scan: how often */
    bool is_foreign;     /* a walk or scan saw something that is not there */
    char name[NAME_MAX_BYTES];
    char value[4096];
};

static struct model model_of_test;

static struct model *model_new(size_t extra_bytes, bool has_values, uint64_t seed)
{
    struct model *model = &model_of_test;

    memset(model, 0, sizeof *model);
    model->random = seed;
    kw_table_init(&model->table, extra_bytes, has_values);
    return model;
}

static struct kw_bytes model_name(struct model *model, unsigned number)
{
    return kw_bytes_of(model->name,
                       (size_t)snprintf(model->name, NAME_MAX_BYTES, "field:%u", number));
}

static struct kw_bytes model_value(struct model *model, uint32_t version, uint32_t len)
{
    if (!model->table.has_values) {
        return kw_bytes_of(NULL, 0);
    }
    memset(model->value, (int)('a' + version % 26), len);
    return kw_bytes_of(model->value, len);
}

static void model_put(struct model *model, unsigned number)
{
    struct kw_table_item item;
    uint32_t version = 1 + (uint32_t)kw_table_random(&model->random, 1000000);
    uint32_t kind = (uint32_t)kw_table_random(&model->random, 1000);
    uint32_t len = kind == 0 ? 4000 : kind % 8;
    struct kw_bytes value = model_value(model, version, len);
    bool is_new =
        kw_table_put(NULL, &model->table, &LIMITS, model_name(model, number), value, &item);

    assert_int_equal(is_new, model->version[number] == 0);
    if (model->table.extra_bytes == sizeof version) {
        uint32_t extra;
        memcpy(&extra, item.extra, sizeof extra);
        assert_int_equal(extra, model->version[number]); /* zeroes when it is new */
        memcpy(item.extra, &version, sizeof version);
    }
    model->count += is_new ? 1 : 0;
    model->version[number] = version;
    model->len[number] = len;
}

static void model_remove(struct model *model, unsigned number)
{
    bool was_there = kw_table_remove(NULL, &model->table, model_name(model, number));

    assert_int_equal(was_there, model->version[number] != 0);
    model->count -= was_there ? 1 : 0;
    model->version[number] = 0;
}

static void model_check(struct model *model, unsigned number, const struct kw_table_item *item)
{
    uint32_t version = model->version[number];
    struct kw_bytes value = model_value(model, version, model->len[number]);

    assert_true(version != 0);
    assert_true(kw_bytes_equal(item->key, model_name(model, number)));
    assert_true(kw_bytes_equal(item->value, value));
    if (model->table.extra_bytes == sizeof version) {
        assert_memory_equal(item->extra, &version, sizeof version);
    }
}

static void model_find(struct model *model, unsigned number)
{
    struct kw_table_item item;
    bool is_there = kw_table_find(&model->table, model_name(model, number), &item);

    assert_int_equal(is_there, model->version[number] != 0);
    if (is_there) {
        model_check(model, number, &item);
    }
}

static unsigned number_of(const struct kw_table_item *item)
{
    int64_t number = 0;

    assert_int_equal(kw_text_to_int(kw_bytes_of(item->key.data + 6, item->key.len - 6), &number),
                     KW_OK);
    assert_true(number >= 0 && number < KEYS);
    return (unsigned)number;
}

static void model_on_item(void *user, const struct kw_table_item *item)
{
    struct model *model = user;
    unsigned number = number_of(item);

    model_check(model, number, item);
    model->seen[number]++;
}

static void model_check_all(struct model *model)
{
    struct kw_table_walk walk;
    struct kw_table_item item;
    size_t seen_count = 0;

    assert_int_equal(model->table.count, model->count);
    memset(model->seen, 0, sizeof model->seen);
    kw_table_walk_begin(&walk, &model->table);
    while (kw_table_walk_next(&walk, &item)) {
        model_on_item(model, &item);
        seen_count++;
    }
    assert_int_equal(seen_count, model->count);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(model->seen[i], model->version[i] != 0);
        model_find(model, i);
    }
}

/* Puts and removes of numbers below BELOW; PUTS of 100 are puts. */
static void model_stir(struct model *model, unsigned steps, unsigned below, unsigned puts)
{
    for (unsigned i = 0; i < steps; i++) {
        unsigned number = (unsigned)kw_table_random(&model->random, below);
        if (kw_table_random(&model->random, 100) < puts) {
            model_put(model, number);
        } else {
            model_remove(model, number);
        }
        model_find(model, (unsigned)kw_table_random(&model->random, below));
    }
}

static void model_end(struct model *model)
{
    kw_table_deinit(NULL, &model->table);
    assert_int_equal(kw_table_bytes(&model->table), 0);
}

KW_TEST(an_empty_table_takes_nothing)
{
    struct model *model = model_new(0, true, 1);

    assert_int_equal(kw_table_bytes(&model->table), 0);
    model_find(model, 1);
    assert_false(kw_table_remove(NULL, &model->table, KW_BYTES("a")));
    model_check_all(model);
    model_end(model);
}

KW_TEST(a_small_table_stays_flat_and_in_order_through_random_operations)
{
    for (unsigned extra = 0; extra <= sizeof(uint32_t); extra += sizeof(uint32_t)) {
        struct model *model = model_new(extra, true, 7 + extra);
        model->random = 7;
        for (unsigned i = 0; i < 20; i++) {
            model_stir(model, 200, 128, 60);
            model_check_all(model);
        }
        model_end(model);
    }
}

KW_TEST(elements_of_a_flat_table_come_in_the_order_in_which_they_were_put)
{
    struct model *model = model_new(0, true, 3);
    struct kw_table_walk walk;
    struct kw_table_item item;

    for (unsigned i = 0; i < 128; i++) {
        assert_true(
            kw_table_put(NULL, &model->table, &LIMITS, model_name(model, i), KW_BYTES("x"), NULL));
    }
    assert_false(kw_table_put(NULL, &model->table, &LIMITS, model_name(model, 5),
                              KW_BYTES("longer than before"), NULL));
    assert_true(kw_table_remove(NULL, &model->table, model_name(model, 0)));
    assert_false(model->table.is_spread);
    kw_table_walk_begin(&walk, &model->table);
    for (unsigned i = 1; i < 128; i++) {
        assert_true(kw_table_walk_next(&walk, &item));
        assert_int_equal(number_of(&item), i);
    }
    assert_false(kw_table_walk_next(&walk, &item));
    model_end(model);
}

KW_TEST(limits_decide_when_a_table_is_spread)
{
    struct model *model = model_new(0, true, 3);
    char bytes[65] = {0};

    for (unsigned i = 0; i < 128; i++) {
        kw_table_put(NULL, &model->table, &LIMITS, model_name(model, i), kw_bytes_of(bytes, 64),
                     NULL);
    }
    assert_false(model->table.is_spread);
    kw_table_put(NULL, &model->table, &LIMITS, model_name(model, 128), KW_BYTES(""), NULL);
    assert_true(model->table.is_spread);
    model_end(model);
    kw_table_put(NULL, &model->table, &LIMITS, KW_BYTES("a"), kw_bytes_of(bytes, 65), NULL);
    assert_true(model->table.is_spread);
    model_end(model);
    kw_table_put(NULL, &model->table, &LIMITS, kw_bytes_of(bytes, 65), KW_BYTES(""), NULL);
    assert_true(model->table.is_spread);
    model_end(model);
}

KW_TEST(a_table_grows_and_shrinks_through_random_operations)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct model *model = model_new(seed % 2 == 0 ? sizeof(uint32_t) : 0, seed > 2, seed);
        model->random = seed;
        model_stir(model, 20000, KEYS, 90);
        model_check_all(model);
        model_stir(model, 20000, KEYS, 5);
        model_check_all(model);
        model_stir(model, 5000, KEYS, 50);
        model_check_all(model);
        for (unsigned i = 0; i < KEYS; i++) {
            model_remove(model, i);
        }
        assert_int_equal(model->table.count, 0);
        assert_true(kw_table_bytes(&model->table) < 1024);
        model_end(model);
    }
}

KW_TEST(a_scan_hands_out_what_is_there_all_the_time)
{
    struct model *model = model_new(sizeof(uint32_t), true, 11);

    for (unsigned round = 0; round < 60; round++) {
        uint64_t cursor = 0;
        bool stays[KEYS];
        /* Half of the rounds grow the table while it is scanned, the others shrink it. */
        model_stir(model, 3000, KEYS, round % 2 == 0 ? 20 : 80);
        for (unsigned i = 0; i < KEYS; i++) {
            stays[i] = model->version[i] != 0;
        }
        memset(model->seen, 0, sizeof model->seen);
        do {
            cursor = kw_table_scan(&model->table, cursor, model_on_item, model);
            for (unsigned i = 0; i < 3; i++) {
                unsigned number = (unsigned)kw_table_random(&model->random, KEYS);
                if (round % 2 == 0) {
                    model_put(model, number);
                } else if (!stays[number] || number % 3 == 0) {
                    model_remove(model, number);
                    stays[number] = false;
                }
            }
        } while (cursor != 0);
        for (unsigned i = 0; i < KEYS; i++) {
            assert_true(!stays[i] || model->seen[i] > 0);
        }
    }
    model_end(model);
}

KW_TEST(a_scan_of_a_table_at_rest_hands_out_each_element_once_and_any_cursor_ends)
{
    struct model *model = model_new(0, false, 5);
    uint64_t cursor = 0;

    model_stir(model, 9000, KEYS, 70);
    do {
        cursor = kw_table_scan(&model->table, cursor, model_on_item, model);
    } while (cursor != 0);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(model->seen[i], model->version[i] != 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        unsigned steps = 0;
        cursor = kw_table_random(&model->random, UINT64_MAX);
        do {
            cursor = kw_table_scan(&model->table, cursor, model_on_item, model);
            steps++;
        } while (cursor != 0);
        assert_true(steps <= 2 * KEYS);
    }
    model_end(model);
}

KW_TEST(each_element_is_picked_as_often_as_any_other)
{
    unsigned counts[] = {1, 5, 100, 700, 1500};

    for (unsigned c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct model *model = model_new(0, false, 17);
        struct kw_table_item item;
        for (unsigned i = 0; i < counts[c]; i++) {
            model_put(model, i);
        }
        for (unsigned i = 0; i < counts[c] * 100; i++) {
            kw_table_pick(&model->table, &model->random, &item);
            model->seen[number_of(&item)]++;
        }
        /* 100 each, give or take six times the square root. */
        for (unsigned i = 0; i < counts[c]; i++) {
            assert_true(model->seen[i] >= 40 && (counts[c] == 1 || model->seen[i] <= 165));
        }
        model_end(model);
    }
}

KW_TEST(a_table_is_freed_in_steps)
{
    struct model *model = model_new(0, true, 23);
    unsigned steps = 1;

    for (unsigned i = 0; i < KEYS; i++) {
        model_put(model, i);
    }
    while (!kw_table_deinit_some(NULL, &model->table, 100)) {
        steps++;
    }
    assert_in_range(steps, KEYS / 100, KEYS / 100 * 3);
    assert_int_equal(kw_table_bytes(&model->table), 0);
}
