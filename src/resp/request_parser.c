/* request_parser.c - one pass over the lengths, none over the values.
 *
 *   *2\r\n $3\r\n GET\r\n $1\r\n k\r\n
 *
 * A command that is whole in the input costs one scan of its length lines (7 ns for a GET, where a
 * byte loop costs 39). Nearly all have few and short arguments: these are cut by multibulk_quick(),
 * which keeps all it knows in registers (a quarter of the instructions); whatever it does not like
 * it leaves to the thorough scan, from the first byte on. One that is not whole is checked as far
 * as it goes, remembering only an offset and a count; when its last byte is there it is scanned
 * once more to fill argv. So a client that sends a byte at a time costs O(1) a byte, not
 * O(command).
 *
 * INVARIANTS
 * I1  offset never points inside a length line: a line is either checked whole or not at all.
 * I2  argv is filled only by a pass over a whole command.
 * I3  nothing is allocated in proportion to a number that a client only announced.
 */
#include "resp/request_parser.h"

#include "base/apart.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "resp/short_length.h"

#include <ctype.h>

enum {
    ARGV_ORDINARY = 1024, /* arguments kept room for: 16 KiB */
    HEADER_ROOM = 32      /* bytes that hold "*N" or "$N" with their line end */
};

_Static_assert(ARGV_ORDINARY > 999, "multibulk_quick() need not look for room");

static inline size_t multibulk_quick(const struct kw_request_limits *limits, struct kw_bytes input,
                                     struct kw_argv *argv);
static enum kw_status multibulk_parse(struct kw_request_parser *parser,
                                      const struct kw_request_limits *limits, struct kw_bytes input,
                                      struct kw_argv *argv, struct kw_request_bytes *out);
static enum kw_status multibulk_scan(struct kw_request_parser *parser,
                                     const struct kw_request_limits *limits, struct kw_bytes input,
                                     struct kw_argv *argv, struct kw_request_bytes *out);
static inline enum kw_status argument_scan(struct kw_request_parser *parser,
                                           const struct kw_request_limits *limits,
                                           struct kw_bytes input, struct kw_argv *argv,
                                           struct kw_request_bytes *out);
static enum kw_status header_scan(struct kw_request_parser *parser,
                                  const struct kw_request_limits *limits, struct kw_bytes input,
                                  struct kw_argv *argv, struct kw_request_bytes *out);
static inline enum kw_status length_line(struct kw_bytes input, size_t at, int64_t *value,
                                         size_t *next);
static enum kw_status length_line_any(struct kw_bytes input, size_t at, int64_t *value,
                                      size_t *next);
static enum kw_status inline_parse(struct kw_request_parser *parser, struct kw_bytes input,
                                   struct kw_argv *argv, struct kw_request_bytes *out);
static enum kw_status inline_split(struct kw_bytes line, struct kw_argv *argv, char *text);
static bool inline_word(struct kw_bytes line, size_t *at, char *text, size_t *len);
static void inline_encode(struct kw_argv *argv, char *text, struct kw_request_bytes *out);
static inline void argv_push(struct kw_argv *argv, struct kw_bytes item);

void kw_argv_init(struct kw_argv *argv)
{
    *argv = (struct kw_argv){0};
    argv->capacity = ARGV_ORDINARY;
    argv->items = kw_alloc(argv->capacity * sizeof *argv->items);
}

void kw_argv_deinit(struct kw_argv *argv)
{
    kw_free(argv->items);
    kw_free(argv->inline_text);
    *argv = (struct kw_argv){0};
}

void kw_argv_trim(struct kw_argv *argv)
{
    if (argv->capacity > ARGV_ORDINARY || argv->inline_size > KW_INLINE_MAX_BYTES) {
        kw_argv_deinit(argv);
        kw_argv_init(argv);
    }
}

enum kw_status kw_request_parse(struct kw_request_parser *parser,
                                const struct kw_request_limits *limits, struct kw_bytes input,
                                struct kw_argv *argv, struct kw_request_bytes *out)
{
    size_t quick = parser->has_header ? 0 : multibulk_quick(limits, input, argv);

