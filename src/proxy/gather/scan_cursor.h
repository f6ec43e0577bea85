/* scan_cursor.h - where a SCAN over the whole cluster is, as a number that any keyway understands.
 *
 * Thread: any; all functions are pure.
 * See also: scan_cursor.c (the bits), scan.c (what the fields are good for).
 */
#ifndef KW_PROXY_GATHER_SCAN_CURSOR_H
#define KW_PROXY_GATHER_SCAN_CURSOR_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

/* What a cursor says; 0, the start and the end, is none of these. */
struct kw_scan_cursor {
    bool is_filtered;     /* slot by slot: the map has changed since the start */
    uint16_t slot;        /* all keys of lower slots have been returned */
    uint64_t node_cursor; /* of the owner of SLOT */
    uint64_t fingerprint; /* of what must not have changed; as many bits of it as there is room */
};

/* Read a client's cursor. False when it is none: redis's "invalid cursor". */
KW_CHECK bool kw_scan_cursor_read(struct kw_bytes text, struct kw_scan_cursor *cursor,
                                  bool *is_start);

/* CURSOR as the number that clients get. 0 when its node cursor is too big. */
uint64_t kw_scan_cursor_value(const struct kw_scan_cursor *cursor);

/* True when FINGERPRINT is the one that CURSOR, as it was read, was made with. */
bool kw_scan_cursor_fits(const struct kw_scan_cursor *cursor, uint64_t fingerprint);

/* The slot of all keys that PATTERN can match, KW_SLOT_NONE when they may be in several. */
uint16_t kw_scan_pattern_slot(struct kw_bytes pattern);

#endif
