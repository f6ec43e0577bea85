/* sock.c - the translation of errno into statuses, and the options every socket gets.
 *
 * A single recv or send per call: level-triggered events make a second one, only to see EAGAIN, a
 * waste of a microsecond. send is used for one piece, sendmsg for several: it is a little cheaper.
 */
#include "net/sock.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum kw_status kw_sock_status(int error)
{
    switch (error) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
    case EINTR:
        return KW_AGAIN;
    case ECONNREFUSED:
    case ENOENT:
        return KW_E_REFUSED;
    case ETIMEDOUT:
        return KW_E_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return KW_E_UNREACHABLE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return KW_E_FULL;
    default:
        return KW_E_RESET;
    }
}

enum kw_status kw_sock_read(int fd, char *data, size_t size, size_t *got)
{
    ssize_t count = recv(fd, data, size, 0);

    if (count > 0) {
        *got = (size_t)count;
        return KW_OK;
    }
    *got = 0;
    return count == 0 ? KW_E_CLOSED : kw_sock_status(errno);
}

enum kw_status kw_sock_write(int fd, struct kw_buf *buf)
{
    while (buf->len > 0) {
        struct iovec iov[KW_IOV_MAX];
        int iov_count = kw_buf_iov(buf, iov, KW_IOV_MAX);
        ssize_t count;
        if (iov_count == 1) {
            count = send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)iov_count};
            count = sendmsg(fd, &message, MSG_NOSIGNAL);
        }
        if (count < 0) {
            return kw_sock_status(errno);
        }
        bool is_all = (size_t)count == buf->len || iov_count == KW_IOV_MAX;
        kw_buf_consume(buf, (size_t)count);
        if (!is_all) {
            return KW_AGAIN; /* a short write: the next one would only say EAGAIN */
        }
    }
    return KW_OK;
}

static void sock_set(int fd, int level, int option, int value)
{
    /* Best effort: a socket without the option still works. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static enum kw_status listen_at(const struct sockaddr *address, socklen_t len, int backlog, int fd,
                                const char **reason)
{
    if (bind(fd, address, len) == 0 && listen(fd, backlog) == 0) {
        return KW_OK;
    }
    int error = errno;
    *reason = strerror(error);
    close(fd);
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT ? KW_E_INVALID : KW_E_SYSTEM;
}

enum kw_status kw_sock_probe(const struct kw_address *address, const char **reason)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        *reason = strerror(errno);
        return errno == EAFNOSUPPORT ? KW_E_INVALID : KW_E_SYSTEM;
    }
    sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->any.sa_family == AF_INET6) {
        sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    enum kw_status status = listen_at(&address->any, address->len, 1, fd, reason);
    if (status == KW_OK) {
        close(fd);
    }
    return status;
}

enum kw_status kw_sock_listen(const struct kw_address *address, int backlog, int *fd,
                              const char **reason)
{
    *fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        *reason = strerror(errno);
        return errno == EAFNOSUPPORT ? KW_E_INVALID : KW_E_SYSTEM;
    }
    sock_set(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sock_set(*fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address->any.sa_family == AF_INET6) {
        sock_set(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    return listen_at(&address->any, address->len, backlog, *fd, reason);
}

enum kw_status kw_sock_listen_unix(const char *path, unsigned mode, int backlog, int *fd,
                                   const char **reason)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        *reason = "the path is too long for a socket";
        return KW_E_SYSTEM;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        *reason = strerror(errno);
        return KW_E_SYSTEM;
    }
    unlink(path);
    mode_t old_mask = mode != 0 ? umask((mode_t)(~mode & 0777)) : umask(077);
    if (mode == 0) {
        umask(old_mask);
    }
    enum kw_status status =
        listen_at((struct sockaddr *)&address, sizeof address, backlog, *fd, reason);
    umask(old_mask);
    return status;
}

enum kw_status kw_sock_accept(int listener_fd, unsigned keepalive_s, int *fd)
{
    *fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd < 0) {
        enum kw_status status = kw_sock_status(errno);
        return status == KW_E_FULL ? KW_E_FULL : KW_AGAIN;
    }
    sock_set(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (keepalive_s > 0) {
        sock_set(*fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        sock_set(*fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s);
        sock_set(*fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)(keepalive_s / 3 > 0 ? keepalive_s / 3 : 1));
        sock_set(*fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }
    return KW_OK;
}

enum kw_status kw_sock_connect(const struct kw_address *address, unsigned user_timeout_ms, int *fd)
{
    *fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return kw_sock_status(errno);
    }
    sock_set(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
    sock_set(*fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    sock_set(*fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
    sock_set(*fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    sock_set(*fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    if (user_timeout_ms > 0) {
        sock_set(*fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
    }
    if (connect(*fd, &address->any, address->len) == 0 || errno == EINPROGRESS) {
        return KW_OK;
    }
    enum kw_status status = kw_sock_status(errno);
    close(*fd);
    *fd = -1;
    return status == KW_AGAIN ? KW_E_FULL : status;
}

enum kw_status kw_sock_connect_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        return KW_E_RESET;
    }
    return error == 0 ? KW_OK : kw_sock_status(error);
}

void kw_sock_peer_text(int fd, char *text, size_t size)
{
    struct kw_address address = {.len = sizeof address.v6};
    char printed[KW_ADDRESS_TEXT_MAX];

    if (getpeername(fd, &address.any, &address.len) < 0 ||
        (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)) {
        snprintf(text, size, "unix");
        return;
    }
    snprintf(text, size, "%s", kw_address_print(&address, printed));
}

enum kw_status kw_sock_local_address(int fd, struct kw_address *address)
{
    address->len = sizeof address->v6;
    bool is_known = getsockname(fd, &address->any, &address->len) == 0;
    int family = is_known ? address->any.sa_family : AF_UNSPEC;

    if (family != AF_INET && family != AF_INET6) {
        address->len = 0;
        return KW_E_INVALID;
    }
    return KW_OK;
}

void kw_sock_reset_on_close(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void kw_sock_close(int fd)
{
    close(fd);
}

size_t kw_sock_raise_limit(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 0;
    }
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {.rlim_cur = wanted,
                                .rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) < 0) {
            raised.rlim_cur = limit.rlim_max; /* as far as we may */
            raised.rlim_max = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
            return 0;
        }
    }
    return (size_t)limit.rlim_cur;
}
