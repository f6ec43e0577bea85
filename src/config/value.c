/* value.c - what the types of options.def mean: from words to a field, and from a field to text.
 *
 * Each type has a parser that leaves the field alone unless all words are good, and says what is
 * allowed when one is not. Fields are reached by offset and width, as the table says; numbers of
 * every width are unsigned or never negative, so their bytes are those of an unsigned of that width
 * (test_options.c checks that each row's maximum fits).
 * The types that take several words are list.c's.
 */
#include "config/internal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"

#include <inttypes.h>

enum { OCTAL_MAX_LEN = 11 }; /* digits that fit in 64 bits by far, leading zeros included */

typedef enum kw_status (*value_setter)(const struct kw__option *option, void *field,
                                       const char *value, struct kw__text *why);

static enum kw_status number_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why);
static enum kw_status integer_set(const struct kw__option *option, void *field, const char *value,
                                  struct kw__text *why);
static enum kw_status octal_set(const struct kw__option *option, void *field, const char *value,
                                struct kw__text *why);
static enum kw_status size_set(const struct kw__option *option, void *field, const char *value,
                               struct kw__text *why);
static enum kw_status yes_no_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why);
static enum kw_status level_set(const struct kw__option *option, void *field, const char *value,
                                struct kw__text *why);
static enum kw_status personality_set(const struct kw__option *option, void *field,
                                      const char *value, struct kw__text *why);
static enum kw_status choice_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why);
static struct kw_bytes choice_word(const struct kw__option *option, unsigned number);
static enum kw_status text_set(const struct kw__option *option, void *field, const char *value,
                               struct kw__text *why);
static bool number_is_long(const char *value);
static void number_store(const struct kw__option *option, void *field, uint64_t number);
static uint64_t number_load(const struct kw__option *option, const void *field);
static void size_add(struct kw__text *text, uint64_t size_bytes);
static void text_forget(char **text);

static const char *const levels[] = {"debug", "verbose", "notice", "warning"};

static const char *const personalities[] = {"standalone", "cluster"};

enum { LEVELS_COUNT = sizeof levels / sizeof levels[0] };

/* NULL: a list, which takes more than one word. */
static const value_setter value_setters[] = {
    [KW__OPTION_NUMBER] = number_set,  [KW__OPTION_INTEGER] = integer_set,
    [KW__OPTION_OCTAL] = octal_set,    [KW__OPTION_SIZE] = size_set,
    [KW__OPTION_YES_NO] = yes_no_set,  [KW__OPTION_LEVEL] = level_set,
    [KW__OPTION_PATH] = text_set,      [KW__OPTION_SECRET] = text_set,
    [KW__OPTION_ADDRESSES] = NULL,     [KW__OPTION_SEEDS] = NULL,
    [KW__OPTION_OUTPUT_LIMITS] = NULL, [KW__OPTION_PERSONALITY] = personality_set,
    [KW__OPTION_CHOICE] = choice_set,
};

enum kw_status kw__option_set(const struct kw__option *option, struct kw_config *config,
                              const char *const *values, size_t values_count, struct kw__text *why)
{
    value_setter set = value_setters[option->type];

    if (set == NULL) {
        return kw__list_set(option, config, values, values_count, why);
    }
    if (values_count != 1) {
        bool has_comment = values_count > 1 && values[1][0] == '#';
        kw__text_add(why, "wrong number of arguments: %zu given, 1 expected%s", values_count,
                     has_comment ? "; a comment needs a line of its own" : "");
        return KW_E_INVALID;
    }
    enum kw_status status = set(option, (char *)config + option->offset_bytes, values[0], why);
    if (status != KW_OK && option->type != KW__OPTION_SECRET) {
        kw__text_add(why, "; allowed: ");
        kw__option_allowed(option, why);
    }
    return status;
}

