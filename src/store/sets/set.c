/* set.c - see set.h.
 *
 * Invariants:
 * S1  A set that others can see has a member.
 * S2  A number is written in one way only, so it is a member just when its digits are.
 */
#include "store/sets/set.h"

#include "store/internal.h"

/* Redis's, whatever set-max-intset-entries says. */
static const uint64_t numbers_most = UINT64_C(1) << 30;

/* Small tables are flat, though OBJECT ENCODING calls them what redis 7.0 calls them. */
static const struct kw_table_limits limits = {128, 64};

struct kw_set *kw__set_new(struct kw_store_worker *worker)
{
    struct kw_set *set = kw_heap_get(worker, sizeof *set);

    set->has_table = false;
    kw_intset_init(&set->numbers);
    return set;
}

void kw__set_free(struct kw_store_worker *worker, void *object)
{
    struct kw_set *set = object;

    if (set->has_table) {
        kw_table_deinit(worker, &set->table);
    } else {
        kw_intset_deinit(worker, &set->numbers);
    }
    kw_heap_put(worker, set, sizeof *set);
}

enum kw_found kw__set_find(struct kw_exec *exec, struct kw_bytes name, struct kw_set **set)
{
    void *object = NULL;
    enum kw_found found = kw_key_object(exec, name, KW_KIND_SET, &object);

    *set = object;
    return found;
}

void kw__set_shrunk(struct kw_exec *exec, struct kw_bytes name, struct kw_set *set,
                    const char *event)
{
    bool is_empty = kw__set_count(set) == 0;

    if (is_empty) {
        kw_key_remove(exec, name); /* S1 */
    }
    kw_key_changed(exec, name, KW_STORE_SET, event);
    if (is_empty) {
        kw_key_event(exec, name, KW_STORE_GENERIC, "del");
    }
}

void kw__set_reply(struct kw_exec *exec, const struct kw_set *set)
{
    struct kw_set_walk walk;
    struct kw_bytes member;

    kw_reply_set(exec->out, set == NULL ? 0 : kw__set_count(set), exec->proto);
    if (set == NULL) {
        return;
    }
    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        kw_reply_bulk(exec->out, member);
    }
}

size_t kw__set_count(const struct kw_set *set)
{
    return set->has_table ? set->table.count : set->numbers.count;
}

bool kw__set_has(const struct kw_set *set, struct kw_bytes member)
{
    int64_t number = 0;

    if (set->has_table) {
        return kw_table_find(&set->table, member, NULL);
    }
    return kw_text_to_int(member, &number) == KW_OK && kw_intset_has(&set->numbers, number);
}

bool kw__set_add(struct kw_store_worker *worker, struct kw_set *set, struct kw_bytes member)
{
    int64_t number = 0;

    if (!set->has_table && kw_text_to_int(member, &number) == KW_OK) {
        uint64_t max = kw__packing_of(worker)->set_numbers_max;
        bool is_new = kw_intset_add(worker, &set->numbers, number);
        if (is_new && set->numbers.count > (max < numbers_most ? max : numbers_most)) {
            kw__set_spread(worker, set);
        }
        return is_new;
    }
    kw__set_spread(worker, set);
    return kw_table_put(worker, &set->table, &limits, member, KW_BYTES(""), NULL);
}

bool kw__set_remove(struct kw_store_worker *worker, struct kw_set *set, struct kw_bytes member)
{
    int64_t number = 0;

    if (set->has_table) {
        return kw_table_remove(worker, &set->table, member);
    }
    return kw_text_to_int(member, &number) == KW_OK &&
           kw_intset_remove(worker, &set->numbers, number);
}

void kw__set_spread(struct kw_store_worker *worker, struct kw_set *set)
{
    struct kw_set_walk walk;
    struct kw_bytes member;
    struct kw_table table;

    if (set->has_table) {
        return;
    }
    kw_table_init(&table, 0, false);
    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        kw_table_put(worker, &table, &limits, member, KW_BYTES(""), NULL);
    }
    kw_intset_deinit(worker, &set->numbers);
    set->table = table;
    set->has_table = true;
}

void kw__set_walk_begin(struct kw_set_walk *walk, const struct kw_set *set)
{
    walk->set = set;
    walk->next = 0;
    if (set->has_table) {
        kw_table_walk_begin(&walk->table, &set->table);
    }
}

bool kw__set_walk_next(struct kw_set_walk *walk, struct kw_bytes *member)
{
    struct kw_table_item item;

    if (walk->set->has_table) {
        bool is_there = kw_table_walk_next(&walk->table, &item);
        if (is_there) {
            *member = item.key;
        }
        return is_there;
    }
    if (walk->next == walk->set->numbers.count) {
        return false;
    }
    int64_t number = kw_intset_at(&walk->set->numbers, walk->next++);
    *member = kw_bytes_of(walk->text, kw_text_from_int(number, walk->text));
    return true;
}

struct kw_bytes kw__set_pick(const struct kw_set *set, uint64_t *random, char *text)
{
    struct kw_table_item item;

    if (set->has_table) {
        kw_table_pick(&set->table, random, &item);
        return item.key;
    }
    int64_t number = kw_intset_at(&set->numbers, kw_table_random(random, set->numbers.count));
    return kw_bytes_of(text, kw_text_from_int(number, text));
}
