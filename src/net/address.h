/* address.h - where a socket can connect to: an IP address with a port, or nothing yet.
 *
 * Never asks a name server: only numeric hosts are understood here.
 * Thread: any. Memory: a plain value, copied by assignment.
 * See also: resolve.h (names to addresses), control.h.
 */
#ifndef KW_NET_ADDRESS_H
#define KW_NET_ADDRESS_H

#include "base/bytes.h"
#include "base/status.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct kw_address {
    socklen_t len; /* bytes of the union in use; 0 = unresolved */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

enum {
    KW_HOST_MAX = 256,       /* a host name (253 by DNS) with its NUL */
    KW_ADDRESS_TEXT_MAX = 72 /* "[v6%scope]:port" with its NUL */
};

static inline bool kw_address_is_resolved(const struct kw_address *address)
{
    return address->len != 0;
}

/* Read the numeric IPv4 or IPv6 HOST (without brackets; a scope as in fe80::1%eth0 is understood).
 * Returns KW_OK and *address, or KW_E_INVALID (*address is then unresolved): try resolve.h.
 */
KW_CHECK enum kw_status kw_address_parse(struct kw_bytes host, uint16_t port,
                                         struct kw_address *address);

/* Split an endpoint as people and MOVED write it: "host:port", "[::1]:7000", "::1:7000" (the last
 * colon splits), ":7000" (the host is then empty: the one that was asked). A bus port as in
 * "host:port@cport" is ignored.
 *
 * host   borrowed from TEXT, without brackets; may be empty
 * port   1 .. 65535
 * Returns KW_OK, or KW_E_INVALID when there is no colon or no such port.
 */
KW_CHECK enum kw_status kw_address_split(struct kw_bytes text, struct kw_bytes *host,
                                         uint16_t *port);

/* Same family, IP address, scope and port; two unresolved addresses are equal. */
bool kw_address_equal(const struct kw_address *a, const struct kw_address *b);

/* The port, 0 when unresolved. */
uint16_t kw_address_port(const struct kw_address *address);

/* Write "1.2.3.4:6379", "[::1]:6379" or "unresolved" with a NUL to OUT (KW_ADDRESS_TEXT_MAX bytes).
 * Returns OUT.
 */
const char *kw_address_print(const struct kw_address *address, char *out);

/* Write only the IP address ("1.2.3.4", "::1", "") to OUT (KW_ADDRESS_TEXT_MAX bytes). Returns OUT.
 */
const char *kw_address_print_host(const struct kw_address *address, char *out);

#endif
