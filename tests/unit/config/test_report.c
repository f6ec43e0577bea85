/* test_report.c - what a load tells: no secrets, and notes that stay short. */
#include "tests/unit/config/loading.h"

#include <stdio.h>

KW_TEST(no_error_text_shows_a_secret)
{
    static const char *const lines[] = {
        "cluster-auth-pass hunter2 x",
        "cluster-auth-pass=hunter2",
        "masterauth hunter2 hunter2",
        "requirepass hunter2",
        "requirepas hunter2",
        "cluster-auth-user hunter2 x",
        "cluster-auth-pass: hunter2",
        "cluster-auth-pass \"hunter2",
        "\"masterauth\" 'hunter2",
        "masterauth \"hunter2\"x",
        "masterpass hunter2",
        "user x on >hunter2",
        "\"cluster-auth-pass hunter2\"",
        "cluster-seeds redis://u:hunter2@a.example:7000",
        "masterauth hunter2\\x00\"\\x00\"",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_config *config = NULL;
        char error[KW_CONFIG_ERROR_MAX] = "";
        enum kw_status status =
            kw_config_load_text(kw_bytes_of_text(lines[i]), &config, error, sizeof error);
        assert_int_equal(status, KW_E_INVALID);
        assert_null(strstr(error, "hunter"));
        assert_non_null(strstr(error, "at line 1\n>>> '"));
    }
}

KW_TEST(error_texts_are_printable_and_bounded)
{
    static char text[8 * 1024];
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";

    (void)snprintf(text, sizeof text, "port \"\\x1b[31m\\x07");
    size_t len = strlen(text);
    memset(text + len, 'x', sizeof text - len);
    memcpy(text + sizeof text - 2, "\"", 2);
    assert_int_equal(kw_config_load_text(kw_bytes_of_text(text), &config, error, sizeof error),
                     KW_E_INVALID);
    assert_null(strchr(error, '\x1b'));
    assert_true(strlen(error) < 600);
    assert_non_null(strstr(error, "... is not") == NULL ? strstr(error, "' is not") : error);
    assert_non_null(strstr(error, "allowed: 0 to 65535"));
}

KW_TEST(redis_directives_of_no_use_are_ignored_with_one_note_a_reason)
{
    struct kw_config *config = loaded("save 900 1\nsave 300 10\nSAVE \"\"\nappendonly no\n"
                                      "databases 16\ndir ./\n");

    assert_int_equal(config->notes_count, 3);
    assert_string_equal(config->notes[0],
                        "ignored (keyway keeps nothing on disk): save, appendonly");
    assert_true(has_note(config, ": databases"));
    assert_true(has_note(config, ": dir"));
    kw_config_unref(&config);
}

KW_TEST(redis_directives_that_promise_something_are_refused)
{
    assert_refused("requirepass x", "this version has no passwords for clients");
    assert_refused("aclfile /x", "this version has no users");
    assert_refused("tls-port 6380", "this version has no TLS");
    assert_refused("rename-command FLUSHALL \"\"", "can't rename or disable commands");
    assert_refused("replicaof a 1", "cluster-seeds names the cluster to serve");
}

KW_TEST(a_note_stops_growing)
{
    static char text[256 * 1024];
    size_t len = 0;

    for (int i = 0; i < 8000; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "replica-x%d yes\n", i);
    }

    struct kw_config *config = loaded(text);

    assert_int_equal(config->notes_count, 1);
    assert_true(strlen(config->notes[0]) < 1100);
    kw_config_unref(&config);
}