    if (quick > 0) {
        out->consumed = quick;
        out->wire = kw_bytes_of(input.data, quick);
        return KW_OK;
    }
    out->consumed = 0;
    argv->count = 0;
    if (input.len == 0) {
        return KW_AGAIN;
    }
    return input.data[0] == '*' ? multibulk_parse(parser, limits, input, argv, out)
                                : inline_parse(parser, input, argv, out);
}

/* Cut a whole command of up to 999 arguments of up to 999 bytes each. Returns its length, 0 when
 * INPUT does not start with such a one: then nothing is said of it.
 */
static inline size_t multibulk_quick(const struct kw_request_limits *limits, struct kw_bytes input,
                                     struct kw_argv *argv)
{
    const char *at = input.data;
    const char *end = at + input.len;
    size_t count = 0;

    if (input.len <= KW_SHORT_LENGTH_BYTES || *at != '*') {
        return 0;
    }
    at = kw__short_length(at + 1, &count);
    if (at == NULL || count == 0 || count > limits->args_max) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        if (end - at <= KW_SHORT_LENGTH_BYTES || *at != '$') {
            return 0;
        }
        at = kw__short_length(at + 1, &len);
        if (at == NULL || (size_t)(end - at) < len + 2 || !kw__is_line_end(at + len) ||
            len > limits->bulk_max_bytes) {
            return 0;
        }
        argv->items[i] = kw_bytes_of(at, len);
        at += len + 2;
    }
    argv->count = count;
    return (size_t)(at - input.data);
}

static enum kw_status protocol_error(struct kw_request_bytes *out, enum kw_error error)
{
    out->error = error;
    return KW_E_PROTOCOL;
}

static KW_APART enum kw_status multibulk_parse(struct kw_request_parser *parser,
                                               const struct kw_request_limits *limits,
                                               struct kw_bytes input, struct kw_argv *argv,
                                               struct kw_request_bytes *out)
{
    bool is_resumed = parser->has_header;
    enum kw_status status = multibulk_scan(parser, limits, input, is_resumed ? NULL : argv, out);

    if (status == KW_OK && is_resumed) {
        *parser = (struct kw_request_parser){0};
        status = multibulk_scan(parser, limits, input, argv, out); /* I2 */
        KW_ASSERT(status == KW_OK);
    }
    if (status == KW_OK) {
        out->consumed = parser->offset;
        out->wire = kw_bytes_of(input.data, parser->offset);
        *parser = (struct kw_request_parser){0};
    }
    return status;
}

/* Go on from parser->offset to the end of the command; fill ARGV unless it is NULL. */
static enum kw_status multibulk_scan(struct kw_request_parser *parser,
                                     const struct kw_request_limits *limits, struct kw_bytes input,
                                     struct kw_argv *argv, struct kw_request_bytes *out)
{
    if (!parser->has_header) {
        enum kw_status status = header_scan(parser, limits, input, argv, out);
        if (status != KW_OK) {
            return status;
        }
    }
    enum kw_status status = KW_OK;
    while (parser->args_left > 0 && status == KW_OK) {
        status = argument_scan(parser, limits, input, argv, out);
    }
    return status;
}

/* The argument at parser->offset. */
static inline enum kw_status argument_scan(struct kw_request_parser *parser,
                                           const struct kw_request_limits *limits,
                                           struct kw_bytes input, struct kw_argv *argv,
                                           struct kw_request_bytes *out)
{
    int64_t bulk_len = 0;
    size_t body = 0;
    size_t at = parser->offset;

    if (at == input.len) {
        return KW_AGAIN;
    }
    if (input.data[at] != '$') {
        out->error_byte = input.data[at];
        return protocol_error(out, KW_ERROR_EXPECTED_DOLLAR);
    }
    enum kw_status status = length_line(input, at + 1, &bulk_len, &body);
    if (status == KW_AGAIN) {
        return input.len - at > KW_INLINE_MAX_BYTES
                   ? protocol_error(out, KW_ERROR_BULK_COUNT_TOO_LONG)
                   : KW_AGAIN; /* I1 */
    }
    if (status != KW_OK || bulk_len < 0 || (uint64_t)bulk_len > limits->bulk_max_bytes) {
        return protocol_error(out, KW_ERROR_BULK_LENGTH);
    }
    size_t end = body + (size_t)bulk_len;
    if (input.len < end + 2) {
        parser->wanted = end + 2;
        return KW_AGAIN;
    }
    if (input.data[end] != '\r' || input.data[end + 1] != '\n') {
        return protocol_error(out, KW_ERROR_BULK_END);
    }
    if (argv != NULL) {
        argv_push(argv, kw_bytes_of(input.data + body, (size_t)bulk_len));
    }
    parser->offset = end + 2;
    parser->args_left--;
    return KW_OK;
}

