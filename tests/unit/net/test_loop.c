/* test_loop.c - ticks, timers and letters of one loop. */
#include "base/mem.h"
#include "net/inbox.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "tests/unit/kw_test.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* What happened on a loop, in order. */
struct stage {
    struct kw_loop *loop;
    struct kw_timer *timers[3];
    struct kw_inbox *inbox;
    int ticks;
    int fires;
    int order[8];
    int letters;
    int letters_wanted;
    uint64_t now_in_handler_ms;
    uint64_t now_in_tick_ms;
};

static struct stage stage;

static void stage_open(void)
{
    stage = (struct stage){.loop = kw_loop_new()};
}

static void stage_close(void)
{
    for (int i = 0; i < 3; i++) {
        kw_timer_free(&stage.timers[i]);
    }
    kw_inbox_close(&stage.inbox);
    kw_loop_free(&stage.loop);
    assert_null(stage.loop);
    kw_loop_free(&stage.loop); /* harmless */
}

static void on_tick_stop_after_fire(void *arg)
{
    stage.ticks++;
    stage.now_in_tick_ms = kw_loop_now_ms(stage.loop);
    if (stage.fires > 0) {
        kw_loop_stop(arg);
    }
}

static void on_fire(void *arg)
{
    stage.order[stage.fires++] = *(int *)arg;
    stage.now_in_handler_ms = kw_loop_now_ms(stage.loop);
}

static int numbers[] = {1, 2, 3};

KW_TEST(loop_runs_its_tick_behind_the_handlers_and_time_stands_still_in_between)
{
    stage_open();
    kw_loop_set_tick(stage.loop, on_tick_stop_after_fire, stage.loop);
    stage.timers[0] = kw_timer_new(stage.loop, on_fire, &numbers[0]);
    kw_timer_start(stage.timers[0], 0);
    uint64_t before = kw_loop_ticks_count(stage.loop);
    kw_loop_run(stage.loop);

    assert_int_equal(stage.fires, 1);
    assert_true(stage.ticks >= 1);
    assert_int_equal(kw_loop_ticks_count(stage.loop) - before, stage.ticks);
    assert_int_equal(stage.now_in_tick_ms, stage.now_in_handler_ms);
    stage_close();
}

KW_TEST(loop_that_was_stopped_can_be_run_again)
{
    stage_open();
    kw_loop_set_tick(stage.loop, on_tick_stop_after_fire, stage.loop);
    stage.timers[0] = kw_timer_new(stage.loop, on_fire, &numbers[0]);
    for (int i = 0; i < 3; i++) {
        stage.fires = 0;
        kw_timer_start(stage.timers[0], 0);
        kw_loop_run(stage.loop);
        assert_int_equal(stage.fires, 1);
    }
    stage_close();
}

static void on_last_fire(void *arg)
{
    on_fire(arg);
    kw_loop_stop(stage.loop);
}

KW_TEST(timer_fires_once_in_the_order_of_time)
{
    stage_open();
    stage.timers[0] = kw_timer_new(stage.loop, on_last_fire, &numbers[0]);
    stage.timers[1] = kw_timer_new(stage.loop, on_fire, &numbers[1]);
    stage.timers[2] = kw_timer_new(stage.loop, on_fire, &numbers[2]);
    assert_false(kw_timer_is_running(stage.timers[0]));
    kw_timer_start(stage.timers[0], 20);
    kw_timer_start(stage.timers[1], 10);
    kw_timer_start(stage.timers[2], 1);
    assert_true(kw_timer_is_running(stage.timers[0]));
    kw_loop_run(stage.loop);

    assert_int_equal(stage.fires, 3);
    assert_int_equal(stage.order[0], 3);
    assert_int_equal(stage.order[1], 2);
    assert_int_equal(stage.order[2], 1);
    assert_false(kw_timer_is_running(stage.timers[1]));
    stage_close();
}

