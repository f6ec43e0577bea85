/* test_option.c - what every row of options.def promises, tried row by row. */
#include "config/internal.h"
#include "tests/unit/config/loading.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_MAX_BYTES = 16 * 1024 };

static const struct kw__option *next_of_type(size_t *at, enum kw__option_type type)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    while (*at < options_count && options[*at].type != type) {
        *at += 1;
    }
    return *at < options_count ? &options[(*at)++] : NULL;
}

/* "NAME VALUE" must load and be shown as VALUE. The socket lets port be 0. */
static void assert_accepts(const struct kw__option *option, const char *value)
{
    static struct shown shown;
    char text[TEXT_MAX_BYTES];

    (void)snprintf(text, sizeof text, "unixsocket /tmp/s\n%s %s\n", option->name, value);
    struct kw_config *config = loaded(text);
    assert_string_equal(show(config, option->name, &shown), value);
    kw_config_unref(&config);
}

static void assert_refuses(const struct kw__option *option, const char *value, const char *reason)
{
    char text[TEXT_MAX_BYTES];

    (void)snprintf(text, sizeof text, "unixsocket /tmp/s\n%s %s\n", option->name, value);
    assert_refused(text, reason);
    assert_refused(text, "at line 2\n");
    assert_refused(text, option->name);
}

static void number_write(const struct kw__option *option, uint64_t number, char *value,
                         size_t value_size)
{
    if (option->type == KW__OPTION_OCTAL) {
        (void)snprintf(value, value_size, "%" PRIo64, number);
    } else {
        (void)snprintf(value, value_size, "%" PRIu64, number);
    }
}

static void assert_accepts_number(const struct kw__option *option, uint64_t number)
{
    char value[64];

    number_write(option, number, value, sizeof value);
    assert_accepts(option, value);
}

static void assert_refuses_number(const struct kw__option *option, uint64_t number)
{
    char value[64];

    number_write(option, number, value, sizeof value);
    assert_refuses(option, value, " is out of range; allowed: ");
}

static void assert_limits_hold(enum kw__option_type type)
{
    size_t at = 0;

    for (const struct kw__option *option = next_of_type(&at, type); option != NULL;
         option = next_of_type(&at, type)) {
        assert_accepts_number(option, option->min);
        assert_accepts_number(option, option->min + 1);
        assert_accepts_number(option, option->max - 1);
        assert_accepts_number(option, option->max);
        assert_refuses_number(option, option->max + 1);
        if (option->min > 0) {
            assert_refuses_number(option, option->min - 1);
        }
    }
}

KW_TEST(every_number_is_held_to_its_limits)
{
    assert_limits_hold(KW__OPTION_NUMBER);
}

KW_TEST(every_octal_number_is_held_to_its_limits)
{
    assert_limits_hold(KW__OPTION_OCTAL);
}

KW_TEST(every_size_is_held_to_its_limits)
{
    assert_limits_hold(KW__OPTION_SIZE);
}

KW_TEST(every_text_is_held_to_its_longest)
{
    const enum kw__option_type types[] = {KW__OPTION_PATH, KW__OPTION_SECRET};
    static char value[8 * 1024];

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t at = 0;
        for (const struct kw__option *option = next_of_type(&at, types[i]); option != NULL;
             option = next_of_type(&at, types[i])) {
            memset(value, 'x', option->max + 1);
            value[option->max + 1] = '\0';
            assert_refuses(option, value, "the value is longer than");
            value[option->max] = '\0';
            if (types[i] == KW__OPTION_PATH) {
                assert_accepts(option, value);
            }
        }
    }
}

KW_TEST(every_number_refuses_what_is_no_number)
{
    static const char *const bad[] = {"abc", "1x", "0x10", "1.5", "+1", "\"\"", "007", "\" 1\""};
    size_t at = 0;

    for (const struct kw__option *option = next_of_type(&at, KW__OPTION_NUMBER); option != NULL;
         option = next_of_type(&at, KW__OPTION_NUMBER)) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            assert_refuses(option, bad[i], "is not a whole number; allowed: ");
        }
        assert_refuses(option, "-1", "is out of range; allowed: ");
        assert_refuses(option, "18446744073709551617", "is out of range; allowed: ");
        assert_refuses(option, "-9999999999999999999999", "is out of range; allowed: ");
    }
}

KW_TEST(every_size_refuses_what_is_no_size)
{
    static const char *const bad[] = {"abc",  "1x",    "kb",   "-1",
                                      "1 kb", "1.5gb", "\"\"", "99999999999gb"};
    size_t at = 0;

    for (const struct kw__option *option = next_of_type(&at, KW__OPTION_SIZE); option != NULL;
         option = next_of_type(&at, KW__OPTION_SIZE)) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            bool is_two = strchr(bad[i], ' ') != NULL;
            assert_refuses(option, bad[i],
                           is_two ? "wrong number of arguments: 2 given, 1 expected"
                                  : "is not a size; allowed: ");
        }
    }
}

