/* test_list.c - lists of the store, against an array of texts. */
#include "base/mem.h"
#include "store/lists/list.h"
#include "tests/unit/kw_test.h"

enum { MODEL_MAX = 6000, TEXT_MAX = 20000 };

/* What a list should be: its texts in order. */
struct list_model {
    char *texts[MODEL_MAX];
    size_t lens[MODEL_MAX];
    uint64_t count;
    struct kw_list_object *list;
    uint64_t random;
    bool is_small; /* texts of few bytes only */
    char text[TEXT_MAX];
};

static void model_init(struct list_model *model, uint64_t seed)
{
    *model = (struct list_model){.random = seed, .list = kw_list_object_new(NULL)};
}

static uint64_t model_random(struct list_model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

/* Numbers of all widths, words, and now and then something bigger than a page. */
static struct kw_bytes model_text(struct list_model *model)
{
    uint64_t kind = model_random(model, model->is_small ? 60 : 100);
    size_t len = model_random(model, kind < 60 ? 3 : 150);

    if (kind < 40) {
        int64_t number = (int64_t)(model_random(model, UINT64_MAX) >> model_random(model, 64));
        return kw_bytes_of(model->text, kw_text_from_int(number, model->text));
    }
    if (kind >= 97) {
        len = model_random(model, kind == 99 ? TEXT_MAX : 5000);
    }
    for (size_t i = 0; i < len; i++) {
        model->text[i] = (char)('a' + model_random(model, len < 3 ? 2 : 26));
    }
    return kw_bytes_of(model->text, len);
}

static void model_insert(struct list_model *model, uint64_t index, struct kw_bytes text)
{
    memmove(model->texts + index + 1, model->texts + index,
            (model->count - index) * sizeof model->texts[0]);
    memmove(model->lens + index + 1, model->lens + index,
            (model->count - index) * sizeof model->lens[0]);
    model->texts[index] = kw_text_copy_bytes(text);
    model->lens[index] = text.len;
    model->count++;
}

static void model_remove(struct list_model *model, uint64_t index, uint64_t count)
{
    for (uint64_t i = index; i < index + count; i++) {
        kw_free(model->texts[i]);
    }
    uint64_t behind = model->count - index - count;
    memmove(model->texts + index, model->texts + index + count, behind * sizeof model->texts[0]);
    memmove(model->lens + index, model->lens + index + count, behind * sizeof model->lens[0]);
    model->count -= count;
}

static struct kw_bytes model_at(const struct list_model *model, uint64_t index)
{
    return kw_bytes_of(model->texts[index], model->lens[index]);
}

static uint64_t model_remove_equal(struct list_model *model, enum kw_list_end end,
                                   struct kw_bytes text, uint64_t max)
{
    uint64_t removed_count = 0;
    uint64_t left = model->count;
    uint64_t index = end == KW_LIST_HEAD ? 0 : model->count - 1;

    for (; left > 0 && removed_count < max; left--) {
        bool is_equal = kw_bytes_equal(model_at(model, index), text);
        if (is_equal) {
            model_remove(model, index, 1);
            removed_count++;
        }
        index += end == KW_LIST_TAIL ? (uint64_t)-1 : is_equal ? 0 : 1;
    }
    return removed_count;
}

/* The pages are what list.c says they are, and hold what the model holds. */
static void model_check(struct list_model *model)
{
    struct kw_list_object *list = model->list;
    uint64_t count = 0;
    size_t pages_bytes = 0;
    struct kw_page *prev = NULL;
    char scratch[KW_TEXT_INT_MAX];

    for (struct kw_page *page = list->head; page != NULL; page = page->next) {
        assert_ptr_equal(page->prev, prev);
        assert_true(page->count > 0);
        assert_true(page->start <= page->end && page->end <= page->cap);
        assert_true(page->count == 1 || kw_page_used(page) <= KW_PAGE_ROOM_BYTES);
        pages_bytes += kw_page_size(page);
        for (uint32_t at = page->start; at < page->end; count++) {
            struct kw_bytes text = kw_list_element_text(page->bytes + at, scratch);
            assert_true(kw_bytes_equal(text, model_at(model, count)));
            at += (uint32_t)kw_list_element_size(page->bytes + at);
            assert_int_equal(kw_list_element_size_before(page->bytes + at),
                             kw_list_element_size(page->bytes + at -
                                                  kw_list_element_size_before(page->bytes + at)));
        }
        prev = page;
    }
    assert_ptr_equal(list->tail, prev);
    assert_int_equal(count, model->count);
    assert_int_equal(count, list->count);
    assert_int_equal(pages_bytes, list->pages_bytes);
}

static void model_free(struct list_model *model)
{
    model_check(model);
    model_remove(model, 0, model->count);
    kw_list_object_free(NULL, &model->list);
}

static void model_step(struct list_model *model)
{
    struct kw_list_object *list = model->list;
    uint64_t what = model_random(model, 100);
    uint64_t index = model->count == 0 ? 0 : model_random(model, model->count);
    enum kw_list_end end = model_random(model, 2) == 0 ? KW_LIST_HEAD : KW_LIST_TAIL;

    if (what < 30 || model->count == 0) {
        struct kw_bytes text = model_text(model);
        if (model->count < MODEL_MAX - 1) {
            kw_list_object_push(NULL, list, end, text);
            model_insert(model, end == KW_LIST_HEAD ? 0 : model->count, text);
        }
    } else if (what < 60) {
        struct kw_bytes text = model_text(model);
        bool is_behind = model_random(model, 2) == 0;
        if (model->count < MODEL_MAX - 1) {
            kw_list_object_insert(NULL, list, kw_list_object_find(list, index), is_behind, text);
            model_insert(model, index + (is_behind ? 1 : 0), text);
        }
    } else if (what < 80) {
        struct kw_bytes text = model_text(model);
        kw_list_object_replace(NULL, list, kw_list_object_find(list, index), text);
        model_remove(model, index, 1);
        model_insert(model, index, text);
    } else if (what < 97) {
        uint64_t most = what == 96 ? model->count - index : 3;
        uint64_t count = model_random(model, most + 1);
        count = count < model->count - index ? count : model->count - index;
        kw_list_object_remove(NULL, list, index, count);
        model_remove(model, index, count);
    } else {
        struct kw_list_element element;
        struct kw_bytes text = model_text(model);
        uint64_t max = model_random(model, 20);
        kw_list_element_pack(text, &element);
        assert_int_equal(kw_list_object_remove_equal(NULL, list, end, &element, max),
                         model_remove_equal(model, end, text, max));
    }
}

KW_TEST(a_list_of_the_store_does_what_an_array_does)
{
    static struct list_model model;

    for (uint64_t seed = 1; seed <= 6; seed++) {
        model_init(&model, seed * 7919);
        model.is_small = seed % 2 == 0;
        for (unsigned step = 0; step < 4000; step++) {
            model_step(&model);
            if (step % 50 == 0) {
                model_check(&model);
            }
        }
        model_free(&model);
    }
}

KW_TEST(a_list_of_the_store_is_walked_from_both_ends)
{
    static struct list_model model;
    char scratch[KW_TEXT_INT_MAX];

    model_init(&model, 4711);
    for (unsigned i = 0; i < 3000; i++) {
        struct kw_bytes text = model_text(&model);
        kw_list_object_push(NULL, model.list, KW_LIST_TAIL, text);
        model_insert(&model, model.count, text);
    }

    struct kw_list_spot spot = kw_list_object_end(model.list, KW_LIST_HEAD);
    for (uint64_t i = 0; i < model.count; i++) {
        assert_true(kw_bytes_equal(kw_list_spot_text(spot, scratch), model_at(&model, i)));
        spot = kw_list_spot_next(spot, KW_LIST_TAIL);
    }
    assert_null(spot.page);
    spot = kw_list_object_end(model.list, KW_LIST_TAIL);
    for (uint64_t i = model.count; i-- > 0;) {
        assert_true(kw_bytes_equal(kw_list_spot_text(spot, scratch), model_at(&model, i)));
        spot = kw_list_spot_next(spot, KW_LIST_HEAD);
    }
    assert_null(spot.page);
    model_free(&model);
}

KW_TEST(a_queue_in_a_list_keeps_its_pages_few)
{
    struct kw_list_object *list = kw_list_object_new(NULL);

    for (unsigned i = 0; i < 100000; i++) {
        kw_list_object_push(NULL, list, KW_LIST_TAIL, KW_BYTES("an element of a queue"));
        if (i >= 10) {
            kw_list_object_remove(NULL, list, 0, 1);
        }
    }
    assert_int_equal(list->count, 10);
    assert_true(list->pages_bytes <= 2 * KW_PAGE_BYTES);
    kw_list_object_free(NULL, &list);
}

KW_TEST(a_long_list_is_freed_in_steps)
{
    struct kw_list_object *list = kw_list_object_new(NULL);
    unsigned turns = 0;

    for (unsigned i = 0; i < 100000; i++) {
        kw_list_object_push(NULL, list, KW_LIST_HEAD, KW_BYTES("an element"));
    }
    while (!kw_list_object_free_some(NULL, list, 1000)) {
        turns++;
    }
    assert_true(turns > 50);
}

KW_TEST(an_element_that_is_written_like_a_number_comes_back_as_it_was)
{
    static const char *const texts[] = {"0",
                                        "127",
                                        "128",
                                        "-1",
                                        "4095",
                                        "4096",
                                        "-4096",
                                        "-4097",
                                        "32767",
                                        "32768",
                                        "-32768",
                                        "-32769",
                                        "8388607",
                                        "8388608",
                                        "-8388608",
                                        "-8388609",
                                        "2147483647",
                                        "2147483648",
                                        "-2147483648",
                                        "-2147483649",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "-0",
                                        "00",
                                        "+1",
                                        "1 ",
                                        "",
                                        "1e3"};
    char room[64];
    char scratch[KW_TEXT_INT_MAX];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct kw_bytes text = kw_bytes_of_text(texts[i]);
        struct kw_list_element element;
        kw_list_element_pack(text, &element);
        kw_list_element_write(&element, room);
        assert_true(kw_bytes_equal(kw_list_element_text(room, scratch), text));
        assert_true(kw_list_element_is(room, &element));
        assert_int_equal(kw_list_element_size(room), element.size_bytes);
        assert_int_equal(kw_list_element_size_before(room + element.size_bytes),
                         element.size_bytes);
    }
}
