/* listener.c - up to ACCEPTS_PER_TICK connections a tick, so that a connection storm does not
 * starve the clients that are there.
 */
#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/timer.h"

#include <event2/event.h>

enum {
    ACCEPTS_PER_TICK = 64,
    PAUSE_MS = 100,
    TELL_EVERY_MS = 10 * 1000 /* a shortage lasts: a line for each try would fill the log */
};

struct kw_listener {
    int fd; /* owned */
    unsigned keepalive_s;
    struct event *event;    /* owned */
    struct kw_timer *pause; /* owned: runs while no descriptors are left */
    struct kw_loop *loop;
    uint64_t tell_at_ms; /* that no descriptors are left: not before */
    void (*on_accept)(void *arg, int fd);
    void *arg;
};

static void listener_on_readable(evutil_socket_t fd, short what, void *arg);
static void listener_tell_full(struct kw_listener *listener);
static void listener_on_pause_over(void *arg);

struct kw_listener *kw_listener_open(struct kw_loop *loop, int fd, unsigned keepalive_s,
                                     void (*on_accept)(void *arg, int fd), void *arg)
{
    struct kw_listener *listener = kw_alloc_zero(1, sizeof *listener);

    listener->fd = fd;
    listener->keepalive_s = keepalive_s;
    listener->on_accept = on_accept;
    listener->arg = arg;
    listener->loop = loop;
    listener->event =
        event_new(kw_loop_base(loop), fd, EV_READ | EV_PERSIST, listener_on_readable, listener);
    listener->pause = kw_timer_new(loop, listener_on_pause_over, listener);
    event_add(listener->event, NULL);
    return listener;
}

void kw_listener_set_keepalive(struct kw_listener *listener, unsigned keepalive_s)
{
    listener->keepalive_s = keepalive_s;
}

void kw_listener_close(struct kw_listener **listener)
{
    if (*listener == NULL) {
        return;
    }
    event_free((*listener)->event);
    kw_timer_free(&(*listener)->pause);
    kw_sock_close((*listener)->fd);
    kw_free(*listener);
    *listener = NULL;
}

static void listener_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct kw_listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TICK; i++) {
        int client_fd = -1;
        enum kw_status status = kw_sock_accept((int)fd, listener->keepalive_s, &client_fd);
        if (status == KW_E_FULL) {
            listener_tell_full(listener);
            event_del(listener->event);
            kw_timer_start(listener->pause, PAUSE_MS);
            return;
        }
        if (status != KW_OK) {
            return;
        }
        listener->on_accept(listener->arg, client_fd);
    }
}

static void listener_tell_full(struct kw_listener *listener)
{
    uint64_t now_ms = kw_loop_now_ms(listener->loop);

    if (now_ms >= listener->tell_at_ms) {
        listener->tell_at_ms = now_ms + TELL_EVERY_MS;
        kw_log(KW_LOG_WARNING, "no file descriptors left: can't accept clients; raise the limit of "
                               "open files (ulimit -n)");
    }
}

static void listener_on_pause_over(void *arg)
{
    struct kw_listener *listener = arg;

    event_add(listener->event, NULL);
}