static enum kw_status header_scan(struct kw_request_parser *parser,
                                  const struct kw_request_limits *limits, struct kw_bytes input,
                                  struct kw_argv *argv, struct kw_request_bytes *out)
{
    int64_t count = 0;
    size_t next = 0;
    enum kw_status status = length_line(input, 1, &count, &next);

    if (argv != NULL) {
        argv->count = 0;
    }
    if (status == KW_AGAIN) {
        return input.len > KW_INLINE_MAX_BYTES ? protocol_error(out, KW_ERROR_MBULK_COUNT_TOO_LONG)
                                               : KW_AGAIN;
    }
    if (status != KW_OK || count > (int64_t)limits->args_max) {
        return protocol_error(out, KW_ERROR_MBULK_LENGTH);
    }
    parser->has_header = true;
    parser->args_left = count > 0 ? (uint32_t)count : 0; /* *0 and *-1 are empty commands */
    parser->offset = next;
    return KW_OK;
}

/* Read a number and its CR LF at AT. Returns KW_OK, KW_AGAIN or KW_E_PROTOCOL. */
static inline enum kw_status length_line(struct kw_bytes input, size_t at, int64_t *value,
                                         size_t *next)
{
    const char *text = input.data + at;

    /* One or two digits: nearly every line there is. */
    if (input.len - at >= 4) {
        unsigned first = (unsigned)(unsigned char)text[0] - '0';
        unsigned second = (unsigned)(unsigned char)text[1] - '0';
        if (first <= 9 && text[1] == '\r' && text[2] == '\n') {
            *value = (int64_t)first;
            *next = at + 3;
            return KW_OK;
        }
        if (first - 1 <= 8 && second <= 9 && text[2] == '\r' && text[3] == '\n') {
            *value = (int64_t)(first * 10 + second);
            *next = at + 4;
            return KW_OK;
        }
    }
    return length_line_any(input, at, value, next);
}

static enum kw_status length_line_any(struct kw_bytes input, size_t at, int64_t *value,
                                      size_t *next)
{
    const char *text = input.data + at;
    size_t room = input.len - at;
    const char *end = memchr(text, '\r', room);

    if (end == NULL || (size_t)(end - text) + 1 == room) {
        return KW_AGAIN;
    }
    size_t len = (size_t)(end - text);
    if (end[1] != '\n' || kw_text_to_int(kw_bytes_of(text, len), value) != KW_OK) {
        return KW_E_PROTOCOL;
    }
    *next = at + len + 2;
    return KW_OK;
}

static KW_APART enum kw_status inline_parse(struct kw_request_parser *parser, struct kw_bytes input,
                                            struct kw_argv *argv, struct kw_request_bytes *out)
{
    size_t from = parser->offset; /* bytes that hold no line end */
    const char *end = memchr(input.data + from, '\n', input.len - from);

    if (end == NULL) {
        parser->offset = input.len;
        size_t line_len = input.len - (input.data[input.len - 1] == '\r' ? 1 : 0);
        return line_len > KW_INLINE_MAX_BYTES ? protocol_error(out, KW_ERROR_INLINE_TOO_BIG)
                                              : KW_AGAIN;
    }
    *parser = (struct kw_request_parser){0};
    size_t line_len = (size_t)(end - input.data);
    out->consumed = line_len + 1;
    if (line_len > 0 && end[-1] == '\r') {
        line_len--;
    }
    if (line_len > KW_INLINE_MAX_BYTES) {
        return protocol_error(out, KW_ERROR_INLINE_TOO_BIG);
    }
    /* Words, unquoted, are no longer than the line; each gains a header; one is "*N". */
    size_t text_size = line_len + 1 + (line_len / 2 + 2) * HEADER_ROOM + line_len;
    if (argv->inline_size < text_size) {
        argv->inline_text = kw_realloc(argv->inline_text, text_size);
        argv->inline_size = text_size;
    }
    if (inline_split(kw_bytes_of(input.data, line_len), argv, argv->inline_text) != KW_OK) {
        return protocol_error(out, KW_ERROR_UNBALANCED_QUOTES);
    }
    inline_encode(argv, argv->inline_text + line_len + 1, out);
    return KW_OK;
}

