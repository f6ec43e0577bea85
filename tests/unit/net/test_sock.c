/* test_sock.c - system calls as statuses: partial writes, ends, resets, refusals. */
#include "base/limits.h"
#include "base/mem.h"
#include "net/sock.h"
#include "tests/unit/kw_test.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void pair_open(int *fds)
{
    signal(SIGPIPE, SIG_DFL); /* so that a forgotten MSG_NOSIGNAL ends the test */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* A listener on a free port of 127.0.0.1, and its address. */
static int listen_somewhere(struct kw_address *address)
{
    const char *reason = NULL;
    int fd = -1;

    assert_int_equal(kw_address_parse(KW_BYTES("127.0.0.1"), 0, address), KW_OK);
    assert_int_equal(kw_sock_listen(address, 16, &fd, &reason), KW_OK);
    address->len = sizeof address->v4;
    assert_int_equal(getsockname(fd, &address->any, &address->len), 0);
    return fd;
}

/* Wait until FD is ready for WHAT; at most 10 s. */
static void wait_for(int fd, short what)
{
    struct pollfd wanted = {.fd = fd, .events = what};

    assert_int_equal(poll(&wanted, 1, 10000), 1);
}

static int connected(const struct kw_address *address)
{
    int fd = -1;

    assert_int_equal(kw_sock_connect(address, 0, &fd), KW_OK);
    wait_for(fd, POLLOUT);
    return fd;
}

KW_TEST(sock_read_gives_what_is_there_and_tells_of_the_end)
{
    char data[16];
    size_t got = 77;
    int fds[2];

    pair_open(fds);
    assert_int_equal(kw_sock_read(fds[0], data, sizeof data, &got), KW_AGAIN);
    assert_int_equal(got, 0);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    assert_int_equal(kw_sock_read(fds[0], data, 3, &got), KW_OK);
    assert_int_equal(got, 3);
    assert_int_equal(kw_sock_read(fds[0], data, sizeof data, &got), KW_OK);
    assert_int_equal(got, 2);
    kw_sock_close(fds[1]);
    assert_int_equal(kw_sock_read(fds[0], data, sizeof data, &got), KW_E_CLOSED);
    kw_sock_close(fds[0]);
}

KW_TEST(sock_write_consumes_what_the_socket_takes_and_goes_on_later)
{
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    int fds[2];
    size_t len = 4 * 1024 * 1024;
    size_t read_len = 0;
    char *bytes = kw_alloc(len);
    char *came = kw_alloc(len);

    /* given more bytes, in more pieces, than a socket takes at once */
    pair_open(fds);
    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i * 31 + i / 4096);
    }
    for (size_t at = 0; at < len; at += 4096) {
        kw_buf_append(&buf, bytes + at, 4096);
    }
    assert_true(kw_buf_iov(&buf, (struct iovec[KW_IOV_MAX + 1]){{0}}, KW_IOV_MAX + 1) > KW_IOV_MAX);

    /* then it is written bit by bit, and nothing is lost */
    enum kw_status status = kw_sock_write(fds[0], &buf);
    assert_int_equal(status, KW_AGAIN);
    assert_true(buf.len > 0 && buf.len < len);
    while (read_len < len) {
        size_t got = 0;
        enum kw_status read_status = kw_sock_read(fds[1], came + read_len, len - read_len, &got);
        assert_true(read_status == KW_OK || read_status == KW_AGAIN);
        read_len += got;
        status = kw_sock_write(fds[0], &buf);
        assert_true(status == KW_OK || status == KW_AGAIN);
        assert_int_equal(status == KW_OK, buf.len == 0);
    }
    assert_memory_equal(came, bytes, len);
    assert_int_equal(pool.in_use_count, 0);
    kw_chunk_pool_deinit(&pool);
    kw_sock_close(fds[0]);
    kw_sock_close(fds[1]);
    kw_free(bytes);
    kw_free(came);
}

KW_TEST(sock_write_to_a_closed_peer_is_a_status_and_no_signal)
{
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    int fds[2];

    pair_open(fds);
    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kw_sock_close(fds[1]);
    kw_buf_append(&buf, "x", 1);
    assert_int_equal(kw_sock_write(fds[0], &buf), KW_E_RESET);
    struct kw_chunk *chunk = kw_chunk_get(&pool, 10);
    kw_buf_append_window(&buf, chunk, 0, 10); /* two pieces: another system call */
    kw_chunk_unref(&chunk);
    assert_int_equal(kw_sock_write(fds[0], &buf), KW_E_RESET);
    assert_int_equal(buf.len, 11);
    kw_buf_reset(&buf);
    kw_chunk_pool_deinit(&pool);
    kw_sock_close(fds[0]);
}

