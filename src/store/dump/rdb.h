/* rdb.h - values as DUMP and RESTORE carry them: redis's format of version 10, that of 7.0.
 *
 *     payload   type, value, version (2 bytes), CRC-64 of all before it (8 bytes)
 *
 * The layout is that of redis's rdb.c, listpack.c, ziplist.c, zipmap.c and intset.c. Written are
 * the plain forms only, which every redis reads, and makes small encodings of by itself. Read is
 * what any redis up to 7.0 writes of the kinds that this store has; nothing in it is believed.
 *
 * Thread: the worker's. Memory: what is read lies in the payload, or in struct kw_rdb_text.
 * See also: rdb_read.c, packed.h, rdb_value.c (types to objects), rdb_write.c, dump_commands.c.
 */
#ifndef KW_STORE_DUMP_RDB_H
#define KW_STORE_DUMP_RDB_H

#include "base/text.h"
#include "store/internal.h"

enum { KW_RDB_VERSION = 10, KW_RDB_FOOTER_BYTES = 10 };

enum kw_rdb_type {
    KW_RDB_STRING = 0,
    KW_RDB_LIST = 1,
    KW_RDB_SET = 2,
    KW_RDB_ZSET_TEXT = 3, /* scores as text */
    KW_RDB_HASH = 4,
    KW_RDB_ZSET = 5,
    KW_RDB_MODULE_FIRST = 6,
    KW_RDB_MODULE_LAST = 7,
    KW_RDB_HASH_ZIPMAP = 9,
    KW_RDB_LIST_ZIPLIST = 10,
    KW_RDB_SET_INTSET = 11,
    KW_RDB_ZSET_ZIPLIST = 12,
    KW_RDB_HASH_ZIPLIST = 13,
    KW_RDB_LIST_ZIPLISTS = 14,
    KW_RDB_STREAM = 15,
    KW_RDB_HASH_LISTPACK = 16,
    KW_RDB_ZSET_LISTPACK = 17,
    KW_RDB_LIST_LISTPACKS = 18,
    KW_RDB_STREAM_2 = 19
};

/* How lengths begin, in the upper two bits; and what is no length but another form of a text. */
enum {
    KW_RDB_LENGTH_14 = 1,
    KW_RDB_LENGTH_LONG = 2,
    KW_RDB_LENGTH_32 = 0x80,
    KW_RDB_LENGTH_64 = 0x81,
    KW_RDB_FORM = 3,
    KW_RDB_FORM_INT8 = 0,
    KW_RDB_FORM_INT16,
    KW_RDB_FORM_INT32,
    KW_RDB_FORM_LZF
};

/* What is left of a payload. Once IS_DAMAGED, all that is read is empty. */
struct kw_rdb {
    struct kw_bytes rest;
    bool is_damaged;
};

struct kw_rdb_text {
    struct kw_bytes bytes;
    char number[KW_TEXT_INT_MAX];
    char *owned; /* what was compressed */
};

uint64_t kw__rdb_length(struct kw_rdb *rdb);
double kw__rdb_double(struct kw_rdb *rdb);
double kw__rdb_double_text(struct kw_rdb *rdb);

/* LEN bytes of it; NULL: there are fewer. */
const char *kw__rdb_take(struct kw_rdb *rdb, size_t len);

/* To be given back with kw__rdb_text_deinit(), whatever became of it. */
void kw__rdb_text(struct kw_rdb *rdb, struct kw_rdb_text *text);
void kw__rdb_text_deinit(struct kw_rdb_text *text);

/* The object of a payload's TYPE, which is none of strings, streams and modules; its KIND. NULL: it
 * is damaged.
 */
void *kw__rdb_object(struct kw_store_worker *worker, struct kw_rdb *rdb, enum kw_rdb_type type,
                     enum kw_kind *kind);

/* Append the payload of what was FOUND, all of it. */
void kw__rdb_write(struct kw_buf *out, const struct kw_cache_found *found);

/* True when PAYLOAD ends as one that we may read. */
bool kw__rdb_is_sound(struct kw_bytes payload);

#endif
