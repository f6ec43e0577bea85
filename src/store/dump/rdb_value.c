/* rdb_value.c - types of a payload to objects.
 *
 * Every form is a run of texts: one for an element, two for a field and its value, or for a member
 * and its score. They are put into an object of ours one after the other, which chooses its own
 * encoding, by redis's limits. What is there twice, a field without a value, and an object without
 * elements are damages: no redis writes such.
 */
#include "store/dump/packed.h"
#include "store/dump/rdb.h"
#include "store/hashes/hash.h"
#include "store/lists/list.h"
#include "store/sets/set.h"
#include "store/zsets/zset.h"

#include <math.h>

enum { NODE_PLAIN = 1, NODE_PACKED = 2 }; /* of KW_RDB_LIST_LISTPACKS: one element, or a listpack */

struct build {
    struct kw_store_worker *worker;
    enum kw_rdb_type type;
    enum kw_kind kind;
    void *object;
    struct kw_bytes first; /* a field or member whose other half is not there yet */
    bool has_first;
    bool is_damaged;
};

static void *object_new(struct kw_store_worker *worker, enum kw_kind kind);
static void build_plain(struct build *build, struct kw_rdb *rdb);
static void build_scored(struct build *build, struct kw_rdb *rdb);
static void build_nodes(struct build *build, struct kw_rdb *rdb);
static void build_packed(struct build *build, struct kw_rdb *rdb);
static void settle_packed(struct build *build);
static void add_packed(struct build *build, struct kw_bytes bytes);
static void add(struct build *build, struct kw_bytes text);
static void add_pair(struct build *build, struct kw_bytes first, struct kw_bytes second);
static void add_scored(struct build *build, struct kw_bytes member, double score);

/* What a type becomes, and who reads it. */
static const struct rdb_row {
    void (*build)(struct build *build, struct kw_rdb *rdb); /* NULL: this store has no such kind */
    enum kw_kind kind;
    enum kw_packed_form packed; /* of build_packed() and build_nodes() */
} rdb_rows[] = {
    [KW_RDB_LIST] = {build_plain, KW_KIND_LIST, 0},
    [KW_RDB_SET] = {build_plain, KW_KIND_SET, 0},
    [KW_RDB_ZSET_TEXT] = {build_scored, KW_KIND_ZSET, 0},
    [KW_RDB_HASH] = {build_plain, KW_KIND_HASH, 0},
    [KW_RDB_ZSET] = {build_scored, KW_KIND_ZSET, 0},
    [KW_RDB_HASH_ZIPMAP] = {build_packed, KW_KIND_HASH, KW_PACKED_ZIPMAP},
    [KW_RDB_LIST_ZIPLIST] = {build_packed, KW_KIND_LIST, KW_PACKED_ZIPLIST},
    [KW_RDB_SET_INTSET] = {build_packed, KW_KIND_SET, KW_PACKED_INTSET},
    [KW_RDB_ZSET_ZIPLIST] = {build_packed, KW_KIND_ZSET, KW_PACKED_ZIPLIST},
    [KW_RDB_HASH_ZIPLIST] = {build_packed, KW_KIND_HASH, KW_PACKED_ZIPLIST},
    [KW_RDB_LIST_ZIPLISTS] = {build_nodes, KW_KIND_LIST, KW_PACKED_ZIPLIST},
    [KW_RDB_HASH_LISTPACK] = {build_packed, KW_KIND_HASH, KW_PACKED_LISTPACK},
    [KW_RDB_ZSET_LISTPACK] = {build_packed, KW_KIND_ZSET, KW_PACKED_LISTPACK},
    [KW_RDB_LIST_LISTPACKS] = {build_nodes, KW_KIND_LIST, KW_PACKED_LISTPACK},
};

void *kw__rdb_object(struct kw_store_worker *worker, struct kw_rdb *rdb, enum kw_rdb_type type,
                     enum kw_kind *kind)
{
    if ((size_t)type >= sizeof rdb_rows / sizeof *rdb_rows || rdb_rows[type].build == NULL) {
        *kind = KW_KIND_COUNT;
        return NULL;
    }
    struct build build = {.worker = worker, .type = type, .kind = rdb_rows[type].kind};
    *kind = build.kind;
    build.object = object_new(worker, build.kind);
    rdb_rows[type].build(&build, rdb);
    if (build.kind == KW_KIND_HASH || build.kind == KW_KIND_ZSET) {
        settle_packed(&build);
    }
    const struct kw_object_kind *row = kw_object_kind(build.kind);
    if (rdb->is_damaged || build.is_damaged || build.has_first || row->count(build.object) == 0) {
        row->free(worker, build.object);
        return NULL;
    }
    return build.object;
}

static void *object_new(struct kw_store_worker *worker, enum kw_kind kind)
{
    switch (kind) {
    case KW_KIND_HASH:
        return kw__hash_new(worker);
    case KW_KIND_LIST:
        return kw_list_object_new(worker);
    case KW_KIND_SET:
        return kw__set_new(worker);
    case KW_KIND_ZSET:
    case KW_KIND_STRING:
    case KW_KIND_COUNT:
    default:
        return kw_zset_new(worker);
    }
}

