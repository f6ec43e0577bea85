/* test_redirect.c - which error lines are no answers, and where they point. */
#include "proxy/redirect.h"
#include "tests/unit/kw_test.h"

#include <string.h>

enum { SLOT = 3999 };

static bool classify(const char *line, struct kw_redirect *redirect)
{
    *redirect = (struct kw_redirect){0};
    return kw_redirect_classify(kw_bytes_of_text(line), SLOT, redirect);
}

KW_TEST(redirect_moved_and_ask_name_a_host_and_a_port)
{
    static const struct {
        const char *line;
        enum kw_redirect_kind kind;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"-MOVED 3999 127.0.0.1:6381\r\n", KW_REDIRECT_MOVED, "127.0.0.1", 6381},
        {"-ASK 3999 127.0.0.1:6381\r\n", KW_REDIRECT_ASK, "127.0.0.1", 6381},
        {"-MOVED 3999 :6381\r\n", KW_REDIRECT_MOVED, "", 6381},
        {"-MOVED 3999 ?:6381\r\n", KW_REDIRECT_MOVED, "?", 6381},
        {"-MOVED 3999 ::1:6381\r\n", KW_REDIRECT_MOVED, "::1", 6381},
        {"-MOVED 3999 [::1]:6381\r\n", KW_REDIRECT_MOVED, "::1", 6381},
        {"-ASK 3999 node-1.example.com:65535\r\n", KW_REDIRECT_ASK, "node-1.example.com", 65535},
        {"-MOVED 3999 10.0.0.1:1\r\n", KW_REDIRECT_MOVED, "10.0.0.1", 1},
        {"-MOVED 3999 10.0.0.1:7000 and more words\r\n", KW_REDIRECT_MOVED, "10.0.0.1", 7000},
        {"-MOVED 3999 10.0.0.1:7000@17000\r\n", KW_REDIRECT_MOVED, "10.0.0.1", 7000},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kw_redirect redirect;
        assert_true(classify(rows[i].line, &redirect));
        assert_int_equal(redirect.kind, rows[i].kind);
        assert_true(kw_bytes_equal(redirect.host, kw_bytes_of_text(rows[i].host)));
        assert_int_equal(redirect.port, rows[i].port);
    }
}

KW_TEST(redirect_not_now_is_told_by_the_first_word)
{
    static const char *const lines[] = {
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-CLUSTERDOWN Hash slot not served\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-TRYAGAIN\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_redirect redirect;
        assert_true(classify(lines[i], &redirect));
        assert_int_equal(redirect.kind, KW_REDIRECT_LATER);
    }
}

KW_TEST(redirect_other_errors_are_answers)
{
    static const char *const lines[] = {
        "-ERR unknown command 'foo'\r\n",
        "-WRONGTYPE Operation against a key\r\n",
        "-\r\n",
        "-MOVEDX 3999 127.0.0.1:6381\r\n",
        "-ASKING 3999 127.0.0.1:6381\r\n",
        "-moved 3999 127.0.0.1:6381\r\n",
        " -MOVED 3999 127.0.0.1:6381\r\n",
        "-LOADINGS x\r\n",
        "-NOAUTH Authentication required.\r\n",
        "-OOM command not allowed\r\n",
        "-MISCONF x\r\n",
        "-NOREPLICAS Not enough good replicas to write.\r\n",
        "-ERR MOVED 3999 127.0.0.1:6381\r\n",
        "-MOVE",
        "-",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_redirect redirect;
        assert_false(classify(lines[i], &redirect));
    }
}

KW_TEST(redirect_to_no_place_or_for_another_slot_leads_nowhere)
{
    static const char *const lines[] = {
        "-MOVED\r\n",
        "-MOVED \r\n",
        "-MOVED 3999\r\n",
        "-MOVED 3999 \r\n",
        "-MOVED 3999 host\r\n",
        "-MOVED 3999 host:\r\n",
        "-MOVED 3999 h:0\r\n",
        "-MOVED 3999 h:65536\r\n",
        "-MOVED 3999 h:-1\r\n",
        "-MOVED 3999 h:x\r\n",
        "-MOVED 4000 127.0.0.1:6381\r\n",
        "-MOVED 16384 127.0.0.1:6381\r\n",
        "-MOVED -1 127.0.0.1:6381\r\n",
        "-MOVED x 127.0.0.1:6381\r\n",
        "-MOVED 03999 127.0.0.1:6381\r\n",
        "-MOVED 99999999999999999999 127.0.0.1:6381\r\n",
        "-ASK 1 127.0.0.1:6381\r\n",
        "-ASK 3999\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_redirect redirect;
        assert_true(classify(lines[i], &redirect));
        assert_int_equal(redirect.kind, KW_REDIRECT_NOWHERE);
    }
}

KW_TEST(redirect_reads_no_byte_behind_the_line)
{
    static const char line[] = "-MOVED 3999 127.0.0.1:6381\r\n";

    for (size_t len = 0; len < sizeof line; len++) {
        char *copy = test_malloc(len + 1); /* guarded: cmocka checks its ends */
        struct kw_redirect redirect;
        memcpy(copy, line, len);
        (void)kw_redirect_classify(kw_bytes_of(copy, len), SLOT, &redirect);
        test_free(copy);
    }
}
