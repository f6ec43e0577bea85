/* kw_test.h - what a unit test file includes: cmocka, and tests that register themselves.
 *
 *     #include "tests/unit/kw_test.h"
 *     #include "base/bytes.h"
 *
 *     KW_TEST(bytes_of_equal_content_are_equal)
 *     {
 *         assert_true(kw_bytes_equal(kw_bytes("a"), kw_bytes("a")));
 *     }
 *
 * Nothing else is needed: the file is found by the Makefile, the test by a constructor that puts
 * it on a list before main() runs. `make unit T=bytes` runs the tests whose file or name contains
 * "bytes".
 *
 * Thread: tests run one after the other on the main thread.
 * See also: main.c (runs the list).
 */
#ifndef KW_TESTS_UNIT_KW_TEST_H
#define KW_TESTS_UNIT_KW_TEST_H

/* cmocka.h demands these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct kw_test {
    const char *name;
    const char *file;
    int line;
    void (*run)(void);
    struct kw_test *next;
};

/* Put TEST, which lives for ever, on the list. Called by KW_TEST only. */
void kw_test_register(struct kw_test *test);

#define KW_TEST(test_name)                                                                         \
    static void test_name(void);                                                                   \
    __attribute__((constructor)) static void register_##test_name(void)                            \
    {                                                                                              \
        static struct kw_test test = {#test_name, __FILE__, __LINE__, test_name, NULL};            \
        kw_test_register(&test);                                                                   \
    }                                                                                              \
    static void test_name(void)

#endif
