/* sort_pattern.c - "weight_*" or "user_*->name", and an element: the value of a key, or of a field.
 *
 * Patterns end at a NUL byte as far as stars and arrows are looked for, as in redis.
 */
#include "store/hashes/hash.h"
#include "store/sort/sort.h"

static bool look_name(struct kw_sort *sort, struct kw_bytes name, struct kw_bytes field,
                      struct kw_bytes *value);

bool kw__sort_look(struct kw_sort *sort, struct kw_bytes pattern, struct kw_bytes text,
                   struct kw_bytes *value)
{
    if (kw_bytes_equal(pattern, KW_BYTES("#"))) {
        *value = text;
        return true;
    }
    size_t len = strnlen(pattern.data, pattern.len);
    const char *star = memchr(pattern.data, '*', len);
    if (star == NULL) {
        return false;
    }
    size_t before = (size_t)(star - pattern.data);
    const char *arrow = memmem(star + 1, len - before - 1, "->", 2);
    struct kw_bytes field = {0};
    const char *end = pattern.data + pattern.len;
    if (arrow != NULL && arrow + 2 < pattern.data + len) {
        field = kw_bytes_of(arrow + 2, (size_t)(end - arrow) - 2);
        end = arrow;
    }
    size_t after = (size_t)(end - star) - 1;
    char *name = kw__scratch(sort->exec, before + text.len + after + 1);
    if (name == NULL) {
        return false;
    }
    memcpy(name, pattern.data, before);
    memcpy(name + before, text.data, text.len);
    memcpy(name + before + text.len, star + 1, after);
    return look_name(sort, kw_bytes_of(name, before + text.len + after), field, value);
}

/* FIELD is empty when there is none. */
static bool look_name(struct kw_sort *sort, struct kw_bytes name, struct kw_bytes field,
                      struct kw_bytes *value)
{
    struct kw_store_worker *worker = sort->exec->worker;
    struct kw_cache_found found;
    struct kw_table_item item;
    struct kw_hash *hash = NULL;
    int64_t heap_bytes =
        worker->heap_bytes; /* of a result that is under way, not of what is found */

    worker->heap_bytes = 0;
    worker->key_last = (struct kw_cache_key){0}; /* another name may have lain there */
    struct kw_cache_key key = kw__key_of(worker, name);
    bool is_there = kw__key_look(worker, &key, true, &found);
    if (!is_there) {
        kw_key_missed(sort->exec, name);
    } else if (field.len > 0) {
        is_there = found.kind == KW_KIND_HASH &&
                   kw__hash_find(sort->exec, name, &hash) == KW_FOUND &&
                   kw_table_find(&hash->fields, field, &item);
        *value = is_there ? item.value : KW_BYTES("");
    } else {
        is_there = kw__kind_of(&found) == KW_KIND_STRING;
        *value = found.value;
    }
    kw__cell_touch(worker, NULL);
    worker->heap_bytes = heap_bytes;
    worker->key_last = (struct kw_cache_key){0};
    return is_there;
}
