/* scan_cursor.c - a number below 2^63 that says where a walk over the cluster is.
 *
 *   62 61 | 60       | 59 .. 46 | 45 .. 28 (34, 40, 46)  | 27 (33, 39, 45) .. 0
 *   width | filtered | slot     | fingerprint            | cursor of the node
 *
 * A node's cursor has as many bits as its table needs, so 28 do nearly always; width says that more
 * were needed, for which there are fewer bits of the fingerprint. One above 46 bits is an error.
 */
#include "proxy/gather/scan_cursor.h"

#include "cluster/slot.h"

enum { REST_BITS = 46, SLOT_BITS = 14, WIDTHS_COUNT = 4 };

static const unsigned width_bits[WIDTHS_COUNT] = {28, 34, 40, 46};

bool kw_scan_cursor_read(struct kw_bytes text, struct kw_scan_cursor *cursor, bool *is_start)
{
    size_t at = text.len > 0 && text.data[0] == '+' ? 1 : 0; /* redis takes it, and nothing for 0 */
    uint64_t value = 0;

    for (; at < text.len; at++) {
        unsigned digit = (unsigned char)text.data[at] - (unsigned)'0';
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    unsigned bits = width_bits[value >> 61 & 3];
    uint64_t rest = value & ((UINT64_C(1) << REST_BITS) - 1);
    *is_start = value == 0;
    cursor->is_filtered = (value >> 60 & 1) != 0;
    cursor->slot = (uint16_t)(value >> REST_BITS & (KW_SLOTS_COUNT - 1));
    cursor->node_cursor = rest & ((UINT64_C(1) << bits) - 1);
    cursor->fingerprint = rest >> bits;
    return true;
}

static uint64_t fingerprint_cut(uint64_t fingerprint, uint64_t node_cursor, unsigned *width)
{
    for (*width = 0; *width < WIDTHS_COUNT; ++*width) {
        if (node_cursor >> width_bits[*width] == 0) {
            return fingerprint & ((UINT64_C(1) << (REST_BITS - width_bits[*width])) - 1);
        }
    }
    return 0;
}

uint64_t kw_scan_cursor_value(const struct kw_scan_cursor *cursor)
{
    unsigned width = 0;
    uint64_t fingerprint = fingerprint_cut(cursor->fingerprint, cursor->node_cursor, &width);

    if (width == WIDTHS_COUNT) {
        return 0;
    }
    return (uint64_t)width << 61 | (uint64_t)(cursor->is_filtered ? 1 : 0) << 60 |
           (uint64_t)cursor->slot << REST_BITS | fingerprint << width_bits[width] |
           cursor->node_cursor;
}

bool kw_scan_cursor_fits(const struct kw_scan_cursor *cursor, uint64_t fingerprint)
{
    unsigned width = 0;

    return fingerprint_cut(fingerprint, cursor->node_cursor, &width) == cursor->fingerprint;
}

/* A hash tag counts when no wildcard stands before its end; a pattern without any is a key. */
uint16_t kw_scan_pattern_slot(struct kw_bytes pattern)
{
    size_t open = SIZE_MAX;

    for (size_t i = 0; i < pattern.len; i++) {
        char byte = pattern.data[i];
        if (byte == '*' || byte == '?' || byte == '[' || byte == '\\') {
            return KW_SLOT_NONE;
        }
        if (byte == '{' && open == SIZE_MAX) {
            open = i;
        } else if (byte == '}' && open != SIZE_MAX) {
            /* An empty tag is none: then the rest of the key counts, and must be known. */
            if (i > open + 1) {
                return kw_slot_of_key(kw_bytes_of(pattern.data + open, i - open + 1));
            }
            open = pattern.len;
        }
    }
    return kw_slot_of_key(pattern);
}
