/* sort_elements.c - the elements of what is sorted, and their order.
 *
 * Without an order only those are taken that are wanted; else all of them, as any may come first.
 */
#include "base/mem.h"
#include "base/text.h"
#include "store/lists/list.h"
#include "store/sets/set.h"
#include "store/sort/sort.h"
#include "store/zsets/zset.h"

#include <stdlib.h>

/* What is under the name. */
struct source {
    enum kw_kind kind; /* KW_KIND_COUNT: nothing */
    void *object;
    size_t count;
};

static bool source_find(struct kw_sort *sort, struct kw_bytes name, struct source *source);
static void sort_limit(struct kw_sort *sort, size_t count);
static void take_list(struct kw_sort *sort, const struct kw_list_object *list);
static void take_set(struct kw_sort *sort, const struct kw_set *set);
static void take_zset(struct kw_sort *sort, const struct kw_zset *zset);
static void take(struct kw_sort *sort, struct kw_bytes text, const char *scratch);
static bool weigh(struct kw_sort *sort);
static bool copy_weights(struct kw_sort *sort);
static int item_compare(const void *left, const void *right, void *arg);
static int compare_alpha(const struct kw_sort *sort, const struct kw_sort_item *left,
                         const struct kw_sort_item *right);

bool kw__sort_collect(struct kw_sort *sort, struct kw_bytes name)
{
    struct source source = {.kind = KW_KIND_COUNT};

    if (!source_find(sort, name, &source)) {
        return false;
    }
    if (!sort->is_ordered && source.kind == KW_KIND_SET && sort->is_stored) {
        sort->is_ordered = true; /* a set has no order: what is stored shall have one */
        sort->is_alpha = true;
        sort->has_by = false;
    }
    sort_limit(sort, source.count);
    sort->items = kw_try_alloc((source.count + 1) * sizeof *sort->items);
    sort->texts = kw_try_alloc(source.count * KW_TEXT_INT_MAX + 1);
    if (sort->items == NULL || sort->texts == NULL) {
        kw_exec_short(sort->exec);
        return false;
    }
    if (source.kind == KW_KIND_LIST) {
        take_list(sort, source.object);
    } else if (source.kind == KW_KIND_SET) {
        take_set(sort, source.object);
    } else if (source.kind == KW_KIND_ZSET) {
        take_zset(sort, source.object);
    }
    return true;
}

bool kw__sort_order(struct kw_sort *sort)
{
    if (!weigh(sort)) {
        kw_exec_error(sort->exec, KW_ERROR_SORT_NUMBER, NULL);
        return false;
    }
    if (sort->is_alpha && !sort->is_stored && !copy_weights(sort)) {
        kw_exec_short(sort->exec);
        return false;
    }
    qsort_r(sort->items, sort->items_count, sizeof *sort->items, item_compare, sort);
    return true;
}

void kw__sort_deinit(struct kw_sort *sort)
{
    kw_free(sort->gets);
    kw_free(sort->items);
    kw_free(sort->texts);
    kw_free(sort->copies);
}

static bool source_find(struct kw_sort *sort, struct kw_bytes name, struct source *source)
{
    struct kw_exec *exec = sort->exec;
    struct kw_cache_key key = kw__key_of(exec->worker, name);
    struct kw_cache_found found;

    if (!kw__key_look(exec->worker, &key, true, &found)) {
        kw_key_missed(exec, name);
        return true;
    }
    source->kind = kw__kind_of(&found);
    if (source->kind == KW_KIND_STRING || source->kind == KW_KIND_HASH) {
        kw_exec_error(exec, KW_ERROR_WRONGTYPE, NULL);
        return false;
    }
    struct kw_cell *cell = kw__cell_of(found.value);
    kw__cell_touch(exec->worker, cell);
    source->object = cell->object;
    source->count = kw_object_kind(source->kind)->count(source->object);
    struct kw_zset *zset = source->kind == KW_KIND_ZSET ? source->object : NULL;
    if (zset != NULL && !zset->is_marked) {
        kw_zset_spread(exec->worker, zset); /* so does redis: OBJECT ENCODING shows it */
        kw__cell_touch(exec->worker, NULL);
    }
    return true;
}

/* Which of COUNT elements are wanted. */
static void sort_limit(struct kw_sort *sort, size_t count)
{
    uint64_t start = sort->limit_start < 0 ? 0 : (uint64_t)sort->limit_start;
    uint64_t wanted = sort->limit_count < 0 ? UINT64_MAX : (uint64_t)sort->limit_count;

    sort->first = start < count ? (size_t)start : count;
    sort->count = wanted < count - sort->first ? (size_t)wanted : count - sort->first;
}

