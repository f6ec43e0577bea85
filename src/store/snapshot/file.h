/* file.h - the form of a snapshot's file: blocks of bytes, each with a checksum, and an end.
 *
 *     head    16 bytes, which name the form
 *     block   length (8 bytes), XXH3 of the payload seeded with the block's number (8), payload
 *     end     length 0, then counts of blocks and keys (8 each) and the XXH3 of these two
 *
 * All numbers are little-endian as the machine's are. So a file that was cut, changed anywhere, or
 * put together of pieces is told from a whole one.
 *
 * Thread: the owner's; checking a block is for any. Memory: a picture borrows nothing, it maps.
 */
#ifndef KW_STORE_SNAPSHOT_FILE_H
#define KW_STORE_SNAPSHOT_FILE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

struct kw_snapshot_writer {
    int fd;
    uint64_t blocks_count;
    uint64_t keys_count;
    uint64_t bytes_count;
};

/* A new file at PATH, or what was there made empty. Returns KW_OK or KW_E_SYSTEM, for all three. */
KW_CHECK enum kw_status kw__snapshot_create(struct kw_snapshot_writer *writer, const char *path);
KW_CHECK enum kw_status kw__snapshot_write(struct kw_snapshot_writer *writer,
                                           struct kw_bytes payload, uint64_t keys_count);

/* Write the end unless IS_BROKEN, see that all of it is on the disk, and close. */
KW_CHECK enum kw_status kw__snapshot_finish(struct kw_snapshot_writer *writer, bool is_broken);

struct kw_snapshot_block {
    struct kw_bytes payload;
    uint64_t checksum;
};

struct kw_snapshot_picture {
    struct kw_bytes bytes; /* all of the file, mapped */
    struct kw_snapshot_block *blocks;
    size_t blocks_count;
    uint64_t keys_count;
};

/* Look at the file at PATH. Returns KW_OK; KW_E_NOT_FOUND; KW_E_INVALID when it can't be whole
 * (payloads are not looked at yet); KW_E_REFUSED when it is no file; KW_E_SYSTEM.
 */
KW_CHECK enum kw_status kw__snapshot_map(const char *path, struct kw_snapshot_picture *picture);
void kw__snapshot_unmap(struct kw_snapshot_picture *picture);

/* True when block INDEX is as it was written. */
bool kw__snapshot_is_whole(const struct kw_snapshot_picture *picture, size_t index);

#endif
