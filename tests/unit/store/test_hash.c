/* test_hash.c - hashes through their commands; what redis 7.0 has is compared with it elsewhere. */
#include "tests/unit/store/scene.h"

static struct store_scene scene_of_test;

static struct store_scene *scene_new(void)
{
    store_scene_open(&scene_of_test);
    return &scene_of_test;
}

KW_TEST(a_small_hash_answers_in_the_order_of_its_fields)
{
    struct store_scene *scene = scene_new();

    store_scene_expect(scene, "HSET h b 1 a 2 c 3", ":3");
    store_scene_expect(scene, "HSET h a 4 d 5", ":1");
    store_scene_expect(scene, "HKEYS h", "*4 $1 b $1 a $1 c $1 d");
    scene->proto = 3;
    store_scene_expect(scene, "HGETALL h", "%4 $1 b $1 1 $1 a $1 4 $1 c $1 3 $1 d $1 5");
    store_scene_expect(scene, "HRANDFIELD h 9 WITHVALUES",
                       "*4 *2 $1 b $1 1 *2 $1 a $1 4 *2 $1 c $1 3 *2 $1 d $1 5");
    store_scene_expect(scene, "HSCAN h 0 NOVALUES", "*2 $1 0 *4 $1 b $1 a $1 c $1 d");
    store_scene_close(scene);
}

KW_TEST(a_hash_goes_with_its_last_field_and_says_so)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2");
    store_scene_run(scene, "HDEL h a");
    store_scene_run(scene, "HDEL h b x");
    store_scene_expect_events(scene, "hset h, hdel h, hdel h, del h");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_run(scene, "HINCRBY h n 4");
    store_scene_run(scene, "HINCRBYFLOAT h n 0.5");
    store_scene_run(scene, "HSETNX h n 1");
    store_scene_expect_events(scene, "hincrby h, hincrbyfloat h");
    store_scene_close(scene);
}

KW_TEST(a_failed_command_leaves_no_empty_hash_behind)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HINCRBY h n x");
    store_scene_run(scene, "HINCRBYFLOAT h n nan");
    store_scene_run(scene, "HSET h n");
    store_scene_expect(scene, "HSETEX h FXX FIELDS 1 a 1", ":0");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_expect_events(scene, "");
    store_scene_close(scene);
}

KW_TEST(a_field_is_gone_when_its_deadline_has_come)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2 c 3");
    store_scene_expect(scene, "HPEXPIRE h 100 FIELDS 3 a b x", "*3 :1 :1 :-2");
    store_scene_expect(scene, "HPTTL h FIELDS 3 a c x", "*3 :100 :-1 :-2");
    store_scene_expect(scene, "HTTL h FIELDS 1 a", "*1 :1");
    store_scene_expect(scene, "HPEXPIRETIME h FIELDS 1 a", "*1 :1700000000100");
    store_scene_expect(scene, "HEXPIRETIME h FIELDS 1 a", "*1 :1700000001");
    store_scene_pass(scene, 99);
    store_scene_expect(scene, "HLEN h", ":3");
    store_scene_expect_events(scene, "hset h, hexpire h");
    store_scene_pass(scene, 1);
    store_scene_expect(scene, "HLEN h", ":1");
    store_scene_expect(scene, "HGETALL h", "*2 $1 c $1 3");
    store_scene_expect(scene, "HEXISTS h a", ":0");
    store_scene_expect_events(scene, "hexpired h");
    store_scene_close(scene);
}

KW_TEST(a_hash_goes_when_its_last_field_is_over)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2");
    store_scene_run(scene, "HPEXPIRE h 100 FIELDS 1 a");
    store_scene_run(scene, "HPEXPIRE h 200 FIELDS 1 b");
    store_scene_pass(scene, 200);
    store_scene_expect(scene, "HGET h b", "$-1");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_expect_events(scene, "hset h, hexpire h, hexpire h, hexpired h, del h");
    store_scene_close(scene);
}

KW_TEST(commands_on_keys_do_not_see_a_hash_that_is_over)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSETEX h PX 100 FIELDS 1 a 1");
    store_scene_run(scene, "HSETEX h PX 300 FIELDS 1 b 1");
    store_scene_run(scene, "HSETEX other PX 300 FIELDS 1 a 1");
    store_scene_run(scene, "HPERSIST other FIELDS 1 a");
    scene->events[0] = '\0';
    store_scene_pass(scene, 100);
    store_scene_expect_events(scene, "hexpired h");
    store_scene_pass(scene, 100);
    store_scene_run(scene, "HPEXPIRE h 50 FIELDS 1 b");
    scene->events[0] = '\0';
    store_scene_expect(scene, "EXISTS h other", ":2");
    store_scene_expect(scene, "RENAME h moved", "+OK");
    store_scene_expect(scene, "RENAME moved h", "+OK");
    scene->events[0] = '\0';
    store_scene_pass(scene, 50);
    store_scene_expect(scene, "EXISTS h other", ":1");
    store_scene_pass(scene, 1000);
    store_scene_expect(scene, "DEL h other", ":1");
    store_scene_expect_events(scene, "hexpired h, del h, del other");
    store_scene_close(scene);
}

