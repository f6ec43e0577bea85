/* pop_commands.c - LPOP RPOP LMPOP BLPOP BRPOP BLMPOP LREM LTRIM.
 *
 * What may block runs once: with nothing to pop it says so (kw_exec_block()), and is run again when
 * one of its keys has got elements.
 */
#include "store/lists/lists.h"

/* Names, the first of which that has a list is popped from. */
struct list_names {
    const struct kw_bytes *names;
    size_t count;
    enum kw_list_end end;
    int64_t elements_max; /* in an array of their own; 0: one element, without it */
};

static void pop_from(struct kw_exec *exec, enum kw_list_end end);
static void pop_many(struct kw_exec *exec, size_t at, bool may_block);
static bool pop_parse_many(struct kw_exec *exec, size_t at, struct list_names *names);
static void pop_waiting(struct kw_exec *exec, enum kw_list_end end);
static void pop_first_of(struct kw_exec *exec, const struct list_names *names, bool may_block);

void kw__do_lpop(struct kw_exec *exec)
{
    pop_from(exec, KW_LIST_HEAD);
}

void kw__do_rpop(struct kw_exec *exec)
{
    pop_from(exec, KW_LIST_TAIL);
}

void kw__do_lmpop(struct kw_exec *exec)
{
    pop_many(exec, 1, false);
}

void kw__do_blmpop(struct kw_exec *exec)
{
    pop_many(exec, 2, true);
}

void kw__do_blpop(struct kw_exec *exec)
{
    pop_waiting(exec, KW_LIST_HEAD);
}

void kw__do_brpop(struct kw_exec *exec)
{
    pop_waiting(exec, KW_LIST_TAIL);
}

void kw__do_lrem(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    struct kw_list_element element;
    int64_t max = 0;

    if (!kw_exec_int(exec, exec->argv[2], &max)) {
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found != KW_FOUND) {
        if (found == KW_FOUND_NOTHING) {
            kw_reply_int(exec->out, 0);
        }
        return;
    }
    kw_list_element_pack(exec->argv[3], &element);
    uint64_t removed = kw_list_object_remove_equal(
        exec->worker, list, max < 0 ? KW_LIST_TAIL : KW_LIST_HEAD, &element,
        max == 0 || max == INT64_MIN ? UINT64_MAX : (uint64_t)(max < 0 ? -max : max));
    if (removed > 0) {
        kw_key_changed(exec, exec->argv[1], KW_STORE_LIST, "lrem");
        kw__list_end_if_empty(exec, exec->argv[1], list);
    }
    kw_reply_int(exec->out, (int64_t)removed);
}

void kw__do_ltrim(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    struct kw_list_range range;

    if (!kw_exec_int(exec, exec->argv[2], &range.start) ||
        !kw_exec_int(exec, exec->argv[3], &range.end)) {
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found != KW_FOUND) {
        if (found == KW_FOUND_NOTHING) {
            kw_reply_status(exec->out, KW_BYTES("OK"));
        }
        return;
    }
    uint64_t count = kw__list_range_count(list, &range);
    if (count == 0) {
        kw_list_object_remove(exec->worker, list, 0, list->count);
    } else {
        kw_list_object_remove(exec->worker, list, (uint64_t)range.end + 1,
                              list->count - (uint64_t)range.end - 1);
        kw_list_object_remove(exec->worker, list, 0, (uint64_t)range.start);
    }
    kw_key_changed(exec, exec->argv[1], KW_STORE_LIST, "ltrim");
    kw__list_end_if_empty(exec, exec->argv[1], list);
    kw_reply_status(exec->out, KW_BYTES("OK"));
}