void kw__option_allowed(const struct kw__option *option, struct kw__text *text)
{
    switch (option->type) {
    case KW__OPTION_NUMBER:
        kw__text_add(text, "%" PRIu64 " to %" PRIu64 "%s%s", option->min, option->max,
                     option->unit != NULL ? " " : "", option->unit != NULL ? option->unit : "");
        break;
    case KW__OPTION_INTEGER:
        kw__text_add(text, "%" PRId64 " to %" PRIu64 "%s%s", (int64_t)option->min, option->max,
                     option->unit != NULL ? " " : "", option->unit != NULL ? option->unit : "");
        break;
    case KW__OPTION_OCTAL:
        kw__text_add(text, "%" PRIo64 " to %" PRIo64 ", octal", option->min, option->max);
        break;
    case KW__OPTION_SIZE:
        size_add(text, option->min);
        kw__text_add(text, " to ");
        size_add(text, option->max);
        kw__text_add(text, "; k, m, g = 1000, kb, mb, gb = 1024");
        break;
    case KW__OPTION_YES_NO:
        kw__text_add(text, "yes, no");
        break;
    case KW__OPTION_LEVEL:
        kw__text_add(text, "%s, %s, %s, %s", levels[0], levels[1], levels[2], levels[3]);
        break;
    case KW__OPTION_PERSONALITY:
        kw__text_add(text, "%s, %s", personalities[0], personalities[1]);
        break;
    case KW__OPTION_CHOICE:
        for (unsigned i = 0; choice_word(option, i).len > 0; i++) {
            struct kw_bytes word = choice_word(option, i);
            kw__text_add(text, "%s%.*s", i > 0 ? ", " : "", (int)word.len, word.data);
        }
        break;
    case KW__OPTION_PATH:
    case KW__OPTION_SECRET:
        kw__text_add(text, "at most %" PRIu64 " bytes", option->max);
        break;
    case KW__OPTION_ADDRESSES:
    case KW__OPTION_SEEDS:
    case KW__OPTION_OUTPUT_LIMITS:
        kw__text_add(text, "%" PRIu64 " to %" PRIu64 " times %s", option->min, option->max,
                     option->takes);
        break;
    default:
        KW_UNREACHABLE();
    }
}

void kw__option_show(const struct kw__option *option, const struct kw_config *config,
                     struct kw__text *text)
{
    const void *field = (const char *)config + option->offset_bytes;

    switch (option->type) {
    case KW__OPTION_NUMBER:
    case KW__OPTION_SIZE:
        kw__text_add(text, "%" PRIu64, number_load(option, field));
        break;
    case KW__OPTION_INTEGER:
        kw__text_add(text, "%" PRId64, *(const int64_t *)field);
        break;
    case KW__OPTION_OCTAL:
        kw__text_add(text, "%" PRIo64, number_load(option, field));
        break;
    case KW__OPTION_YES_NO:
        kw__text_add(text, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case KW__OPTION_LEVEL:
        kw__text_add(text, "%s", levels[*(const enum kw_log_level *)field]);
        break;
    case KW__OPTION_PERSONALITY:
        kw__text_add(text, "%s", personalities[*(const enum kw_personality *)field]);
        break;
    case KW__OPTION_CHOICE: {
        struct kw_bytes word = choice_word(option, (unsigned)number_load(option, field));
        kw__text_add(text, "%.*s", (int)word.len, word.data);
        break;
    }
    case KW__OPTION_PATH:
        kw__text_add(text, "%s", *(char *const *)field);
        break;
    case KW__OPTION_SECRET:
        kw__text_add(text, "%s", **(char *const *)field != '\0' ? "(redacted)" : "");
        break;
    case KW__OPTION_ADDRESSES:
    case KW__OPTION_SEEDS:
    case KW__OPTION_OUTPUT_LIMITS:
        kw__list_show(option, config, text);
        break;
    default:
        KW_UNREACHABLE();
    }
}

void kw__option_clear(const struct kw__option *option, struct kw_config *config)
{
    char **text = (char **)((char *)config + option->offset_bytes);

    if (option->type == KW__OPTION_PATH || option->type == KW__OPTION_SECRET) {
        text_forget(text);
    } else if (option->type == KW__OPTION_ADDRESSES || option->type == KW__OPTION_SEEDS) {
        kw__list_clear(option, config);
    }
}

void kw__option_copy(const struct kw__option *option, struct kw_config *config,
                     const struct kw_config *from)
{
    void *field = (char *)config + option->offset_bytes;
    const void *source = (const char *)from + option->offset_bytes;

    if (option->type == KW__OPTION_PATH || option->type == KW__OPTION_SECRET) {
        text_forget(field);
        *(char **)field = kw_text_copy(*(char *const *)source);
    } else if (value_setters[option->type] == NULL) {
        kw__list_copy(option, config, from);
    } else {
        memcpy(field, source, option->width_bytes);
    }
}

bool kw__option_differs(const struct kw__option *option, const struct kw_config *left,
                        const struct kw_config *right)
{
    if (option->type == KW__OPTION_SECRET) {
        return strcmp(*(char *const *)((const char *)left + option->offset_bytes),
                      *(char *const *)((const char *)right + option->offset_bytes)) != 0;
    }
    struct kw__text a = {0};
    struct kw__text b = {0};
    kw__option_show(option, left, &a);
    kw__option_show(option, right, &b);
    bool differs = !kw_bytes_equal(kw_bytes_of(a.data, a.len), kw_bytes_of(b.data, b.len));
    kw__text_deinit(&a);
    kw__text_deinit(&b);
    return differs;
}

static enum kw_status number_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why)
{
    int64_t number = 0;
    bool is_number = kw_text_to_int(kw_bytes_of_text(value), &number) == KW_OK;

