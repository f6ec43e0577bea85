/* timer.c - libevent timeouts. */
#include "net/timer.h"

#include "base/mem.h"
#include "net/loop.h"

#include <event2/event.h>

struct kw_timer {
    struct event *event; /* owned */
    void (*on_fire)(void *arg);
    void *arg;
};

static void timer_on_event(evutil_socket_t fd, short what, void *arg)
{
    struct kw_timer *timer = arg;

    (void)fd;
    (void)what;
    timer->on_fire(timer->arg); /* may free the timer: nothing after it */
}

struct kw_timer *kw_timer_new(struct kw_loop *loop, void (*on_fire)(void *arg), void *arg)
{
    struct kw_timer *timer = kw_alloc(sizeof *timer);

    timer->event = evtimer_new(kw_loop_base(loop), timer_on_event, timer);
    timer->on_fire = on_fire;
    timer->arg = arg;
    return timer;
}

void kw_timer_start(struct kw_timer *timer, uint64_t delay_ms)
{
    kw_timer_start_us(timer, delay_ms * 1000);
}

void kw_timer_start_us(struct kw_timer *timer, uint64_t delay_us)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_us / 1000000),
                            .tv_usec = (suseconds_t)(delay_us % 1000000)};

    evtimer_add(timer->event, &delay);
}

void kw_timer_stop(struct kw_timer *timer)
{
    evtimer_del(timer->event);
}

bool kw_timer_is_running(const struct kw_timer *timer)
{
    return evtimer_pending(timer->event, NULL) != 0;
}

void kw_timer_free(struct kw_timer **timer)
{
    if (*timer != NULL) {
        event_free((*timer)->event);
        kw_free(*timer);
        *timer = NULL;
    }
}
