/* log.h - the log: one line an event, with level and time, control bytes escaped.
 *
 * The sink is one per process (allow-listed file-scope state). Lines of the same call site are
 * rate-limited by kw_log_limited(): 3 a.m. logs stay readable when a node dies under load.
 *
 * Thread: any; each line is one write(2), so lines never mix.
 * Memory: nothing is kept. Never pass secrets: nothing here can tell.
 */
#ifndef KW_BASE_LOG_H
#define KW_BASE_LOG_H

#include "base/status.h"

#include <stdint.h>

/* redis.conf's levels, lowest first. */
enum kw_log_level { KW_LOG_DEBUG = 0, KW_LOG_VERBOSE, KW_LOG_NOTICE, KW_LOG_WARNING };

/* Send lines of LEVEL and above to the file at PATH (appending), or to stdout when PATH is "".
 * Returns KW_OK, or KW_E_SYSTEM when the file can't be opened (the old sink stays).
 */
KW_CHECK enum kw_status kw_log_open(const char *path, enum kw_log_level level);

/* Change only the level. */
void kw_log_set_level(enum kw_log_level level);

/* Open the same path again, after log rotation. Failure keeps the old file. */
void kw_log_reopen(void);

/* The file descriptor lines go to: for crash reports. */
int kw_log_fd(void);

/* True when a line of LEVEL would be written: guard for costly arguments. */
int kw_log_is_on(enum kw_log_level level);

/* Write one line. FORMAT without a trailing newline. */
void kw_log(enum kw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* State of one rate-limited call site: at most LOG_BURST lines a second, the rest counted and
 * reported with the next line that passes. Zero-initialise; owned by one thread.
 */
struct kw_log_limit {
    uint64_t second;   /* the second the counters belong to */
    uint32_t lines;    /* lines written in it */
    uint32_t withheld; /* lines withheld since the last one written */
};

/* As kw_log(), limited by LIMIT at monotonic time NOW_MS. */
void kw_log_limited(struct kw_log_limit *limit, uint64_t now_ms, enum kw_log_level level,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
