/* rewrite.h - CONFIG REWRITE: the file that keyway was started with says what is in force.
 *
 * Thread: any, one at a time; it reads and writes a file, which takes its time.
 * Memory: nothing is kept.
 * See also: file.h (the grammar), board.h (what is in force).
 */
#ifndef KW_CONFIG_REWRITE_H
#define KW_CONFIG_REWRITE_H

#include "base/blob.h"
#include "config/config.h"

/* Write CONFIG to its config_file, which there must be. Comments, order and all lines that say what
 * is in force stay as they are.
 * Returns KW_OK; KW_E_INVALID or KW_E_SYSTEM with the reason in WHY, the file as it was.
 */
KW_CHECK enum kw_status kw_config_rewrite(const struct kw_config *config, struct kw_blob *why);

#endif
