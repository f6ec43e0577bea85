/* test_snapshot.c - keys go to a file and come back; what is damaged does not. */
#include "base/clock.h"
#include "store/snapshot/snapshot.h"
#include "tests/unit/store/scene.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 * 1024 };

static struct store_scene scene_of_test;
static struct store_scene restored_of_test;

struct kept_file {
    char path[64];
    char bytes[FILE_MAX_BYTES];
    size_t len;
};

static struct kept_file file_of_test;

static struct kept_file *file_new(void)
{
    struct kept_file *file = &file_of_test;

    (void)snprintf(file->path, sizeof file->path, "/tmp/keyway-snapshot-XXXXXX");
    int fd = mkstemp(file->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(file->path);
    return file;
}

static void file_read(struct kept_file *file)
{
    FILE *stream = fopen(file->path, "rb");

    assert_non_null(stream);
    file->len = fread(file->bytes, 1, sizeof file->bytes, stream);
    assert_true(file->len > 0 && file->len < sizeof file->bytes);
    assert_int_equal(fclose(stream), 0);
}

static void file_write(const struct kept_file *file, size_t len)
{
    FILE *stream = fopen(file->path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(file->bytes, 1, len, stream), len);
    assert_int_equal(fclose(stream), 0);
}

/* What is at the file's path, in a store of its own. */
static enum kw_status file_load(const struct kept_file *file, struct kw_store **store,
                                struct kw_snapshot_figures *figures)
{
    struct kw_store_options options = {.memory_max_bytes = 64 * 1024 * 1024,
                                       .policy = KW_CACHE_KEEP,
                                       .packing = {512, 64, 512, 128, 64},
                                       .workers_max = 2};

    assert_int_equal(kw_store_new(&options, store), KW_OK);
    return kw_snapshot_load(*store, file->path, 2, figures);
}

static const char *const filling[] = {
    "SET string value",
    "SET number 12345",
    "SET timed v PX 5000",
    "APPEND raw abc",
    "INCRBYFLOAT float 1.5",
    "HSET hash a 1 b 2 c 3",
    "HPEXPIRE hash 7000 FIELDS 1 b",
    "HSETEX over PX 9000 FIELDS 1 x 1",
    "PEXPIRE over 8000",
    "SADD numbers 3 1 2",
    "SADD strings x 1",
    "RPUSH list a b c",
    "ZADD zset 1 a 2.5 b",
};

static const char *const looks[] = {
    "GET string",
    "GET number",
    "PTTL timed",
    "OBJECT ENCODING raw",
    "OBJECT ENCODING float",
    "HGETALL hash",
    "HPTTL hash FIELDS 3 a b c",
    "PTTL over",
    "HPTTL over FIELDS 1 x",
    "SMEMBERS numbers",
    "OBJECT ENCODING numbers",
    "SISMEMBER strings x",
    "SCARD strings",
    "LRANGE list 0 -1",
    "ZRANGE zset 0 -1 WITHSCORES",
    "DBSIZE",
};

/* A store with keys of every kind, saved. The wall clock's time, as the file has. */
static void scene_save(struct store_scene *scene, struct kept_file *file)
{
    struct kw_snapshot_figures figures;

    store_scene_open(scene);
    store_scene_pass(scene, kw_clock_wall_ms() - scene->now_ms);
    for (size_t i = 0; i < sizeof filling / sizeof filling[0]; i++) {
        assert_int_not_equal(store_scene_run(scene, filling[i])[0], '-');
    }
    assert_int_equal(kw_snapshot_save(scene->store, file->path, &figures), KW_OK);
    assert_int_equal(figures.keys_count, 11);
    file_read(file);
    assert_int_equal(figures.bytes_count, file->len);
}

KW_TEST(keys_of_every_kind_come_back_as_they_were)
{
    struct store_scene *scene = &scene_of_test;
    struct store_scene *restored = &restored_of_test;
    struct kept_file *file = file_new();
    struct kw_snapshot_figures figures;

    scene_save(scene, file);
    store_scene_open(restored);
    kw_store_leave(&restored->worker);
    kw_store_free(&restored->store);
    assert_int_equal(file_load(file, &restored->store, &figures), KW_OK);
    assert_int_equal(figures.keys_count, 11);
    restored->now_ms = scene->now_ms;
    restored->worker = kw_store_join(restored->store, NULL, scene->now_ms);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        store_scene_expect(restored, looks[i], store_scene_run(scene, looks[i]));
    }
    store_scene_pass(restored, 7000); /* fields still end in their time */
    store_scene_expect(restored, "HKEYS hash", "*2 $1 a $1 c");
    store_scene_expect(restored, "EXISTS timed over", ":1");
    store_scene_close(restored);
    store_scene_close(scene);
    unlink(file->path);
}

