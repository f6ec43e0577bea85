/* hash.h - a hash: fields with values, some of them with deadlines; and how commands get at one.
 *
 * A field whose deadline has come is removed before a command sees the hash, with the hash itself
 * when it was the last one. So commands never ask whether a field is over.
 *
 * Thread: who holds the key's stripe. Memory: of heap.h, counted; what is found is borrowed.
 * See also: table.h, deadlines.h; hash_*.c (the commands).
 */
#ifndef KW_STORE_HASHES_HASH_H
#define KW_STORE_HASHES_HASH_H

#include "store/keyspace.h"
#include "store/tables/deadlines.h"
#include "store/tables/table_walk.h"

struct kw_hash_timed {
    struct kw_deadlines deadlines; /* of fields; not empty */
    uint64_t watched_ms;           /* what due.c knows of it, UINT64_MAX for nothing */
};

struct kw_hash {
    struct kw_table fields;
    struct kw_hash_timed *timed; /* NULL: no field has a deadline */
};

/* A hash that a command is about to change. */
struct kw_hash_edit {
    struct kw_bytes name;
    struct kw_hash *hash;
    bool is_new;        /* not in the keyspace yet: it belongs to the command */
    const char *second; /* one more event of its change, or NULL */
};

struct kw_hash *kw__hash_new(struct kw_store_worker *worker);
void kw__hash_free(struct kw_store_worker *worker, void *object);

/* The hash under NAME, as it is now; *HASH is NULL for anything but KW_FOUND. */
enum kw_found kw__hash_find(struct kw_exec *exec, struct kw_bytes name, struct kw_hash **hash);

/* As kw__hash_find(), but an empty hash where there is nothing. False: the error is written. */
bool kw__hash_open(struct kw_exec *exec, struct kw_bytes name, struct kw_hash_edit *edit);

/* What was opened has changed, as EVENT says (NULL: it has not). A new hash is put under its name,
 * one that has become empty is removed. False: there is no memory, the caller returns at once.
 */
bool kw__hash_close(struct kw_exec *exec, const struct kw_hash_edit *edit, const char *event);

/* A hash that was found has lost fields, as EVENT says; when it was the last one, it goes. */
void kw__hash_shrunk(struct kw_exec *exec, struct kw_bytes name, struct kw_hash *hash,
                     const char *event);

/* FIELD gets VALUE, and loses its deadline unless that IS_KEPT. True: it is new. */
bool kw__hash_set(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field,
                  struct kw_bytes value, bool is_kept);

/* FIELD goes. False: it was not there. */
bool kw__hash_remove(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field);

/* The deadline of FIELD, 0 for none; another one, 0 for none. */
uint64_t kw__hash_deadline(const struct kw_hash *hash, struct kw_bytes field);
void kw__hash_expire_at(struct kw_store_worker *worker, struct kw_hash *hash, struct kw_bytes field,
                        uint64_t deadline_ms);

/* See that the hash under NAME is looked at when its first deadline comes. IS_FORGOTTEN: nothing is
 * known of it yet, whatever was.
 */
void kw__hash_watch(struct kw_exec *exec, struct kw_bytes name, struct kw_hash *hash,
                    bool is_forgotten);

#endif
