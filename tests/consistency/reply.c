/* reply.c - by recursion: replies here are a few levels deep, and servers are trusted. */
#include "tests/consistency/reply.h"

#include <stdlib.h>
#include <string.h>

static void reply_add(struct reply *reply, const char *at, size_t len);
static long reply_cut_bulk(const char *at, const char *line_end, const char *end,
                           struct reply *reply);
static long reply_cut_elements(const char *at, const char *line_end, const char *end,
                               struct reply *reply);
static long reply_cut_one(const char *at, const char *end, struct reply *reply);

long reply_cut(const char *at, const char *end, struct reply *reply)
{
    reply->leaves_count = 0;
    reply->is_error = false;
    return reply_cut_one(at, end, reply);
}

static long reply_cut_one(const char *at, const char *end, struct reply *reply)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));

    if (line_end == NULL) {
        return 0;
    }
    line_end++;
    switch (*at) {
    case '-':
        reply->is_error = true;
        reply->leaves_count = 0;
        reply_add(reply, at + 1, (size_t)(line_end - at) - 3);
        return line_end - at;
    case '+':
    case ':':
    case ',':
    case '#':
        reply_add(reply, at + 1, (size_t)(line_end - at) - 3);
        return line_end - at;
    case '_':
        reply_add(reply, NULL, 0);
        return line_end - at;
    case '$':
    case '=':
        return reply_cut_bulk(at, line_end, end, reply);
    case '*':
    case '%':
    case '~':
    case '>':
        return reply_cut_elements(at, line_end, end, reply);
    default:
        return -1;
    }
}

static void reply_add(struct reply *reply, const char *at, size_t len)
{
    if (reply->leaves_count < LEAVES_MAX && !(reply->is_error && reply->leaves_count > 0)) {
        reply->leaves[reply->leaves_count++] = (struct leaf){at, len};
    }
}

static long reply_cut_bulk(const char *at, const char *line_end, const char *end,
                           struct reply *reply)
{
    long len = strtol(at + 1, NULL, 10);

    if (len < 0) {
        reply_add(reply, NULL, 0);
        return line_end - at;
    }
    if (end - line_end < len + 2) {
        return 0;
    }
    reply_add(reply, line_end, (size_t)len);
    return line_end - at + len + 2;
}

static long reply_cut_elements(const char *at, const char *line_end, const char *end,
                               struct reply *reply)
{
    long count = strtol(at + 1, NULL, 10) * (*at == '%' ? 2 : 1);
    long taken = line_end - at;

    if (count < 0) {
        reply_add(reply, NULL, 0);
    }
    for (long i = 0; i < count; i++) {
        long len = at + taken < end ? reply_cut_one(at + taken, end, reply) : 0;
        if (len <= 0) {
            return len;
        }
        taken += len;
    }
    return taken;
}