KW_TEST(large_hashes_that_are_deleted_are_freed_by_and_by)
{
    struct store_scene *scene = scene_new();
    char line[64];

    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(line, sizeof line, "HSETEX h EX 100 FIELDS 1 f%u value", i);
        store_scene_run(scene, line);
    }
    store_scene_expect(scene, "DEL h", ":1");
    store_scene_expect(scene, "HSET h a 1", ":1");
    store_scene_pass(scene, 1);
    store_scene_expect(scene, "HLEN h", ":1");
    store_scene_run(scene, "HSET h b 1");
    store_scene_close(scene); /* what is left by now is freed here */
}

KW_TEST(conditions_of_hexpire_hold_for_each_field)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2");
    store_scene_expect(scene, "HEXPIRE h 100 XX FIELDS 1 a", "*1 :0");
    store_scene_expect(scene, "HEXPIRE h 100 GT FIELDS 1 a", "*1 :0");
    store_scene_expect(scene, "HEXPIRE h 100 NX FIELDS 1 a", "*1 :1");
    store_scene_expect(scene, "HEXPIRE h 50 NX FIELDS 2 a b", "*2 :0 :1");
    store_scene_expect(scene, "HEXPIRE h 100 GT FIELDS 2 a b", "*2 :0 :1");
    store_scene_expect(scene, "HEXPIRE h 60 lt FIELDS 2 a b", "*2 :1 :1");
    store_scene_expect(scene, "HEXPIRE h 60 LT FIELDS 1 a", "*1 :0");
    store_scene_expect(scene, "HEXPIRE h 70 XX FIELDS 2 a x", "*2 :1 :-2");
    store_scene_expect(scene, "HTTL h FIELDS 2 a b", "*2 :70 :60");
    store_scene_expect(scene, "HPERSIST h FIELDS 3 a a x", "*3 :1 :-1 :-2");
    store_scene_expect(scene, "HPERSIST nothing FIELDS 1 a", "*1 :-2");
    store_scene_expect(scene, "HEXPIRE h 10 LT FIELDS 1 a", "*1 :1");
    store_scene_close(scene);
}

KW_TEST(a_deadline_in_the_past_removes_the_field)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2");
    scene->events[0] = '\0';
    store_scene_expect(scene, "HEXPIRE h 0 FIELDS 1 a", "*1 :2");
    store_scene_expect(scene, "HPEXPIREAT h 1699999999999 FIELDS 2 b b", "*2 :2 :-2");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_expect_events(scene, "hdel h, hdel h, del h");
    store_scene_expect(scene, "HSETEX h PXAT 1 FIELDS 1 a 1", ":1");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_expect_events(scene, "hset h, hdel h, del h");
    store_scene_close(scene);
}

KW_TEST(another_value_takes_the_deadline_away_but_a_counter_keeps_it)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2 c 3 d 4");
    store_scene_run(scene, "HEXPIRE h 100 FIELDS 4 a b c d");
    store_scene_run(scene, "HSET h a 9");
    store_scene_run(scene, "HINCRBY h b 1");
    store_scene_run(scene, "HINCRBYFLOAT h c 1");
    store_scene_run(scene, "HDEL h d");
    store_scene_run(scene, "HSET h d 4");
    store_scene_expect(scene, "HTTL h FIELDS 4 a b c d", "*4 :-1 :100 :100 :-1");
    store_scene_expect(scene, "HSETEX h KEEPTTL FIELDS 1 b 7", ":1");
    store_scene_expect(scene, "HSETEX h FIELDS 1 c 7", ":1");
    store_scene_expect(scene, "HTTL h FIELDS 2 b c", "*2 :100 :-1");
    store_scene_close(scene);
}

