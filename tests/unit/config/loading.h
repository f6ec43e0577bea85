/* loading.h - builders for the tests of config/: load a text, expect it to be good or refused.
 *
 * Thread: the tests'. Memory: snapshots are the caller's; texts are copied into the fixed buffers.
 */
#ifndef KW_TESTS_UNIT_CONFIG_LOADING_H
#define KW_TESTS_UNIT_CONFIG_LOADING_H

#include "config/config.h"
#include "config/describe.h"
#include "tests/unit/kw_test.h"

#include <string.h>

enum { SHOWN_MAX_BYTES = 128 * 1024 };

/* One value of CONFIG GET. */
struct shown {
    char text[SHOWN_MAX_BYTES];
    size_t count;
};

/* The snapshot of TEXT, which must be good. */
static inline struct kw_config *loaded(const char *text)
{
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";

    if (kw_config_load_text(kw_bytes_of_text(text), &config, error, sizeof error) != KW_OK) {
        print_error("refused: %s\n", error);
    }
    assert_non_null(config);
    return config;
}

/* TEXT must be refused, with WANTED in the error. */
static inline void assert_refused(const char *text, const char *wanted)
{
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";

    enum kw_status status =
        kw_config_load_text(kw_bytes_of_text(text), &config, error, sizeof error);
    assert_int_equal(status, KW_E_INVALID);
    assert_null(config);
    if (strstr(error, wanted) == NULL) {
        print_error("wanted: %s\nerror:  %s\n", wanted, error);
    }
    assert_non_null(strstr(error, wanted));
}

/* The load of the command line ARGV, NULL-terminated. */
static inline enum kw_status load_argv(char **argv, struct kw_config **config, char *error,
                                       size_t error_size)
{
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    return kw_config_load(argc, argv, config, error, error_size);
}

static inline void shown_on_value(void *arg, struct kw_bytes name, struct kw_bytes value)
{
    struct shown *shown = arg;

    (void)name;
    assert_true(value.len < sizeof shown->text);
    memcpy(shown->text, value.data, value.len);
    shown->text[value.len] = '\0';
    shown->count++;
}

/* What CONFIG GET says of NAME; there must be exactly one. */
static inline const char *show(const struct kw_config *config, const char *name,
                               struct shown *shown)
{
    shown->count = 0;
    struct kw_bytes names[] = {kw_bytes_of_text(name)};
    size_t count = kw_config_get(config, names, 1, shown_on_value, shown);

    assert_int_equal(count, 1);
    assert_int_equal(shown->count, 1);
    return shown->text;
}

/* Does any note of CONFIG hold WORDS? */
static inline bool has_note(const struct kw_config *config, const char *words)
{
    for (size_t i = 0; i < config->notes_count; i++) {
        if (strstr(config->notes[i], words) != NULL) {
            return true;
        }
    }
    return false;
}

#endif
