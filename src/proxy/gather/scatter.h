/* scatter.h - a request for several keys of a slot that moves becomes one for each key.
 *
 * Thread: the worker's. Memory: the parts belong to a gather, as any others.
 * See also: gather.h.
 */
#ifndef KW_PROXY_GATHER_SCATTER_H
#define KW_PROXY_GATHER_SCATTER_H

#include "proxy/internal.h"

/* REQUEST, of a command that may be split, got TRYAGAIN: its keys are at two places. Ask for each
 * of them alone; the parts take its place in the queue. False when it has but one key, or must not
 * be cut: nothing was done.
 */
KW_CHECK bool kw_gather_scatter(struct kw_request *request);

#endif
