/* reply_parser.c - see reply_parser.h.
 *
 * left_values starts at 1. A scalar takes one away; an aggregate of n takes itself away and adds n
 * (a map 2n); a RESP3 attribute of n adds 2n and is no value itself. At 0 the reply is over.
 *
 * INVARIANTS
 * I1  a line ends with CR LF and holds no other LF: a line ended by a bare LF must not swallow the
 *     next reply (replies would shift to other clients).
 * I2  the two bytes behind a bulk are CR LF.
 * I3  counts never overflow, whatever a node announces.
 *
 * Cost: O(lines), bulk bodies are skipped.
 */
#include "resp/reply_parser.h"

#include "base/apart.h"
#include "base/bytes.h"
#include "base/text.h"
#include "resp/short_length.h"

enum { LENGTH_LINE_MAX = 32 }; /* a type, a 64-bit number, CR LF */

/* What the first byte of a line opens. */
enum line_kind { LINE_BAD = 0, LINE_PLAIN, LINE_BULK, LINE_ARRAY, LINE_MAP, LINE_ATTRIBUTE };

static const struct line_type {
    enum line_kind kind;
    int proto_min;
} line_types[256] = {
    ['+'] = {LINE_PLAIN, 2}, ['-'] = {LINE_PLAIN, 2}, [':'] = {LINE_PLAIN, 2},
    ['$'] = {LINE_BULK, 2},  ['*'] = {LINE_ARRAY, 2}, ['_'] = {LINE_PLAIN, 3},
    ['#'] = {LINE_PLAIN, 3}, [','] = {LINE_PLAIN, 3}, ['('] = {LINE_PLAIN, 3},
    ['!'] = {LINE_BULK, 3},  ['='] = {LINE_BULK, 3},  ['~'] = {LINE_ARRAY, 3},
    ['>'] = {LINE_ARRAY, 3}, ['%'] = {LINE_MAP, 3},   ['|'] = {LINE_ATTRIBUTE, 3},
};

static inline size_t scan_quick(const char *data, size_t len);
static enum kw_status scan_thoroughly(struct kw_reply_parser *parser, int proto, const char *data,
                                      size_t len, size_t *scanned);
static enum kw_status scan_value(struct kw_reply_parser *parser, int proto, const char *data,
                                 size_t len, size_t *at);
static enum kw_status read_length(const char *data, size_t len, size_t *at, int64_t *number);
static enum kw_status open_aggregate(struct kw_reply_parser *parser, enum line_kind kind,
                                     int64_t count);
static enum kw_status skip_line(struct kw_reply_parser *parser, const char *data, size_t len,
                                size_t *at);
static enum kw_status skip_bulk(struct kw_reply_parser *parser, const char *data, size_t len,
                                size_t *at);

enum kw_status kw_reply_scan(struct kw_reply_parser *parser, int proto, const char *data,
                             size_t len, size_t *scanned)
{
    size_t quick = parser->is_started ? 0 : scan_quick(data, len);

    if (quick == 0) {
        return scan_thoroughly(parser, proto, data, len, scanned);
    }
    parser->type = data[0];
    *scanned = quick;
    return KW_OK;
}

uint32_t kw_reply_scan_singles(const char *data, size_t len, uint32_t max, uint32_t *ends)
{
    uint32_t count = 0;
    size_t at = 0;

    while (count < max && at < len && data[at] == '*') {
        size_t quick = scan_quick(data + at, len - at);
        if (quick == 0) {
            break;
        }
        at += quick;
        ends[count++] = (uint32_t)at;
    }
    return count;
}

/* The length of the reply that DATA starts with, when it is of one of the kinds that most are of:
 * a short string, alone or the only element of an array, as a part of an MGET gets it; no value;
 * "+OK". 0 leaves it to the thorough scan, which takes a few times as long.
 */
static inline size_t scan_quick(const char *data, size_t len)
{
    const char *end = data + len;
    const char *at = data[0] == '*' && len > 4 && memcmp(data, "*1\r\n", 4) == 0 ? data + 4 : data;
    size_t body_len = 0;

    if (end - at < KW_SHORT_LENGTH_BYTES) {
        return 0;
    }
    if (at[0] != '$' || end - at == KW_SHORT_LENGTH_BYTES || at[1] == '-') {
        bool is_known = memcmp(at, "+OK\r\n", 5) == 0 || memcmp(at, "$-1\r\n", 5) == 0;
        return is_known ? (size_t)(at - data) + 5 : 0;
    }
    const char *body = kw__short_length(at + 1, &body_len);
    if (body == NULL || (size_t)(end - body) < body_len + 2 || !kw__is_line_end(body + body_len)) {
        return 0; /* not I1 or I2, or not whole */
    }
    return (size_t)(body - data) + body_len + 2;
}

