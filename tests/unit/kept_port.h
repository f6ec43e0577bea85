/* kept_port.h - a port of 127.0.0.1 that stays a test's own while nobody listens there.
 *
 * A node that is down must refuse connections. If its port were free meanwhile, another test run on
 * this machine might get it, and answer. So a socket that never listens is bound to it, too.
 *
 * Thread: the tests'. Memory: both return descriptors, which the caller closes.
 */
#ifndef KW_TESTS_UNIT_KEPT_PORT_H
#define KW_TESTS_UNIT_KEPT_PORT_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A socket bound to *PORT, which is chosen if it is 0. */
static inline int kept_port_bind(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        abort();
    }
    *port = ntohs(address.sin_port);
    return fd;
}

#endif
