/* slowlog.h - the slowest requests of the process, the newest first.
 *
 * Slow requests are rare: the log is one for all workers, with a lock that no other request takes.
 *
 * Thread: any. Memory: entries are copies, bounded in number and size.
 * See also: proxy/local_slowlog.c (SLOWLOG).
 */
#ifndef KW_STATS_SLOWLOG_H
#define KW_STATS_SLOWLOG_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KW_SLOWLOG_ARGUMENTS_MAX = 32, /* of one request that are kept, as in redis */
    KW_SLOWLOG_ARGUMENT_BYTES = 128
};

struct kw_slowlog;

struct kw_slowlog_entry {
    struct kw_slowlog_entry *next; /* older */
    uint64_t id;
    uint64_t at_s; /* since the epoch */
    uint64_t took_us;
    char *address;    /* owned, of the client */
    char *name;       /* owned, of the client, may be "" */
    char **arguments; /* owned */
    size_t *lens;     /* owned, of the arguments */
    size_t arguments_count;
};

struct kw_slowlog *kw_slowlog_new(void);
void kw_slowlog_free(struct kw_slowlog **slowlog);

/* A request that was slow; all borrowed. */
struct kw_slowlog_request {
    uint64_t took_us;
    const struct kw_bytes *arguments;
    size_t arguments_count;
    const char *address; /* of the client */
    const char *name;    /* of the client, may be "" */
};

/* Keep a copy of REQUEST. Long requests and long arguments are cut, with a word about it, as redis
 * does. At most MAX_LEN entries stay.
 */
void kw_slowlog_add(struct kw_slowlog *slowlog, const struct kw_slowlog_request *request,
                    size_t max_len);

size_t kw_slowlog_len(struct kw_slowlog *slowlog);

/* Call ON_COUNT(ARG, n), then ON_ENTRY(ARG, entry) for the newest n entries, at most COUNT. */
void kw_slowlog_each(struct kw_slowlog *slowlog, size_t count,
                     void (*on_count)(void *arg, size_t count),
                     void (*on_entry)(void *arg, const struct kw_slowlog_entry *entry), void *arg);

void kw_slowlog_reset(struct kw_slowlog *slowlog);

#endif
