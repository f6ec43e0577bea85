/* main.c - runs the unit tests that registered themselves.
 *
 *     build/unit-tests [WORD ...]
 *
 * With words, a test runs when each word is in its file's path or in its name. The closing line is
 * `unit: N passed, N failed`; the exit status is 0 only when none failed and at least one ran.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kw_test.h"

static struct kw_test *registered;
static size_t registered_count;
static size_t passed_count;

static struct kw_test **tests_wanted(int words_count, char **words, size_t *tests_count);
static bool test_is_wanted(const struct kw_test *test, int words_count, char **words);
static int test_compare(const void *left, const void *right);
static int tests_run(struct kw_test **tests, size_t tests_count);
static void test_run(void **state);

void kw_test_register(struct kw_test *test)
{
    test->next = registered;
    registered = test;
    registered_count++;
}

int main(int argc, char **argv)
{
    size_t tests_count = 0;
    struct kw_test **tests = tests_wanted(argc - 1, argv + 1, &tests_count);
    int failed_count = tests_run(tests, tests_count);

    free(tests);
    size_t skipped_count = tests_count - passed_count - (size_t)failed_count;
    fflush(stderr);
    printf("unit: %zu passed, %d failed", passed_count, failed_count);
    if (skipped_count != 0) {
        printf(", %zu skipped", skipped_count);
    }
    printf("\n");
    return failed_count == 0 && passed_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct kw_test **tests_wanted(int words_count, char **words, size_t *tests_count)
{
    struct kw_test **tests = calloc(registered_count + 1, sizeof *tests);

    if (tests == NULL) {
        abort();
    }
    for (struct kw_test *test = registered; test != NULL; test = test->next) {
        if (test_is_wanted(test, words_count, words)) {
            tests[(*tests_count)++] = test;
        }
    }
    qsort(tests, *tests_count, sizeof *tests, test_compare);
    return tests;
}

static bool test_is_wanted(const struct kw_test *test, int words_count, char **words)
{
    for (int i = 0; i < words_count; i++) {
        if (strstr(test->file, words[i]) == NULL && strstr(test->name, words[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Constructors run in whatever order the linker likes: sort, so that every run is the same. */
static int test_compare(const void *left, const void *right)
{
    const struct kw_test *a = *(struct kw_test *const *)left;
    const struct kw_test *b = *(struct kw_test *const *)right;
    int by_file = strcmp(a->file, b->file);

    return by_file != 0 ? by_file : a->line - b->line;
}

/* Returns how many failed. */
static int tests_run(struct kw_test **tests, size_t tests_count)
{
    struct CMUnitTest *group = calloc(tests_count + 1, sizeof *group);

    if (group == NULL) {
        abort();
    }
    for (size_t i = 0; i < tests_count; i++) {
        group[i] = (struct CMUnitTest){
            .name = tests[i]->name, .test_func = test_run, .initial_state = tests[i]};
    }
    int failed_count = _cmocka_run_group_tests("unit", group, tests_count, NULL, NULL);
    free(group);
    return failed_count;
}

/* A test that fails or skips leaves by longjmp: only one that passed gets to the count. */
static void test_run(void **state)
{
    const struct kw_test *test = *state;

    test->run();
    passed_count++;
}