KW_TEST(hsetex_sets_all_or_nothing)
{
    struct store_scene *scene = scene_new();

    store_scene_expect(scene, "HSETEX h FNX EX 10 FIELDS 2 a 1 b 2", ":1");
    store_scene_expect(scene, "HSETEX h FNX FIELDS 2 b 3 c 4", ":0");
    store_scene_expect(scene, "HSETEX h FXX PX 500 FIELDS 2 b 3 c 4", ":0");
    store_scene_expect(scene, "HSETEX h PX 500 FXX FIELDS 2 a 3 b 4", ":1");
    store_scene_expect(scene, "HMGET h a b c", "*3 $1 3 $1 4 $-1");
    store_scene_expect(scene, "HPTTL h FIELDS 1 a", "*1 :500");
    store_scene_expect_events(scene, "hset h, hexpire h, hset h, hexpire h");
    store_scene_close(scene);
}

KW_TEST(hgetex_gives_values_and_other_deadlines)
{
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1 b 2");
    scene->events[0] = '\0';
    store_scene_expect(scene, "HGETEX h FIELDS 2 a x", "*2 $1 1 $-1");
    store_scene_expect_events(scene, "");
    store_scene_expect(scene, "HGETEX h EX 10 FIELDS 2 a x", "*2 $1 1 $-1");
    store_scene_expect(scene, "HTTL h FIELDS 2 a b", "*2 :10 :-1");
    store_scene_expect(scene, "HGETEX h PERSIST FIELDS 2 a b", "*2 $1 1 $1 2");
    store_scene_expect(scene, "HTTL h FIELDS 2 a b", "*2 :-1 :-1");
    store_scene_expect(scene, "HGETEX h PXAT 5 FIELDS 1 a", "*1 $1 1");
    store_scene_expect(scene, "HGETEX none EX 5 FIELDS 1 a", "*1 $-1");
    store_scene_expect(scene, "HGETDEL h FIELDS 3 b b x", "*3 $1 2 $-1 $-1");
    store_scene_expect_events(scene, "hexpire h, hpersist h, hdel h, hdel h, del h");
    store_scene_expect(scene, "EXISTS h", ":0");
    store_scene_close(scene);
}

KW_TEST(options_of_fields_are_refused_with_the_errors_of_redis)
{
    static const char *const lines[][2] = {
        {"HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"},
        {"HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"},
        {"HEXPIRE h 70368744178 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command"},
        {"HPEXPIREAT h 70368744177664 FIELDS 1 a",
         "-ERR invalid expire time in 'hpexpireat' command"},
        {"HEXPIRE h 10 FELDS 1 a",
         "-ERR Mandatory argument FIELDS is missing or not at the right position"},
        {"HEXPIRE h 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0"},
        {"HEXPIRE h 10 FIELDS 2 a",
         "-ERR The `numfields` parameter must match the number of arguments"},
        {"HTTL h FIELDS x a", "-ERR Number of fields must be a positive integer"},
        {"HTTL h FIELDS 1 a b",
         "-ERR The `numfields` parameter must match the number of arguments"},
        {"HGETEX h EX 10 FIELDS", "-ERR Number of fields must be a positive integer"},
        {"HGETDEL h FELDS 1 a",
         "-ERR Mandatory argument FIELDS is missing or not at the right position"},
        {"HSETEX h EX 10 PX 5 FIELDS 1 a 1",
         "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"},
        {"HSETEX h FNX FXX FIELDS 1 a 1", "-ERR Only one of FXX or FNX arguments can be specified"},
        {"HSETEX h MORE FIELDS 1 a 1", "-ERR unknown argument: MORE"},
        {"HSETEX h FIELDS 2 a 1 b", "-ERR wrong number of arguments for 'hsetex' command"},
        {"HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"},
        {"HSETEX h FNX KEEPTTL FXX EX", "-ERR Only one of FXX or FNX arguments can be specified"},
        {"HSETEX h FNX a b EX", "-ERR unknown argument: a"},
        {"HTTL s FELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    };
    struct store_scene *scene = scene_new();

    store_scene_run(scene, "HSET h a 1");
    store_scene_run(scene, "SET s 1");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        store_scene_expect(scene, lines[i][0], lines[i][1]);
    }
    store_scene_expect(scene, "HGETALL h", "*2 $1 a $1 1");
    store_scene_close(scene);
}

KW_TEST(many_fields_with_deadlines_go_each_in_its_time)
{
    struct store_scene *scene = scene_new();
    char line[64];

    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(line, sizeof line, "HSETEX h PX %u FIELDS 1 f%u v", 1 + i * 7 % 2000, i);
        store_scene_expect(scene, line, ":1");
    }
    for (unsigned passed = 100; passed < 2000; passed += 100) {
        store_scene_pass(scene, 100);
        (void)snprintf(line, sizeof line, ":%u", 2000 - passed);
        store_scene_expect(scene, "HLEN h", line);
    }
    store_scene_pass(scene, 100);
    store_scene_expect(scene, "HLEN h", ":0");
    store_scene_close(scene);
}