KW_TEST(a_file_that_is_damaged_anywhere_is_refused_whole)
{
    struct store_scene *scene = &scene_of_test;
    struct kept_file *file = file_new();
    struct kw_snapshot_figures figures;
    struct kw_store *store;

    scene_save(scene, file);
    for (size_t i = 0; i < file->len; i += 3) {
        file->bytes[i] ^= 0x10;
        file_write(file, file->len);
        file->bytes[i] ^= 0x10;
        assert_int_equal(file_load(file, &store, &figures), KW_E_INVALID);
        assert_int_equal(figures.keys_count, 0);
        kw_store_free(&store);
    }
    for (size_t len = 0; len < file->len; len += 7) {
        file_write(file, len);
        assert_int_equal(file_load(file, &store, &figures), KW_E_INVALID);
        kw_store_free(&store);
    }
    unlink(file->path);
    assert_int_equal(file_load(file, &store, &figures), KW_E_NOT_FOUND);
    kw_store_free(&store);
    store_scene_close(scene);
}

/* The next start has less memory. */
KW_TEST(keys_that_there_is_no_room_for_are_left_out)
{
    static const enum kw_cache_policy policies[] = {KW_CACHE_KEEP, KW_CACHE_LRU};
    struct store_scene *scene = &scene_of_test;
    struct kept_file *file = file_new();
    struct kw_snapshot_figures figures;

    store_scene_open(scene);
    assert_string_equal(store_scene_run(scene, "SETRANGE large 3000000 x"), ":3000001");
    assert_string_equal(store_scene_run(scene, "SET small 1"), "+OK");
    assert_string_equal(store_scene_run(scene, "HSET hash a 1"), ":1");
    assert_int_equal(kw_snapshot_save(scene->store, file->path, &figures), KW_OK);
    assert_int_equal(figures.keys_count, 3);
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        struct kw_store_options options = {.memory_max_bytes = 4 * 1024 * 1024,
                                           .policy = policies[i],
                                           .packing = {512, 64, 512, 128, 64},
                                           .workers_max = 2};
        struct kw_store *store;
        assert_int_equal(kw_store_new(&options, &store), KW_OK);
        assert_int_equal(kw_snapshot_load(store, file->path, 1, &figures), KW_OK);
        assert_int_equal(figures.keys_count, 2);
        assert_int_equal(figures.left_out_count, 1);
        kw_store_free(&store);
    }
    unlink(file->path);
    store_scene_close(scene);
}

KW_TEST(what_is_no_file_is_not_waited_for_and_not_taken_as_damaged)
{
    struct kept_file *file = file_new();
    struct kw_snapshot_figures figures;
    struct kw_store *store;

    assert_int_equal(mkfifo(file->path, 0600), 0);
    assert_int_equal(file_load(file, &store, &figures), KW_E_REFUSED);
    kw_store_free(&store);
    unlink(file->path);

    (void)snprintf(file->path, sizeof file->path, "/dev/null");
    assert_int_equal(file_load(file, &store, &figures), KW_E_REFUSED);
    kw_store_free(&store);
}

KW_TEST(a_file_that_can_not_be_written_leaves_the_old_one)
{
    struct store_scene *scene = &scene_of_test;
    struct kw_snapshot_figures figures;

    store_scene_open(scene);
    store_scene_run(scene, "SET a 1");
    assert_int_equal(kw_snapshot_save(scene->store, "/proc/none/keys", &figures), KW_E_SYSTEM);
    store_scene_expect(scene, "SAVE", "-ERR keyway: there is no snapshot-file to save to");
    store_scene_expect(scene, "LASTSAVE", ":0");
    store_scene_close(scene);
}