KW_TEST(sock_connect_is_told_its_result_when_the_socket_is_writable)
{
    struct kw_address address;
    int listener = listen_somewhere(&address);
    int accepted = -1;
    int value = 0;
    socklen_t len = sizeof value;

    int fd = connected(&address);
    assert_int_equal(kw_sock_connect_result(fd), KW_OK);
    wait_for(listener, POLLIN);
    assert_int_equal(kw_sock_accept(listener, 60, &accepted), KW_OK);
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(getsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(kw_sock_accept(listener, 60, &accepted), KW_AGAIN);
    kw_sock_close(fd);
    kw_sock_close(listener);
}

KW_TEST(sock_connect_to_where_nobody_listens_is_refused)
{
    struct kw_address address;
    int fd = -1;

    kw_sock_close(listen_somewhere(&address));
    enum kw_status status = kw_sock_connect(&address, 500, &fd);
    if (status == KW_OK) {
        wait_for(fd, POLLOUT);
        status = kw_sock_connect_result(fd);
        kw_sock_close(fd);
    }
    assert_int_equal(status, KW_E_REFUSED);
}

KW_TEST(sock_closed_in_the_middle_is_seen_as_a_reset)
{
    struct kw_address address;
    int listener = listen_somewhere(&address);
    int accepted = -1;
    char byte = 0;
    size_t got = 0;

    int fd = connected(&address);
    wait_for(listener, POLLIN);
    assert_int_equal(kw_sock_accept(listener, 0, &accepted), KW_OK);
    kw_sock_reset_on_close(accepted);
    kw_sock_close(accepted);
    wait_for(fd, POLLIN);
    assert_int_equal(kw_sock_read(fd, &byte, 1, &got), KW_E_RESET);
    kw_sock_close(fd);
    kw_sock_close(listener);
}

KW_TEST(sock_listen_lets_several_workers_share_a_port_and_says_why_it_can_not)
{
    struct kw_address address;
    struct kw_address foreign;
    const char *reason = NULL;
    int second = -1;
    int first = listen_somewhere(&address);

    assert_int_equal(kw_sock_listen(&address, 16, &second, &reason), KW_OK);
    assert_int_equal(kw_address_parse(KW_BYTES("192.0.2.1"), 1, &foreign), KW_OK);
    int none = -1;
    assert_int_equal(kw_sock_listen(&foreign, 16, &none, &reason), KW_E_INVALID);
    assert_non_null(reason);
    reason = NULL;
    assert_int_equal(kw_sock_probe(&address, &reason), KW_E_SYSTEM); /* somebody is there */
    assert_non_null(reason);
    kw_sock_close(first);
    kw_sock_close(second);
    assert_int_equal(kw_sock_probe(&address, &reason), KW_OK);
}

KW_TEST(sock_listen_unix_replaces_an_old_socket_and_sets_its_mode)
{
    char folder[] = "/tmp/keyway-sock-XXXXXX";
    char path[64];
    char far[200];
    const char *reason = NULL;
    struct stat state;
    int fd = -1;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/s", folder);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(kw_sock_listen_unix(path, round == 0 ? 0700 : 0770, 16, &fd, &reason),
                         KW_OK);
        kw_sock_close(fd); /* and leave the path there */
    }
    assert_int_equal(stat(path, &state), 0);
    assert_int_equal(state.st_mode & 0777, 0770);
    memset(far, 'x', sizeof far - 1);
    far[0] = '/';
    far[sizeof far - 1] = '\0';
    assert_int_equal(kw_sock_listen_unix(far, 0, 16, &fd, &reason), KW_E_SYSTEM);
    assert_non_null(reason);
    unlink(path);
    rmdir(folder);
}

KW_TEST(sock_peer_text_is_an_address_or_unix)
{
    struct kw_address address;
    int listener = listen_somewhere(&address);
    char text[KW_ADDRESS_TEXT_MAX];
    char wanted[KW_ADDRESS_TEXT_MAX];
    int fds[2];

    int fd = connected(&address);
    kw_sock_peer_text(fd, text, sizeof text);
    assert_string_equal(text, kw_address_print(&address, wanted));
    pair_open(fds);
    kw_sock_peer_text(fds[0], text, sizeof text);
    assert_string_equal(text, "unix");
    kw_sock_close(fds[0]);
    kw_sock_close(fds[1]);
    kw_sock_close(fd);
    kw_sock_close(listener);
}

KW_TEST(sock_accept_says_when_no_descriptor_is_left)
{
    struct kw_address address;
    int listener = listen_somewhere(&address);
    int fd = connected(&address);
    struct rlimit old;
    int accepted = -1;

    wait_for(listener, POLLIN);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum kw_status status = kw_sock_accept(listener, 0, &accepted);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(status, KW_E_FULL);
    kw_sock_close(fd);
    kw_sock_close(listener);
}
