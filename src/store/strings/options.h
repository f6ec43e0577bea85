/* options.h - the options that SET and GETEX share: conditions, and when the value ends.
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_STORE_STRINGS_OPTIONS_H
#define KW_STORE_STRINGS_OPTIONS_H

#include "store/exec.h"

enum kw_time_unit { KW_TIME_SECONDS = 0, KW_TIME_MS };

struct kw_string_options {
    bool is_nx;
    bool is_xx;
    bool is_get;
    bool keeps_deadline;
    bool is_persist;
    bool has_time;
    bool is_absolute;
    enum kw_time_unit unit;
    struct kw_bytes time; /* with has_time */
};

/* Read the options from argument FIRST on; IS_GETEX: those of GETEX. False: an error is written. */
bool kw__string_options(struct kw_exec *exec, size_t first, bool is_getex,
                        struct kw_string_options *options);

/* When the value ends, as OPTIONS (with has_time) say. False: the error is written. */
bool kw__string_deadline(struct kw_exec *exec, const struct kw_string_options *options,
                         uint64_t *deadline_ms);

#endif
