/* errors.h - the error replies of keyway, by name. Rows are in errors.def.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_RESP_ERRORS_H
#define KW_RESP_ERRORS_H

#include "base/buf.h"

enum kw_error {
#define KW_ERROR(code, text, when) code,
#include "resp/errors.def"
#undef KW_ERROR
    KW_ERROR_COUNT
};

/* Append "-TEXT\r\n" of ERROR, whose text takes no argument. */
void kw_reply_error(struct kw_buf *buf, enum kw_error error);

/* The same with one or two texts for the %s of the row (NULL when there is none).
 *
 * Whatever they hold, the reply stays one line: control bytes become spaces, as redis does, and the
 * line is cut at KW_ERROR_MAX_BYTES.
 */
void kw_reply_error_text(struct kw_buf *buf, enum kw_error error, const char *first,
                         const char *second);

/* The same with bytes of a client for the first %s: a NUL in them ends it, as in redis. */
void kw_reply_error_bytes(struct kw_buf *buf, enum kw_error error, struct kw_bytes bytes);

/* The row's text, %s included: for tests and documents. */
const char *kw_error_text(enum kw_error error);

#endif
