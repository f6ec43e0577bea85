/* resolve.h - host names to addresses without ever blocking the loop.
 *
 * Numeric hosts and "localhost" are answered at once. Others are looked up in /etc/hosts and asked
 * of the servers in resolv.conf, both read again for each burst of lookups; answers are kept for
 * KW_RESOLVE_TTL_MS. When the name servers are silent an older answer is better than none.
 *
 * Thread: the loop's.
 * Memory: kw_resolver_new() returns an owned pointer; a struct kw_lookup belongs to the resolver
 *         and ends with its callback or with kw_lookup_cancel().
 * See also: address.h.
 */
#ifndef KW_NET_RESOLVE_H
#define KW_NET_RESOLVE_H

#include "base/status.h"
#include "net/address.h"

#include <stdint.h>

struct kw_loop;
struct kw_lookup;
struct kw_resolver;

enum {
    KW_RESOLVE_TTL_MS = 5000,        /* how long an answer counts as fresh */
    KW_RESOLVE_FAILED_TTL_MS = 1000, /* as long for "no such name" and silence */
    KW_RESOLVE_DEADLINE_MS = 3000,   /* then a lookup ends with KW_E_TIMEOUT */
    KW_RESOLVE_ADDRESSES_MAX = 8     /* of one name; more are ignored */
};

/* The addresses of a name, IPv4 first, else in the name server's order; borrowed in the callback.
 * STATUS is KW_OK and COUNT >= 1, or KW_E_NOT_FOUND, KW_E_TIMEOUT, KW_E_UNREACHABLE and COUNT is 0.
 */
typedef void kw_lookup_on_done(void *arg, enum kw_status status, const struct kw_address *addresses,
                               uint32_t count);

/* RESOLV_CONF is the file that names the name servers, NULL for the system's; copied. */
struct kw_resolver *kw_resolver_new(struct kw_loop *loop, const char *resolv_conf);

/* Cancel what is under way, free and clear. The loop must turn once more before its end to give
 * back what libevent still holds of cancelled lookups.
 */
void kw_resolver_free(struct kw_resolver **resolver);

/* Look HOST up; PORT goes into the addresses. Returns the lookup under way, or NULL when
 * ON_DONE(ARG) has already run.
 */
struct kw_lookup *kw_resolver_lookup(struct kw_resolver *resolver, const char *host, uint16_t port,
                                     kw_lookup_on_done *on_done, void *arg);

/* Forget the lookup and clear the pointer; ON_DONE will not run. NULL inside is allowed. */
void kw_lookup_cancel(struct kw_lookup **lookup);

#endif
