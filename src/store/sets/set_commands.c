/* set_commands.c - sets, the plain commands: SADD, SREM, SMEMBERS and their kin. */
#include "store/internal.h"
#include "store/sets/set.h"
#include "store/tables/scan_options.h"

static bool add_to(struct kw_exec *exec, struct kw_bytes name, struct kw_set *set,
                   const struct kw_bytes *members, size_t members_count, int64_t *new_count);

void kw__do_sadd(struct kw_exec *exec)
{
    struct kw_set *set;
    int64_t new_count = 0;

    if (kw__set_find(exec, exec->argv[1], &set) != KW_FOUND_OTHER &&
        add_to(exec, exec->argv[1], set, &exec->argv[2], exec->argc - 2, &new_count)) {
        kw_reply_int(exec->out, new_count);
    }
}

void kw__do_srem(struct kw_exec *exec)
{
    struct kw_set *set;
    int64_t count = 0;

    if (kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER) {
        return;
    }
    for (size_t i = 2; set != NULL && i < exec->argc; i++) {
        count += kw__set_remove(exec->worker, set, exec->argv[i]) ? 1 : 0;
    }
    if (count > 0) {
        kw__set_shrunk(exec, exec->argv[1], set, "srem");
    }
    kw_reply_int(exec->out, count);
}

void kw__do_smove(struct kw_exec *exec)
{
    struct kw_bytes from_name = exec->argv[1];
    struct kw_bytes to_name = exec->argv[2];
    struct kw_bytes member = exec->argv[3];
    struct kw_set *from;
    struct kw_set *to = NULL;
    int64_t new_count = 0;

    enum kw_found found = kw__set_find(exec, from_name, &from);
    if (found == KW_FOUND_OTHER ||
        (found == KW_FOUND && kw__set_find(exec, to_name, &to) == KW_FOUND_OTHER)) {
        return;
    }
    if (from == NULL || from == to || !kw__set_has(from, member)) {
        kw_reply_int(exec->out, from != NULL && from == to && kw__set_has(from, member));
        return;
    }
    /* What can be refused comes first; its events come last, as redis tells them. */
    bool is_new = to == NULL;
    if (is_new) {
        to = kw__set_new(exec->worker);
        kw__set_add(exec->worker, to, member);
        exec->news = KW_NEWS_HELD;
        if (!kw_key_put_object(exec, to_name, KW_KIND_SET, to, KW_DEADLINE_NONE)) {
            return;
        }
    }
    kw__set_remove(exec->worker, from, member);
    kw__set_shrunk(exec, from_name, from, "srem");
    if (is_new) {
        if (exec->worker->tells_new) {
            kw_key_event(exec, to_name, KW_STORE_NEW, "new");
        }
        kw_key_changed(exec, to_name, KW_STORE_SET, "sadd");
    } else if (!add_to(exec, to_name, to, &member, 1, &new_count)) {
        return;
    }
    kw_reply_int(exec->out, 1);
}

void kw__do_sismember(struct kw_exec *exec)
{
    struct kw_set *set;

    if (kw__set_find(exec, exec->argv[1], &set) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, set != NULL && kw__set_has(set, exec->argv[2]));
    }
}

void kw__do_smismember(struct kw_exec *exec)
{
    struct kw_set *set;

    if (kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER) {
        return;
    }
    kw_reply_array(exec->out, exec->argc - 2);
    for (size_t i = 2; i < exec->argc; i++) {
        kw_reply_int(exec->out, set != NULL && kw__set_has(set, exec->argv[i]));
    }
}

void kw__do_smembers(struct kw_exec *exec)
{
    struct kw_set *set;

    if (kw__set_find(exec, exec->argv[1], &set) != KW_FOUND_OTHER) {
        kw__set_reply(exec, set);
    }
}

void kw__do_scard(struct kw_exec *exec)
{
    struct kw_set *set;

    if (kw__set_find(exec, exec->argv[1], &set) != KW_FOUND_OTHER) {
        kw_reply_int(exec->out, set == NULL ? 0 : (int64_t)kw__set_count(set));
    }
}

void kw__do_sscan(struct kw_exec *exec)
{
    struct kw_scan_options options = {0};
    struct kw_set_walk walk;
    struct kw_bytes member;
    struct kw_buf elements;
    struct kw_set *set;
    size_t count = 0;

    if (!kw__scan_cursor(exec, 2, &options.cursor) ||
        kw__set_find(exec, exec->argv[1], &set) == KW_FOUND_OTHER ||
        (set != NULL && !kw__scan_options(exec, 3, false, &options))) {
        return;
    }
    if (set != NULL && set->has_table) {
        kw__scan_table(exec, &options, &set->table);
        return;
    }
    kw_buf_init(&elements, exec->out->pool);
    if (set != NULL) {
        kw__set_walk_begin(&walk, set);
        while (kw__set_walk_next(&walk, &member)) {
            if (kw__scan_matches(&options, member)) {
                kw_reply_bulk(&elements, member);
                count++;
            }
        }
    }
    kw__scan_reply(exec, 0, count, &elements);
}

/* MEMBERS come to SET, NULL for a new one, under NAME. False: there is no memory. */
static bool add_to(struct kw_exec *exec, struct kw_bytes name, struct kw_set *set,
                   const struct kw_bytes *members, size_t members_count, int64_t *new_count)
{
    bool is_new = set == NULL;

    if (is_new) {
        set = kw__set_new(exec->worker);
    }
    for (size_t i = 0; i < members_count; i++) {
        *new_count += kw__set_add(exec->worker, set, members[i]) ? 1 : 0;
    }
    if (is_new && !kw_key_put_object(exec, name, KW_KIND_SET, set, KW_DEADLINE_NONE)) {
        return false;
    }
    if (*new_count > 0) {
        kw_key_changed(exec, name, KW_STORE_SET, "sadd");
    }
    return true;
}
