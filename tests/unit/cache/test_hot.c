/* Which keys the detector calls hot: on Zipf streams, with writes, over time, banned ones. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cache/hot/hot.h"
#include "tests/unit/kw_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t hash_of(uint64_t key)
{
    return kw_hash(kw_bytes_of((const char *)&key, sizeof key), 7);
}

static uint64_t draw(uint64_t *chance)
{
    *chance = *chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return *chance >> 33;
}

static struct kw_hot *a_hot(uint32_t reads_min)
{
    return kw_hot_new(&(struct kw_hot_options){.reads_min = reads_min, .seed = 4}, 1000);
}

/* One that looks at all, however many there are at once. */
static struct kw_hot *an_exact_hot(uint32_t reads_min)
{
    return kw_hot_new(&(struct kw_hot_options){.reads_min = reads_min, .is_exact = true, .seed = 4},
                      1000);
}

/* A read as its worker tells of it; and a write. */
static bool read_one(struct kw_hot *hot, uint64_t hash, size_t size_bytes)
{
    enum kw_heat heat = kw_hot_is_due(hot) ? kw_hot_read(hot, hash, size_bytes) : KW_HEAT_NONE;

    return heat == KW_HEAT_CHANCE ? kw_hot_take_chance(hot) : heat == KW_HEAT_HOT;
}

static void write_one(struct kw_hot *hot, uint64_t hash)
{
    if (kw_hot_is_due(hot)) {
        kw_hot_write(hot, hash);
    }
}

/* True when the last of COUNT reads of KEY calls it hot. */
static bool read_times(struct kw_hot *hot, uint64_t key, unsigned count)
{
    bool is_hot = false;

    for (unsigned i = 0; i < count; i++) {
        is_hot = read_one(hot, hash_of(key), 0);
    }
    return is_hot;
}

/* ---- Zipf streams ---- */

enum { KEYS = 100 * 1000, READS = 1000 * 1000, HOT_READS = 200 };

struct stream {
    double *until; /* of each key: the part of all reads that go to it or those before it */
    uint32_t *counts;
    bool *is_called_hot;
    uint64_t chance;
};

static void stream_open(struct stream *stream, double alpha)
{
    double sum = 0;

    *stream = (struct stream){.until = kw_alloc_zero(KEYS, sizeof(double)),
                              .counts = kw_alloc_zero(KEYS, sizeof(uint32_t)),
                              .is_called_hot = kw_alloc_zero(KEYS, sizeof(bool)),
                              .chance = 11};
    for (unsigned i = 0; i < KEYS; i++) {
        sum += 1 / pow(i + 1, alpha);
        stream->until[i] = sum;
    }
    for (unsigned i = 0; i < KEYS; i++) {
        stream->until[i] /= sum;
    }
}

static void stream_close(struct stream *stream)
{
    kw_free(stream->until);
    kw_free(stream->counts);
    kw_free(stream->is_called_hot);
}

