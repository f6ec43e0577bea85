/* bunch.h - the commands of one split read that go to one node are one part, and one call.
 *
 *   MGET a b c d      a, c, d are one node's, b another's
 *   bunch             "MGET a" "MGET c" "MGET d" in one call with three replies
 *   part              "MGET b"
 *
 * Ten requests for ten keys cost twice as much as three for as many nodes. That holds while nothing
 * happens: what a node does not answer at once becomes parts of their own, each of one slot.
 *
 * Thread: the worker's. Memory: a bunch is a request like any other.
 * See also: gather.h (parts), call.h (runs).
 */
#ifndef KW_PROXY_GATHER_BUNCH_H
#define KW_PROXY_GATHER_BUNCH_H

#include "proxy/gather/gather.h"

enum { KW_BUNCH_COMMANDS_MAX = 64 /* in one bunch */ };

/* May parts of a split COMMAND go in bunches, if their keys are kept? */
bool kw_bunch_may(const struct kw_proxy *proxy, const struct kw_command *command);

/* Send all parts of SPLIT, in bunches where they can be. */
void kw_bunch_send(struct kw_gather *gather, const struct kw_split *split);

/* For quick.c. The next part of GATHER is a bunch of COUNT commands, which are BYTES, at most
 * KW_COPY_MAX_BYTES: send it by LINK, which has room for a call, and put it into the queue.
 */
void kw__bunch_post(struct kw_gather *gather, struct kw_link *link, uint32_t count,
                    struct kw_bytes bytes);

/* The key of the command of a bunch at *AT, which moves behind it. *WIRE: the key with its head. */
struct kw_bytes kw_bunch_next(const char **at, struct kw_bytes *wire);

/* Is a key of BUNCH of SLOT? */
bool kw_bunch_has_slot(const struct kw_request *bunch, uint16_t slot);

/* Bytes that the replies to BUNCH may need, when the first one takes LEN. */
size_t kw_bunch_room(const struct kw_request *bunch, size_t len);

/* Put the replies that BUNCH has got into PARTS, each at its part's number. */
void kw_bunch_cut(const struct kw_request *bunch, struct kw_merge_part *parts);

/* When all of GATHER is in bunches and small: append its answer to OUT. Else false. */
bool kw_bunch_merge(const struct kw_gather *gather, struct kw_buf *out);

#endif