KW_TEST(timer_that_is_stopped_or_moved_does_not_fire_at_its_old_time)
{
    stage_open();
    stage.timers[0] = kw_timer_new(stage.loop, on_last_fire, &numbers[0]);
    stage.timers[1] = kw_timer_new(stage.loop, on_fire, &numbers[1]);
    stage.timers[2] = kw_timer_new(stage.loop, on_fire, &numbers[2]);
    kw_timer_start(stage.timers[0], 20);
    kw_timer_start(stage.timers[1], 1);
    kw_timer_stop(stage.timers[1]);
    kw_timer_stop(stage.timers[1]); /* harmless */
    kw_timer_start(stage.timers[2], 1);
    kw_timer_start(stage.timers[2], 60000);
    kw_loop_run(stage.loop);

    assert_int_equal(stage.fires, 1);
    assert_int_equal(stage.order[0], 1);
    assert_true(kw_timer_is_running(stage.timers[2]));
    stage_close();
}

static void on_fire_free(void *arg)
{
    kw_timer_free(arg);
    stage.fires++;
    kw_loop_stop(stage.loop);
}

KW_TEST(timer_may_free_itself_when_it_fires)
{
    stage_open();
    stage.timers[0] = kw_timer_new(stage.loop, on_fire_free, &stage.timers[0]);
    kw_timer_start(stage.timers[0], 0);
    kw_loop_run(stage.loop);

    assert_int_equal(stage.fires, 1);
    assert_null(stage.timers[0]);
    stage_close();
}

enum { LETTERS = 5000, SENDERS = 2 };

struct numbered {
    struct kw_letter letter; /* first */
    int sender;
    int number;
};

static int next_number[SENDERS];

static void on_letter(void *arg, struct kw_letter *letter)
{
    struct numbered *numbered = (struct numbered *)letter;

    assert_ptr_equal(arg, &stage);
    assert_int_equal(numbered->number, next_number[numbered->sender]);
    next_number[numbered->sender]++;
    kw_free(numbered); /* it is the receiver's */
    if (++stage.letters == stage.letters_wanted) {
        kw_loop_stop(stage.loop);
    }
}

static void post(int sender, int number)
{
    struct numbered *numbered = kw_alloc_zero(1, sizeof *numbered);

    numbered->sender = sender;
    numbered->number = number;
    kw_inbox_post(stage.inbox, &numbered->letter);
}

static void *post_all(void *arg)
{
    for (int i = 0; i < LETTERS; i++) {
        post(*(int *)arg, i);
    }
    return NULL;
}

KW_TEST(inbox_wakes_its_loop_and_delivers_each_letter_once_in_order)
{
    pthread_t threads[SENDERS];
    int senders[SENDERS] = {0, 1};

    stage_open();
    next_number[0] = next_number[1] = 0;
    stage.letters_wanted = LETTERS * SENDERS;
    stage.inbox = kw_inbox_open(stage.loop, on_letter, &stage);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &senders[i]), 0);
    }
    kw_loop_run(stage.loop);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next_number[i], LETTERS);
    }
    stage_close();
}

KW_TEST(inbox_that_is_closed_delivers_what_is_still_there)
{
    stage_open();
    next_number[0] = next_number[1] = 0;
    stage.inbox = kw_inbox_open(stage.loop, on_letter, &stage);
    post(0, 0);
    post(1, 0);
    post(0, 1);
    kw_inbox_close(&stage.inbox);

    assert_null(stage.inbox);
    assert_int_equal(stage.letters, 3);
    stage_close();
}

static void on_left(struct kw_stream *stream)
{
    (void)stream;
    stage.fires++;
}

KW_TEST(loop_poll_looks_once_and_returns_though_more_is_ready)
{
    struct kw_stream stream = {.on_readable = on_left}; /* which reads nothing */
    struct kw_stream_set set;
    struct kw_chunk_pool chunks;
    int fds[2];

    stage_open();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    kw_chunk_pool_init(&chunks);
    kw_stream_set_init(&set);
    kw_stream_init(&stream, stage.loop, &set, &chunks, fds[0], false);
    assert_int_equal(write(fds[1], "x", 1), 1);
    kw_loop_poll(stage.loop);
    assert_int_equal(stage.fires, 1);
    kw_loop_poll(stage.loop);

    assert_int_equal(stage.fires, 2);
    kw_stream_deinit(&stream);
    close(fds[1]);
    kw_chunk_pool_deinit(&chunks);
    stage_close();
}
