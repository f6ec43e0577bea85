/* answer.h - the replies of a gather's parts become the one that its client gets.
 *
 * Thread: the worker's. Memory: none of its own; replies leave their parts.
 * See also: gather.h (the parts), merge.h (how replies become one).
 */
#ifndef KW_PROXY_GATHER_ANSWER_H
#define KW_PROXY_GATHER_ANSWER_H

#include "base/apart.h"

struct kw_gather;

/* The last part of GATHER is DONE: so is its answer, unless SCAN asks for more. GATHER may be gone
 * then.
 */
KW_APART void kw_answer_complete(struct kw_gather *gather);

#endif