static unsigned stream_next(struct stream *stream)
{
    double at = (double)draw(&stream->chance) / (double)(1ULL << 31);
    unsigned low = 0;
    unsigned high = KEYS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (stream->until[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A key is hot that has HOT_READS of all: the detector must find most, and few others. Those within
 * a fifth of the limit count for neither.
 */
static void expect_found(double alpha, double recall_min, double precision_min)
{
    struct kw_hot *hot = an_exact_hot(HOT_READS);
    struct stream stream;
    unsigned hot_count = 0;
    unsigned found_count = 0;
    unsigned wrong_count = 0;

    stream_open(&stream, alpha);
    for (unsigned i = 0; i < READS; i++) {
        unsigned key = stream_next(&stream);
        stream.counts[key]++;
        stream.is_called_hot[key] |= read_one(hot, hash_of(key), 0);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        bool is_hot = stream.counts[i] >= HOT_READS * 6 / 5;
        hot_count += is_hot;
        found_count += is_hot && stream.is_called_hot[i];
        wrong_count += stream.counts[i] < HOT_READS * 4 / 5 && stream.is_called_hot[i];
    }
    double recall = (double)found_count / hot_count;
    double precision = (double)found_count / (found_count + wrong_count);
    printf("  zipf %.2f: %u hot keys, recall %.4f, precision %.4f\n", alpha, hot_count, recall,
           precision);
    assert_true(recall >= recall_min);
    assert_true(precision >= precision_min);
    stream_close(&stream);
    kw_hot_free(&hot);
}

KW_TEST(hot_keys_of_a_flat_zipf_stream_are_found_and_few_others)
{
    expect_found(0.7, 0.98, 0.98);
}

KW_TEST(hot_keys_of_a_usual_zipf_stream_are_found_and_few_others)
{
    expect_found(0.99, 0.99, 0.99);
}

KW_TEST(hot_keys_of_a_steep_zipf_stream_are_found_and_few_others)
{
    expect_found(1.1, 0.99, 0.99);
}

KW_TEST(hot_keys_are_found_when_most_reads_are_not_looked_at)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    struct stream stream;
    unsigned wrong_count = 0;
    uint64_t now_ms = 1000;

    /* 100,000 reads a window: from the second on, one in eight is looked at. */
    stream_open(&stream, 0.99);
    for (unsigned i = 0; i < READS; i++) {
        unsigned key = stream_next(&stream);
        now_ms += i % 100 == 99;
        kw_hot_tick(hot, now_ms);
        stream.counts[key]++;
        stream.is_called_hot[key] |= read_one(hot, hash_of(key), 0);
    }

    for (unsigned i = 0; i < 500; i++) { /* 16 reads a window and more */
        assert_true(stream.is_called_hot[i]);
    }
    for (unsigned i = 50000; i < KEYS; i++) { /* one in six windows, and fewer */
        wrong_count += stream.is_called_hot[i];
    }
    printf("  %u of 50000 cold keys are called hot\n", wrong_count);
    assert_true(wrong_count < 500);
    stream_close(&stream);
    kw_hot_free(&hot);
}

KW_TEST(keys_that_come_once_are_never_hot)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    unsigned wrong_count = 0;

    for (unsigned i = 0; i < 30000; i++) {
        wrong_count += read_one(hot, hash_of(i), 0);
    }
    assert_int_equal(wrong_count, 0);
    kw_hot_free(&hot);
}

KW_TEST(a_hot_key_is_found_among_many_that_come_once)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    bool is_hot = false;

    for (unsigned i = 1; i < 200000 && !is_hot; i++) {
        (void)read_one(hot, hash_of(i), 0);
        is_hot = i % 100 == 0 && read_one(hot, hash_of(0), 0);
    }
    assert_true(is_hot);
    kw_hot_free(&hot);
}

/* ---- one key ---- */

KW_TEST(a_key_is_hot_from_the_given_number_of_reads_on)
{
    struct kw_hot *hot = a_hot(8);

    assert_false(read_times(hot, 1, 7));
    assert_true(read_times(hot, 1, 1));
    assert_true(read_times(hot, 1, 1));
    kw_hot_free(&hot);
}

KW_TEST(with_one_read_as_the_limit_all_keys_are_hot)
{
    struct kw_hot *hot = a_hot(1);

    for (unsigned i = 0; i < 100000; i++) {
        kw_hot_tick(hot, 1000 + i / 40); /* also when there are very many reads */
        write_one(hot, hash_of(i));
        kw_hot_ban(hot, hash_of(i));
        assert_true(read_one(hot, hash_of(i), 1024 * 1024));
        assert_false(kw_hot_is_banned(hot, hash_of(i)));
    }
    kw_hot_free(&hot);
}

KW_TEST(large_values_must_be_read_more_often)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(read_times(hot, 1, 8));
    assert_true(read_one(hot, hash_of(1), 1024));
    assert_false(read_one(hot, hash_of(1), 1025));
    assert_true(read_times(hot, 1, 5));
    assert_true(read_one(hot, hash_of(1), 2048));
    assert_false(read_one(hot, hash_of(1), SIZE_MAX));
    kw_hot_free(&hot);
}

/* Its reads are told before its size is known. */
KW_TEST(a_large_value_is_worth_it_when_its_key_was_read_often_enough)
{
    struct kw_hot *hot = a_hot(8);
    struct kw_hot *eager = a_hot(1);

    assert_true(read_times(hot, 1, 8));
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_HOT, 1024));
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_HOT, 1025));
    assert_true(read_times(hot, 1, 8));
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_HOT, 2048));
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_HOT, 2049));
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_HOT, SIZE_MAX));
    assert_false(kw_hot_is_worth(hot, hash_of(2), KW_HEAT_HOT, 2048));
    assert_true(kw_hot_is_worth(eager, hash_of(2), KW_HEAT_HOT, SIZE_MAX));
    kw_hot_free(&hot);
    kw_hot_free(&eager);
}

