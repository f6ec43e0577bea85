/* arguments.h - arguments that several families of commands parse alike, with redis's errors.
 *
 * Thread: the worker's. Memory: none.
 */
#ifndef KW_STORE_ARGUMENTS_H
#define KW_STORE_ARGUMENTS_H

#include "store/exec.h"

/* An integer of at least MIN; false: it is none, or too low: ERROR is written either way. */
bool kw_exec_int_from(struct kw_exec *exec, struct kw_bytes bytes, int64_t min, enum kw_error error,
                      int64_t *value);

/* The seconds that a command may block: false, and the error is written, when they are none. */
bool kw_exec_timeout(struct kw_exec *exec, struct kw_bytes bytes);

#endif
