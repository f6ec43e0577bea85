/* move_commands.c - LMOVE RPOPLPUSH BLMOVE BRPOPLPUSH. */
#include "store/lists/lists.h"

#include "base/mem.h"

struct list_move {
    struct kw_bytes from;
    struct kw_bytes to;
    enum kw_list_end from_end;
    enum kw_list_end to_end;
    bool may_block;
};

static bool move_parse_ends(struct kw_exec *exec, struct list_move *move);
static void move_run(struct kw_exec *exec, const struct list_move *move);
static void move_within(struct kw_exec *exec, const struct list_move *move,
                        struct kw_list_object *list, struct kw_bytes text);

void kw__do_lmove(struct kw_exec *exec)
{
    struct list_move move = {.from = exec->argv[1], .to = exec->argv[2]};

    if (move_parse_ends(exec, &move)) {
        move_run(exec, &move);
    }
}

void kw__do_rpoplpush(struct kw_exec *exec)
{
    struct list_move move = {.from = exec->argv[1],
                             .to = exec->argv[2],
                             .from_end = KW_LIST_TAIL,
                             .to_end = KW_LIST_HEAD};

    move_run(exec, &move);
}

void kw__do_blmove(struct kw_exec *exec)
{
    struct list_move move = {.from = exec->argv[1], .to = exec->argv[2], .may_block = true};

    if (move_parse_ends(exec, &move) && kw_exec_timeout(exec, exec->argv[5])) {
        move_run(exec, &move);
    }
}

void kw__do_brpoplpush(struct kw_exec *exec)
{
    struct list_move move = {.from = exec->argv[1],
                             .to = exec->argv[2],
                             .from_end = KW_LIST_TAIL,
                             .to_end = KW_LIST_HEAD,
                             .may_block = true};

    if (kw_exec_timeout(exec, exec->argv[3])) {
        move_run(exec, &move);
    }
}

static bool move_parse_ends(struct kw_exec *exec, struct list_move *move)
{
    return kw__list_end_of(exec, exec->argv[3], &move->from_end) &&
           kw__list_end_of(exec, exec->argv[4], &move->to_end);
}

static void move_run(struct kw_exec *exec, const struct list_move *move)
{
    struct kw_list_object *from = NULL;
    struct kw_list_object *to = NULL;
    char scratch[KW_TEXT_INT_MAX];

    enum kw_found found = kw__list_find(exec, move->from, &from);
    if (found == KW_FOUND_NOTHING) {
        if (move->may_block && !exec->is_batched) {
            kw_exec_block(exec);
        } else {
            kw_reply_null(exec->out, exec->proto);
        }
    }
    if (found != KW_FOUND) {
        return;
    }
    found = kw__list_find(exec, move->to, &to);
    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND_NOTHING) {
        to = kw_list_object_new(exec->worker);
        if (!kw_key_put_object(exec, move->to, KW_KIND_LIST, to, KW_DEADLINE_NONE)) {
            return;
        }
    }
    struct kw_bytes text = kw_list_spot_text(kw_list_object_end(from, move->from_end), scratch);
    kw_reply_bulk(exec->out, text);
    if (from == to) {
        move_within(exec, move, from, text);
    } else {
        kw_list_object_push(exec->worker, to, move->to_end, text);
    }
    kw__list_pushed(exec, move->to, move->to_end);
    kw__list_pop(exec, move->from, from, move->from_end, 1);
}

/* A copy of TEXT, which lies in LIST itself, at its other end. */
static void move_within(struct kw_exec *exec, const struct list_move *move,
                        struct kw_list_object *list, struct kw_bytes text)
{
    char *copy = kw_text_copy_bytes(text);

    kw_list_object_push(exec->worker, list, move->to_end, kw_bytes_of(copy, text.len));
    kw_free(copy);
}
