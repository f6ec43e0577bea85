/* reply_parser.c - see reply_parser.h.
 *
 * INVARIANTS
 * F1  a type line is taken whole or not at all; it ends with CR LF, and holds no other LF: a line
 *     ended by a bare LF must not swallow the next reply (replies would shift to other clients).
 * F2  the two bytes behind a bulk are CR LF.
 * F3  depth <= KW_NESTING_MAX; counts never overflow.
 *
 * Cost: O(lines), bulk bodies are skipped.
 */
#include "resp/reply_parser.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

/* What the first byte of a line opens. */
enum line_kind { LINE_BAD = 0, LINE_PLAIN, LINE_BULK, LINE_ARRAY, LINE_MAP, LINE_ATTRIBUTE };

static const struct line_type {
    enum line_kind kind;
    int proto_min;
} line_types[128] = {
    ['+'] = {LINE_PLAIN, 2}, ['-'] = {LINE_PLAIN, 2}, [':'] = {LINE_PLAIN, 2},
    ['$'] = {LINE_BULK, 2},  ['*'] = {LINE_ARRAY, 2}, ['_'] = {LINE_PLAIN, 3},
    ['#'] = {LINE_PLAIN, 3}, [','] = {LINE_PLAIN, 3}, ['('] = {LINE_PLAIN, 3},
    ['!'] = {LINE_BULK, 3},  ['='] = {LINE_BULK, 3},  ['~'] = {LINE_ARRAY, 3},
    ['>'] = {LINE_ARRAY, 3}, ['%'] = {LINE_MAP, 3},   ['|'] = {LINE_ATTRIBUTE, 3},
};

static enum kw_status scan_line(struct kw_reply_parser *parser, int proto, const char *line,
                                size_t len, bool *has_value);
static enum kw_status open_level(struct kw_reply_parser *parser, enum line_kind kind,
                                 int64_t count, bool *has_value);
static bool value_ended(struct kw_reply_parser *parser);
static enum kw_status skip_bulk(struct kw_reply_parser *parser, const char *data, size_t len,
                                size_t *at);

enum kw_status kw_reply_scan(struct kw_reply_parser *parser, int proto, const char *data,
                             size_t len, size_t *scanned)
{
    size_t at = 0;

    if (!parser->is_started && len > 0) {
        parser->is_started = true;
        parser->type = data[0];
    }
    for (;;) {
        bool has_value = true;
        if (parser->skip_bytes > 0) {
            enum kw_status status = skip_bulk(parser, data, len, &at);
            if (status != KW_OK) {
                *scanned = at;
                return status;
            }
        } else {
            const char *end = memchr(data + at, '\n', len - at);
            *scanned = at;
            if (end == NULL) {
                return len - at > KW_LINE_MAX_BYTES ? KW_E_PROTOCOL : KW_AGAIN; /* F1 */
            }
            size_t line_len = (size_t)(end - (data + at));
            if (line_len < 2 || end[-1] != '\r') {
                return KW_E_PROTOCOL; /* F1 */
            }
            enum kw_status status =
                scan_line(parser, proto, data + at, line_len - 1, &has_value);
            if (status != KW_OK) {
                return status;
            }
            at += line_len + 1;
        }
        if (has_value && value_ended(parser)) {
            *scanned = at;
            parser->is_started = false;
            return KW_OK;
        }
        *scanned = at;
        if (at == len) {
            return KW_AGAIN;
        }
    }
}

/* LINE without its CR LF. *has_value: a complete value ended with this line. */
static enum kw_status scan_line(struct kw_reply_parser *parser, int proto, const char *line,
                                size_t len, bool *has_value)
{
    struct line_type type = line_types[(unsigned char)line[0] & 0x7f];
    int64_t number = 0;

    if ((line[0] & 0x80) != 0 || type.kind == LINE_BAD || type.proto_min > proto) {
        return KW_E_PROTOCOL;
    }
    if (type.kind == LINE_PLAIN) {
        return KW_OK;
    }
    if (kw_text_to_int(kw_bytes_of(line + 1, len - 1), &number) != KW_OK || number < -1 ||
        number > INT64_MAX / 4) {
        return KW_E_PROTOCOL;
    }
    if (type.kind != LINE_BULK) {
        return open_level(parser, type.kind, number, has_value);
    }
    if (number >= 0) {
        parser->skip_bytes = (uint64_t)number + 2;
        *has_value = false;
    }
    return KW_OK;
}

static enum kw_status open_level(struct kw_reply_parser *parser, enum line_kind kind,
                                 int64_t count, bool *has_value)
{
    bool is_attribute = kind == LINE_ATTRIBUTE;

    if (count < 0 && kind != LINE_ARRAY) {
        return KW_E_PROTOCOL; /* only arrays have a null form */
    }
    if (count <= 0) {
        *has_value = !is_attribute;
        return KW_OK;
    }
    if (parser->depth == KW_NESTING_MAX) {
        return KW_E_PROTOCOL; /* F3 */
    }
    parser->levels[parser->depth].left = (uint64_t)count * (kind == LINE_ARRAY ? 1 : 2);
    parser->levels[parser->depth].is_attribute = is_attribute;
    parser->depth++;
    *has_value = false;
    return KW_OK;
}

/* A value is complete: close the levels that it completes. True when it was the whole reply. */
static bool value_ended(struct kw_reply_parser *parser)
{
    while (parser->depth > 0) {
        uint32_t top = parser->depth - 1;
        KW_ASSERT(parser->levels[top].left > 0);
        if (--parser->levels[top].left > 0) {
            return false;
        }
        parser->depth--;
        if (parser->levels[top].is_attribute) {
            return false; /* the value it describes is still to come */
        }
    }
    return true;
}

/* Move *at over the rest of a bulk. KW_AGAIN when it goes on behind DATA. */
static enum kw_status skip_bulk(struct kw_reply_parser *parser, const char *data, size_t len,
                                size_t *at)
{
    size_t room = len - *at;

    if (parser->skip_bytes > 2) { /* the body */
        size_t part = parser->skip_bytes - 2 < room ? (size_t)(parser->skip_bytes - 2) : room;
        *at += part;
        parser->skip_bytes -= part;
        room -= part;
        if (parser->skip_bytes > 2) {
            return KW_AGAIN;
        }
    }
    while (parser->skip_bytes > 0 && room > 0) {
        if (data[*at] != (parser->skip_bytes == 2 ? '\r' : '\n')) {
            return KW_E_PROTOCOL; /* F2 */
        }
        *at += 1;
        room--;
        parser->skip_bytes--;
    }
    return parser->skip_bytes == 0 ? KW_OK : KW_AGAIN;
}
