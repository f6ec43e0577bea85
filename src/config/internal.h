/* internal.h - what the files of config/ share: the table's rows, and the text they write.
 *
 * Thread: any; the table is constant, a kw__text belongs to its user.
 * Memory: see each function.
 * See also: options.def (the rows), option.c (what their types mean).
 */
#ifndef KW_CONFIG_INTERNAL_H
#define KW_CONFIG_INTERNAL_H

#include "base/bytes.h"
#include "base/status.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes stop at 1 TiB: above it is a slip of the finger. */
#define KW__OPTION_SIZE_MAX (UINT64_C(1) << 40)

enum kw__option_type {
    KW__OPTION_NUMBER = 0,    /* int, unsigned, size_t or uint64_t, never negative */
    KW__OPTION_INTEGER,       /* int64_t; min and max are to be read as such */
    KW__OPTION_OCTAL,         /* unsigned */
    KW__OPTION_SIZE,          /* uint64_t, bytes */
    KW__OPTION_YES_NO,        /* bool */
    KW__OPTION_LEVEL,         /* enum kw_log_level */
    KW__OPTION_PERSONALITY,   /* enum kw_personality */
    KW__OPTION_CHOICE,        /* an enum: the number of a word of .takes */
    KW__OPTION_PATH,          /* char * */
    KW__OPTION_SECRET,        /* char *, never shown */
    KW__OPTION_ADDRESSES,     /* bind and bind_count */
    KW__OPTION_SEEDS,         /* cluster_seeds or cluster_keyways; directives add up */
    KW__OPTION_OUTPUT_LIMITS, /* output_normal and output_pubsub; directives add up */
};

enum kw__option_group {
    KW__OPTION_NETWORK = 0,
    KW__OPTION_LIMITS,
    KW__OPTION_CLUSTER,
    KW__OPTION_CACHE,
    KW__OPTION_STORE,
    KW__OPTION_PROCESS,
    KW__OPTION_GROUPS_COUNT
};

enum kw__option_change { KW__OPTION_START = 0, KW__OPTION_LIVE };

/* One row of options.def, where the columns are explained. */
struct kw__option {
    const char *name;
    const char *alias; /* NULL = none */
    enum kw__option_type type;
    enum kw__option_group group;
    enum kw__option_change change;
    size_t offset_bytes; /* of the field in struct kw_config */
    size_t width_bytes;  /* of the field */
    bool is_stores;      /* of the embedded store alone */
    const char *by_default;
    const char *sample; /* NULL = none */
    uint64_t min;
    uint64_t max;
    const char *unit; /* NULL = none */
    const char *takes;
    const char *summary;
    const char *doc;
};

/* A redis directive that is none of keyway's. */
struct kw__foreign {
    const char *glob;
    bool is_refused;
    const char *reason;
};

/* Growing text, always NUL-terminated once something was added. Zero-initialise. */
struct kw__text {
    char *data; /* owned; NULL while empty */
    size_t len;
    size_t size_bytes;
};

/* All rows, in the order they are printed. */
const struct kw__option *kw__options(size_t *options_count);

/* The row whose name or alias is NAME in any case, or NULL. */
const struct kw__option *kw__option_find(struct kw_bytes name);

/* The row whose name is most like NAME, or NULL when none is like it at all. */
const struct kw__option *kw__option_nearest(struct kw_bytes name);

/* The first foreign row that matches NAME in any case, or NULL. */
const struct kw__foreign *kw__foreign_find(struct kw_bytes name);

/* Set OPTION's field in CONFIG from VALUES (borrowed). Seeds are added to those there.
 * Returns KW_OK, or KW_E_INVALID with the reason and what is allowed appended to WHY; the field is
 * unchanged then.
 */
KW_CHECK enum kw_status kw__option_set(const struct kw__option *option, struct kw_config *config,
                                       const char *const *values, size_t values_count,
                                       struct kw__text *why);

/* Append OPTION's value as CONFIG GET shows it; secrets "(redacted)" or nothing. */
void kw__option_show(const struct kw__option *option, const struct kw_config *config,
                     struct kw__text *text);

/* Free what OPTION's field owns and zero it. */
void kw__option_clear(const struct kw__option *option, struct kw_config *config);

/* Append what OPTION's values may be: "0 to 65535 seconds", "yes or no". */
void kw__option_allowed(const struct kw__option *option, struct kw__text *text);

/* Make OPTION's field in CONFIG what it is in FROM. */
void kw__option_copy(const struct kw__option *option, struct kw_config *config,
                     const struct kw_config *from);

/* Does OPTION have other values in LEFT and RIGHT? */
bool kw__option_differs(const struct kw__option *option, const struct kw_config *left,
                        const struct kw_config *right);

/* A snapshot with the same options, for changing. */
struct kw_config *kw__config_copy(const struct kw_config *from);

/* The same four for the types that take several words, which are list.c's. */
KW_CHECK enum kw_status kw__list_set(const struct kw__option *option, struct kw_config *config,
                                     const char *const *values, size_t values_count,
                                     struct kw__text *why);
void kw__list_show(const struct kw__option *option, const struct kw_config *config,
                   struct kw__text *text);
void kw__list_clear(const struct kw__option *option, struct kw_config *config);
void kw__list_copy(const struct kw__option *option, struct kw_config *config,
                   const struct kw_config *from);

/* Append as printf does. */
void kw__text_add(struct kw__text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append VALUE in single quotes: printable, and cut when it is long. */
void kw__text_add_quoted(struct kw__text *text, const char *value);

/* Give the memory back; TEXT is empty then. */
void kw__text_deinit(struct kw__text *text);

#endif
