/* status.h - the one enum that fallible functions return.
 *
 * KW_OK is 0, KW_AGAIN means "not yet", every KW_E_* is a failure. Rows are in status.def.
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_STATUS_H
#define KW_BASE_STATUS_H

/* A caller that ignores the result does not compile. */
#define KW_CHECK __attribute__((warn_unused_result))

enum kw_status {
#define KW_STATUS(code, word, meaning) code,
#include "base/status.def"
#undef KW_STATUS
    KW_STATUS_COUNT
};

/* The word for logs, such as "timeout". Static storage, never NULL. */
const char *kw_status_name(enum kw_status status);

/* One sentence fragment that says what the status means. Static storage, never NULL. */
const char *kw_status_meaning(enum kw_status status);

#endif
