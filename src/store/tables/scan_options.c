/* scan_options.c - see scan_options.h. */
#include "store/tables/scan_options.h"

#include "base/text.h"

#include <ctype.h>

enum {
    COUNT_DEFAULT = 10,
    STEPS_PER_COUNT = 10 /* buckets that may be empty before a call gives up, as in redis */
};

struct sink {
    const struct kw_scan_options *options;
    struct kw_buf elements;
    size_t elements_count;
    int64_t seen_count;
    bool has_values;
};

static void sink_on_item(void *user, const struct kw_table_item *item);

bool kw__scan_cursor(struct kw_exec *exec, size_t at, uint64_t *cursor)
{
    struct kw_bytes text = exec->argv[at];
    uint64_t value = 0;
    bool is_valid = true;

    for (size_t i = 0; i < text.len && is_valid; i++) {
        is_valid = isdigit((unsigned char)text.data[i]) &&
                   !__builtin_mul_overflow(value, 10, &value) &&
                   !__builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value);
    }
    if (!is_valid) {
        kw_exec_error(exec, KW_ERROR_INVALID_CURSOR, NULL);
        return false;
    }
    *cursor = value;
    return true;
}

bool kw__scan_options(struct kw_exec *exec, size_t first, bool may_be_bare,
                      struct kw_scan_options *options)
{
    bool is_valid = true;

    options->count = COUNT_DEFAULT;
    for (size_t i = first; i < exec->argc && is_valid; i++) {
        bool has_next = i + 1 < exec->argc;
        if (has_next && kw_exec_is(exec, i, KW_BYTES("COUNT"))) {
            if (!kw_exec_int(exec, exec->argv[++i], &options->count)) {
                return false;
            }
            is_valid = options->count >= 1;
        } else if (has_next && kw_exec_is(exec, i, KW_BYTES("MATCH"))) {
            options->has_pattern = true;
            options->pattern = exec->argv[++i];
        } else if (may_be_bare && kw_exec_is(exec, i, KW_BYTES("NOVALUES"))) {
            options->is_bare = true;
        } else {
            is_valid = false;
        }
    }
    if (!is_valid) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
    }
    return is_valid;
}

bool kw__scan_matches(const struct kw_scan_options *options, struct kw_bytes text)
{
    return !options->has_pattern || kw_text_glob(options->pattern, text, false);
}

void kw__scan_reply(struct kw_exec *exec, uint64_t cursor, size_t count, struct kw_buf *elements)
{
    char text[KW_TEXT_INT_MAX];
    size_t len = 0;

    /* As an unsigned number: the cursor of a table may have any bit. */
    len += cursor >= 10 ? kw_text_from_int((int64_t)(cursor / 10), text) : 0;
    text[len++] = (char)('0' + cursor % 10);
    kw_reply_array(exec->out, 2);
    kw_reply_bulk(exec->out, kw_bytes_of(text, len));
    kw_reply_array(exec->out, count);
    kw_buf_append_buf(exec->out, elements);
}

void kw__scan_table(struct kw_exec *exec, const struct kw_scan_options *options,
                    const struct kw_table *table)
{
    struct sink sink = {.options = options, .has_values = table->has_values && !options->is_bare};
    uint64_t cursor = options->cursor;
    int64_t steps = 0;

    kw_buf_init(&sink.elements, exec->out->pool);
    do {
        cursor = kw_table_scan(table, cursor, sink_on_item, &sink);
        steps++;
    } while (cursor != 0 && sink.seen_count < options->count &&
             steps / STEPS_PER_COUNT < options->count);
    kw__scan_reply(exec, cursor, sink.elements_count, &sink.elements);
}

static void sink_on_item(void *user, const struct kw_table_item *item)
{
    struct sink *sink = user;

    sink->seen_count++;
    if (!kw__scan_matches(sink->options, item->key)) {
        return;
    }
    kw_reply_bulk(&sink->elements, item->key);
    sink->elements_count++;
    if (sink->has_values) {
        kw_reply_bulk(&sink->elements, item->value);
        sink->elements_count++;
    }
}
