/* invalidation.c - see invalidation.h. */
#include "backend/invalidation.h"

#include "base/text.h"

static bool read_count(const char **at, const char *end, char type, int64_t *count);

bool kw_invalidation_begin(struct kw_invalidation *told, struct kw_bytes push)
{
    static const struct kw_bytes head = {">2\r\n$10\r\ninvalidate\r\n", 21};

    if (!kw_bytes_start_with(push, head)) {
        return false;
    }
    *told = (struct kw_invalidation){.at = push.data + head.len, .end = push.data + push.len};
    told->is_of_all = *told->at == '_';
    told->is_broken = !told->is_of_all && !read_count(&told->at, told->end, '*', &told->left_count);
    return true;
}

bool kw_invalidation_next(struct kw_invalidation *told, struct kw_bytes *name)
{
    int64_t len = 0;

    if (told->is_broken || told->left_count == 0) {
        return false;
    }
    told->is_broken = !read_count(&told->at, told->end, '$', &len) || len > told->end - told->at;
    if (told->is_broken) {
        return false;
    }
    *name = kw_bytes_of(told->at, (size_t)len);
    told->at += len + 2;
    told->left_count--;
    return true;
}

/* The number in the line at *AT, which begins with TYPE; *AT moves behind the line. */
static bool read_count(const char **at, const char *end, char type, int64_t *count)
{
    const char *line = *at;
    const char *line_end = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

    if (line_end == NULL || line[0] != type ||
        kw_text_to_int(kw_bytes_of(line + 1, (size_t)(line_end - line - 2)), count) != KW_OK) {
        return false;
    }
    *at = line_end + 1;
    return *count >= 0;
}
