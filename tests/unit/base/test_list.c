/* test_list.c - the intrusive list: order, removal, being in no list. */
#include "base/list.h"
#include "tests/unit/kw_test.h"

struct item {
    int number;
    struct kw_list link;
};

static int sum_in_order(const struct kw_list *head)
{
    int sum = 0;

    for (const struct kw_list *node = head->next; node != head; node = node->next) {
        sum = sum * 10 + KW_LIST_ENTRY(node, struct item, link)->number;
        assert_ptr_equal(node->next->prev, node);
    }
    return sum;
}

KW_TEST(list_keeps_the_order_of_appending)
{
    struct kw_list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};

    kw_list_init(&head);
    assert_true(kw_list_is_empty(&head));
    for (int i = 0; i < 3; i++) {
        kw_list_append(&head, &items[i].link);
    }

    assert_false(kw_list_is_empty(&head));
    assert_int_equal(sum_in_order(&head), 123);
}

KW_TEST(list_remove_takes_out_one_from_anywhere_and_once_more_is_harmless)
{
    struct kw_list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};

    kw_list_init(&head);
    for (int i = 0; i < 3; i++) {
        kw_list_append(&head, &items[i].link);
    }
    kw_list_remove(&items[1].link);
    assert_int_equal(sum_in_order(&head), 13);
    assert_false(kw_list_is_linked(&items[1].link));
    kw_list_remove(&items[1].link);
    assert_int_equal(sum_in_order(&head), 13);
    kw_list_remove(&items[0].link);
    assert_int_equal(sum_in_order(&head), 3);
    assert_true(kw_list_is_linked(&items[2].link));
    kw_list_remove(&items[2].link);
    assert_true(kw_list_is_empty(&head));
}

KW_TEST(list_items_can_go_to_another_list)
{
    struct kw_list from;
    struct kw_list to;
    struct item items[2] = {{.number = 1}, {.number = 2}};

    kw_list_init(&from);
    kw_list_init(&to);
    kw_list_append(&from, &items[0].link);
    kw_list_append(&from, &items[1].link);
    while (!kw_list_is_empty(&from)) {
        struct kw_list *node = from.next;
        kw_list_remove(node);
        kw_list_append(&to, node);
    }

    assert_int_equal(sum_in_order(&to), 12);
}
