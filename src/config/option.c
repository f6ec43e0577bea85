/* option.c - the table of options.def in memory, and how a name finds its row.
 *
 * This is the one place where options.def is expanded: once for keyway's own rows, once for the
 * foreign ones. Names are looked up by walking the table: some forty rows, a few times at the
 * start of the process. What the values of a row look like is value.c's.
 */
#include "config/internal.h"

#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    NAME_MAX_LEN = 63,     /* longer words are like no name at all */
    TEXT_FIRST_BYTES = 64, /* most values fit */
    QUOTED_MAX_LEN = 100   /* of a value in an error text */
};

#define NETWORK KW__OPTION_NETWORK
#define LIMITS KW__OPTION_LIMITS
#define CLUSTER KW__OPTION_CLUSTER
#define CACHE KW__OPTION_CACHE
#define STORE KW__OPTION_STORE
#define PROCESS KW__OPTION_PROCESS
#define START KW__OPTION_START
#define LIVE KW__OPTION_LIVE

static const struct kw__option options[] = {
#define KW_OPTION(option_name, option_type, field, ...)                                            \
    {.name = option_name,                                                                          \
     .type = KW__OPTION_##option_type,                                                             \
     .offset_bytes = offsetof(struct kw_config, field),                                            \
     .width_bytes = sizeof(((struct kw_config *)0)->field),                                        \
     __VA_ARGS__},
#define KW_FOREIGN(name_glob, fate, why)
#include "config/options.def"
#undef KW_OPTION
#undef KW_FOREIGN
};

#define IGNORED false
#define REFUSED true

static const struct kw__foreign foreigns[] = {
#define KW_OPTION(...)
#define KW_FOREIGN(name_glob, fate, why) {.glob = name_glob, .is_refused = fate, .reason = why},
#include "config/options.def"
#undef KW_OPTION
#undef KW_FOREIGN
};

enum {
    OPTIONS_COUNT = sizeof options / sizeof options[0],
    FOREIGNS_COUNT = sizeof foreigns / sizeof foreigns[0]
};

static size_t name_distance(const char *left, const char *right);
static size_t smallest(size_t a, size_t b, size_t c);

const struct kw__option *kw__options(size_t *options_count)
{
    *options_count = OPTIONS_COUNT;
    return options;
}

const struct kw__option *kw__option_find(struct kw_bytes name)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        const char *alias = options[i].alias;
        if (kw_bytes_equal_nocase(name, kw_bytes_of_text(options[i].name)) ||
            (alias != NULL && kw_bytes_equal_nocase(name, kw_bytes_of_text(alias)))) {
            return &options[i];
        }
    }
    return NULL;
}

const struct kw__option *kw__option_nearest(struct kw_bytes name)
{
    const struct kw__option *nearest = NULL;
    char lower[NAME_MAX_LEN + 1];
    size_t distance_max = name.len < 6 ? name.len / 2 : name.len / 3; /* more would be guessing */

    if (name.len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < name.len; i++) {
        int byte = tolower((unsigned char)name.data[i]);
        lower[i] = byte == '_' ? '-' : (char)byte;
    }
    lower[name.len] = '\0';
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        size_t distance = name_distance(lower, options[i].name);
        if (distance <= distance_max) {
            nearest = &options[i];
            distance_max = distance == 0 ? 0 : distance - 1;
            if (distance == 0) {
                break;
            }
        }
    }
    return nearest;
}

const struct kw__foreign *kw__foreign_find(struct kw_bytes name)
{
    for (size_t i = 0; i < FOREIGNS_COUNT; i++) {
        if (kw_text_glob(kw_bytes_of_text(foreigns[i].glob), name, true)) {
            return &foreigns[i];
        }
    }
    return NULL;
}

void kw__text_add(struct kw__text *text, const char *format, ...)
{
    va_list arguments;
    va_list again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int added = vsnprintf(NULL, 0, format, arguments);
    size_t needed_bytes = text->len + (added > 0 ? (size_t)added : 0) + 1;
    if (needed_bytes > text->size_bytes) {
        text->size_bytes = needed_bytes < TEXT_FIRST_BYTES ? TEXT_FIRST_BYTES : needed_bytes * 2;
        text->data = kw_realloc(text->data, text->size_bytes);
    }
    (void)vsnprintf(text->data + text->len, text->size_bytes - text->len, format, again);
    text->len = needed_bytes - 1;
    va_end(again);
    va_end(arguments);
}

void kw__text_add_quoted(struct kw__text *text, const char *value)
{
    char printable[QUOTED_MAX_LEN + 1];
    struct kw_bytes bytes = kw_bytes_of_text(value);

    (void)kw_text_printable(bytes, printable, sizeof printable);
    kw__text_add(text, "'%s%s'", printable, bytes.len > QUOTED_MAX_LEN ? "..." : "");
}

void kw__text_deinit(struct kw__text *text)
{
    kw_free(text->data);
    *text = (struct kw__text){0};
}

/* Levenshtein's: how many letters to insert, delete or replace. Both at most NAME_MAX_LEN long. */
static size_t name_distance(const char *left, const char *right)
{
    size_t row[NAME_MAX_LEN + 1];
    size_t right_len = strlen(right);

    for (size_t j = 0; j <= right_len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; left[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < right_len; j++) {
            size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = smallest(replaced, row[j] + 1, row[j + 1] + 1);
        }
    }
    return row[right_len];
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t of_two = a < b ? a : b;

    return of_two < c ? of_two : c;
}
