/* test_describe.c - the example file, --help and CONFIG GET. */
#include "config/internal.h"
#include "tests/unit/config/loading.h"

#include <stdio.h>

enum { PRINTED_MAX_BYTES = 64 * 1024 };

static void printed(void (*print)(FILE *), char *text)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    print(file);
    rewind(file);
    size_t len = fread(text, 1, PRINTED_MAX_BYTES - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(len > 0 && len < PRINTED_MAX_BYTES - 1);
    text[len] = '\0';
}

/* Names and values, appended as lines. */
static void listing_on_value(void *arg, struct kw_bytes name, struct kw_bytes value)
{
    char *text = arg;
    size_t len = strlen(text);

    (void)snprintf(text + len, PRINTED_MAX_BYTES - len, "%.*s=%.*s\n", (int)name.len, name.data,
                   (int)value.len, value.data);
}

static void listing(const struct kw_config *config, const char *pattern, char *text)
{
    text[0] = '\0';
    struct kw_bytes patterns[] = {kw_bytes_of_text(pattern)};
    (void)kw_config_get(config, patterns, 1, listing_on_value, text);
}

KW_TEST(the_example_file_loads_as_the_defaults)
{
    static char example[PRINTED_MAX_BYTES];
    static char wanted[PRINTED_MAX_BYTES];
    static char got[PRINTED_MAX_BYTES];
    struct kw_config *defaults = kw_config_new_default();

    printed(kw_config_print_example, example);
    struct kw_config *config = loaded(example);

    listing(defaults, "*", wanted);
    listing(config, "*", got);
    assert_string_equal(got, wanted);
    assert_int_equal(config->notes_count, 0);
    kw_config_unref(&config);
    kw_config_unref(&defaults);
}

KW_TEST(the_samples_of_the_example_file_load_when_uncommented)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);
    char text[512];

    for (size_t i = 0; i < options_count; i++) {
        if (options[i].sample != NULL) {
            (void)snprintf(text, sizeof text, "%s %s\n", options[i].name, options[i].sample);
            struct kw_config *config = loaded(text);
            kw_config_unref(&config);
        }
    }
}

KW_TEST(the_example_file_and_the_help_name_every_option)
{
    static char example[PRINTED_MAX_BYTES];
    static char help[PRINTED_MAX_BYTES];
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);
    char word[128];

    printed(kw_config_print_example, example);
    printed(kw_config_print_help, help);

    for (size_t i = 0; i < options_count; i++) {
        (void)snprintf(word, sizeof word, "%s ", options[i].name);
        assert_non_null(strstr(example, word));
        bool is_long = strlen(options[i].name) + strlen(options[i].takes) + 5 > 80;
        (void)snprintf(word, sizeof word, "  --%s %s\n", options[i].name,
                       is_long ? "WORD" : options[i].takes);
        assert_non_null(strstr(help, word));
    }
}

KW_TEST(no_line_of_the_example_file_or_the_help_is_wider_than_a_terminal)
{
    static char text[PRINTED_MAX_BYTES];
    void (*const prints[])(FILE *) = {kw_config_print_example, kw_config_print_help};

    for (size_t i = 0; i < 2; i++) {
        printed(prints[i], text);
        for (const char *line = text; line[0] != '\0';) {
            size_t len = strcspn(line, "\n");
            assert_true(len <= 80);
            assert_true(len == 0 || line[len - 1] != ' ');
            line += len + 1;
        }
    }
}

KW_TEST(config_get_takes_globs_in_any_case)
{
    static char text[PRINTED_MAX_BYTES];
    struct kw_config *config = loaded("port 7000");

    listing(config, "Tcp-*", text);
    assert_string_equal(text, "tcp-backlog=511\ntcp-keepalive=300\n");
    listing(config, "p?rt", text);
    assert_string_equal(text, "port=7000\n");
    listing(config, "nothing", text);
    assert_string_equal(text, "");
    listing(config, "", text);
    assert_string_equal(text, "");
    kw_config_unref(&config);
}

KW_TEST(config_get_answers_what_tools_ask_for)
{
    static const char *const wanted[][2] = {
        {"save", ""},
        {"appendonly", "no"},
        {"databases", "1"},
        {"maxmemory", "0"},
        {"maxmemory-policy", "noeviction"},
        {"timeout", "0"},
        {"replica-read-only", "yes"},
        {"slave-read-only", "yes"},
        {"proto-max-bulk-len", "536870912"},
    };
    struct kw_config *config = kw_config_new_default();
    struct shown shown;

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_string_equal(show(config, wanted[i][0], &shown), wanted[i][1]);
    }
    kw_config_unref(&config);
}

KW_TEST(config_get_never_shows_a_secret)
{
    static char text[PRINTED_MAX_BYTES];
    struct kw_config *config = loaded("masteruser hunter1\ncluster-auth-pass hunter2");

    assert_string_equal(config->cluster_auth_user, "hunter1");
    assert_string_equal(config->cluster_auth_pass, "hunter2");
    listing(config, "*", text);
    assert_null(strstr(text, "hunter"));
    assert_non_null(strstr(text, "cluster-auth-pass=(redacted)\nmasterauth=(redacted)\n"));
    kw_config_unref(&config);

    config = loaded("masteruser \"\"");
    listing(config, "master*", text);
    assert_string_equal(text, "masteruser=\nmasterauth=\n");
    kw_config_unref(&config);
}
