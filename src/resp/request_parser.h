/* request_parser.h - cuts one command at a time out of the bytes of a client.
 *
 * Multibulk commands are parsed where they lie: arguments are slices into the input. Inline
 * commands (a plain line) are unquoted and re-encoded as multibulk, so that what follows knows one
 * form only. Strict where two readers of the same bytes could disagree: digits only, no leading
 * zeros, CR LF behind every bulk.
 *
 * Pure: no sockets, no clock. Thread: any, one user at a time.
 * Memory: the argv array and the inline buffer belong to struct kw_argv, kept between commands;
 *         slices are valid until the input or the kw_argv changes.
 */
#ifndef KW_RESP_REQUEST_PARSER_H
#define KW_RESP_REQUEST_PARSER_H

#include "base/bytes.h"
#include "base/status.h"
#include "resp/errors.h"

#include <stdint.h>

/* The arguments of the command cut last. One per worker: it grows to the largest command seen and
 * is shrunk by kw_argv_trim().
 */
struct kw_argv {
    struct kw_bytes *items; /* owned */
    size_t count;
    size_t capacity;
    char *inline_text; /* owned: the re-encoded inline command, or NULL */
    size_t inline_size;
};

/* How far an unfinished command has been checked. Zero is "at a command's first byte". */
struct kw_request_parser {
    size_t offset;      /* bytes of the unfinished command already checked */
    uint32_t args_left; /* arguments not yet seen whole */
    bool has_header;    /* the *N line has been seen */
    size_t wanted;      /* bytes the command needs at least, from its first byte; 0 unknown */
};

struct kw_request_limits {
    uint64_t bulk_max_bytes; /* proto-max-bulk-len */
    uint32_t args_max;
};

/* What was cut. */
struct kw_request_bytes {
    struct kw_bytes wire; /* the whole command as multibulk, ready to be sent to a node */
    size_t consumed;      /* bytes of the input it took */
    enum kw_error error;  /* with KW_E_PROTOCOL: which */
    char error_byte;      /* for KW_ERROR_EXPECTED_DOLLAR */
};

void kw_argv_init(struct kw_argv *argv);
void kw_argv_deinit(struct kw_argv *argv);

/* Give memory beyond the ordinary back. */
void kw_argv_trim(struct kw_argv *argv);

/* Cut the first command of INPUT.
 *
 * input  starts at the first byte of a command; the same bytes plus more on the next call after
 *        KW_AGAIN
 * Returns KW_OK (argv filled; argv->count 0 means an empty command: nothing to do, no reply);
 *         KW_AGAIN when it is not whole yet (*parser remembers, out->consumed is 0);
 *         KW_E_PROTOCOL (out->error says what; the stream can't be followed any further).
 */
KW_CHECK enum kw_status kw_request_parse(struct kw_request_parser *parser,
                                         const struct kw_request_limits *limits,
                                         struct kw_bytes input, struct kw_argv *argv,
                                         struct kw_request_bytes *out);

#endif
