/* info.h - what the files behind INFO share.
 *
 * Thread: the worker's. Memory: the text is kw__local_info()'s.
 */
#ifndef KW_PROXY_LOCAL_INFO_H
#define KW_PROXY_LOCAL_INFO_H

#include "base/blob.h"
#include "proxy/internal.h"
#include "store/store.h"

struct kw_info {
    const struct kw_proxy *proxy;
    bool is_cluster;               /* for a client of the cluster personality */
    struct kw_store_figures store; /* zero: there is none */
    struct kw_blob text;
};

/* Sections that are made of stats/tally.h. */
void kw__info_commandstats(struct kw_info *info);
void kw__info_errorstats(struct kw_info *info);
void kw__info_latencystats(struct kw_info *info);

/* Error replies of all kinds. */
uint64_t kw__info_errors(const struct kw_info *info);

#endif