    if (!is_number && !number_is_long(value)) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is not a whole number");
        return KW_E_INVALID;
    }
    if (!is_number || number < 0 || (uint64_t)number < option->min ||
        (uint64_t)number > option->max) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is out of range");
        return KW_E_INVALID;
    }
    number_store(option, field, (uint64_t)number);
    return KW_OK;
}

static enum kw_status integer_set(const struct kw__option *option, void *field, const char *value,
                                  struct kw__text *why)
{
    int64_t number = 0;
    bool is_number = kw_text_to_int(kw_bytes_of_text(value), &number) == KW_OK;

    if (!is_number || number < (int64_t)option->min || number > (int64_t)option->max) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, is_number || number_is_long(value) ? " is out of range"
                                                             : " is not a whole number");
        return KW_E_INVALID;
    }
    *(int64_t *)field = number;
    return KW_OK;
}

static enum kw_status octal_set(const struct kw__option *option, void *field, const char *value,
                                struct kw__text *why)
{
    uint64_t number = 0;
    size_t at = 0;

    while (at < OCTAL_MAX_LEN && value[at] >= '0' && value[at] <= '7') {
        number = number * 8 + (uint64_t)(value[at++] - '0');
    }
    if (at == 0 || value[at] != '\0' || number < option->min || number > option->max) {
        bool is_octal = at > 0 && strspn(value, "01234567") == strlen(value);
        kw__text_add_quoted(why, value);
        kw__text_add(why, is_octal ? " is out of range" : " is not an octal number");
        return KW_E_INVALID;
    }
    number_store(option, field, number);
    return KW_OK;
}

static enum kw_status size_set(const struct kw__option *option, void *field, const char *value,
                               struct kw__text *why)
{
    uint64_t size_bytes = 0;

    if (kw_text_to_size(kw_bytes_of_text(value), &size_bytes) != KW_OK) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is not a size");
        return KW_E_INVALID;
    }
    if (size_bytes < option->min || size_bytes > option->max) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is out of range");
        return KW_E_INVALID;
    }
    number_store(option, field, size_bytes);
    return KW_OK;
}

static enum kw_status yes_no_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why)
{
    bool is_yes = strcasecmp(value, "yes") == 0;

    (void)option;
    if (!is_yes && strcasecmp(value, "no") != 0) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is neither yes nor no");
        return KW_E_INVALID;
    }
    *(bool *)field = is_yes;
    return KW_OK;
}

