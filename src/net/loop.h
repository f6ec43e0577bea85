/* loop.h - one event loop: sockets, timers and letters of one thread, in ticks.
 *
 * A tick waits for events, runs their handlers (which only append and mark: rule K1), then runs the
 * tick hook once, where all output leaves. Time stands still within a tick.
 *
 * Thread: a loop belongs to the thread that runs it; only kw_loop_stop() may come from others.
 * Memory: kw_loop_new() returns an owned pointer.
 * See also: timer.h, inbox.h (letters from other threads), stream.h.
 */
#ifndef KW_NET_LOOP_H
#define KW_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct kw_burst;
struct kw_list;
struct kw_loop;

/* A new loop. Aborts when the system gives no epoll descriptor. */
struct kw_loop *kw_loop_new(void);

/* Free LOOP and clear the pointer; its sockets and timers must be gone. */
void kw_loop_free(struct kw_loop **loop);

/* Call ON_TICK(ARG) at the end of every tick. One hook per loop. */
void kw_loop_set_tick(struct kw_loop *loop, void (*on_tick)(void *arg), void *arg);

/* Run ticks until kw_loop_stop(). */
void kw_loop_run(struct kw_loop *loop);

/* Handle what has happened meanwhile, once, without waiting and without the tick hook. For the hook
 * only.
 */
void kw_loop_poll(struct kw_loop *loop);

/* Make kw_loop_run() return after the current tick. Same thread only; others post a letter. */
void kw_loop_stop(struct kw_loop *loop);

/* The monotonic time of this look at the events in milliseconds (see base/clock.h): read when it is
 * first asked for after the wait, then the same for all handlers.
 */
uint64_t kw_loop_now_ms(struct kw_loop *loop);

/* From now on LOOP's time in milliseconds is NOW_MS, until it is told another one; 0: the system's
 * again. For tests, whose time passes only when they say so. Timers go by the system's clock.
 */
void kw_loop_tell_time(struct kw_loop *loop, uint64_t now_ms);

/* The same in microseconds, read on its own: it may be some milliseconds ahead. */
uint64_t kw_loop_now_us(struct kw_loop *loop);

/* Milliseconds of the wall clock at this look at the events. */
uint64_t kw_loop_now_wall_ms(struct kw_loop *loop);

/* Ticks since the start: what "requests per tick" is divided by. */
uint64_t kw_loop_ticks_count(const struct kw_loop *loop);

/* Bursts of LOOP may use io_uring (see burst.h). Before it runs. */
void kw_loop_allow_ring(struct kw_loop *loop);

/* For stream.c: what sends and receives for many streams at once, and the streams with input that
 * are read when all handlers of this pass have run.
 */
struct kw_burst *kw_loop_burst(struct kw_loop *loop);
struct kw_list *kw_loop_readable(struct kw_loop *loop);

/* The libevent base, for the other files of net/ and the hiredis adapter only. */
struct event_base *kw_loop_base(struct kw_loop *loop);

#endif