/* Split LINE into unquoted words kept in TEXT, by redis's rules (sdssplitargs). */
static enum kw_status inline_split(struct kw_bytes line, struct kw_argv *argv, char *text)
{
    size_t at = 0;

    for (;;) {
        while (at < line.len && isspace((unsigned char)line.data[at])) {
            at++;
        }
        if (at == line.len || line.data[at] == '\0') {
            return KW_OK;
        }
        size_t len = 0;
        if (!inline_word(line, &at, text, &len)) {
            return KW_E_PROTOCOL;
        }
        argv_push(argv, kw_bytes_of(text, len));
        text += len;
    }
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char low = (char)(byte | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* One escape of a double-quoted word at *at (behind the backslash). */
static char inline_escape(struct kw_bytes line, size_t *at)
{
    char byte = line.data[(*at)++];

    if (byte == 'x' && *at + 1 < line.len && hex_digit(line.data[*at]) >= 0 &&
        hex_digit(line.data[*at + 1]) >= 0) {
        int value = hex_digit(line.data[*at]) * 16 + hex_digit(line.data[*at + 1]);
        *at += 2;
        return (char)value;
    }
    static const char names[] = "nrtba";
    static const char values[] = "\n\r\t\b\a";
    const char *name = byte != '\0' ? strchr(names, byte) : NULL;
    return name != NULL ? values[name - names] : byte;
}

/* One word from *at; quotes may open anywhere, a closing one must end the word. False when the
 * quotes don't balance.
 */
static bool inline_word(struct kw_bytes line, size_t *at, char *text, size_t *len)
{
    char quote = '\0';

    while (*at < line.len) {
        char byte = line.data[*at];
        if (quote == '\0' && (isspace((unsigned char)byte) || byte == '\0')) {
            return true;
        }
        *at += 1;
        if (quote == '\0' && (byte == '"' || byte == '\'')) {
            quote = byte;
        } else if (quote != '\0' && byte == quote) {
            return *at == line.len || isspace((unsigned char)line.data[*at]);
        } else if (quote == '"' && byte == '\\' && *at < line.len) {
            text[(*len)++] = inline_escape(line, at);
        } else if (quote == '\'' && byte == '\\' && *at < line.len && line.data[*at] == '\'') {
            text[(*len)++] = '\'';
            *at += 1;
        } else {
            text[(*len)++] = byte;
        }
    }
    return quote == '\0';
}

/* Write argv as multibulk to TEXT and point its slices there. */
static void inline_encode(struct kw_argv *argv, char *text, struct kw_request_bytes *out)
{
    size_t len = 0;

    text[len++] = '*';
    len += kw_text_from_int((int64_t)argv->count, text + len);
    memcpy(text + len, "\r\n", 2);
    len += 2;
    for (size_t i = 0; i < argv->count; i++) {
        struct kw_bytes *item = &argv->items[i];
        text[len++] = '$';
        len += kw_text_from_int((int64_t)item->len, text + len);
        memcpy(text + len, "\r\n", 2);
        len += 2;
        memcpy(text + len, item->data, item->len);
        item->data = text + len;
        len += item->len;
        memcpy(text + len, "\r\n", 2);
        len += 2;
    }
    out->wire = kw_bytes_of(text, len);
}

static inline void argv_push(struct kw_argv *argv, struct kw_bytes item)
{
    if (argv->count == argv->capacity) { /* I3: grows with what has arrived */
        argv->capacity *= 2;
        argv->items = kw_realloc(argv->items, argv->capacity * sizeof *argv->items);
    }
    argv->items[argv->count++] = item;
}
