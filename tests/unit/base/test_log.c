/* test_log.c - the log: one line an event, nothing in it can forge another. */
#include "base/log.h"
#include "tests/unit/kw_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A log in a file, and what is in it. */
struct journal {
    char path[64];
    char text[65536];
};

static struct journal journal;

static void journal_open(enum kw_log_level level)
{
    (void)snprintf(journal.path, sizeof journal.path, "/tmp/keyway-log-XXXXXX");
    int fd = mkstemp(journal.path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(kw_log_open(journal.path, level), KW_OK);
}

static const char *journal_read(void)
{
    int fd = open(journal.path, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, journal.text, sizeof journal.text - 1);

    assert_true(len >= 0);
    journal.text[len] = '\0';
    close(fd);
    return journal.text;
}

static void journal_close(void)
{
    assert_int_equal(kw_log_open("", KW_LOG_NOTICE), KW_OK);
    unlink(journal.path);
}

static int lines_of(const char *text)
{
    int count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

KW_TEST(log_line_looks_as_those_of_redis)
{
    char wanted[64];

    journal_open(KW_LOG_DEBUG);
    kw_log(KW_LOG_WARNING, "node %s is down", "a:1");
    const char *text = journal_read();
    (void)snprintf(wanted, sizeof wanted, "%d:keyway ", (int)getpid());

    assert_memory_equal(text, wanted, strlen(wanted));
    assert_non_null(strstr(text, " # node a:1 is down\n"));
    assert_int_equal(lines_of(text), 1);
    journal_close();
}

KW_TEST(log_writes_lines_of_its_level_and_above)
{
    static const enum kw_log_level levels[] = {KW_LOG_DEBUG, KW_LOG_VERBOSE, KW_LOG_NOTICE,
                                               KW_LOG_WARNING};

    for (int i = 0; i < 4; i++) {
        journal_open(levels[i]);
        for (int n = 0; n < 4; n++) {
            assert_int_equal(kw_log_is_on(levels[n]) != 0, n >= i);
            kw_log(levels[n], "line");
        }
        assert_int_equal(lines_of(journal_read()), 4 - i);
        kw_log_set_level(KW_LOG_WARNING);
        kw_log(KW_LOG_NOTICE, "not this one");
        assert_int_equal(lines_of(journal_read()), 4 - i);
        journal_close();
    }
}

KW_TEST(log_control_bytes_of_a_text_are_escaped)
{
    journal_open(KW_LOG_NOTICE);
    kw_log(KW_LOG_NOTICE, "client says %s", "a\r\n1:keyway # forged\x1b[31m\t\x7f");
    const char *text = journal_read();

    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "client says a??1:keyway # forged?[31m??\n"));
    journal_close();
}

KW_TEST(log_a_line_that_is_too_long_is_cut_and_still_a_line)
{
    static char words[10000];

    memset(words, 'w', sizeof words - 1);
    journal_open(KW_LOG_NOTICE);
    kw_log(KW_LOG_NOTICE, "%s", words);
    kw_log(KW_LOG_NOTICE, "next");
    const char *text = journal_read();

    assert_int_equal(lines_of(text), 2);
    assert_true(strlen(text) < 2048 + 200);
    assert_non_null(strstr(text, "next\n"));
    journal_close();
}

KW_TEST(log_of_one_place_is_limited_and_says_how_much_was_withheld)
{
    struct kw_log_limit limit = {0};
    struct kw_log_limit other = {0};

    journal_open(KW_LOG_NOTICE);
    for (int i = 0; i < 50; i++) {
        kw_log_limited(&limit, 5000 + (uint64_t)i, KW_LOG_NOTICE, "again");
    }
    assert_int_equal(lines_of(journal_read()), 10);
    kw_log_limited(&other, 5100, KW_LOG_NOTICE, "another place");
    assert_int_equal(lines_of(journal_read()), 11);
    kw_log_limited(&limit, 6000, KW_LOG_NOTICE, "again");
    const char *text = journal_read();

    assert_int_equal(lines_of(text), 12);
    assert_non_null(strstr(text, "again (40 similar lines withheld)\n"));
    kw_log_limited(&limit, 6001, KW_LOG_NOTICE, "the last");
    assert_non_null(strstr(journal_read(), "the last\n")); /* told once */
    journal_close();
}

KW_TEST(log_reopens_its_file_after_rotation)
{
    char rotated[80];

    journal_open(KW_LOG_NOTICE);
    kw_log(KW_LOG_NOTICE, "before");
    (void)snprintf(rotated, sizeof rotated, "%s.1", journal.path);
    assert_int_equal(rename(journal.path, rotated), 0);
    int fd = kw_log_fd();
    kw_log_reopen();
    kw_log(KW_LOG_NOTICE, "after");
    const char *text = journal_read();

    assert_int_equal(kw_log_fd(), fd); /* whoever has just read it still writes to the log */
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "after"));
    unlink(rotated);
    journal_close();
}

KW_TEST(log_keeps_the_old_file_when_a_new_one_cannot_be_opened)
{
    journal_open(KW_LOG_NOTICE);
    assert_int_equal(kw_log_open("/no/such/folder/log", KW_LOG_DEBUG), KW_E_SYSTEM);
    kw_log(KW_LOG_NOTICE, "still here");

    assert_non_null(strstr(journal_read(), "still here"));
    journal_close();
}