/* A count, and as many texts, or pairs of them. */
static void build_plain(struct build *build, struct kw_rdb *rdb)
{
    bool has_pairs = build->kind == KW_KIND_HASH;
    uint64_t count = kw__rdb_length(rdb);
    struct kw_rdb_text first;
    struct kw_rdb_text second;

    for (uint64_t i = 0; i < count && !rdb->is_damaged && !build->is_damaged; i++) {
        kw__rdb_text(rdb, &first);
        if (has_pairs) {
            kw__rdb_text(rdb, &second);
        }
        if (!rdb->is_damaged && has_pairs) {
            add_pair(build, first.bytes, second.bytes);
        } else if (!rdb->is_damaged) {
            add(build, first.bytes);
        }
        kw__rdb_text_deinit(&first);
        if (has_pairs) {
            kw__rdb_text_deinit(&second);
        }
    }
}

static void build_scored(struct build *build, struct kw_rdb *rdb)
{
    uint64_t count = kw__rdb_length(rdb);
    struct kw_rdb_text member;

    kw_zset_spread(build->worker, build->object); /* a flat one has no -0, as in redis */
    for (uint64_t i = 0; i < count && !rdb->is_damaged && !build->is_damaged; i++) {
        kw__rdb_text(rdb, &member);
        double score = build->type == KW_RDB_ZSET ? kw__rdb_double(rdb) : kw__rdb_double_text(rdb);
        if (!rdb->is_damaged) {
            add_scored(build, member.bytes, score);
        }
        kw__rdb_text_deinit(&member);
    }
    kw_zset_flatten(build->worker, build->object);
}

static void build_nodes(struct build *build, struct kw_rdb *rdb)
{
    bool has_forms = build->type == KW_RDB_LIST_LISTPACKS;
    uint64_t count = kw__rdb_length(rdb);

    for (uint64_t i = 0; i < count && !rdb->is_damaged && !build->is_damaged; i++) {
        uint64_t form = has_forms ? kw__rdb_length(rdb) : NODE_PACKED;
        if (form == NODE_PACKED) {
            build_packed(build, rdb);
            continue;
        }
        struct kw_rdb_text text;
        kw__rdb_text(rdb, &text);
        build->is_damaged = form != NODE_PLAIN;
        if (!rdb->is_damaged && !build->is_damaged) {
            add(build, text.bytes);
        }
        kw__rdb_text_deinit(&text);
    }
}

static void build_packed(struct build *build, struct kw_rdb *rdb)
{
    struct kw_rdb_text text;

    kw__rdb_text(rdb, &text);
    if (!rdb->is_damaged) {
        add_packed(build, text.bytes);
    }
    kw__rdb_text_deinit(&text);
}

/* What comes as a listpack or ziplist stays one, unless it has too many elements now: redis does
 * not look at how large they are.
 */
static void settle_packed(struct build *build)
{
    const struct kw_packing *packing = kw__packing_of(build->worker);
    struct kw_hash *hash = build->kind == KW_KIND_HASH ? build->object : NULL;
    struct kw_zset *zset = build->kind == KW_KIND_ZSET ? build->object : NULL;
    const struct rdb_row *row = &rdb_rows[build->type];

    if (row->build != build_packed || row->packed == KW_PACKED_ZIPMAP) {
        return;
    }
    if (hash != NULL) {
        hash->fields.is_marked = hash->fields.count > packing->hash_entries_max;
    } else {
        zset->is_marked = zset->is_large && zset->count > packing->zset_entries_max;
    }
}

static void add_packed(struct build *build, struct kw_bytes bytes)
{
    bool has_pairs = build->kind == KW_KIND_HASH || build->kind == KW_KIND_ZSET;
    struct kw_packed packed;
    struct kw_bytes text;

    kw__packed_begin(&packed, rdb_rows[build->type].packed, bytes);
    while (!build->is_damaged && kw__packed_next(&packed, &text)) {
        if (!has_pairs) {
            add(build, text);
        } else if (build->has_first) {
            add_pair(build, build->first, text);
            build->has_first = false;
        } else {
            build->first = text;
            build->has_first = true;
        }
    }
    build->is_damaged = build->is_damaged || packed.is_damaged;
}

static void add(struct build *build, struct kw_bytes text)
{
    if (build->kind == KW_KIND_LIST) {
        kw_list_object_push(build->worker, build->object, KW_LIST_TAIL, text);
    } else if (!kw__set_add(build->worker, build->object, text)) {
        build->is_damaged = true;
    }
}

static void add_pair(struct build *build, struct kw_bytes first, struct kw_bytes second)
{
    double score = NAN;

    if (build->kind == KW_KIND_HASH) {
        build->is_damaged = !kw__hash_set(build->worker, build->object, first, second, false);
    } else if (kw_text_to_double(second, &score) == KW_OK) {
        add_scored(build, first, score);
    } else {
        build->is_damaged = true;
    }
}

static void add_scored(struct build *build, struct kw_bytes member, double score)
{
    build->is_damaged =
        isnan(score) || kw_zset_put(build->worker, build->object, member, score) != KW_ZSET_ADDED;
}