KW_TEST(reads_are_forgotten_by_half_every_eight_windows)
{
    enum { TURN_MS = KW_HOT_HALF_WINDOWS * KW_HOT_WINDOW_MS };
    struct kw_hot *hot = a_hot(8);

    assert_false(read_times(hot, 1, 7));
    kw_hot_tick(hot, 1999);
    assert_true(read_one(hot, hash_of(1), 0));
    kw_hot_tick(hot, 1000 + TURN_MS);
    assert_false(read_times(hot, 1, 3));
    assert_true(read_one(hot, hash_of(1), 0));
    for (unsigned i = 1; i <= KW_HOT_HALF_WINDOWS; i++) { /* also one by one */
        kw_hot_tick(hot, 1000 + TURN_MS + i * KW_HOT_WINDOW_MS);
    }
    assert_false(read_times(hot, 1, 3));
    assert_true(read_one(hot, hash_of(1), 0));
    kw_hot_tick(hot, 1000000);
    assert_false(read_times(hot, 1, 7));
    kw_hot_free(&hot);
}

KW_TEST(a_key_that_is_read_once_a_second_becomes_hot)
{
    struct kw_hot *hot = a_hot(8);
    bool is_hot = false;

    for (unsigned i = 0; i < 60 && !is_hot; i++) {
        kw_hot_tick(hot, 1000 + i * KW_HOT_WINDOW_MS);
        is_hot = read_one(hot, hash_of(1), 0);
    }
    assert_true(is_hot);
    assert_true(kw_hot_is_hot(hot, hash_of(1)));
    assert_false(kw_hot_is_hot(hot, hash_of(2)));
    kw_hot_free(&hot);
}

KW_TEST(hits_keep_a_key_hot)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(read_times(hot, 1, 8));
    for (unsigned i = 0; i < 10000; i++) {
        kw_hot_tick(hot, 1000 + i);
        kw_hot_hit(hot, hash_of(1));
    }
    assert_true(read_one(hot, hash_of(1), 0));
    kw_hot_tick(hot, 100000);
    assert_false(read_one(hot, hash_of(1), 0));
    kw_hot_free(&hot);
}

KW_TEST(hits_count_what_they_are_on_average)
{
    struct kw_hot *hot = a_hot(8000);

    for (unsigned i = 0; i < 10000; i++) {
        kw_hot_hit(hot, hash_of(1));
    }
    assert_true(read_one(hot, hash_of(1), 0));
    assert_false(read_one(hot, hash_of(1), 2 * KW_HOT_SIZE_UNIT));
    kw_hot_free(&hot);
}

/* Of 1000 reads of KEY that are looked at, how many call it hot, in COUNT operations of which each
 * EVERY-th on average writes; 20 a millisecond, so that not all are looked at.
 */
static unsigned hot_permille(struct kw_hot *hot, uint64_t key, unsigned count, unsigned every)
{
    uint64_t chance = every;
    unsigned looks = 0;
    unsigned times = 0;

    for (unsigned i = 0; i < count; i++) {
        kw_hot_tick(hot, 1000 + i / 20);
        if (draw(&chance) % every == 0) {
            write_one(hot, hash_of(key));
        } else if (kw_hot_is_due(hot)) {
            looks++;
            times += kw_hot_read(hot, hash_of(key), 0) != KW_HEAT_NONE;
        }
    }
    assert_true(looks > 0);
    return (unsigned)(1000ull * times / looks);
}

KW_TEST(a_key_that_is_written_as_often_as_read_is_not_hot)
{
    struct kw_hot *hot = a_hot(8);

    assert_int_equal(hot_permille(hot, 1, 200000, 2), 0);
    kw_hot_free(&hot);
}

KW_TEST(a_key_with_three_reads_a_write_is_hardly_ever_hot)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(hot_permille(hot, 1, 200000, 4) < 14);
    kw_hot_free(&hot);
}

KW_TEST(a_key_with_twenty_reads_a_write_is_hot)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(hot_permille(hot, 1, 200000, 21) > 945);
    kw_hot_free(&hot);
}

