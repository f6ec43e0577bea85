/* sort_commands.c - SORT and SORT_RO: parse, collect, order, then reply or store.
 *
 *     SORT key [BY pattern] [LIMIT start count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE key]
 *
 * Patterns name keys that no argument does, so such a command holds all stripes (stripes.c).
 */
#include "base/mem.h"
#include "store/lists/list.h"
#include "store/sort/sort.h"

static void sort_run(struct kw_exec *exec, bool is_read_only);
static void sort_reply(struct kw_sort *sort);
static void sort_store(struct kw_sort *sort);
static bool parse_limit(struct kw_sort *sort, size_t at);
static void parse_by(struct kw_sort *sort, struct kw_bytes pattern);

void kw__do_sort(struct kw_exec *exec)
{
    sort_run(exec, false);
}

void kw__do_sort_ro(struct kw_exec *exec)
{
    sort_run(exec, true);
}

bool kw__sort_parse(struct kw_sort *sort, bool is_read_only)
{
    struct kw_exec *exec = sort->exec;
    size_t i = 2;

    sort->gets = kw_alloc(exec->argc * sizeof *sort->gets);
    sort->limit_count = -1;
    sort->is_ordered = true;
    for (; i < exec->argc; i++) {
        size_t left = exec->argc - i - 1;
        if (kw_exec_is(exec, i, KW_BYTES("ASC")) || kw_exec_is(exec, i, KW_BYTES("DESC"))) {
            sort->is_descending = kw_exec_is(exec, i, KW_BYTES("DESC"));
        } else if (kw_exec_is(exec, i, KW_BYTES("ALPHA"))) {
            sort->is_alpha = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("LIMIT")) && left >= 2) {
            if (!parse_limit(sort, i)) {
                return false;
            }
            i += 2;
        } else if (!is_read_only && kw_exec_is(exec, i, KW_BYTES("STORE")) && left >= 1) {
            sort->target = exec->argv[++i];
            sort->is_stored = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("BY")) && left >= 1) {
            parse_by(sort, exec->argv[++i]);
        } else if (kw_exec_is(exec, i, KW_BYTES("GET")) && left >= 1) {
            sort->gets[sort->gets_count++] = ++i;
        } else {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

static void sort_run(struct kw_exec *exec, bool is_read_only)
{
    struct kw_sort sort = {.exec = exec};

    if (kw__sort_parse(&sort, is_read_only) && kw__sort_collect(&sort, exec->argv[1]) &&
        (!sort.is_ordered || kw__sort_order(&sort))) {
        if (sort.is_stored) {
            sort_store(&sort);
        } else {
            sort_reply(&sort);
        }
    }
    kw__sort_deinit(&sort);
}

static void sort_reply(struct kw_sort *sort)
{
    struct kw_exec *exec = sort->exec;
    struct kw_bytes value;

    kw_reply_array(exec->out, sort->count * (sort->gets_count > 0 ? sort->gets_count : 1));
    for (size_t i = 0; i < sort->count; i++) {
        struct kw_bytes text = sort->items[sort->first + i].text;
        if (sort->gets_count == 0) {
            kw_reply_bulk(exec->out, text);
        }
        for (size_t n = 0; n < sort->gets_count; n++) {
            if (kw__sort_look(sort, exec->argv[sort->gets[n]], text, &value)) {
                kw_reply_bulk(exec->out, value);
            } else {
                kw_reply_null(exec->out, exec->proto);
            }
        }
    }
}

/* As a list, whatever was under its name; nothing is there when it is empty. */
static void sort_store(struct kw_sort *sort)
{
    struct kw_exec *exec = sort->exec;
    struct kw_list_object *list = kw_list_object_new(exec->worker);
    struct kw_bytes value;

    for (size_t i = 0; i < sort->count; i++) {
        struct kw_bytes text = sort->items[sort->first + i].text;
        if (sort->gets_count == 0) {
            kw_list_object_push(exec->worker, list, KW_LIST_TAIL, text);
        }
        for (size_t n = 0; n < sort->gets_count; n++) {
            bool is_there = kw__sort_look(sort, exec->argv[sort->gets[n]], text, &value);
            kw_list_object_push(exec->worker, list, KW_LIST_TAIL, is_there ? value : KW_BYTES(""));
        }
    }
    int64_t count = (int64_t)list->count;
    if (count == 0) {
        kw_list_object_free(exec->worker, &list);
        if (kw_key_remove(exec, sort->target)) {
            kw_key_changed(exec, sort->target, KW_STORE_GENERIC, "del");
        }
    } else {
        if (!kw_key_put_object(exec, sort->target, KW_KIND_LIST, list, KW_DEADLINE_NONE)) {
            return;
        }
        kw_key_changed(exec, sort->target, KW_STORE_LIST, "sortstore");
        kw_key_ready(exec, sort->target);
    }
    kw_reply_int(exec->out, count);
}

static bool parse_limit(struct kw_sort *sort, size_t at)
{
    struct kw_exec *exec = sort->exec;

    return kw_exec_int(exec, exec->argv[at + 1], &sort->limit_start) &&
           kw_exec_int(exec, exec->argv[at + 2], &sort->limit_count);
}

/* Once it names no key there is no order any more, whatever else is said: so redis has it. */
static void parse_by(struct kw_sort *sort, struct kw_bytes pattern)
{
    sort->by = pattern;
    sort->has_by = true;
    if (memchr(pattern.data, '*', strnlen(pattern.data, pattern.len)) == NULL) {
        sort->is_ordered = false;
    }
}
