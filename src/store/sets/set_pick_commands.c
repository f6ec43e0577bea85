/* set_pick_commands.c - members by chance: SPOP, SRANDMEMBER. */
#include "store/internal.h"
#include "store/sets/set.h"
#include "store/tables/pick.h"

struct picker {
    struct kw_exec *exec;
    struct kw_set *popped; /* SPOP: those that are to be removed; NULL otherwise */
};

static void pop_one(struct kw_exec *exec);
static void pop_all(struct kw_exec *exec, struct kw_set *set);
static void pick_some(struct kw_exec *exec, const struct kw_set *set, size_t count,
                      struct kw_set *popped);
static void picker_on_item(void *user, const struct kw_table_item *item);
static void picker_take(struct picker *picker, struct kw_bytes member);

void kw__do_spop(struct kw_exec *exec)
{
    struct kw_set_walk walk;
    struct kw_bytes member;
    struct kw_set *set;
    int64_t count = 0;

    if (exec->argc == 2) {
        pop_one(exec);
        return;
    }
    if (exec->argc > 3) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (kw_text_to_int(exec->argv[2], &count) != KW_OK || count < 0) {
        kw_exec_error(exec, KW_ERROR_COUNT_NEGATIVE, NULL);
        return;
    }
    if (kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER) {
        return;
    }
    if (set == NULL || count == 0) {
        kw_reply_set(exec->out, 0, exec->proto);
        return;
    }
    if ((uint64_t)count >= kw__set_count(set)) {
        pop_all(exec, set);
        return;
    }
    struct kw_set *popped = kw__set_new(exec->worker);
    kw_reply_set(exec->out, (size_t)count, exec->proto);
    pick_some(exec, set, (size_t)count, popped);
    kw__set_walk_begin(&walk, popped);
    while (kw__set_walk_next(&walk, &member)) {
        kw__set_remove(exec->worker, set, member);
    }
    kw__set_free(exec->worker, popped);
    kw_key_changed(exec, exec->argv[1], KW_STORE_SET, "spop");
}

void kw__do_srandmember(struct kw_exec *exec)
{
    char text[KW_TEXT_INT_MAX];
    uint64_t *random = kw__random(exec->worker);
    struct kw_set *set;
    int64_t count = 1;

    if (exec->argc > 3) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (exec->argc == 3 && !kw__pick_count(exec, exec->argv[2], &count)) {
        return;
    }
    if (kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER) {
        return;
    }
    if (exec->argc == 2) {
        if (set == NULL) {
            kw_reply_null(exec->out, exec->proto);
        } else {
            kw_reply_bulk(exec->out, kw__set_pick(set, random, text));
        }
        return;
    }
    size_t wanted = set == NULL ? 0 : (size_t)(count < 0 ? -count : count);
    if (count >= 0) {
        wanted = set != NULL && wanted > kw__set_count(set) ? kw__set_count(set) : wanted;
        kw_reply_array(exec->out, wanted);
        if (wanted > 0) {
            pick_some(exec, set, wanted, NULL);
        }
        return;
    }
    kw_reply_array(exec->out, wanted);
    for (; wanted > 0; wanted--) {
        kw_reply_bulk(exec->out, kw__set_pick(set, random, text));
    }
}

static void pop_one(struct kw_exec *exec)
{
    char text[KW_TEXT_INT_MAX];
    struct kw_set *set;

    if (kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER) {
        return;
    }
    if (set == NULL) {
        kw_reply_null(exec->out, exec->proto);
        return;
    }
    struct kw_bytes member = kw__set_pick(set, kw__random(exec->worker), text);
    kw_reply_bulk(exec->out, member);
    kw__set_remove(exec->worker, set, member);
    kw__set_shrunk(exec, exec->argv[1], set, "spop");
}

static void pop_all(struct kw_exec *exec, struct kw_set *set)
{
    kw__set_reply(exec, set);
    kw_key_remove(exec, exec->argv[1]);
    kw_key_changed(exec, exec->argv[1], KW_STORE_SET, "spop");
    kw_key_event(exec, exec->argv[1], KW_STORE_GENERIC, "del");
}

/* Reply COUNT different members, at least 1 and at most all; with POPPED they go there, too. */
static void pick_some(struct kw_exec *exec, const struct kw_set *set, size_t count,
                      struct kw_set *popped)
{
    struct picker picker = {.exec = exec, .popped = popped};
    uint64_t *random = kw__random(exec->worker);
    struct kw_set_walk walk;
    struct kw_bytes member;

    if (set->has_table) {
        kw__table_pick_some(exec->worker, &set->table, random, count, picker_on_item, &picker);
        return;
    }
    size_t left = set->numbers.count;
    kw__set_walk_begin(&walk, set);
    while (count > 0 && kw__set_walk_next(&walk, &member)) {
        if (kw_table_random(random, left--) < count) {
            picker_take(&picker, member);
            count--;
        }
    }
}

static void picker_on_item(void *user, const struct kw_table_item *item)
{
    picker_take(user, item->key);
}

static void picker_take(struct picker *picker, struct kw_bytes member)
{
    kw_reply_bulk(picker->exec->out, member);
    if (picker->popped != NULL) {
        kw__set_add(picker->exec->worker, picker->popped, member);
    }
}
