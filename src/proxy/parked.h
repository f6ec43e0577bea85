/* parked.h - reply bytes that wait in a request for older ones: few of them in small[], else a buf.
 *
 * Thread: the worker's. Memory: in the request, and in chunks of the worker's pool.
 * See also: queue.h (the struct), reply.c (who parks and delivers).
 */
#ifndef KW_PROXY_PARKED_H
#define KW_PROXY_PARKED_H

#include "proxy/internal.h"

/* Reply bytes that wait in REQUEST. */
static inline size_t kw__request_parked_len(const struct kw_request *request)
{
    return request->is_parked ? request->parked.len : request->small_len;
}

/* Where REQUEST's reply can be written to wait. */
static inline struct kw_buf *kw__request_parked(struct kw_request *request)
{
    request->is_parked = true;
    return &request->parked;
}

/* Forget the reply bytes that wait in REQUEST. */
static inline void kw__request_drop_parked(struct kw_request *request)
{
    request->client->parked_bytes -= kw__request_parked_len(request);
    request->small_len = 0;
    if (request->is_parked) {
        kw_buf_reset(&request->parked);
        request->is_parked = false;
    }
}

#endif
