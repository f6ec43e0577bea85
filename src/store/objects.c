/* objects.c - which kind of object is which. */
#include "store/internal.h"

const char *kw__kind_name(enum kw_kind kind)
{
    if (kind == KW_KIND_COUNT) {
        return "none";
    }
    return kind == KW_KIND_STRING ? "string" : kw_object_kind(kind)->type;
}

const struct kw_object_kind *kw_object_kind(enum kw_kind kind)
{
    static const struct kw_object_kind *const kinds[KW_KIND_COUNT] = {
        [KW_KIND_STRING] = NULL, /* no object */
        [KW_KIND_HASH] = &kw_hash_kind, [KW_KIND_LIST] = &kw_list_kind,
        [KW_KIND_SET] = &kw_set_kind,   [KW_KIND_ZSET] = &kw_zset_kind,
    };

    KW_ASSERT(kind < KW_KIND_COUNT && kinds[kind] != NULL);
    return kinds[kind];
}
