/* test_near_warm.c - keys that are warm and cold, and the writes that are counted of cold ones. */
#include "proxy/near/warm.h"

#include "base/mem.h"
#include "cluster/slot.h"
#include "tests/unit/kw_test.h"

#include <sched.h>
#include <stdio.h>

enum { BUCKET = 77777, AGE_MS = 60000 };

static struct kw_near_warm *a_warm(unsigned workers_count)
{
    struct kw_near_warm *warm = kw_alloc_zero(1, sizeof *warm);

    kw__warm_init(warm, workers_count);
    return warm;
}

static void end(struct kw_near_warm *warm)
{
    kw__warm_deinit(warm);
    kw_free(warm);
}

KW_TEST(near_warm_a_key_is_warm_from_its_fill_until_whatever_was_kept_of_it_is_over)
{
    /* Whenever within a turn it is filled, and however often time is looked at. */
    for (uint64_t filled_ms = 1000; filled_ms < 400000; filled_ms += 7000) {
        struct kw_near_warm *warm = a_warm(1);
        uint64_t now_ms = 0;

        for (; now_ms < filled_ms; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
        }
        assert_false(kw__warm_has(warm, BUCKET));
        kw__warm_up(warm, BUCKET);
        for (; now_ms < filled_ms + AGE_MS + 15000; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
            assert_true(kw__warm_has(warm, BUCKET));
            assert_int_equal(kw__warm_count(warm), 1);
        }
        for (; now_ms < filled_ms + 4 * AGE_MS; now_ms += 500) {
            kw__warm_cool(warm, now_ms, AGE_MS);
        }
        assert_int_equal(kw__warm_count(warm), 0);
        end(warm);
    }
}

KW_TEST(near_warm_neighbours_stay_cold)
{
    struct kw_near_warm *warm = a_warm(1);

    for (uint32_t bucket = 0; bucket < KW_NEAR_WARM_BUCKETS; bucket += 3) {
        kw__warm_up(warm, bucket);
    }
    for (uint32_t bucket = 0; bucket < KW_NEAR_WARM_BUCKETS; bucket++) {
        assert_int_equal(kw__warm_has(warm, bucket), bucket % 3 == 0);
    }
    end(warm);
}

KW_TEST(near_warm_names_of_all_shapes_spread_over_the_buckets)
{
    static const char *const shapes[][2] = {{"key:0000000", ""},
                                            {"", ""},
                                            {"user:", ":profile:settings"},
                                            {"{tag}:", ""},
                                            {"a:rather:long:prefix:", ":and:tail"}};

    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        struct kw_near_warm *warm = a_warm(1);
        char text[64];

        for (unsigned i = 0; i < 20000; i++) {
            snprintf(text, sizeof text, "%s%u%s", shapes[shape][0], i * 7, shapes[shape][1]);
            struct kw_bytes name = kw_bytes_of_text(text);
            kw__warm_up(warm, kw__warm_bucket(name, kw_slot_of_key(name)));
        }
        printf("  %sN%s: %u buckets\n", shapes[shape][0], shapes[shape][1], kw__warm_count(warm));
        /* Names that differ far from both ends are told apart by their slots only. */
        assert_true(kw__warm_count(warm) > (shape < 4 ? 19000 : 11000));
        end(warm);
    }
}

KW_TEST(near_warm_a_write_of_a_cold_key_is_seen_by_who_warms_it)
{
    struct kw_near_warm *warm = a_warm(2);

    assert_true(kw__cold_write_begin(warm, &warm->writes[1], BUCKET));
    assert_true(kw__cold_write_begin(warm, &warm->writes[1], BUCKET));
    kw__warm_up(warm, BUCKET);
    assert_true(kw__warm_is_written(warm, BUCKET));
    assert_false(kw__warm_is_written(warm, BUCKET + 1));
    assert_false(
        kw__cold_write_begin(warm, &warm->writes[0], BUCKET)); /* by its hash from now on */
    kw__cold_write_end(&warm->writes[1], BUCKET);
    assert_true(kw__warm_is_written(warm, BUCKET));
    kw__cold_write_end(&warm->writes[1], BUCKET);
    assert_false(kw__warm_is_written(warm, BUCKET));
    end(warm);
}

KW_TEST(near_warm_more_writes_than_a_row_can_count_are_counted_elsewhere)
{
    struct kw_near_warm *warm = a_warm(1);

    for (unsigned i = 0; i < KW_COLD_WRITES_MAX; i++) {
        assert_true(kw__cold_write_begin(warm, warm->writes, BUCKET));
    }
    assert_false(kw__cold_write_begin(warm, warm->writes, BUCKET));
    for (unsigned i = 0; i < KW_COLD_WRITES_MAX; i++) {
        kw__cold_write_end(warm->writes, BUCKET);
    }
    assert_false(kw__warm_is_written(warm, BUCKET));
    end(warm);
}

/* ---- both at once ---- */

enum { ROUNDS = 20000 };

struct race {
    struct kw_near_warm *warm;
    _Atomic unsigned round; /* the writer's turn, then the filler's word that it is over */
    _Atomic unsigned done;
    bool was_cold; /* the writer did not see the bit */
};

static void *race_write(void *arg)
{
    struct race *race = arg;

    for (unsigned i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&race->round) != i) {
            sched_yield();
        }
        race->was_cold = kw__cold_write_begin(race->warm, &race->warm->writes[0], i);
        atomic_store(&race->done, i);
    }
    return NULL;
}

/* Whichever comes first, one of the two knows of the other. */
KW_TEST(near_warm_a_write_and_a_fill_that_begin_at_once_do_not_miss_each_other)
{
    struct race race = {.warm = a_warm(1)};
    unsigned missed_count = 0;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, race_write, &race), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        atomic_store(&race.round, i);
        kw__warm_up(race.warm, i);
        bool has_seen = kw__warm_is_written(race.warm, i);
        while (atomic_load(&race.done) != i) {
            sched_yield();
        }
        missed_count += race.was_cold && !has_seen;
        if (race.was_cold) {
            kw__cold_write_end(&race.warm->writes[0], i);
        }
    }
    pthread_join(writer, NULL);
    assert_int_equal(missed_count, 0);
    end(race.warm);
}
