/* field_options.h - what commands about fields' deadlines share: times, and FIELDS n field ...
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_STORE_HASHES_FIELD_OPTIONS_H
#define KW_STORE_HASHES_FIELD_OPTIONS_H

#include "store/hashes/hash.h"

/* The arguments behind FIELDS and their count. */
struct kw_field_list {
    size_t first;
    size_t count;
};

/* Read FIELDS, which must be argument AT, and the count behind it, which must fit. False: the error
 * is written, COUNT_ERROR for a count that is none.
 */
bool kw__fields_read(struct kw_exec *exec, size_t at, enum kw_error count_error,
                     struct kw_field_list *fields);

/* How the time of a command is to be read. */
struct kw_field_time {
    bool is_absolute; /* since 1970, not from now */
    bool is_ms;       /* not seconds */
};

/* Argument AT as a deadline. False: the error is written. */
bool kw__field_time_read(struct kw_exec *exec, size_t at, struct kw_field_time time,
                         uint64_t *deadline_ms);

/* The words EX, PX, EXAT and PXAT. */
bool kw__field_time_word(struct kw_bytes word, struct kw_field_time *time);

enum kw_field_condition {
    KW_FIELD_ALWAYS = 0,
    KW_FIELD_NX, /* it has none */
    KW_FIELD_XX, /* it has one */
    KW_FIELD_GT, /* it has one that is sooner */
    KW_FIELD_LT  /* it has none, or one that is later */
};

enum kw_field_outcome { /* as redis replies them */
                        KW_FIELD_MISSING = -2,
                        KW_FIELD_UNMET = 0,
                        KW_FIELD_SET = 1,
                        KW_FIELD_REMOVED = 2 /* the deadline has come already */
};

/* FIELD of HASH gets a deadline if CONDITION holds. */
enum kw_field_outcome kw__field_expire_at(struct kw_exec *exec, struct kw_hash *hash,
                                          struct kw_bytes field, uint64_t deadline_ms,
                                          enum kw_field_condition condition);

#endif