KW_TEST(a_key_that_begins_to_be_written_is_demoted)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(read_times(hot, 1, 4000));
    (void)hot_permille(hot, 1, 20000, 2);
    assert_false(read_one(hot, hash_of(1), 0));
    kw_hot_free(&hot);
}

KW_TEST(a_key_that_is_no_longer_written_becomes_hot_again)
{
    struct kw_hot *hot = a_hot(8);

    for (unsigned i = 0; i < 10000; i++) {
        write_one(hot, hash_of(1));
    }
    kw_hot_tick(hot, 100000);
    assert_true(read_times(hot, 1, 8));
    kw_hot_free(&hot);
}

/* ---- calm ---- */

/* A second of READS: one in EVERY (0: none) of the key 1, all others of keys that come once. How
 * many are looked at; *FOUND: whether the key is called hot.
 */
static unsigned looks_in_a_second(struct kw_hot *hot, unsigned second, unsigned reads,
                                  unsigned every, bool *found)
{
    uint64_t chance = second;
    unsigned looks = 0;

    *found = false;
    for (unsigned i = 0; i < reads; i++) {
        bool is_known = every > 0 && draw(&chance) % every == 0;
        kw_hot_tick(hot, 1000 * (uint64_t)second + (uint64_t)i * 1000 / reads);
        if (kw_hot_is_due(hot)) {
            bool is_hot =
                kw_hot_read(hot, hash_of(is_known ? 1 : 1000 + (uint64_t)second * reads + i), 64);
            *found = *found || (is_hot && is_known);
            looks++;
        }
    }
    return looks;
}

KW_TEST(looks_that_find_nothing_get_fewer_and_come_back_when_a_key_turns_hot)
{
    enum { READS_A_SECOND = 1000 * 1000 };
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    unsigned second = 1;
    unsigned looks = 0;
    bool found = false;

    looks = looks_in_a_second(hot, second++, READS_A_SECOND, 0, &found);
    printf("  %u looks at first\n", looks);
    assert_true(looks < READS_A_SECOND / 20); /* the step grows at once */
    looks = looks_in_a_second(hot, second++, READS_A_SECOND, 0, &found);
    printf("  %u looks\n", looks);
    assert_true(looks < READS_A_SECOND / 200);
    (void)looks_in_a_second(hot, second++, READS_A_SECOND, 30, &found);
    assert_true(found); /* within a second */
    (void)looks_in_a_second(hot, second++, READS_A_SECOND, 30, &found);
    looks = looks_in_a_second(hot, second++, READS_A_SECOND, 30, &found);
    printf("  %u looks\n", looks);
    assert_true(looks > READS_A_SECOND / 40);
    kw_hot_free(&hot);
}

/* Also when there are not very many: one look in four of 30,000 reads was a percent of their cost. */
KW_TEST(looks_that_find_nothing_get_fewer_whatever_the_rate)
{
    static const unsigned rates[] = {5000, 30000, 80000, 300000};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
        unsigned second = 1;
        bool found = false;

        (void)looks_in_a_second(hot, second++, rates[i], 0, &found);
        unsigned looks = looks_in_a_second(hot, second++, rates[i], 0, &found);
        printf("  %u looks of %u\n", looks, rates[i]);
        assert_true(looks < 2100 && looks > 600); /* enough to see that something changes */
        (void)looks_in_a_second(hot, second++, rates[i], 30, &found);
        assert_true(found);
        (void)looks_in_a_second(hot, second++, rates[i], 30, &found);
        unsigned again = looks_in_a_second(hot, second++, rates[i], 30, &found);
        assert_true(again > 2 * looks);
        kw_hot_free(&hot);
    }
}

/* One look in sixteen counts for sixteen reads; who was seen once is not hot when all are looked at. */
KW_TEST(who_was_seen_once_while_looks_were_few_is_not_hot_when_there_are_more)
{
    enum { RATE = 30000, OTHERS = 300000, SECONDS = 30, TURN = 10 };
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    uint64_t chance = 23;
    unsigned found = 0;
    unsigned wrong = 0;

    for (unsigned i = 0; i < SECONDS * RATE; i++) {
        bool is_known = i > TURN * RATE && draw(&chance) % 20 == 0;
        uint64_t key = is_known ? draw(&chance) % 5 : 5 + draw(&chance) % OTHERS;
        kw_hot_tick(hot, 1000 + (uint64_t)i * KW_HOT_WINDOW_MS / RATE);
        bool is_hot = read_one(hot, hash_of(key), 64);
        found += is_hot && is_known ? 1 : 0;
        wrong += is_hot && !is_known ? 1 : 0;
    }
    printf("  %u hot, %u taken for hot\n", found, wrong);
    assert_true(found > 1000);
    assert_true(wrong < 300);
    kw_hot_free(&hot);
}