/* [LR]POP key [count] */
static void pop_from(struct kw_exec *exec, enum kw_list_end end)
{
    bool has_count = exec->argc > 2;
    struct kw_list_object *list = NULL;
    char scratch[KW_TEXT_INT_MAX];
    int64_t max = 1;

    if (exec->argc > 3) {
        kw_exec_error(exec, KW_ERROR_ARITY, exec->command->name);
        return;
    }
    if (has_count && !kw_exec_int_from(exec, exec->argv[2], 0, KW_ERROR_COUNT_NEGATIVE, &max)) {
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found != KW_FOUND) {
        if (found == KW_FOUND_NOTHING && has_count) {
            kw_reply_null_array(exec->out, exec->proto);
        } else if (found == KW_FOUND_NOTHING) {
            kw_reply_null(exec->out, exec->proto);
        }
        return;
    }
    uint64_t count = (uint64_t)max < list->count ? (uint64_t)max : list->count;
    struct kw_list_spot spot = kw_list_object_end(list, end);
    if (has_count) {
        kw__list_reply_range(exec, spot, kw__list_other_end(end), count);
    } else {
        kw_reply_bulk(exec->out, kw_list_spot_text(spot, scratch));
    }
    if (count > 0) {
        kw__list_pop(exec, exec->argv[1], list, end, count);
    }
}

/* LMPOP numkeys key ... LEFT|RIGHT [COUNT count], its numkeys at AT */
static void pop_many(struct kw_exec *exec, size_t at, bool may_block)
{
    struct list_names names;

    if (!pop_parse_many(exec, at, &names) || (may_block && !kw_exec_timeout(exec, exec->argv[1]))) {
        return;
    }
    pop_first_of(exec, &names, may_block);
}

static bool pop_parse_many(struct kw_exec *exec, size_t at, struct list_names *names)
{
    const struct kw_bytes *argv = exec->argv;
    int64_t count = 0;

    if (!kw_exec_int_from(exec, argv[at], 1, KW_ERROR_NUMKEYS, &count)) {
        return false;
    }
    *names = (struct list_names){.names = argv + at + 1, .count = (size_t)count};
    if (names->count >= exec->argc - at - 1) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return false;
    }
    size_t next = at + 1 + names->count;
    if (!kw__list_end_of(exec, argv[next++], &names->end)) {
        return false;
    }
    for (; next < exec->argc; next += 2) {
        if (names->elements_max != 0 || !kw_exec_is(exec, next, KW_BYTES("count")) ||
            next + 1 == exec->argc) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
        if (!kw_exec_int_from(exec, argv[next + 1], 1, KW_ERROR_COUNT_ABOVE,
                              &names->elements_max)) {
            return false;
        }
    }
    names->elements_max += names->elements_max == 0 ? 1 : 0;
    return true;
}

/* B[LR]POP key ... timeout */
static void pop_waiting(struct kw_exec *exec, enum kw_list_end end)
{
    struct list_names names = {.names = exec->argv + 1, .count = exec->argc - 2, .end = end};

    if (kw_exec_timeout(exec, exec->argv[exec->argc - 1])) {
        pop_first_of(exec, &names, true);
    }
}

static void pop_first_of(struct kw_exec *exec, const struct list_names *names, bool may_block)
{
    struct kw_list_object *list = NULL;
    enum kw_found found = KW_FOUND_NOTHING;
    char scratch[KW_TEXT_INT_MAX];
    size_t i = 0;

    for (; i < names->count && found == KW_FOUND_NOTHING; i++) {
        found = kw__list_find(exec, names->names[i], &list);
    }
    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND_NOTHING) {
        if (may_block) {
            kw_exec_block(exec);
        } else {
            kw_reply_null_array(exec->out, exec->proto);
        }
        return;
    }
    struct kw_bytes name = names->names[i - 1];
    struct kw_list_spot spot = kw_list_object_end(list, names->end);
    uint64_t count = 1;

    kw_reply_array(exec->out, 2);
    kw_reply_bulk(exec->out, name);
    if (names->elements_max > 0) {
        uint64_t max = (uint64_t)names->elements_max;
        count = max < list->count ? max : list->count;
        kw__list_reply_range(exec, spot, kw__list_other_end(names->end), count);
    } else {
        kw_reply_bulk(exec->out, kw_list_spot_text(spot, scratch));
    }
    kw__list_pop(exec, name, list, names->end, count);
}
