/* config.c - the snapshot: how it comes to be, and its last reference.
 *
 * A new snapshot gets its defaults from options.def through the same parser that reads files, so a
 * default can't differ from what the example file says. load.c then changes it, while it has the
 * only reference; after that nobody does.
 *
 * I1. references_count >= 1 as long as anybody may look at the snapshot.
 */
#include "config/config.h"

#include "base/assert.h"
#include "base/mem.h"
#include "config/file.h"
#include "config/internal.h"

static void option_set_default(const struct kw__option *option, struct kw_config *config);
static void config_free(struct kw_config *config);

struct kw_config *kw_config_new_default(void)
{
    struct kw_config *config = kw_alloc_zero(1, sizeof *config);
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    atomic_init(&config->references_count, 1);
    config->config_file = kw_text_copy("");
    for (size_t i = 0; i < options_count; i++) {
        option_set_default(&options[i], config);
    }
    return config;
}

struct kw_config *kw__config_copy(const struct kw_config *from)
{
    struct kw_config *copy = kw_config_new_default();
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    for (size_t i = 0; i < options_count; i++) {
        kw__option_copy(&options[i], copy, from);
    }
    kw_free(copy->config_file);
    copy->config_file = kw_text_copy(from->config_file);
    return copy;
}

struct kw_config *kw_config_ref(struct kw_config *config)
{
    unsigned before = atomic_fetch_add_explicit(&config->references_count, 1, memory_order_relaxed);

    KW_ASSERT(before >= 1); /* I1 */
    return config;
}

void kw_config_unref(struct kw_config **config)
{
    struct kw_config *mine = *config;

    *config = NULL;
    if (mine == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub_explicit(&mine->references_count, 1, memory_order_acq_rel);
    KW_ASSERT(before >= 1); /* I1 */
    if (before == 1) {
        config_free(mine);
    }
}

void kw_config_log_notes(const struct kw_config *config)
{
    for (size_t i = 0; i < config->notes_count; i++) {
        kw_log(KW_LOG_WARNING, "%s", config->notes[i]);
    }
}

/* by_default is redis.conf text without the directive, one line for each time it stands there. */
static void option_set_default(const struct kw__option *option, struct kw_config *config)
{
    struct kw_file_cursor cursor;
    struct kw_bytes line;

    kw_file_cursor_init(&cursor, kw_bytes_of_text(option->by_default));
    while (kw_file_cursor_next(&cursor, &line)) {
        struct kw_file_words words = {0};
        struct kw__text why = {0};
        const char *reason = NULL;
        enum kw_status split = kw_file_words_split(line, &words, &reason);
        KW_ASSERT(split == KW_OK);
        enum kw_status set =
            kw__option_set(option, config, (const char *const *)words.words, words.count, &why);
        KW_ASSERT(set == KW_OK);
        kw_file_words_deinit(&words);
    }
}

static void config_free(struct kw_config *config)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    for (size_t i = 0; i < options_count; i++) {
        kw__option_clear(&options[i], config);
    }
    for (size_t i = 0; i < config->notes_count; i++) {
        kw_free(config->notes[i]);
    }
    kw_free(config->notes);
    kw_free(config->config_file);
    kw_free(config);
}