/* ---- chance ---- */

/* The fills of so many SECONDS with READS reads in each, of as many keys, all alike; each is written
 * WRITES_PERMILLE times in 1000 requests. What was fetched is hit until it is written.
 */
static unsigned fills_in(unsigned seconds, unsigned keys_count, unsigned reads,
                         unsigned writes_permille, bool has_room)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    bool *is_kept = kw_alloc_zero(keys_count, sizeof *is_kept);
    uint64_t chance = 21;
    unsigned fills = 0;

    kw_hot_set_room(hot, has_room);
    for (unsigned i = 0; i < seconds * reads; i++) {
        unsigned key = (unsigned)(draw(&chance) % keys_count);
        kw_hot_tick(hot, 1000 + (uint64_t)i * KW_HOT_WINDOW_MS / reads);
        if (draw(&chance) % 1000 < writes_permille) {
            write_one(hot, hash_of(key));
            is_kept[key] = false;
        } else if (is_kept[key]) {
            kw_hot_hit(hot, hash_of(key));
        } else if (read_one(hot, hash_of(key), 64)) {
            is_kept[key] = true;
            fills++;
        }
    }
    kw_free(is_kept);
    kw_hot_free(&hot);
    return fills;
}

static unsigned fills_of(unsigned keys_count, unsigned reads, unsigned writes_permille,
                         bool has_room)
{
    return fills_in(20, keys_count, reads, writes_permille, has_room);
}

KW_TEST(of_very_many_keys_that_are_all_worth_it_some_are_fetched_each_second)
{
    unsigned few = fills_of(100000, 60000, 0, true);
    unsigned many = fills_in(60, 100000, 60000, 0, true);

    printf("  %u fills in 20 s, %u in 60 s\n", few, many);
    /* A sketch finds none of them: one in two windows, each. */
    assert_true(few > 20 * 60000 / 1024);
    assert_true(many > 30000); /* the first ones pay for more */
    assert_true(many <= 60 * 4000 + 4000);
}

/* The fills of 20 seconds with READS reads in each, of KEYS_COUNT keys, each worth a fill; of these
 * one in EVERY may be fetched, and none is ever hit.
 */
static unsigned fills_never_hit(unsigned every, unsigned keys_count, unsigned reads)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    uint64_t chance = 22;
    unsigned fills = 0;

    kw_hot_set_room(hot, true);
    for (unsigned i = 0; i < 20 * reads; i++) {
        uint64_t key = draw(&chance) % keys_count;
        kw_hot_tick(hot, 1000 + (uint64_t)i * KW_HOT_WINDOW_MS / reads);
        if (key % every == 0) {
            fills += read_one(hot, hash_of(key), 64);
        } else if (kw_hot_is_due(hot)) {
            (void)kw_hot_read(hot, hash_of(key), 64);
        }
    }
    printf("  %u fills of %u requests\n", fills, 20 * reads);
    kw_hot_free(&hot);
    return fills;
}

KW_TEST(what_is_fetched_by_chance_and_never_hit_is_one_in_1024_requests)
{
    unsigned fills = fills_never_hit(1, 300000, 200000);

    assert_true(fills > 10 * 200000 / 1024); /* they would be worth it */
    assert_true(fills <= 20 * 200000 / 1024);
}

/* Few of those that are watched are seen again in a round: it lasts longer. */
KW_TEST(of_very_many_keys_too_that_are_worth_it_some_are_fetched)
{
    assert_true(fills_never_hit(1, 1000 * 1000, 500000) > 10 * 500000 / 1024);
}

KW_TEST(of_keys_that_are_hardly_ever_read_again_none_is_fetched_by_chance)
{
    assert_true(fills_of(1000 * 1000, 60000, 0, true) < 200);
}