static void take_list(struct kw_sort *sort, const struct kw_list_object *list)
{
    bool is_backward = !sort->is_ordered && sort->is_descending;
    enum kw_list_end end = is_backward ? KW_LIST_HEAD : KW_LIST_TAIL;
    uint64_t first = sort->is_ordered ? 0 : sort->first;
    uint64_t count = sort->is_ordered ? list->count : sort->count;
    char scratch[KW_TEXT_INT_MAX];

    if (count == 0) {
        return;
    }
    struct kw_list_spot spot =
        kw_list_object_find(list, is_backward ? list->count - first - 1 : first);
    for (; count > 0; count--) {
        take(sort, kw_list_spot_text(spot, scratch), scratch);
        spot = kw_list_spot_next(spot, end);
    }
    sort->first = sort->is_ordered ? sort->first : 0;
}

static void take_set(struct kw_sort *sort, const struct kw_set *set)
{
    struct kw_set_walk walk;
    struct kw_bytes member;

    kw__set_walk_begin(&walk, set);
    while (kw__set_walk_next(&walk, &member)) {
        take(sort, member, walk.text);
    }
}

static void take_zset(struct kw_sort *sort, const struct kw_zset *zset)
{
    bool is_backward = !sort->is_ordered && sort->is_descending;
    uint64_t first = sort->is_ordered ? 0 : sort->first;
    uint64_t count = sort->is_ordered ? zset->count : sort->count;
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    if (count == 0) {
        return;
    }
    kw_zset_walk_begin(&walk, zset, is_backward ? zset->count - first - 1 : first, is_backward);
    for (; count > 0 && kw_zset_walk_next(&walk, &item); count--) {
        take(sort, item.member, NULL);
    }
    sort->first = sort->is_ordered ? sort->first : 0;
}

/* TEXT as one more item; what lies in SCRATCH will not be there for long. */
static void take(struct kw_sort *sort, struct kw_bytes text, const char *scratch)
{
    size_t place = sort->items_count++;

    if (text.data == scratch) {
        char *kept = sort->texts + place * KW_TEXT_INT_MAX;
        memcpy(kept, text.data, text.len);
        text.data = kept;
    }
    sort->items[place] = (struct kw_sort_item){.text = text, .place = (uint32_t)place};
}

/* What each item is ordered by. False: one of them is no number. */
static bool weigh(struct kw_sort *sort)
{
    bool is_sound = true;

    for (size_t i = 0; i < sort->items_count; i++) {
        struct kw_sort_item *item = &sort->items[i];
        struct kw_bytes weight = item->text;
        if (sort->has_by && !kw__sort_look(sort, sort->by, item->text, &weight)) {
            continue;
        }
        item->has_weight = true;
        item->weight = weight;
        if (!sort->is_alpha && kw_text_scan_double(weight, &item->score) != KW_OK) {
            is_sound = false;
        }
    }
    return is_sound;
}

/* NUL-terminated weights; false: there is no memory. */
static bool copy_weights(struct kw_sort *sort)
{
    size_t bytes = 1;

    for (size_t i = 0; i < sort->items_count; i++) {
        bytes += sort->items[i].weight.len + 1;
    }
    sort->copies = kw_try_alloc(bytes);
    if (sort->copies == NULL) {
        return false;
    }
    char *at = sort->copies;
    for (size_t i = 0; i < sort->items_count; i++) {
        struct kw_bytes *weight = &sort->items[i].weight;
        if (weight->len > 0) {
            memcpy(at, weight->data, weight->len);
        }
        at[weight->len] = '\0';
        weight->data = at;
        at += weight->len + 1;
    }
    return true;
}

static int item_compare(const void *left, const void *right, void *arg)
{
    const struct kw_sort *sort = arg;
    const struct kw_sort_item *a = left;
    const struct kw_sort_item *b = right;
    int order = 0;

    if (sort->is_alpha) {
        order = compare_alpha(sort, a, b);
    } else {
        order = (a->score > b->score) - (a->score < b->score);
        order = order != 0 ? order : kw_member_compare(a->text, b->text);
    }
    if (order == 0) {
        return a->place < b->place ? -1 : 1;
    }
    return sort->is_descending ? -order : order;
}

/* What has no weight comes first. As the locale has it, but bytewise where it is to be stored. */
static int compare_alpha(const struct kw_sort *sort, const struct kw_sort_item *left,
                         const struct kw_sort_item *right)
{
    if (!left->has_weight || !right->has_weight) {
        return (int)left->has_weight - (int)right->has_weight;
    }
    return sort->is_stored ? kw_member_compare(left->weight, right->weight)
                           : strcoll(left->weight.data, right->weight.data);
}
