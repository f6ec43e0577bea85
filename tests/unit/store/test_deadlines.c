/* test_deadlines.c - deadlines of names, beside a simple model. */
#include "base/text.h"
#include "store/tables/deadlines.h"
#include "store/tables/table_walk.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>
#include <string.h>

enum { NAMES = 700 };

static struct kw_bytes name_of(char *text, unsigned number)
{
    return kw_bytes_of(text, (size_t)snprintf(text, 32, "field:%u", number));
}

static uint64_t model_first(const uint64_t *model)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < NAMES; i++) {
        first = model[i] != 0 && model[i] < first ? model[i] : first;
    }
    return first;
}

KW_TEST(the_first_deadline_is_known_through_random_operations)
{
    uint64_t model[NAMES] = {0};
    struct kw_deadlines deadlines;
    struct kw_bytes name;
    uint64_t random = 4;
    char text[32];

    kw_deadlines_init(&deadlines);
    for (unsigned step = 0; step < 60000; step++) {
        unsigned number = (unsigned)kw_table_random(&random, NAMES);
        uint64_t kind = kw_table_random(&random, 100);
        /* Half of the time more come than go. */
        if (kind < (step % 8000 < 4000 ? 60u : 20u)) {
            model[number] = 1 + kw_table_random(&random, 1000);
            kw_deadlines_set(NULL, &deadlines, name_of(text, number), model[number]);
        } else if (kind < 80) {
            bool had_one = kw_deadlines_clear(NULL, &deadlines, name_of(text, number));
            assert_int_equal(had_one, model[number] != 0);
            model[number] = 0;
        } else if (kw_deadlines_first(&deadlines, &name) != UINT64_MAX) {
            int64_t first = 0;
            assert_int_equal(kw_text_to_int(kw_bytes_of(name.data + 6, name.len - 6), &first),
                             KW_OK);
            assert_true(kw_deadlines_clear(NULL, &deadlines, name));
            model[first] = 0;
        }
        assert_true(kw_deadlines_of(&deadlines, name_of(text, number)) == model[number]);
        if (step % 16 == 0) {
            assert_true(kw_deadlines_first(&deadlines, NULL) == model_first(model));
        }
    }
    kw_deadlines_deinit(NULL, &deadlines);
    assert_int_equal(kw_deadlines_bytes(&deadlines), 0);
}

KW_TEST(names_come_due_in_the_order_of_their_deadlines)
{
    struct kw_deadlines deadlines;
    struct kw_bytes name;
    uint64_t random = 9;
    uint64_t last = 0;
    char text[32];

    kw_deadlines_init(&deadlines);
    for (unsigned i = 0; i < 5000; i++) {
        kw_deadlines_set(NULL, &deadlines, name_of(text, i), 1 + kw_table_random(&random, 100000));
    }
    assert_int_equal(kw_deadlines_count(&deadlines), 5000);
    while (kw_deadlines_count(&deadlines) > 0) {
        uint64_t first = kw_deadlines_first(&deadlines, &name);
        assert_true(first >= last);
        assert_true(kw_deadlines_clear(NULL, &deadlines, name));
        last = first;
    }
    kw_deadlines_deinit(NULL, &deadlines);
}