/* Each would serve five reads: few of those that are watched are seen again, which may say 14. */
KW_TEST(of_keys_that_are_not_worth_it_hardly_any_is_fetched_as_one_was_seen_again)
{
    unsigned fills = fills_in(60, 1000 * 1000, 150000, 0, true);

    printf("  %u fills in 60 s\n", fills);
    assert_true(fills < 1200);
}

KW_TEST(of_keys_that_are_written_as_often_as_read_none_is_fetched_by_chance)
{
    assert_true(fills_of(100000, 60000, 500, true) < 200);
}

KW_TEST(without_room_none_is_fetched_by_chance)
{
    unsigned fills = fills_of(100000, 60000, 0, false);

    printf("  %u fills in 20 s\n", fills);
    assert_true(fills < 4000);
}

/* One key in twenty may be kept (near-cache-prefix, say). Who may not takes nothing from the others.
 */
KW_TEST(chances_are_for_those_that_may_be_fetched)
{
    unsigned fills = fills_never_hit(20, 300000, 200000);

    assert_true(fills > 10 * 200000 / 1024);
    assert_true(fills <= 20 * 200000 / 1024);
}

KW_TEST(a_large_value_is_fetched_by_chance_only_if_that_pays)
{
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    uint64_t chance = 24;

    kw_hot_set_room(hot, true);
    for (unsigned i = 0; i < 10 * 100000; i++) { /* each twice a second: some 60 reads a life */
        kw_hot_tick(hot, 1000 + (uint64_t)i * KW_HOT_WINDOW_MS / 100000);
        (void)read_one(hot, hash_of(draw(&chance) % 50000), 64);
    }
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 1024));
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 2 * 1024));
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 64 * 1024));
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_NONE, 64));
    kw_hot_set_room(hot, false);
    assert_false(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 2 * 1024));
    kw_hot_free(&hot);
}

/* The trials said that chances pay; who only writes takes none, and is not looked at for them. */
KW_TEST(chances_that_are_left_over_by_writes_bring_no_more_looks)
{
    enum { RATE = 500000, SECONDS = 5 };
    struct kw_hot *hot = a_hot(KW_HOT_READS_MIN);
    uint64_t chance = 25;
    unsigned looks = 0;

    kw_hot_set_room(hot, true);
    for (unsigned i = 0; i < 10 * 100000; i++) {
        kw_hot_tick(hot, 1000 + (uint64_t)i * KW_HOT_WINDOW_MS / 100000);
        (void)read_one(hot, hash_of(draw(&chance) % 50000), 64);
    }
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 64));
    for (unsigned i = 0; i < SECONDS * RATE; i++) {
        kw_hot_tick(hot, 11000 + (uint64_t)i * KW_HOT_WINDOW_MS / RATE);
        if (kw_hot_is_due(hot)) {
            kw_hot_write(hot, hash_of(100000 + i));
            looks += i >= (SECONDS - 1) * RATE ? 1 : 0; /* in the last second */
        }
    }
    printf("  %u looks of %u\n", looks, RATE);
    assert_true(kw_hot_is_worth(hot, hash_of(1), KW_HEAT_CHANCE, 64)); /* nothing says otherwise */
    assert_true(looks < 2100);
    kw_hot_free(&hot);
}

/* ---- bans ---- */

KW_TEST(a_banned_key_is_not_hot_for_a_second)
{
    struct kw_hot *hot = a_hot(8);

    assert_true(read_times(hot, 1, 100));
    kw_hot_ban(hot, hash_of(1));
    assert_true(kw_hot_is_banned(hot, hash_of(1)));
    assert_false(kw_hot_is_banned(hot, hash_of(2)));
    assert_false(read_times(hot, 1, 100));
    kw_hot_tick(hot, 1999);
    assert_false(read_times(hot, 1, 100));
    kw_hot_tick(hot, 2000);
    assert_true(read_times(hot, 1, 100));
    kw_hot_free(&hot);
}