static enum kw_status level_set(const struct kw__option *option, void *field, const char *value,
                                struct kw__text *why)
{
    (void)option;
    for (size_t i = 0; i < LEVELS_COUNT; i++) {
        if (strcasecmp(value, levels[i]) == 0) {
            *(enum kw_log_level *)field = (enum kw_log_level)i;
            return KW_OK;
        }
    }
    kw__text_add_quoted(why, value);
    kw__text_add(why, " is not a level");
    return KW_E_INVALID;
}

static enum kw_status personality_set(const struct kw__option *option, void *field,
                                      const char *value, struct kw__text *why)
{
    bool is_cluster = strcasecmp(value, personalities[KW_PERSONALITY_CLUSTER]) == 0;

    (void)option;
    if (!is_cluster && strcasecmp(value, personalities[KW_PERSONALITY_STANDALONE]) != 0) {
        kw__text_add_quoted(why, value);
        kw__text_add(why, " is not a personality");
        return KW_E_INVALID;
    }
    *(enum kw_personality *)field = is_cluster ? KW_PERSONALITY_CLUSTER : KW_PERSONALITY_STANDALONE;
    return KW_OK;
}

static enum kw_status choice_set(const struct kw__option *option, void *field, const char *value,
                                 struct kw__text *why)
{
    for (unsigned i = 0; choice_word(option, i).len > 0; i++) {
        if (kw_bytes_equal_nocase(choice_word(option, i), kw_bytes_of_text(value))) {
            number_store(option, field, i);
            return KW_OK;
        }
    }
    kw__text_add_quoted(why, value);
    kw__text_add(why, " is none of them");
    return KW_E_INVALID;
}

/* Word NUMBER of those that .takes names, with | between them; empty behind the last one. */
static struct kw_bytes choice_word(const struct kw__option *option, unsigned number)
{
    const char *word = option->takes;

    for (; number > 0 && word != NULL; number--) {
        word = strchr(word, '|');
        word = word == NULL ? NULL : word + 1;
    }
    return word == NULL ? kw_bytes_of("", 0) : kw_bytes_of(word, strcspn(word, "|"));
}

static enum kw_status text_set(const struct kw__option *option, void *field, const char *value,
                               struct kw__text *why)
{
    if (strlen(value) > option->max) {
        kw__text_add(why, "the value is longer than %" PRIu64 " bytes", option->max);
        return KW_E_INVALID;
    }
    text_forget(field);
    *(char **)field = kw_text_copy(value);
    return KW_OK;
}

/* A number that is only too long for 64 bits is out of range, rather than no number. */
static bool number_is_long(const char *value)
{
    const char *digits = value[0] == '-' ? value + 1 : value;

    return digits[0] >= '1' && digits[0] <= '9' && strspn(digits, "0123456789") == strlen(digits);
}

static void number_store(const struct kw__option *option, void *field, uint64_t number)
{
    uint32_t narrow = (uint32_t)number;

    if (option->width_bytes == sizeof narrow) {
        memcpy(field, &narrow, sizeof narrow);
    } else {
        KW_ASSERT(option->width_bytes == sizeof number);
        memcpy(field, &number, sizeof number);
    }
}

static uint64_t number_load(const struct kw__option *option, const void *field)
{
    uint32_t narrow = 0;
    uint64_t number = 0;

    if (option->width_bytes == sizeof narrow) {
        memcpy(&narrow, field, sizeof narrow);
        return narrow;
    }
    KW_ASSERT(option->width_bytes == sizeof number);
    memcpy(&number, field, sizeof number);
    return number;
}

/* In the largest unit that needs no fraction. */
static void size_add(struct kw__text *text, uint64_t size_bytes)
{
    static const char *const units[] = {"", "kb", "mb", "gb"};
    size_t unit = 0;

    while (unit < 3 && size_bytes > 0 && size_bytes % 1024 == 0) {
        size_bytes /= 1024;
        unit++;
    }
    kw__text_add(text, "%" PRIu64 "%s", size_bytes, units[unit]);
}

/* Texts may be secrets: leave no copy in freed memory. */
static void text_forget(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
    }
    kw_free(*text);
    *text = NULL;
}
