/* listener.h - accepts connections on one address for one worker.
 *
 * When descriptors run out it stops accepting for a moment instead of spinning (a full accept queue
 * stays readable for ever).
 *
 * Thread: the loop's. Memory: kw_listener_open() takes the descriptor over.
 */
#ifndef KW_NET_LISTENER_H
#define KW_NET_LISTENER_H

struct kw_listener;
struct kw_loop;

/* Call ON_ACCEPT(ARG, FD) for every connection on the listening FD; ON_ACCEPT owns its FD. */
struct kw_listener *kw_listener_open(struct kw_loop *loop, int fd, unsigned keepalive_s,
                                     void (*on_accept)(void *arg, int fd), void *arg);

/* Probe connections accepted from now on so often; 0 = never. */
void kw_listener_set_keepalive(struct kw_listener *listener, unsigned keepalive_s);

/* Stop accepting, close and clear. */
void kw_listener_close(struct kw_listener **listener);

#endif
