/* signals.h - signals as events of a loop: nothing happens inside the handler itself.
 *
 * Thread: the loop's; block the signals in all other threads first. Memory: as listener.h.
 */
#ifndef KW_NET_SIGNALS_H
#define KW_NET_SIGNALS_H

struct kw_loop;
struct kw_signals;

/* Call ON_SIGNAL(ARG, NUMBER) for SIGTERM, SIGINT and SIGHUP; ignore SIGPIPE. */
struct kw_signals *kw_signals_open(struct kw_loop *loop, void (*on_signal)(void *arg, int number),
                                   void *arg);

void kw_signals_close(struct kw_signals **signals);

/* Block in this thread what kw_signals_open() handles: threads made from it don't get it. */
void kw_signals_block(void);

/* Undo kw_signals_block() in this thread. */
void kw_signals_unblock(void);

#endif
