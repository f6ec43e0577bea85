/* lists.c - see lists.h. */
#include "store/lists/lists.h"

uint64_t kw__list_range_count(const struct kw_list_object *list, struct kw_list_range *range)
{
    int64_t count = (int64_t)list->count;

    range->start += range->start < 0 ? count : 0;
    range->end += range->end < 0 ? count : 0;
    range->start = range->start < 0 ? 0 : range->start;
    range->end = range->end >= count ? count - 1 : range->end;
    return range->start > range->end ? 0 : (uint64_t)(range->end - range->start) + 1;
}

bool kw__list_end_of(struct kw_exec *exec, struct kw_bytes word, enum kw_list_end *end)
{
    bool is_tail = kw_bytes_equal_nocase(word, KW_BYTES("right"));

    *end = is_tail ? KW_LIST_TAIL : KW_LIST_HEAD;
    if (is_tail || kw_bytes_equal_nocase(word, KW_BYTES("left"))) {
        return true;
    }
    kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
    return false;
}

void kw__list_reply_range(struct kw_exec *exec, struct kw_list_spot spot, enum kw_list_end end,
                          uint64_t count)
{
    char scratch[KW_TEXT_INT_MAX];

    kw_reply_array(exec->out, count);
    for (uint64_t i = 0; i < count; i++) {
        kw_reply_bulk(exec->out, kw_list_spot_text(spot, scratch));
        spot = kw_list_spot_next(spot, end);
    }
}

void kw__list_pushed(struct kw_exec *exec, struct kw_bytes name, enum kw_list_end end)
{
    kw_key_changed(exec, name, KW_STORE_LIST, end == KW_LIST_HEAD ? "lpush" : "rpush");
    kw_key_ready(exec, name);
}

void kw__list_pop(struct kw_exec *exec, struct kw_bytes name, struct kw_list_object *list,
                  enum kw_list_end end, uint64_t count)
{
    bool is_head = end == KW_LIST_HEAD;

    kw_list_object_remove(exec->worker, list, is_head ? 0 : list->count - count, count);
    kw_key_changed(exec, name, KW_STORE_LIST, is_head ? "lpop" : "rpop");
    kw__list_end_if_empty(exec, name, list);
}

void kw__list_end_if_empty(struct kw_exec *exec, struct kw_bytes name,
                           const struct kw_list_object *list)
{
    if (list->count == 0) {
        kw_key_remove(exec, name);
        kw_key_changed(exec, name, KW_STORE_GENERIC, "del");
    }
}