KW_TEST(octal_numbers_refuse_other_digits)
{
    assert_refused("unixsocketperm 8", "'8' is not an octal number; allowed: 0 to 777, octal");
    assert_refused("unixsocketperm 7x", "'7x' is not an octal number");
    assert_refused("unixsocketperm \"\"", "'' is not an octal number");
    assert_refused("unixsocketperm 77777777777777777777777", "is out of range");
    struct kw_config *config = loaded("unixsocketperm 0770");
    assert_int_equal(config->unixsocketperm, 0770);
    kw_config_unref(&config);
}

KW_TEST(every_yes_no_takes_nothing_else)
{
    size_t at = 0;

    for (const struct kw__option *option = next_of_type(&at, KW__OPTION_YES_NO); option != NULL;
         option = next_of_type(&at, KW__OPTION_YES_NO)) {
        assert_accepts(option, "no");
        assert_accepts(option, "yes");
        assert_refuses(option, "true", "'true' is neither yes nor no; allowed: ");
        assert_refuses(option, "\"\"", "'' is neither yes nor no; allowed: ");
    }
}

KW_TEST(every_option_needs_its_argument)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    for (size_t i = 0; i < options_count; i++) {
        assert_refused(options[i].name, "wrong number of arguments: 0 given");
    }
}

KW_TEST(every_row_is_complete_and_its_maximum_fits_its_field)
{
    size_t options_count = 0;
    const struct kw__option *options = kw__options(&options_count);

    for (size_t i = 0; i < options_count; i++) {
        const struct kw__option *option = &options[i];
        assert_non_null(option->name);
        assert_non_null(option->by_default);
        assert_non_null(option->takes);
        assert_non_null(option->summary);
        assert_non_null(option->doc);
        assert_true(option->type == KW__OPTION_INTEGER
                        ? (int64_t)option->min <= (int64_t)option->max
                        : option->min <= option->max);
        assert_ptr_equal(kw__option_find(kw_bytes_of_text(option->name)), option);
        assert_true(kw__foreign_find(kw_bytes_of_text(option->name)) == NULL);
        if (option->type == KW__OPTION_NUMBER && option->width_bytes == sizeof(uint32_t)) {
            assert_true(option->max <= UINT32_MAX);
        }
        for (size_t j = i + 1; j < options_count; j++) {
            assert_string_not_equal(option->name, options[j].name);
        }
    }
}

KW_TEST(names_and_words_may_be_in_any_case)
{
    struct kw_config *config = loaded("PORT 7000\nDaemonize YES\nLogLevel Debug\nmaxmemory 1GB");

    assert_int_equal(config->port, 7000);
    assert_true(config->daemonize);
    assert_int_equal(config->loglevel, KW_LOG_DEBUG);
    assert_int_equal(config->maxmemory_bytes, 1 << 30);
    kw_config_unref(&config);
}

KW_TEST(sizes_take_the_units_of_redis_conf)
{
    struct kw_config *config = loaded("maxmemory 3k");
    assert_int_equal(config->maxmemory_bytes, 3000);
    kw_config_unref(&config);
    config = loaded("maxmemory 3kb");
    assert_int_equal(config->maxmemory_bytes, 3072);
    kw_config_unref(&config);
    config = loaded("maxmemory 2m");
    assert_int_equal(config->maxmemory_bytes, 2000000);
    kw_config_unref(&config);
}

KW_TEST(every_choice_takes_its_words_and_nothing_else)
{
    size_t at = 0;

    for (const struct kw__option *option = next_of_type(&at, KW__OPTION_CHOICE); option != NULL;
         option = next_of_type(&at, KW__OPTION_CHOICE)) {
        assert_accepts(option, option->by_default);
        assert_refuses(option, "best", "'best' is none of them; allowed: ");
        assert_refuses(option, option->takes, " is none of them; allowed: ");
    }
}

KW_TEST(an_unknown_level_names_those_there_are)
{
    assert_refused("loglevel loud",
                   "'loud' is not a level; allowed: debug, verbose, notice, warning");
}

KW_TEST(an_unknown_directive_names_the_nearest_one)
{
    assert_refused("prot 1", "unknown directive; did you mean 'port'?");
    assert_refused("cluster-seed a:1", "did you mean 'cluster-seeds'?");
    assert_refused("node_timeout_ms 1", "did you mean 'node-timeout-ms'?");
    assert_refused("thread 1", "did you mean 'threads'?");
    assert_refused("colour blue", "unknown directive");
    assert_refused("port=7000", "'port' and its value are separated by a blank, not by '='");
}

KW_TEST(a_name_like_no_other_gets_no_suggestion)
{
    assert_null(kw__option_nearest(KW_BYTES("")));
    assert_null(kw__option_nearest(KW_BYTES("colour")));
    assert_null(kw__option_nearest(KW_BYTES("x")));
    char name[200];
    memset(name, 'p', sizeof name);
    assert_null(kw__option_nearest(kw_bytes_of(name, sizeof name)));
}
