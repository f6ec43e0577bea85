/* file.c - see file.h. */
#include "store/snapshot/file.h"

#include "base/hash.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 16, BLOCK_HEAD_BYTES = 16, END_BYTES = 8 + 16 + 8, FILE_MODE = 0600 };

static const char head_text[HEAD_BYTES + 1] = "keyway snapshot1";
static const uint64_t end_seed = UINT64_MAX;

static enum kw_status write_all(struct kw_snapshot_writer *writer, const void *data, size_t len);
static bool picture_cut(struct kw_snapshot_picture *picture);
static uint64_t number_at(struct kw_bytes bytes, size_t offset);

enum kw_status kw__snapshot_create(struct kw_snapshot_writer *writer, const char *path)
{
    *writer = (struct kw_snapshot_writer){
        .fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE)};
    if (writer->fd < 0) {
        return KW_E_SYSTEM;
    }
    return write_all(writer, head_text, HEAD_BYTES);
}

enum kw_status kw__snapshot_write(struct kw_snapshot_writer *writer, struct kw_bytes payload,
                                  uint64_t keys_count)
{
    uint64_t head[2] = {payload.len, kw_hash(payload, writer->blocks_count)};

    writer->blocks_count++;
    writer->keys_count += keys_count;
    enum kw_status status = write_all(writer, head, sizeof head);
    return status == KW_OK ? write_all(writer, payload.data, payload.len) : status;
}

enum kw_status kw__snapshot_finish(struct kw_snapshot_writer *writer, bool is_broken)
{
    uint64_t end[4] = {0, writer->blocks_count, writer->keys_count, 0};
    enum kw_status status = is_broken ? KW_E_SYSTEM : KW_OK;

    if (writer->fd < 0) {
        return KW_E_SYSTEM;
    }
    end[3] = kw_hash(kw_bytes_of((const char *)&end[1], 2 * sizeof end[0]), end_seed);
    if (status == KW_OK) {
        status = write_all(writer, end, sizeof end);
    }
    if (status == KW_OK && fsync(writer->fd) != 0) {
        status = KW_E_SYSTEM;
    }
    if (close(writer->fd) != 0) {
        status = KW_E_SYSTEM;
    }
    writer->fd = -1;
    return status;
}

enum kw_status kw__snapshot_map(const char *path, struct kw_snapshot_picture *picture)
{
    struct stat about;
    enum kw_status status = KW_E_SYSTEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would be waited for */

    *picture = (struct kw_snapshot_picture){0};
    if (fd < 0) {
        return access(path, F_OK) == 0 ? KW_E_SYSTEM : KW_E_NOT_FOUND;
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        status = KW_E_REFUSED; /* a device, a folder: not to be put aside as damaged */
    } else {
        size_t len = (size_t)about.st_size;
        status = KW_E_INVALID;
        if (len >= HEAD_BYTES + END_BYTES) {
            void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
            status = data == MAP_FAILED ? KW_E_SYSTEM : KW_OK;
            picture->bytes = kw_bytes_of(status == KW_OK ? data : NULL, status == KW_OK ? len : 0);
        }
    }
    close(fd);
    if (status == KW_OK && !picture_cut(picture)) {
        status = KW_E_INVALID;
    }
    if (status != KW_OK) {
        kw__snapshot_unmap(picture);
    }
    return status;
}

void kw__snapshot_unmap(struct kw_snapshot_picture *picture)
{
    if (picture->bytes.data != NULL) {
        munmap((char *)(uintptr_t)picture->bytes.data, picture->bytes.len);
    }
    kw_free(picture->blocks);
    *picture = (struct kw_snapshot_picture){0};
}

bool kw__snapshot_is_whole(const struct kw_snapshot_picture *picture, size_t index)
{
    const struct kw_snapshot_block *block = &picture->blocks[index];

    return kw_hash(block->payload, index) == block->checksum;
}

static enum kw_status write_all(struct kw_snapshot_writer *writer, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t written = write(writer->fd, at, len);
        if (written <= 0) {
            return KW_E_SYSTEM;
        }
        at += written;
        len -= (size_t)written;
        writer->bytes_count += (size_t)written;
    }
    return KW_OK;
}

/* Find the blocks; false when something does not fit. */
static bool picture_cut(struct kw_snapshot_picture *picture)
{
    struct kw_bytes bytes = picture->bytes;
    size_t offset = HEAD_BYTES;
    size_t room = 0;

    if (memcmp(bytes.data, head_text, HEAD_BYTES) != 0) {
        return false;
    }
    while (bytes.len - offset >= END_BYTES) {
        uint64_t len = number_at(bytes, offset);
        if (len == 0) {
            break;
        }
        if (len > bytes.len - offset - BLOCK_HEAD_BYTES) {
            return false;
        }
        if (picture->blocks_count == room) {
            room = room == 0 ? 64 : room * 2;
            picture->blocks = kw_realloc(picture->blocks, room * sizeof picture->blocks[0]);
        }
        picture->blocks[picture->blocks_count++] = (struct kw_snapshot_block){
            .payload = {bytes.data + offset + BLOCK_HEAD_BYTES, (size_t)len},
            .checksum = number_at(bytes, offset + 8)};
        offset += BLOCK_HEAD_BYTES + (size_t)len;
    }
    if (bytes.len - offset != END_BYTES || number_at(bytes, offset) != 0 ||
        number_at(bytes, offset + 8) != picture->blocks_count) {
        return false;
    }
    picture->keys_count = number_at(bytes, offset + 16);
    return number_at(bytes, offset + 24) ==
           kw_hash(kw_bytes_of(bytes.data + offset + 8, 16), end_seed);
}

static uint64_t number_at(struct kw_bytes bytes, size_t offset)
{
    uint64_t number = 0;

    memcpy(&number, bytes.data + offset, sizeof number);
    return number;
}
