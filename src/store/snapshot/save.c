/* save.c - keys to blocks: a walk over the cache, some names at a time; then each of them is looked
 * up again, an object under its stripe, and packed.
 *
 *     record   kind, deadline (0 for none), name, value: bytes of a string, or the packed object
 *
 * The worker that does it never lets time pass on its clock, so it expires nothing: others do, who
 * can tell clients of it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/snapshot/file.h"
#include "store/snapshot/snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1024 * 1024, PATH_MAX_BYTES = 4096 + 16 };

struct save {
    struct kw_store_worker *worker;
    struct kw_exec exec;
    struct kw_chunk_pool pool;
    struct kw_buf names; /* of a step of the walk, packed */
    struct kw_buf block; /* records */
    uint64_t block_keys_count;
    char *flat; /* a block in one piece */
    size_t flat_bytes;
    struct kw_snapshot_writer writer;
    bool is_broken;
};

static void save_walk(struct save *save);
static void save_on_entry(void *user, struct kw_bytes name, const struct kw_cache_found *found);
static void save_names(struct save *save);
static void save_key(struct save *save, struct kw_bytes name);
static void save_flush(struct save *save);
static struct kw_bytes buf_flatten(struct save *save, const struct kw_buf *buf);
static bool file_put_in_place(const char *from, const char *to);

enum kw_status kw_snapshot_save(struct kw_store *store, const char *path,
                                struct kw_snapshot_figures *figures)
{
    uint64_t begun_ms = kw_clock_ms();
    char beside[PATH_MAX_BYTES];
    struct save save = {0};

    (void)snprintf(beside, sizeof beside, "%s.new", path);
    save.worker = kw_store_join(store, NULL, kw_clock_wall_ms());
    KW_ASSERT(save.worker != NULL); /* workers_max counts this one */
    save.exec = (struct kw_exec){.worker = save.worker, .now_ms = save.worker->now_ms, .proto = 2};
    kw_chunk_pool_init(&save.pool);
    kw_buf_init(&save.names, &save.pool);
    kw_buf_init(&save.block, &save.pool);
    save.is_broken = kw__snapshot_create(&save.writer, beside) != KW_OK;
    if (!save.is_broken) {
        save_walk(&save);
    }
    enum kw_status status = kw__snapshot_finish(&save.writer, save.is_broken);
    if (status == KW_OK && !file_put_in_place(beside, path)) {
        status = KW_E_SYSTEM;
    }
    if (status != KW_OK) {
        kw_log(KW_LOG_WARNING, "the snapshot %s was not written: %m", path);
        unlink(beside);
    }
    kw_buf_reset(&save.names);
    kw_buf_reset(&save.block);
    kw_chunk_pool_deinit(&save.pool);
    kw_free(save.flat);
    kw_store_leave(&save.worker);
    *figures = (struct kw_snapshot_figures){.keys_count = save.writer.keys_count,
                                            .bytes_count = save.writer.bytes_count,
                                            .took_ms = kw_clock_ms() - begun_ms};
    return status;
}

static void save_walk(struct save *save)
{
    uint64_t cursor = 0;

    do {
        cursor = kw_cache_scan(save->worker->cache, cursor, save_on_entry, save);
        save_names(save);
        if (save->block.len >= BLOCK_BYTES || cursor == 0) {
            save_flush(save);
        }
        kw_cache_tick(save->worker->cache, save->exec.now_ms);
    } while (cursor != 0 && !save->is_broken);
}

static void save_on_entry(void *user, struct kw_bytes name, const struct kw_cache_found *found)
{
    struct save *save = user;

    (void)found; /* it is looked up again, when nothing is locked */
    kw_pack_bytes(&save->names, name);
}

static void save_names(struct save *save)
{
    struct kw_unpack unpack = {.rest = buf_flatten(save, &save->names)};

    while (unpack.rest.len > 0) {
        save_key(save, kw_unpack_bytes(&unpack));
    }
    kw_buf_reset(&save->names);
}

static void save_key(struct save *save, struct kw_bytes name)
{
    struct kw_store_worker *worker = save->worker;
    struct kw_stripe_set set = {{0}};
    struct kw_cache_found found;
    struct kw_buf packed;

    worker->key_last = (struct kw_cache_key){0};
    struct kw_cache_key key = kw__key_of(worker, name);
    kw__stripes_add(&set, kw__stripe_of(key.hash));
    kw__stripes_take(worker, &set, false);
    if (kw__key_look(worker, &key, false, &found)) {
        kw_pack_number(&save->block, found.kind);
        kw_pack_number(&save->block, found.deadline_ms);
        kw_pack_bytes(&save->block, name);
        if (kw__kind_of(&found) == KW_KIND_STRING) {
            kw_pack_bytes(&save->block, found.value);
        } else {
            kw_buf_init(&packed, &save->pool);
            kw_object_kind(kw__kind_of(&found))->save(kw__object_of(&found), &packed);
            kw_pack_number(&save->block, packed.len);
            kw_buf_append_buf(&save->block, &packed);
        }
        save->block_keys_count++;
    }
    kw__stripes_give(worker, false);
    worker->key_last = (struct kw_cache_key){0}; /* NAME is in memory that is used again */
}

static void save_flush(struct save *save)
{
    struct kw_bytes payload = buf_flatten(save, &save->block);

    if (payload.len > 0) {
        save->is_broken =
            kw__snapshot_write(&save->writer, payload, save->block_keys_count) != KW_OK;
    }
    save->block_keys_count = 0;
    kw_buf_reset(&save->block);
}

/* The bytes of BUF in one piece, until the next call. */
static struct kw_bytes buf_flatten(struct save *save, const struct kw_buf *buf)
{
    size_t len = 0;

    if (buf->len > save->flat_bytes) {
        save->flat_bytes = buf->len * 2;
        save->flat = kw_realloc(save->flat, save->flat_bytes);
    }
    for (const struct kw_chunk *chunk = buf->head; chunk != NULL; chunk = chunk->next) {
        memcpy(save->flat + len, chunk->data + chunk->start, chunk->end - chunk->start);
        len += chunk->end - chunk->start;
    }
    return kw_bytes_of(save->flat, len);
}

/* FROM becomes TO, also if the machine stops at the next moment: so its folder is written, too. */
static bool file_put_in_place(const char *from, const char *to)
{
    char folder[PATH_MAX_BYTES];
    const char *slash = strrchr(to, '/');

    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - to + 1),
                   slash == NULL ? "." : to);
    if (rename(from, to) != 0) {
        return false;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool is_done = fsync(fd) == 0;
    return close(fd) == 0 && is_done;
}
