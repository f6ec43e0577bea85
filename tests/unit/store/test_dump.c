/* Tests of store/dump: what goes to redis and comes from it is compared by tests/embedded. */
#include "store/dump/packed.h"
#include "tests/unit/store/scene.h"

/* Every text of BYTES, with blanks between them; "!" at the end when they are damaged. */
static const char *packed_texts(enum kw_packed_form form, struct kw_bytes bytes, char *room,
                                size_t size)
{
    struct kw_packed packed;
    struct kw_bytes text;
    size_t len = 0;

    room[0] = '\0';
    kw__packed_begin(&packed, form, bytes);
    while (kw__packed_next(&packed, &text)) {
        len += (size_t)snprintf(room + len, size - len, "%.*s ", (int)text.len, text.data);
    }
    if (packed.is_damaged) {
        snprintf(room + len, size - len, "!");
    }
    return room;
}

KW_TEST(packed_elements_are_read_in_every_encoding)
{
    char room[256];

    assert_string_equal(packed_texts(KW_PACKED_LISTPACK,
                                     KW_BYTES("\x1a\0\0\0\6\0\x7f\1\xdf\xff\2\x83"
                                              "abc\4\xf1\0\x80\3\xf2\0\0\x80\4\xff"),
                                     room, sizeof room),
                        "127 -1 abc -32768 -8388608 ");
    assert_string_equal(
        packed_texts(KW_PACKED_INTSET, KW_BYTES("\2\0\0\0\2\0\0\0\xff\xff\1\0"), room, sizeof room),
        "-1 1 ");
    assert_string_equal(
        packed_texts(KW_PACKED_ZIPMAP, KW_BYTES("\1\1f\2\1vw-\xff"), room, sizeof room), "f vw ");
}

KW_TEST(packed_elements_that_are_cut_at_any_byte_are_damaged)
{
    struct kw_bytes whole = KW_BYTES("\x14\0\0\0\3\0\x7f\1\x83"
                                     "abc\4\xf1\0\x80\3\5\1\xff");
    char room[256];

    assert_null(strchr(packed_texts(KW_PACKED_LISTPACK, whole, room, sizeof room), '!'));
    for (size_t len = 0; len < whole.len; len++) {
        packed_texts(KW_PACKED_LISTPACK, kw_bytes_of(whole.data, len), room, sizeof room);
        assert_non_null(strchr(room, '!'));
    }
}

KW_TEST(restore_refuses_what_is_there_and_what_is_no_payload)
{
    struct store_scene scene;

    store_scene_open(&scene);
    store_scene_run(&scene, "SET k v");
    store_scene_expect(&scene, "RESTORE k 0 x", "-BUSYKEY Target key name already exists.");
    store_scene_expect(&scene, "RESTORE l 0 x", "-ERR DUMP payload version or checksum are wrong");
    store_scene_expect(&scene, "RESTORE l -1 x", "-ERR Invalid TTL value, must be >= 0");
    store_scene_close(&scene);
}

KW_TEST(dump_refuses_to_lose_deadlines_of_fields)
{
    struct store_scene scene;

    store_scene_open(&scene);
    store_scene_run(&scene, "HSET h f v");
    store_scene_run(&scene, "HEXPIRE h 100 FIELDS 1 f");
    store_scene_expect(
        &scene, "DUMP h",
        "-ERR DUMP would lose the deadlines of fields: version 10 of the format has none");
    store_scene_close(&scene);
}
