/* report.h - what a load tells the operator: the error that ended it, and its notes.
 *
 * Neither ever holds a secret; both are bounded, whatever a file holds.
 *
 * Thread: the one that loads. Memory: texts and notes are copies; arguments are borrowed.
 * See also: load.c (calls this).
 */
#ifndef KW_CONFIG_REPORT_H
#define KW_CONFIG_REPORT_H

#include "base/bytes.h"

#include <stddef.h>

struct kw_config;
struct kw__text;

enum kw_report_source {
    KW_REPORT_TEXT = 0,
    KW_REPORT_FILE,
    KW_REPORT_COMMAND_LINE,
};

/* Where a directive stands. */
struct kw_report_place {
    enum kw_report_source source;
    const char *path; /* of the file */
    unsigned line_number;
};

/* A directive and its words. */
struct kw_report_directive {
    const char *name;
    const char *const *values;
    size_t values_count;
};

/* Append the lines "Reading ...", ">>> 'directive values'" and REASON to TEXT. DIRECTIVE may be
 * NULL when there is none.
 */
void kw_report_error(const struct kw_report_place *place,
                     const struct kw_report_directive *directive, const char *reason,
                     struct kw__text *text);

/* NAME as far as it looks like a directive's: what follows may be a secret. */
struct kw_bytes kw_report_name(const char *name);

/* Append "'path'" to TEXT, cut when it is long. */
void kw_report_path(const char *path, struct kw__text *text);

/* Note that the directive NAME was ignored; directives of the same REASON share a note. */
void kw_report_note_ignored(struct kw_config *config, struct kw_bytes name, const char *reason);

/* Add TEXT to CONFIG's notes, unless it is there. */
void kw_report_note(struct kw_config *config, const char *text);

#endif
