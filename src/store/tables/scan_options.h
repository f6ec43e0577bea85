/* scan_options.h - SCAN and its kin: cursors, MATCH, COUNT, and the reply from a table.
 *
 * Thread: the worker's. Memory: none but the reply's.
 */
#ifndef KW_STORE_TABLES_SCAN_OPTIONS_H
#define KW_STORE_TABLES_SCAN_OPTIONS_H

#include "store/exec.h"
#include "store/tables/table_walk.h"

struct kw_scan_options {
    uint64_t cursor;
    int64_t count; /* of elements to look at, about */
    bool has_pattern;
    bool is_bare; /* NOVALUES */
    struct kw_bytes pattern;
};

/* Argument AT as a cursor. False: the error is written. */
bool kw__scan_cursor(struct kw_exec *exec, size_t at, uint64_t *cursor);

/* MATCH, COUNT and (MAY_BE_BARE) NOVALUES from argument FIRST on; the cursor is left alone. False:
 * the error is written.
 */
bool kw__scan_options(struct kw_exec *exec, size_t first, bool may_be_bare,
                      struct kw_scan_options *options);

bool kw__scan_matches(const struct kw_scan_options *options, struct kw_bytes text);

/* The reply of a scan: the next cursor, and COUNT elements, moved from ELEMENTS. */
void kw__scan_reply(struct kw_exec *exec, uint64_t cursor, size_t count, struct kw_buf *elements);

/* Scan TABLE, keys alone or with their values, and reply. */
void kw__scan_table(struct kw_exec *exec, const struct kw_scan_options *options,
                    const struct kw_table *table);

#endif
