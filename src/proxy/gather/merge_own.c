/* merge_own.c - merges that only one command has.
 *
 * Figures of MEMORY STATS: numbers are added; ratios and percentages, which are what is no integer,
 * and what is "per" something become the mean of the shards'. Maps within are merged alike.
 */
#include "proxy/gather/merge_own.h"

#include "base/assert.h"
#include "base/mem.h"
#include "resp/writer.h"

#include <stdlib.h>

enum { DEPTH_MAX = 4, NUMBER_TEXT_MAX = 64 };

/* Names and values of one map that is being merged. */
struct pair {
    struct kw_bytes name; /* as a reply */
    struct kw_bytes value;
};

struct map {
    struct pair *pairs; /* owned */
    size_t count;
};

typedef bool own_merge(struct kw_merge_job *job, struct kw_buf *out);

static own_merge merge_function_stats;
static own_merge merge_texts;
static own_merge merge_memory_stats;
static bool map_read(struct map *map, struct kw_bytes reply, int proto);
static bool maps_merge(const struct kw_bytes *replies, size_t count, int proto, int depth,
                       struct kw_buf *out);
static const struct pair *map_find(const struct map *map, struct kw_bytes name);
static bool value_merge(struct kw_bytes name, const struct kw_bytes *values, size_t count,
                        int proto, int depth, struct kw_buf *out);

static const struct own_row {
    const char *name;
    own_merge *merge;
} own_rows[] = {
    {"function|stats", merge_function_stats},
    {"memory|doctor", merge_texts},
    {"memory|malloc-stats", merge_texts},
    {"memory|stats", merge_memory_stats},
};

static const struct own_row *own_row_of(const struct kw_command *command)
{
    for (size_t i = 0; i < sizeof own_rows / sizeof own_rows[0]; i++) {
        if (strcmp(own_rows[i].name, command->name) == 0) {
            return &own_rows[i];
        }
    }
    return NULL;
}

bool kw_merge_has_own(const struct kw_command *command)
{
    return own_row_of(command) != NULL;
}

bool kw_merge_own(struct kw_merge_job *job, struct kw_buf *out)
{
    const struct own_row *row = own_row_of(job->command);

    KW_ASSERT(row != NULL);
    return row->merge(job, out);
}

/* The shard that runs a script, if any, speaks for all; libraries are the same on each. */
static bool merge_function_stats(struct kw_merge_job *job, struct kw_buf *out)
{
    const struct kw_merge_part *chosen = &job->parts[0];
    char type = job->proto == 3 ? '%' : '*';

    for (uint32_t i = 0; i < job->parts_count; i++) {
        struct kw_bytes rest = job->parts[i].reply;
        struct kw_bytes value;
        int64_t count = 0;
        if (!kw_merge_take_number(&rest, type, &count) ||
            !kw_merge_take_value(&rest, job->proto, &value) ||
            !kw_merge_take_value(&rest, job->proto, &value)) {
            return false;
        }
        bool is_null = kw_bytes_equal(value, KW_BYTES("$-1\r\n")) ||
                       kw_bytes_equal(value, KW_BYTES("*-1\r\n")) ||
                       kw_bytes_equal(value, KW_BYTES("_\r\n"));
        if (!is_null) {
            chosen = &job->parts[i];
            break;
        }
    }
    kw_merge_pass(chosen, chosen->reply, out);
    return true;
}

bool kw_merge_text(struct kw_bytes reply, struct kw_bytes *text)
{
    bool is_verbatim = reply.len > 0 && reply.data[0] == '=';
    size_t prefix = is_verbatim ? 4 : 0; /* "txt:" */
    int64_t len = 0;

    if (!kw_merge_take_number(&reply, is_verbatim ? '=' : '$', &len) || len < (int64_t)prefix ||
        (size_t)len + 2 > reply.len) {
        return false;
    }
    *text = kw_bytes_of(reply.data + prefix, (size_t)len - prefix);
    return true;
}

/* Texts for people, each under the name of its node. */
static bool merge_texts(struct kw_merge_job *job, struct kw_buf *out)
{
    struct kw_bytes text;
    size_t len = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        if (!kw_merge_text(job->parts[i].reply, &text)) {
            return false;
        }
        len += text.len + strlen(job->parts[i].node) + 4;
    }
    char *joined = kw_try_alloc(len + 1);
    if (joined == NULL) {
        return false;
    }
    char *at = joined;
    for (uint32_t i = 0; i < job->parts_count; i++) {
        bool is_read = kw_merge_text(job->parts[i].reply, &text);
        KW_ASSERT(is_read);
        *at++ = '#';
        *at++ = ' ';
        at = stpcpy(at, job->parts[i].node);
        *at++ = '\n';
        memcpy(at, text.data, text.len);
        at += text.len;
        *at++ = '\n';
    }
    KW_ASSERT((size_t)(at - joined) == len);
    kw_reply_verbatim(out, kw_bytes_of(joined, len), job->proto);
    kw_free(joined);
    return true;
}

static bool merge_memory_stats(struct kw_merge_job *job, struct kw_buf *out)
{
    struct kw_bytes *replies = kw_alloc(job->parts_count * sizeof *replies);
    struct kw_buf merged;

    kw_buf_init(&merged, out->pool);
    for (uint32_t i = 0; i < job->parts_count; i++) {
        replies[i] = job->parts[i].reply;
    }
    bool is_merged = maps_merge(replies, job->parts_count, job->proto, 0, &merged);
    if (is_merged) {
        kw_buf_append_buf(out, &merged);
    }
    kw_buf_reset(&merged);
    kw_free(replies);
    return is_merged;
}

