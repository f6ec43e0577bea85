/* exec.h - how a command of the store is written: a function of one struct.
 *
 * A command parses its arguments first, then looks its keys up, then changes them, then replies;
 * so an error never leaves half a change behind. It replies exactly once, last. When a function of
 * keyspace.h refuses, it returns at once without a reply: either the error is written, or the
 * command is run once more from its beginning when there is room.
 *
 *     void kw__do_strlen(struct kw_exec *exec)
 *     {
 *         struct kw_bytes value;
 *         switch (kw_key_string(exec, exec->argv[1], &value)) { ... }
 *     }
 *
 * Each family has files of commands and its rows in commands.def of this room:
 * KW_STORE_COMMAND("hset", hset, how it takes its stripes).
 *
 * Thread: the worker's. Memory: everything in here is borrowed until the command ends.
 */
#ifndef KW_STORE_EXEC_H
#define KW_STORE_EXEC_H

#include "resp/errors.h"
#include "resp/writer.h"
#include "store/store.h"

/* When a key that is put is told of as a new one. */
enum kw_news {
    KW_NEWS_SEEN = 0, /* when there was none of its name */
    KW_NEWS_SURE,     /* always, as whatever had its name goes first: RENAME */
    KW_NEWS_HELD      /* not yet: the command tells of it later */
};

struct kw_exec {
    struct kw_store_worker *worker;
    const struct kw_command *command;
    const struct kw_bytes *argv; /* argv[0] is the name */
    size_t argc;
    struct kw_buf *out; /* NULL: of refusals nobody is told, is_short says it */
    uint64_t now_ms;    /* of the wall clock; the same for all commands of a batch */
    int proto;          /* 2 or 3 */
    bool is_batched;    /* inside EXEC: nothing blocks */
    bool has_failed;    /* set by kw_exec_error() */
    bool blocks;        /* set by kw_exec_block() */
    bool may_retry;     /* refusals for want of room are not answered yet */
    bool is_short;      /* there was one: nothing is written, nothing has changed */
    enum kw_news news;
};

typedef void kw_exec_run(struct kw_exec *exec);

/* Answer with ERROR; TEXT for its %s, or NULL. */
void kw_exec_error(struct kw_exec *exec, enum kw_error error, const char *text);

/* Blocking commands with nothing to pop: the client waits (or, in a batch, gets a null array). */
void kw_exec_block(struct kw_exec *exec);

/* There is no memory: -OOM, or the command is run again. The caller returns. */
void kw_exec_short(struct kw_exec *exec);

/* Arguments, with redis's error when they are none: false, and the error is written. */
bool kw_exec_int(struct kw_exec *exec, struct kw_bytes bytes, int64_t *value);
bool kw_exec_double(struct kw_exec *exec, struct kw_bytes bytes, double *value);

/* True when argument INDEX is WORD, in any case. */
static inline bool kw_exec_is(const struct kw_exec *exec, size_t index, struct kw_bytes word)
{
    return kw_bytes_equal_nocase(exec->argv[index], word);
}

#endif
