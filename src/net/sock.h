/* sock.h - non-blocking sockets: system calls in, statuses out. errno stops here.
 *
 * Thread: any. Memory: descriptors returned are owned by the caller.
 */
#ifndef KW_NET_SOCK_H
#define KW_NET_SOCK_H

#include "base/buf.h"
#include "base/status.h"
#include "net/address.h"

#include <stdbool.h>

/* The status that ERROR, an errno, is here. */
enum kw_status kw_sock_status(int error);

/* Read what is there, at most SIZE bytes, in one call.
 * Returns KW_OK and *got > 0; KW_AGAIN; KW_E_CLOSED at the end of the stream; KW_E_RESET,
 * KW_E_TIMEOUT (TCP_USER_TIMEOUT or keepalive ran out).
 */
KW_CHECK enum kw_status kw_sock_read(int fd, char *data, size_t size, size_t *got);

/* Write as much of BUF as the socket takes and consume it.
 * Returns KW_OK when BUF is empty then; KW_AGAIN when the socket is full; KW_E_RESET,
 * KW_E_TIMEOUT.
 */
KW_CHECK enum kw_status kw_sock_write(int fd, struct kw_buf *buf);

/* Could one listen on ADDRESS alone? SO_REUSEPORT would let a second process in beside the first,
 * unnoticed. Returns as kw_sock_listen().
 */
KW_CHECK enum kw_status kw_sock_probe(const struct kw_address *address, const char **reason);

/* A listening TCP socket with SO_REUSEADDR and SO_REUSEPORT: one per worker, the kernel spreads
 * the connections. Returns KW_OK, KW_E_INVALID (no such local address), KW_E_SYSTEM (*reason is
 * the system's words, static).
 */
KW_CHECK enum kw_status kw_sock_listen(const struct kw_address *address, int backlog, int *fd,
                                       const char **reason);

/* A listening Unix socket at PATH, an old one there replaced. MODE 0 leaves the umask's bits; the
 * mode is in force before anybody can connect.
 */
KW_CHECK enum kw_status kw_sock_listen_unix(const char *path, unsigned mode, int backlog, int *fd,
                                            const char **reason);

/* Accept one connection. TCP ones get TCP_NODELAY and, if keepalive_s > 0, keepalive probes.
 * Returns KW_OK, KW_AGAIN, or KW_E_FULL when the process has no descriptor left.
 */
KW_CHECK enum kw_status kw_sock_accept(int listener_fd, unsigned keepalive_s, int *fd);

/* Start to connect. user_timeout_ms > 0: unacknowledged data fails the connection after so long
 * (TCP_USER_TIMEOUT): a peer that vanished without a word is noticed.
 * Returns KW_OK (under way: wait until writable, then kw_sock_connect_result()) or why not.
 */
KW_CHECK enum kw_status kw_sock_connect(const struct kw_address *address, unsigned user_timeout_ms,
                                        int *fd);

/* KW_OK when connected; else why not. */
KW_CHECK enum kw_status kw_sock_connect_result(int fd);

/* "127.0.0.1:1234", "[::1]:1234" or "unix" of the other side; for logs. */
void kw_sock_peer_text(int fd, char *text, size_t size);

/* The address of FD's own end. Returns KW_OK, or KW_E_INVALID for a Unix socket. */
KW_CHECK enum kw_status kw_sock_local_address(int fd, struct kw_address *address);
/* Have the close of FD tell the other side by a reset instead of an orderly end: for streams cut in
 * the middle of a reply.
 */
void kw_sock_reset_on_close(int fd);

void kw_sock_close(int fd);

/* Raise the limit of open files so that WANTED fit. Returns how many do. */
size_t kw_sock_raise_limit(size_t wanted);

#endif
