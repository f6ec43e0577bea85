/* push_commands.c - LPUSH RPUSH LPUSHX RPUSHX LINSERT LSET. */
#include "store/lists/lists.h"

static void push_all(struct kw_exec *exec, enum kw_list_end end, bool is_for_old);

void kw__do_lpush(struct kw_exec *exec)
{
    push_all(exec, KW_LIST_HEAD, false);
}

void kw__do_rpush(struct kw_exec *exec)
{
    push_all(exec, KW_LIST_TAIL, false);
}

void kw__do_lpushx(struct kw_exec *exec)
{
    push_all(exec, KW_LIST_HEAD, true);
}

void kw__do_rpushx(struct kw_exec *exec)
{
    push_all(exec, KW_LIST_TAIL, true);
}

void kw__do_linsert(struct kw_exec *exec)
{
    bool is_behind = kw_exec_is(exec, 2, KW_BYTES("after"));
    struct kw_list_object *list = NULL;
    struct kw_list_element pivot;

    if (!is_behind && !kw_exec_is(exec, 2, KW_BYTES("before"))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found != KW_FOUND) {
        if (found == KW_FOUND_NOTHING) {
            kw_reply_int(exec->out, 0);
        }
        return;
    }
    kw_list_element_pack(exec->argv[3], &pivot);
    struct kw_list_spot spot = kw_list_object_end(list, KW_LIST_HEAD);
    while (spot.page != NULL && !kw_list_spot_is(spot, &pivot)) {
        spot = kw_list_spot_next(spot, KW_LIST_TAIL);
    }
    if (spot.page == NULL) {
        kw_reply_int(exec->out, -1);
        return;
    }
    kw_list_object_insert(exec->worker, list, spot, is_behind, exec->argv[4]);
    kw_key_changed(exec, exec->argv[1], KW_STORE_LIST, "linsert");
    kw_reply_int(exec->out, (int64_t)list->count);
}

void kw__do_lset(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    int64_t index = 0;

    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found != KW_FOUND) {
        if (found == KW_FOUND_NOTHING) {
            kw_exec_error(exec, KW_ERROR_NO_SUCH_KEY, NULL);
        }
        return;
    }
    if (!kw_exec_int(exec, exec->argv[2], &index)) {
        return;
    }
    index += index < 0 ? (int64_t)list->count : 0;
    if (index < 0 || (uint64_t)index >= list->count) {
        kw_exec_error(exec, KW_ERROR_INDEX_RANGE, NULL);
        return;
    }
    kw_list_object_replace(exec->worker, list, kw_list_object_find(list, (uint64_t)index),
                           exec->argv[3]);
    kw_key_changed(exec, exec->argv[1], KW_STORE_LIST, "lset");
    kw_reply_status(exec->out, KW_BYTES("OK"));
}

static void push_all(struct kw_exec *exec, enum kw_list_end end, bool is_for_old)
{
    struct kw_list_object *list = NULL;
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);

    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND_NOTHING) {
        if (is_for_old) {
            kw_reply_int(exec->out, 0);
            return;
        }
        list = kw_list_object_new(exec->worker);
        /* Unseen until the stripe is given back, and may be gone right after it: so it is filled
         * where it will be.
         */
        if (!kw_key_put_object(exec, exec->argv[1], KW_KIND_LIST, list, KW_DEADLINE_NONE)) {
            return;
        }
    }
    for (size_t i = 2; i < exec->argc; i++) {
        kw_list_object_push(exec->worker, list, end, exec->argv[i]);
    }
    kw__list_pushed(exec, exec->argv[1], end);
    kw_reply_int(exec->out, (int64_t)list->count);
}
