/* tally.h - how often a plain server has exchanged its databases: of that it tells nobody.
 *
 * SWAPDB puts other values behind all names, and no invalidation says so. So a server that may have
 * several databases is asked now and then how often that was (INFO commandstats), and when it was
 * once more all that is kept of it goes.
 *
 * Thread: the origin's. Memory: a plain value, of its origin.
 * See also: origin.c, which asks.
 */
#ifndef KW_PROXY_ORIGIN_TALLY_H
#define KW_PROXY_ORIGIN_TALLY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_tally {
    bool is_known; /* the counts were told over this connection */
    uint64_t swaps_count;
    uint64_t infos_count; /* of INFOs, ours among them: it grows, or there was a CONFIG RESETSTAT */
    uint64_t due_ms;      /* when to ask again */
};

/* The server's answer to INFO commandstats. Returns true when databases were exchanged, perhaps,
 * since it was asked before over this connection. One that refuses is asked again after a minute.
 */
bool kw__tally_take(struct kw_tally *tally, struct kw_bytes answer);

#endif
