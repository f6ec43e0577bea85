/* reply_parser.h - finds where a node's reply ends, without building anything.
 *
 * Replies are framed, not decoded (B3): the parser walks over the type lines and skips the bulks,
 * in as many pieces as the bytes arrive in. Nesting needs no stack, only a count of values to come,
 * so any depth is fine.
 *
 * Pure: no sockets, no clock. Thread: any, one user at a time. Memory: none.
 */
#ifndef KW_RESP_REPLY_PARSER_H
#define KW_RESP_REPLY_PARSER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* State between pieces. Zero-initialised means "at a reply's first byte". */
struct kw_reply_parser {
    uint64_t left_values; /* that the reply still consists of */
    uint64_t skip_bytes;  /* rest of a bulk, its CR LF included */
    char type;            /* the reply's first byte, once seen */
    bool is_started;
    bool is_in_line;   /* inside a line whose end is all that matters */
    bool is_behind_cr; /* the last byte seen of it was a CR */
};

/* Walk over DATA, which goes on where the last call's *scanned ended. LEN is above 0.
 *
 * proto    2 or 3: types that RESP2 does not have are an error on a RESP2 link
 * *scanned bytes that are accounted for; an unfinished length line is not
 * Returns KW_OK when a reply ends at *scanned (the parser is then reset, type still readable),
 *         KW_AGAIN when it goes on behind DATA, KW_E_PROTOCOL when this is no RESP.
 */
KW_CHECK enum kw_status kw_reply_scan(struct kw_reply_parser *parser, int proto, const char *data,
                                      size_t len, size_t *scanned);

/* How many whole replies DATA starts with that are arrays of one element, a short string or null,
 * as parts of an MGET get: at most MAX. ENDS says where each ends. Any other reply ends the count,
 * and so may one that is not so short.
 */
uint32_t kw_reply_scan_singles(const char *data, size_t len, uint32_t max, uint32_t *ends);

/* Bytes of the reply that are still to come at least, as far as its lines have told. */
static inline uint64_t kw_reply_left_bytes(const struct kw_reply_parser *parser)
{
    return parser->skip_bytes;
}

#endif
