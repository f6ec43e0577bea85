/* loop.c - libevent's loop, one pass at a time, with a hook between passes.
 *
 * I1  the tick hook runs after all handlers of a pass and before the next wait.
 * I2  the time is read behind each wait, never kept over one: a wait may last for ever.
 *
 * Measured: libevent's raw events cost the same as raw epoll; bufferevents cost 30 % more and are
 * not used. EVENT_BASE_FLAG_NOLOCK: a base is never touched by another thread.
 */
#include "net/loop.h"

#include "base/apart.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/burst.h"
#include "net/stream.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

struct kw_loop {
    struct event_base *base;    /* owned */
    void (*on_tick)(void *arg); /* may be NULL */
    void *on_tick_arg;
    struct kw_burst *burst;  /* owned */
    struct kw_list readable; /* streams */
    uint64_t now_ms;
    uint64_t told_ms; /* by kw_loop_tell_time(); 0: the system's clock counts */
    uint64_t now_us;
    uint64_t ticks;
    uint64_t wall_ms;
    bool is_wall_known; /* so has wall_ms */
    bool is_us_known;   /* so has now_us */
    bool is_now_known;  /* now_ms has been read since the last wait */
    bool is_stopping;
};

static uint64_t loop_read_ms(struct kw_loop *loop);
static uint64_t loop_read_us(struct kw_loop *loop);

struct kw_loop *kw_loop_new(void)
{
    struct kw_loop *loop = kw_alloc_zero(1, sizeof *loop);
    struct event_config *config = event_config_new();

    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL) {
        kw_log(KW_LOG_WARNING, "the system gives no event loop: too many open files?");
        abort();
    }
    loop->burst = kw_burst_new(false);
    kw_list_init(&loop->readable);
    return loop;
}

void kw_loop_free(struct kw_loop **loop)
{
    if (*loop != NULL) {
        event_base_free((*loop)->base);
        kw_burst_free(&(*loop)->burst);
        kw_free(*loop);
        *loop = NULL;
    }
}

void kw_loop_set_tick(struct kw_loop *loop, void (*on_tick)(void *arg), void *arg)
{
    KW_ASSERT(loop->on_tick == NULL || on_tick == NULL);
    loop->on_tick = on_tick;
    loop->on_tick_arg = arg;
}

void kw_loop_run(struct kw_loop *loop)
{
    while (!loop->is_stopping) {
        loop->is_now_known = false; /* I2 */
        loop->is_us_known = false;
        loop->is_wall_known = false;
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
        kw_stream_list_read(&loop->readable);
        loop->ticks++;
        if (loop->on_tick != NULL) {
            loop->on_tick(loop->on_tick_arg); /* I1 */
        }
    }
    loop->is_stopping = false;
}

void kw_loop_poll(struct kw_loop *loop)
{
    loop->is_now_known = false; /* I2 */
    loop->is_us_known = false;
    loop->is_wall_known = false;
    /* ONCE, too: alone, NONBLOCK goes on for as long as anything happens. */
    event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
    kw_stream_list_read(&loop->readable);
}

void kw_loop_stop(struct kw_loop *loop)
{
    loop->is_stopping = true;
    event_base_loopbreak(loop->base);
}

uint64_t kw_loop_now_ms(struct kw_loop *loop)
{
    return loop->is_now_known ? loop->now_ms : loop_read_ms(loop);
}

static KW_APART uint64_t loop_read_ms(struct kw_loop *loop)
{
    loop->is_now_known = true;
    loop->now_ms = loop->told_ms != 0 ? loop->told_ms : kw_clock_coarse_ms();
    return loop->now_ms;
}

void kw_loop_tell_time(struct kw_loop *loop, uint64_t now_ms)
{
    loop->told_ms = now_ms;
    loop->is_now_known = false;
}

uint64_t kw_loop_now_us(struct kw_loop *loop)
{
    return loop->is_us_known ? loop->now_us : loop_read_us(loop);
}

static KW_APART uint64_t loop_read_us(struct kw_loop *loop)
{
    loop->is_us_known = true;
    loop->now_us = kw_clock_us();
    return loop->now_us;
}

uint64_t kw_loop_now_wall_ms(struct kw_loop *loop)
{
    if (!loop->is_wall_known) {
        loop->is_wall_known = true;
        loop->wall_ms = kw_clock_wall_ms();
    }
    return loop->wall_ms;
}

uint64_t kw_loop_ticks_count(const struct kw_loop *loop)
{
    return loop->ticks;
}

void kw_loop_allow_ring(struct kw_loop *loop)
{
    kw_burst_free(&loop->burst);
    loop->burst = kw_burst_new(true);
}

struct kw_burst *kw_loop_burst(struct kw_loop *loop)
{
    return loop->burst;
}

struct kw_list *kw_loop_readable(struct kw_loop *loop)
{
    return &loop->readable;
}

struct event_base *kw_loop_base(struct kw_loop *loop)
{
    return loop->base;
}
