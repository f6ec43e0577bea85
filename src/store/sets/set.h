/* set.h - a set: integers alone while they are few, else a table; and how commands get at one.
 *
 * Thread: who holds the key's stripe. Memory: of heap.h, counted; found ones are borrowed.
 * See also: intset.h, table.h; set_*.c (the commands).
 */
#ifndef KW_STORE_SETS_SET_H
#define KW_STORE_SETS_SET_H

#include "base/text.h"
#include "store/keyspace.h"
#include "store/sets/intset.h"
#include "store/tables/table_walk.h"

struct kw_set {
    union {
        struct kw_intset numbers;
        struct kw_table table;
    };
    bool has_table;
};

/* All members, once each; numbers ascending. The set must not change meanwhile. */
struct kw_set_walk {
    const struct kw_set *set;
    struct kw_table_walk table;
    size_t next;
    char text[KW_TEXT_INT_MAX];
};

struct kw_set *kw__set_new(struct kw_store_worker *worker);
void kw__set_free(struct kw_store_worker *worker, void *object);

/* The set under NAME; *SET is NULL for anything but KW_FOUND. */
enum kw_found kw__set_find(struct kw_exec *exec, struct kw_bytes name, struct kw_set **set);

/* SET, found under NAME, has lost members, as EVENT says; when it was the last one, it goes. */
void kw__set_shrunk(struct kw_exec *exec, struct kw_bytes name, struct kw_set *set,
                    const char *event);

/* All members of SET, NULL for none, as a reply. */
void kw__set_reply(struct kw_exec *exec, const struct kw_set *set);

size_t kw__set_count(const struct kw_set *set);
bool kw__set_has(const struct kw_set *set, struct kw_bytes member);

/* False: it is there already; it is not there. */
bool kw__set_add(struct kw_store_worker *worker, struct kw_set *set, struct kw_bytes member);
bool kw__set_remove(struct kw_store_worker *worker, struct kw_set *set, struct kw_bytes member);

/* Members are strings in a table from now on. */
void kw__set_spread(struct kw_store_worker *worker, struct kw_set *set);

void kw__set_walk_begin(struct kw_set_walk *walk, const struct kw_set *set);

/* False: that was all. MEMBER is borrowed until the next one. */
bool kw__set_walk_next(struct kw_set_walk *walk, struct kw_bytes *member);

/* One member, each with the same chance; TEXT (KW_TEXT_INT_MAX bytes) is room for a number. */
struct kw_bytes kw__set_pick(const struct kw_set *set, uint64_t *random, char *text);

#endif
