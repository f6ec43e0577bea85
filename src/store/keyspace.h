/* keyspace.h - what commands ask of keys: find, put, remove, time, and tell that they changed.
 *
 * The caller holds the stripe of every name it passes (kw_store_run() has seen to it). Objects,
 * i.e. values that are no strings, are changed where they lie; strings are replaced.
 *
 * Thread: the worker's. Memory: what is found is borrowed until the command ends; an object that
 *         is put belongs to the keyspace, which ends it by kw_object_free() of its kind when
 *         nobody can see it any more.
 */
#ifndef KW_STORE_KEYSPACE_H
#define KW_STORE_KEYSPACE_H

#include "store/exec.h"

enum kw_kind {
    KW_KIND_STRING = 0, /* the value's bytes */
    KW_KIND_HASH,       /* struct kw_hash */
    KW_KIND_LIST,       /* struct kw_list_object */
    KW_KIND_SET,        /* struct kw_set */
    KW_KIND_ZSET,       /* struct kw_zset */
    KW_KIND_COUNT
};

enum kw_found {
    KW_FOUND = 0,
    KW_FOUND_NOTHING,
    KW_FOUND_OTHER /* another kind: -WRONGTYPE is written */
};

#define KW_DEADLINE_NONE UINT64_C(0)
#define KW_DEADLINE_KEEP UINT64_MAX /* as the key has it now */

/* The string, or the object of KIND, under NAME. Counts as a use. */
enum kw_found kw_key_string(struct kw_exec *exec, struct kw_bytes name, struct kw_bytes *value);
enum kw_found kw_key_object(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                            void **object);

/* The kind of what is under NAME, KW_KIND_COUNT for nothing; does not count as a use. */
enum kw_kind kw_key_kind(struct kw_exec *exec, struct kw_bytes name);

/* A string under NAME, whatever was there. False: there is no memory; the caller returns at once
 * (kw_exec_short()).
 */
bool kw_key_put_string(struct kw_exec *exec, struct kw_bytes name, struct kw_bytes value,
                       uint64_t deadline_ms);

/* TAKEN object of KIND under NAME, whatever was there. False: no memory; the object is freed, the
 * caller returns at once (kw_exec_short()). To be called before other objects are changed.
 */
bool kw_key_put_object(struct kw_exec *exec, struct kw_bytes name, enum kw_kind kind,
                       void *taken_object, uint64_t deadline_ms);

/* Remove NAME. True when there was something. */
bool kw_key_remove(struct kw_exec *exec, struct kw_bytes name);

/* Its deadline, KW_DEADLINE_NONE without one; and another one. */
uint64_t kw_key_deadline(struct kw_exec *exec, struct kw_bytes name);
void kw_key_expire_at(struct kw_exec *exec, struct kw_bytes name, uint64_t deadline_ms);

/* To be called after every change, once per event: WATCH, tracking and notifications hear of it.
 * CLASS and EVENT as redis notifies ("hset", "del" ...). kw_key_put_*() and kw_key_remove() do not
 * call it.
 */
void kw_key_changed(struct kw_exec *exec, struct kw_bytes name, enum kw_store_class class,
                    const char *event);

/* One more event of a change that kw_key_changed() was called for: notifications hear of it. */
void kw_key_event(struct kw_exec *exec, struct kw_bytes name, enum kw_store_class class,
                  const char *event);

/* A command that writes has looked for NAME to read it, and found nothing. (Of commands that only
 * read it is told anyway.)
 */
void kw_key_missed(struct kw_exec *exec, struct kw_bytes name);

/* A list or sorted set under NAME has got elements: those who block on it are told. */
void kw_key_ready(struct kw_exec *exec, struct kw_bytes name);

#endif