KW_TEST(bans_double_up_to_a_minute)
{
    struct kw_hot *hot = a_hot(8);
    uint64_t now_ms = 1000;
    uint64_t ban_ms = KW_HOT_BAN_MIN_MS;

    for (unsigned i = 0; i < 10; i++) {
        kw_hot_ban(hot, hash_of(1));
        kw_hot_tick(hot, now_ms + ban_ms - 1);
        assert_true(kw_hot_is_banned(hot, hash_of(1)));
        now_ms += ban_ms;
        kw_hot_tick(hot, now_ms);
        assert_false(kw_hot_is_banned(hot, hash_of(1)));
        ban_ms = ban_ms < KW_HOT_BAN_MAX_MS ? ban_ms * 2 : KW_HOT_BAN_MAX_MS;
    }
    kw_hot_free(&hot);
}

KW_TEST(bans_of_long_ago_do_not_count)
{
    struct kw_hot *hot = a_hot(8);

    kw_hot_ban(hot, hash_of(1));
    kw_hot_ban(hot, hash_of(1));
    kw_hot_tick(hot, 1000 + 2 * KW_HOT_BAN_MIN_MS + KW_HOT_BAN_MAX_MS);
    kw_hot_ban(hot, hash_of(1));
    kw_hot_tick(hot, 1000 + 3 * KW_HOT_BAN_MIN_MS + KW_HOT_BAN_MAX_MS);
    assert_false(kw_hot_is_banned(hot, hash_of(1)));
    kw_hot_free(&hot);
}

KW_TEST(many_bans_push_out_those_that_end_first)
{
    struct kw_hot *hot = a_hot(8);

    for (unsigned i = 0; i < 8; i++) {
        kw_hot_ban(hot, hash_of(1));
    }
    for (unsigned i = 2; i < 20000; i++) {
        kw_hot_ban(hot, hash_of(i));
    }
    assert_true(kw_hot_is_banned(hot, hash_of(1)));
    kw_hot_free(&hot);
}

/* ---- the detector itself ---- */

static uint64_t digest_of_a_run(uint64_t seed)
{
    struct kw_hot *hot = kw_hot_new(&(struct kw_hot_options){.reads_min = 8, .seed = seed}, 0);
    uint64_t chance = 5;
    uint64_t digest = 0;

    for (unsigned i = 0; i < 300000; i++) {
        uint64_t key = draw(&chance) % 20000;
        kw_hot_tick(hot, i / 100);
        digest = digest * 31 + read_one(hot, hash_of(key), 0);
        if (key % 7 == 0) {
            kw_hot_hit(hot, hash_of(key));
        }
    }
    kw_hot_free(&hot);
    return digest;
}

KW_TEST(the_same_seed_gives_the_same_answers)
{
    assert_true(digest_of_a_run(1) == digest_of_a_run(1));
    assert_true(digest_of_a_run(1) != digest_of_a_run(2));
}

KW_TEST(weights_do_not_overflow)
{
    struct kw_hot *hot = an_exact_hot(8);

    for (unsigned i = 0; i < 5 * 1000 * 1000; i++) {
        write_one(hot, hash_of(1));
    }
    assert_false(read_one(hot, hash_of(1), 0));
    for (unsigned i = 0; i < 20 * 1000 * 1000; i++) {
        (void)read_one(hot, hash_of(1), 0);
    }
    assert_true(read_one(hot, hash_of(1), 0));
    kw_hot_free(&hot);
}

KW_TEST(hot_costs_little)
{
    enum { TIMES = 4 * 1000 * 1000 };
    static uint64_t hashes[65536];
    struct kw_hot *hot = a_hot(8);
    struct kw_hot *exact = an_exact_hot(8);
    uint64_t chance = 3;

    for (unsigned i = 0; i < 65536; i++) {
        hashes[i] = hash_of(draw(&chance));
    }
    uint64_t began_us = kw_clock_us();
    for (unsigned i = 0; i < TIMES; i++) {
        kw_hot_tick(hot, 1000 + i / 500);
        (void)read_one(hot, hashes[i % 65536], 0);
    }
    uint64_t middle_us = kw_clock_us();
    for (unsigned i = 0; i < TIMES; i++) {
        kw_hot_tick(exact, 1000 + i / 500);
        (void)kw_hot_read(exact, hashes[i % 65536], 0);
    }
    uint64_t ended_us = kw_clock_us();
    printf("  %.1f ns a read at 500,000 a second, %.1f when all are looked at\n",
           (double)(middle_us - began_us) * 1000 / TIMES,
           (double)(ended_us - middle_us) * 1000 / TIMES);
    kw_hot_free(&hot);
    kw_hot_free(&exact);
}
