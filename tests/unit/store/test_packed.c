/* test_packed.c - lists and sorted sets as bytes: they come back as they were, or not at all. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/lists/list.h"
#include "store/object.h"
#include "store/zsets/zset.h"
#include "tests/unit/kw_test.h"

enum { PACKED_MAX = 64 * 1024 };

/* What SAVE writes of OBJECT, in one run of memory. */
static struct kw_bytes packed(const struct kw_object_kind *kind, const void *object, char *room)
{
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    size_t len = 0;

    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kind->save(object, &buf);
    assert_true(buf.len <= PACKED_MAX);
    for (const struct kw_chunk *chunk = buf.head; chunk != NULL; chunk = chunk->next) {
        memcpy(room + len, chunk->data + chunk->start, chunk->end - chunk->start);
        len += chunk->end - chunk->start;
    }
    kw_buf_reset(&buf);
    kw_chunk_pool_deinit(&pool);
    return kw_bytes_of(room, len);
}

/* Loaded and saved again it is the same; cut anywhere, or with something behind it, it is refused. */
static void assert_packs_well(const struct kw_object_kind *kind, void *object)
{
    static char first[PACKED_MAX];
    static char second[PACKED_MAX];
    struct kw_bytes bytes = packed(kind, object, first);

    void *loaded = kind->load(NULL, bytes);
    assert_non_null(loaded);
    assert_string_equal(kind->encoding(loaded), kind->encoding(object));
    assert_true(kw_bytes_equal(packed(kind, loaded, second), bytes));
    void *copy = kind->copy(NULL, loaded);
    assert_true(kw_bytes_equal(packed(kind, copy, second), bytes));
    kind->free(NULL, copy);
    kind->free(NULL, loaded);

    for (size_t len = 0; len < bytes.len; len++) {
        char *cut = kw_text_copy_bytes(kw_bytes_of(first, len)); /* a read beyond it is seen */
        assert_null(kind->load(NULL, kw_bytes_of(cut, len)));
        kw_free(cut);
    }
    memcpy(second, first, bytes.len);
    second[bytes.len] = '\0';
    assert_null(kind->load(NULL, kw_bytes_of(second, bytes.len + 1)));
    kind->free(NULL, object);
}

KW_TEST(a_list_comes_back_from_its_bytes_or_not_at_all)
{
    static char big[5000];
    struct kw_list_object *list = kw_list_object_new(NULL);

    memset(big, 'x', sizeof big);
    kw_list_object_push(NULL, list, KW_LIST_TAIL, KW_BYTES(""));
    kw_list_object_push(NULL, list, KW_LIST_TAIL, KW_BYTES("-12345678901"));
    kw_list_object_push(NULL, list, KW_LIST_TAIL, kw_bytes_of(big, sizeof big));
    kw_list_object_push(NULL, list, KW_LIST_HEAD, KW_BYTES("head"));
    assert_packs_well(&kw_list_kind, list);
}

KW_TEST(a_small_sorted_set_comes_back_from_its_bytes_or_not_at_all)
{
    struct kw_zset *zset = kw_zset_new(NULL);

    kw_zset_put(NULL, zset, KW_BYTES(""), -1e300);
    kw_zset_put(NULL, zset, KW_BYTES("whole"), 70000);
    kw_zset_put(NULL, zset, KW_BYTES("half"), 0.5);
    assert_packs_well(&kw_zset_kind, zset);
}

KW_TEST(a_large_sorted_set_comes_back_from_its_bytes_or_not_at_all)
{
    struct kw_zset *zset = kw_zset_new(NULL);
    char room[KW_TEXT_INT_MAX];

    for (int64_t i = 0; i < 150; i++) {
        size_t len = kw_text_from_int(i, room);
        kw_zset_put(NULL, zset, kw_bytes_of(room, len), (double)(i % 7));
    }
    assert_packs_well(&kw_zset_kind, zset);
}

KW_TEST(packed_sorted_sets_with_scores_that_are_no_numbers_or_members_twice_are_refused)
{
    static const char nan_score[] = "\0\1\1a\10\0\0\0\0\0\0\370\177";
    static const char twice[] = "\0\2\1a\10\0\0\0\0\0\0\360\77\1a\10\0\0\0\0\0\0\0\100";
    static const char short_score[] = "\0\1\1a\7\0\0\0\0\0\0\0";

    assert_null(kw_zset_kind.load(NULL, KW_BYTES(nan_score)));
    assert_null(kw_zset_kind.load(NULL, KW_BYTES(twice)));
    assert_null(kw_zset_kind.load(NULL, KW_BYTES(short_score)));
}
