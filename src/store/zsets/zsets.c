/* zsets.c - see zsets.h. */
#include "store/zsets/zsets.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { SCORE_BYTES = 128 }; /* numbers up to this are parsed in place */

static bool parse_score_bound(struct kw_bytes text, struct kw_probe *probe, bool is_max);
static bool parse_lex_bound(struct kw_bytes text, struct kw_probe *probe, bool is_max);

bool kw__zset_parse_range(struct kw_exec *exec, enum kw_zset_range_kind kind, struct kw_bytes min,
                          struct kw_bytes max, struct kw_zset_range *range)
{
    range->kind = kind;
    if (kind == KW_ZSET_BY_RANK) {
        return kw_exec_int(exec, min, &range->start) && kw_exec_int(exec, max, &range->end);
    }
    if (kind == KW_ZSET_BY_SCORE) {
        if (parse_score_bound(min, &range->min, false) &&
            parse_score_bound(max, &range->max, true)) {
            return true;
        }
        kw_exec_error(exec, KW_ERROR_SCORE_RANGE, NULL);
        return false;
    }
    if (parse_lex_bound(min, &range->min, false) && parse_lex_bound(max, &range->max, true)) {
        return true;
    }
    kw_exec_error(exec, KW_ERROR_LEX_RANGE, NULL);
    return false;
}

uint64_t kw__zset_range_count(const struct kw_zset *zset, const struct kw_zset_range *range,
                              bool is_reverse, uint64_t *rank)
{
    if (range->kind != KW_ZSET_BY_RANK) {
        *rank = kw_zset_rank_of(zset, &range->min);
        uint64_t end = kw_zset_rank_of(zset, &range->max);
        return *rank < end ? end - *rank : 0;
    }
    int64_t count = zset->count;
    int64_t start = range->start + (range->start < 0 ? count : 0);
    int64_t end = range->end + (range->end < 0 ? count : 0);

    start = start < 0 ? 0 : start;
    end = end >= count ? count - 1 : end;
    if (start > end) {
        return 0;
    }
    *rank = (uint64_t)(is_reverse ? count - 1 - end : start);
    return (uint64_t)(end - start) + 1;
}

void kw__zset_reply_header(struct kw_exec *exec, uint64_t count, bool has_scores)
{
    kw_reply_array(exec->out, has_scores && exec->proto == 2 ? count * 2 : count);
}

void kw__zset_reply_item(struct kw_exec *exec, const struct kw_zset_item *item, bool has_scores)
{
    if (has_scores && exec->proto != 2) {
        kw_reply_array(exec->out, 2);
    }
    kw_reply_bulk(exec->out, item->member);
    if (has_scores) {
        kw_reply_double(exec->out, item->score, exec->proto);
    }
}

void kw__zset_shrunk(struct kw_exec *exec, struct kw_bytes name, const struct kw_zset *zset,
                     const char *event)
{
    kw_key_changed(exec, name, KW_STORE_ZSET, event);
    if (zset->count == 0) {
        kw_key_remove(exec, name);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
    }
}

void kw__zset_store(struct kw_exec *exec, struct kw_bytes name, struct kw_zset *taken_zset,
                    const char *event)
{
    uint64_t count = taken_zset->count;

    if (count == 0) {
        kw_zset_free(exec->worker, &taken_zset);
        if (kw_key_remove(exec, name)) {
            kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
        }
    } else {
        if (!kw_key_put_object(exec, name, KW_KIND_ZSET, taken_zset, KW_DEADLINE_NONE)) {
            return;
        }
        kw_key_changed(exec, name, KW_STORE_ZSET, event);
        kw_key_ready(exec, name);
    }
    kw_reply_int(exec->out, (int64_t)count);
}

/* As strtod() takes it, which is more than a score may be: nothing at all is 0. */
static bool parse_number(struct kw_bytes text, double *value)
{
    char room[SCORE_BYTES];
    char *number = room;
    char *end = NULL;

    if (text.len < sizeof room) {
        memcpy(room, text.data, text.len);
        room[text.len] = '\0';
    } else {
        number = kw_text_copy_bytes(text);
    }
    *value = strtod(number, &end);
    bool is_number = *end == '\0' && !isnan(*value);
    if (number != room) {
        kw_free(number);
    }
    return is_number;
}

static bool parse_score_bound(struct kw_bytes text, struct kw_probe *probe, bool is_max)
{
    bool is_exclusive = text.len > 0 && text.data[0] == '(';

    *probe = (struct kw_probe){.kind = KW_PROBE_SCORE, .is_behind = is_max != is_exclusive};
    if (is_exclusive) {
        text = kw_bytes_of(text.data + 1, text.len - 1);
    }
    return parse_number(text, &probe->score);
}

static bool parse_lex_bound(struct kw_bytes text, struct kw_probe *probe, bool is_max)
{
    char first = text.len > 0 ? text.data[0] : '\0';

    if (first == '-' || first == '+') {
        *probe = (struct kw_probe){.kind = KW_PROBE_SCORE,
                                   .is_behind = first == '+',
                                   .score = first == '+' ? INFINITY : -INFINITY};
        return text.len == 1;
    }
    if (first != '(' && first != '[') {
        return false;
    }
    *probe = (struct kw_probe){.kind = KW_PROBE_MEMBER,
                               .is_behind = is_max == (first == '['),
                               .member = kw_bytes_of(text.data + 1, text.len - 1)};
    return true;
}