/* The same whatever the reply is, and in as many pieces as it comes. */
static KW_APART enum kw_status scan_thoroughly(struct kw_reply_parser *parser, int proto,
                                               const char *data, size_t len, size_t *scanned)
{
    enum kw_status status = KW_OK;
    size_t at = 0;

    if (!parser->is_started) {
        *parser = (struct kw_reply_parser){.is_started = true, .type = data[0], .left_values = 1};
    }
    do {
        if (parser->skip_bytes > 0) {
            status = skip_bulk(parser, data, len, &at);
        } else if (parser->is_in_line) {
            status = skip_line(parser, data, len, &at);
        } else if (at < len) {
            status = scan_value(parser, proto, data, len, &at);
        } else {
            status = KW_AGAIN;
        }
    } while (status == KW_OK && parser->left_values > 0);
    *scanned = at;
    if (status == KW_OK) {
        parser->is_started = false;
    }
    return status;
}

/* The line at *at, where a value begins. */
static enum kw_status scan_value(struct kw_reply_parser *parser, int proto, const char *data,
                                 size_t len, size_t *at)
{
    struct line_type type = line_types[(unsigned char)data[*at]];
    int64_t number = 0;

    if (type.kind == LINE_BAD || type.proto_min > proto) {
        return KW_E_PROTOCOL;
    }
    if (type.kind == LINE_PLAIN) {
        parser->is_in_line = true;
        parser->is_behind_cr = false;
        return KW_OK;
    }
    enum kw_status status = read_length(data, len, at, &number);
    if (status != KW_OK) {
        return status;
    }
    if (type.kind != LINE_BULK) {
        return open_aggregate(parser, type.kind, number);
    }
    if (number < 0) {
        parser->left_values--; /* the null of RESP2 */
    } else {
        parser->skip_bytes = (uint64_t)number + 2;
    }
    return KW_OK;
}

/* The number behind the type at *at, -1 or more; *at moves behind its line. */
static enum kw_status read_length(const char *data, size_t len, size_t *at, int64_t *number)
{
    const char *text = data + *at + 1;
    size_t room = len - *at - 1;
    size_t digits = 0;
    uint32_t value = 0;

    if (room >= 4 && text[2] == '\r' && text[3] == '\n' && text[0] >= '1' && text[0] <= '9' &&
        (unsigned char)(text[1] - '0') <= 9) { /* most values have 10 to 99 bytes */
        *number = (text[0] - '0') * 10 + (text[1] - '0');
        *at += 5;
        return KW_OK;
    }
    /* Up to nine digits: nearly every line there is. */
    while (digits < room && digits < 9 && (unsigned char)(text[digits] - '0') <= 9) {
        value = value * 10 + (uint32_t)(text[digits] - '0');
        digits++;
    }
    if (digits > 0 && digits + 1 < room && text[digits] == '\r' && text[digits + 1] == '\n' &&
        (text[0] != '0' || digits == 1)) {
        *number = (int64_t)value;
        *at += digits + 3;
        return KW_OK;
    }
    const char *end = memchr(text, '\n', room < LENGTH_LINE_MAX ? room : LENGTH_LINE_MAX);
    if (end == NULL) {
        return room >= LENGTH_LINE_MAX ? KW_E_PROTOCOL : KW_AGAIN;
    }
    size_t line_len = (size_t)(end - text);
    if (line_len == 0 || end[-1] != '\r' ||
        kw_text_to_int(kw_bytes_of(text, line_len - 1), number) != KW_OK || *number < -1 ||
        *number > INT64_MAX / 8) {
        return KW_E_PROTOCOL; /* I1, I3 */
    }
    *at += line_len + 2;
    return KW_OK;
}

static enum kw_status open_aggregate(struct kw_reply_parser *parser, enum line_kind kind,
                                     int64_t count)
{
    bool is_value = kind != LINE_ATTRIBUTE;

    if (count < 0 && kind != LINE_ARRAY) {
        return KW_E_PROTOCOL; /* only arrays have a null form */
    }
    uint64_t added = count < 0 ? 0 : (uint64_t)count * (kind == LINE_ARRAY ? 1 : 2);
    parser->left_values += added;
    parser->left_values -= is_value ? 1 : 0;
    return parser->left_values > INT64_MAX ? KW_E_PROTOCOL : KW_OK; /* I3 */
}

/* Move *at behind the end of the line. */
static enum kw_status skip_line(struct kw_reply_parser *parser, const char *data, size_t len,
                                size_t *at)
{
    if (*at == len) {
        return KW_AGAIN;
    }
    const char *from = data + *at;
    const char *end = memchr(from, '\n', len - *at);
    if (end == NULL) {
        *at = len;
        parser->is_behind_cr = data[len - 1] == '\r';
        return KW_AGAIN;
    }
    bool is_behind_cr = end > from ? end[-1] == '\r' : parser->is_behind_cr;
    *at = (size_t)(end - data) + 1;
    parser->is_in_line = false;
    parser->left_values--;
    return is_behind_cr ? KW_OK : KW_E_PROTOCOL; /* I1 */
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
    }
    while (parser->skip_bytes > 0 && parser->skip_bytes <= 2 && room > 0) {
        if (data[*at] != (parser->skip_bytes == 2 ? '\r' : '\n')) {
            return KW_E_PROTOCOL; /* I2 */
        }
        *at += 1;
        room--;
        parser->skip_bytes--;
    }
    if (parser->skip_bytes > 0) {
        return KW_AGAIN;
    }
    parser->left_values--;
    return KW_OK;
}