/* Cut a map, which is a flat array in RESP2. The caller frees the pairs, also after false. */
static bool map_read(struct map *map, struct kw_bytes reply, int proto)
{
    int64_t count = 0;

    *map = (struct map){NULL, 0};
    if (!kw_merge_take_number(&reply, proto == 3 ? '%' : '*', &count) || count < 0) {
        return false;
    }
    count = proto == 3 ? count : count / 2;
    map->pairs = kw_alloc_zero((size_t)count + 1, sizeof *map->pairs);
    for (map->count = 0; map->count < (size_t)count; map->count++) {
        struct pair *pair = &map->pairs[map->count];
        if (!kw_merge_take_value(&reply, proto, &pair->name) ||
            !kw_merge_take_value(&reply, proto, &pair->value)) {
            return false;
        }
    }
    return true;
}

/* All names of all maps, in the order in which they appear first. */
static bool maps_merge(const struct kw_bytes *replies, size_t count, int proto, int depth,
                       struct kw_buf *out)
{
    struct map *maps = kw_alloc_zero(count, sizeof *maps);
    struct kw_bytes *values = kw_alloc(count * sizeof *values);
    struct kw_buf body;
    size_t names = 0;
    bool is_good = depth < DEPTH_MAX;

    kw_buf_init(&body, out->pool);
    for (size_t i = 0; i < count && is_good; i++) {
        is_good = map_read(&maps[i], replies[i], proto);
    }
    for (size_t i = 0; i < count && is_good; i++) {
        for (size_t n = 0; n < maps[i].count && is_good; n++) {
            struct kw_bytes name = maps[i].pairs[n].name;
            size_t found = 0;
            bool is_known = false;
            for (size_t j = 0; j < count; j++) {
                const struct pair *pair = map_find(&maps[j], name);
                is_known = is_known || (pair != NULL && j < i);
                if (pair != NULL) {
                    values[found++] = pair->value;
                }
            }
            if (!is_known) {
                kw_buf_append_bytes(&body, name);
                is_good = value_merge(name, values, found, proto, depth, &body);
                names++;
            }
        }
    }
    if (is_good) {
        kw_reply_map(out, names, proto);
        kw_buf_append_buf(out, &body);
    }
    kw_buf_reset(&body);
    for (size_t i = 0; i < count; i++) {
        kw_free(maps[i].pairs);
    }
    kw_free(maps);
    kw_free(values);
    return is_good;
}

static const struct pair *map_find(const struct map *map, struct kw_bytes name)
{
    for (size_t i = 0; i < map->count; i++) {
        if (kw_bytes_equal(map->pairs[i].name, name)) {
            return &map->pairs[i];
        }
    }
    return NULL;
}

/* The number of a ",1.5" or of a bulk "1.5". */
static bool double_of(struct kw_bytes value, double *number)
{
    char text[NUMBER_TEXT_MAX];
    struct kw_bytes digits = kw_bytes_of(value.data + 1, value.len - 1);
    char *end = NULL;

    if (value.data[0] == '$' && !kw_merge_text(value, &digits)) {
        return false;
    }
    if ((value.data[0] != '$' && value.data[0] != ',') || digits.len == 0 ||
        digits.len >= sizeof text) {
        return false;
    }
    memcpy(text, digits.data, digits.len);
    text[digits.len] = '\0';
    *number = strtod(text, &end);
    return end > text;
}

static bool value_merge(struct kw_bytes name, const struct kw_bytes *values, size_t count,
                        int proto, int depth, struct kw_buf *out)
{
    bool is_mean = memmem(name.data, name.len, "-per-", 5) != NULL;
    double doubles = 0;
    int64_t sum = 0;

    if (values[0].data[0] == (proto == 3 ? '%' : '*')) {
        return maps_merge(values, count, proto, depth + 1, out);
    }
    if (values[0].data[0] == ':') {
        for (size_t i = 0; i < count; i++) {
            struct kw_bytes rest = values[i];
            int64_t number = 0;
            if (!kw_merge_take_number(&rest, ':', &number)) {
                return false;
            }
            sum = (int64_t)((uint64_t)sum + (uint64_t)number);
        }
        kw_reply_int(out, is_mean ? sum / (int64_t)count : sum);
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        double number = 0;
        if (!double_of(values[i], &number)) {
            kw_buf_append_bytes(out, values[0]); /* a text: the first shard's */
            return true;
        }
        doubles += number;
    }
    kw_reply_double(out, doubles / (double)count, proto);
    return true;
}

void kw_merge_random(struct kw_merge_job *job, uint32_t random, struct kw_buf *out)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        if (kw_merge_is_error(job->parts[i].reply)) {
            kw_buf_append_bytes(out, job->parts[i].reply);
            return;
        }
    }
    /* A shard without a key to give has no weight. */
    for (int pass = 0; pass < 2; pass++) {
        uint64_t chosen = all > 0 ? random % all : 0;
        for (uint32_t i = 0; i + 1 < job->parts_count; i += 2) {
            struct kw_bytes size = job->parts[i].reply;
            struct kw_bytes key = job->parts[i + 1].reply;
            int64_t keys = 0;
            bool is_null =
                kw_bytes_start_with(key, KW_BYTES("_")) || kw_bytes_equal(key, KW_BYTES("$-1\r\n"));
            if (is_null || !kw_merge_take_number(&size, ':', &keys) || keys <= 0) {
                continue;
            }
            if (pass == 1 && chosen < (uint64_t)keys) {
                kw_buf_append_bytes(out, key);
                return;
            }
            all += pass == 0 ? (uint64_t)keys : 0;
            chosen -= pass == 1 ? (uint64_t)keys : 0;
        }
    }
    kw_reply_null(out, job->proto);
}
