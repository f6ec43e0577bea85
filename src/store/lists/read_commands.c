/* read_commands.c - LLEN LINDEX LRANGE LPOS. */
#include "store/lists/lists.h"

/* What LPOS asks for. */
struct list_search {
    struct kw_list_element element;
    int64_t rank;  /* of the first match that counts; below 0: from the tail; not 0 */
    int64_t count; /* of matches, 0: all; below 0: one, without an array */
    int64_t max;   /* elements looked at; 0: all */
};

static bool search_parse(struct kw_exec *exec, struct list_search *search);
static bool search_parse_option(struct kw_exec *exec, size_t at, struct list_search *search);
static void search_run(struct kw_exec *exec, const struct kw_list_object *list,
                       const struct list_search *search);

void kw__do_llen(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);

    if (found != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, found == KW_FOUND ? (int64_t)list->count : 0);
    }
}

void kw__do_lindex(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    char scratch[KW_TEXT_INT_MAX];
    int64_t index = 0;

    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found == KW_FOUND_NOTHING) {
        kw_reply_null(exec->out, exec->proto);
    }
    if (found != KW_FOUND || !kw_exec_int(exec, exec->argv[2], &index)) {
        return;
    }
    index += index < 0 ? (int64_t)list->count : 0;
    if (index < 0 || (uint64_t)index >= list->count) {
        kw_reply_null(exec->out, exec->proto);
        return;
    }
    struct kw_list_spot spot = kw_list_object_find(list, (uint64_t)index);
    kw_reply_bulk(exec->out, kw_list_spot_text(spot, scratch));
}

void kw__do_lrange(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    struct kw_list_range range;

    if (!kw_exec_int(exec, exec->argv[2], &range.start) ||
        !kw_exec_int(exec, exec->argv[3], &range.end)) {
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found == KW_FOUND_OTHER) {
        return;
    }
    uint64_t count = found == KW_FOUND ? kw__list_range_count(list, &range) : 0;
    if (count == 0) {
        kw_reply_array(exec->out, 0);
        return;
    }
    kw__list_reply_range(exec, kw_list_object_find(list, (uint64_t)range.start), KW_LIST_TAIL,
                         count);
}

void kw__do_lpos(struct kw_exec *exec)
{
    struct kw_list_object *list = NULL;
    struct list_search search = {.rank = 1, .count = -1};

    if (!search_parse(exec, &search)) {
        return;
    }
    enum kw_found found = kw__list_find(exec, exec->argv[1], &list);
    if (found == KW_FOUND) {
        search_run(exec, list, &search);
    } else if (found == KW_FOUND_NOTHING && search.count >= 0) {
        kw_reply_array(exec->out, 0);
    } else if (found == KW_FOUND_NOTHING) {
        kw_reply_null(exec->out, exec->proto);
    }
}

static bool search_parse(struct kw_exec *exec, struct list_search *search)
{
    kw_list_element_pack(exec->argv[2], &search->element);
    for (size_t i = 3; i < exec->argc; i += 2) {
        if (i + 1 == exec->argc) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
        if (!search_parse_option(exec, i, search)) {
            return false;
        }
    }
    if (search->rank == INT64_MIN) { /* no rank, but redis's overflow finds all from the tail on */
        search->rank = -1;
        search->count = search->count > 0 ? 0 : search->count;
    }
    return true;
}

static bool search_parse_option(struct kw_exec *exec, size_t at, struct list_search *search)
{
    struct kw_bytes word = exec->argv[at];
    struct kw_bytes value = exec->argv[at + 1];

    if (kw_bytes_equal_nocase(word, KW_BYTES("count"))) {
        return kw_exec_int_from(exec, value, 0, KW_ERROR_LPOS_COUNT, &search->count);
    }
    if (kw_bytes_equal_nocase(word, KW_BYTES("maxlen"))) {
        return kw_exec_int_from(exec, value, 0, KW_ERROR_LPOS_MAXLEN, &search->max);
    }
    if (!kw_bytes_equal_nocase(word, KW_BYTES("rank"))) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return false;
    }
    if (!kw_exec_int(exec, value, &search->rank)) {
        return false;
    }
    if (search->rank == 0) {
        kw_exec_error(exec, KW_ERROR_LPOS_RANK, NULL);
        return false;
    }
    return true;
}

static void search_run(struct kw_exec *exec, const struct kw_list_object *list,
                       const struct list_search *search)
{
    bool is_forward = search->rank > 0;
    uint64_t skip = (uint64_t)(is_forward ? search->rank : -search->rank) - 1;
    uint64_t wanted = search->count < 0 ? 1 : (uint64_t)search->count;
    uint64_t found_count = 0;
    struct kw_list_spot spot = kw_list_object_end(list, is_forward ? KW_LIST_HEAD : KW_LIST_TAIL);
    struct kw_buf found; /* the array's length is known at the end */

    kw_buf_init(&found, exec->out->pool);
    for (uint64_t i = 0; spot.page != NULL && (search->max == 0 || i < (uint64_t)search->max);
         i++) {
        if (kw_list_spot_is(spot, &search->element)) {
            if (skip == 0) {
                kw_reply_int(&found, (int64_t)(is_forward ? i : list->count - 1 - i));
                found_count++;
            } else {
                skip--;
            }
        }
        if (found_count == wanted && wanted > 0) {
            break;
        }
        spot = kw_list_spot_next(spot, is_forward ? KW_LIST_TAIL : KW_LIST_HEAD);
    }
    if (search->count >= 0) {
        kw_reply_array(exec->out, found_count);
    } else if (found_count == 0) {
        kw_reply_null(exec->out, exec->proto);
    }
    kw_buf_append_buf(exec->out, &found);
}
