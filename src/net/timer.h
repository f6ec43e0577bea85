/* timer.h - one-shot timers of a loop, millisecond grain.
 *
 * Thread: the loop's. Memory: kw_timer_new() returns an owned pointer.
 */
#ifndef KW_NET_TIMER_H
#define KW_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct kw_loop;
struct kw_timer;

/* A stopped timer that will call ON_FIRE(ARG). */
struct kw_timer *kw_timer_new(struct kw_loop *loop, void (*on_fire)(void *arg), void *arg);

/* Fire once, DELAY milliseconds from now; a timer that runs is moved. */
void kw_timer_start(struct kw_timer *timer, uint64_t delay_ms);

/* The same in microseconds, for delays well below a millisecond. */
void kw_timer_start_us(struct kw_timer *timer, uint64_t delay_us);

/* Don't fire. Harmless when it does not run. */
void kw_timer_stop(struct kw_timer *timer);

bool kw_timer_is_running(const struct kw_timer *timer);

/* Stop, free and clear. NULL inside is allowed. May be called from its own ON_FIRE. */
void kw_timer_free(struct kw_timer **timer);

#endif
