/* test_board.c - changes of options while keyway runs: all or nothing. */
#include "config/board.h"
#include "tests/unit/config/loading.h"
#include "tests/unit/kw_test.h"

static struct kw_config_board *board_open(void)
{
    struct kw_config *config = kw_config_new_default();
    struct kw_config_board *board = kw_config_board_new(config);

    kw_config_unref(&config);
    return board;
}

KW_TEST(board_changes_all_or_nothing_and_old_snapshots_stay)
{
    struct kw_config_board *board = board_open();
    struct kw_config *before = kw_config_board_get(board);
    struct kw_bytes good[] = {KW_BYTES("timeout"), KW_BYTES("7"), KW_BYTES("MAXCLIENTS"),
                              KW_BYTES("9")};
    struct kw_bytes bad[] = {KW_BYTES("timeout"), KW_BYTES("8"), KW_BYTES("maxclients"),
                             KW_BYTES("0")};
    struct kw_blob why = {0};
    size_t at = 0;

    assert_int_equal(kw_config_board_set(board, good, 2, &at, &why), KW_CONFIG_CHANGED);
    assert_int_equal(kw_config_board_set(board, bad, 2, &at, &why), KW_CONFIG_REFUSED);
    assert_int_equal(at, 2);

    struct kw_config *after = kw_config_board_get(board);
    assert_int_equal(before->timeout_s, 0);
    assert_int_equal(after->timeout_s, 7);
    assert_int_equal(after->maxclients, 9);
    kw_blob_deinit(&why);
    kw_config_unref(&before);
    kw_config_unref(&after);
    kw_config_board_free(&board);
}

KW_TEST(board_reload_names_what_can_not_change)
{
    struct kw_config_board *board = board_open();
    struct kw_config *loaded = NULL;
    char error[KW_CONFIG_ERROR_MAX];
    struct kw_blob notes = {0};
    assert_int_equal(kw_config_load_text(KW_BYTES("timeout 5\nlinks-per-node 3\n"
                                                  "cluster-seeds a:1 b:2\n"),
                                         &loaded, error, sizeof error),
                     KW_OK);

    assert_int_equal(kw_config_board_reload(board, loaded, &notes), 1);

    struct kw_config *after = kw_config_board_get(board);
    assert_int_equal(after->timeout_s, 5);
    assert_int_equal(after->links_per_node, 1);
    assert_int_equal(after->cluster_seeds_count, 0);
    kw_blob_add(&notes, kw_bytes_of("", 1));
    assert_non_null(strstr(notes.data, "links-per-node can't change"));
    assert_non_null(strstr(notes.data, "cluster-seeds can't change"));
    kw_blob_deinit(&notes);
    kw_config_unref(&loaded);
    kw_config_unref(&after);
    kw_config_board_free(&board);
}
