/* signals.c - libevent's signal events. */
#include "net/signals.h"

#include "base/mem.h"
#include "net/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};

enum { SIGNALS_COUNT = sizeof signal_numbers / sizeof signal_numbers[0] };

struct kw_signals {
    struct event *events[SIGNALS_COUNT]; /* owned */
    void (*on_signal)(void *arg, int number);
    void *arg;
};

static void signals_on_event(evutil_socket_t number, short what, void *arg)
{
    struct kw_signals *signals = arg;

    (void)what;
    signals->on_signal(signals->arg, (int)number);
}

struct kw_signals *kw_signals_open(struct kw_loop *loop, void (*on_signal)(void *arg, int number),
                                   void *arg)
{
    struct kw_signals *signals = kw_alloc_zero(1, sizeof *signals);

    signals->on_signal = on_signal;
    signals->arg = arg;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        signals->events[i] =
            evsignal_new(kw_loop_base(loop), signal_numbers[i], signals_on_event, signals);
        event_add(signals->events[i], NULL);
    }
    return signals;
}

void kw_signals_close(struct kw_signals **signals)
{
    if (*signals == NULL) {
        return;
    }
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        event_free((*signals)->events[i]);
        signal(signal_numbers[i], SIG_IGN); /* impatience must not cut the rest of the end short */
    }
    kw_free(*signals);
    *signals = NULL;
}

static void signals_mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        sigaddset(&set, signal_numbers[i]);
    }
    pthread_sigmask(how, &set, NULL);
}

void kw_signals_block(void)
{
    signals_mask(SIG_BLOCK);
}

void kw_signals_unblock(void)
{
    signals_mask(SIG_UNBLOCK);
}
