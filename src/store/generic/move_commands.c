/* move_commands.c - values that get another name: RENAME, COPY; and databases, of which there is
 * one.
 */
#include "base/text.h"
#include "store/internal.h"

static void rename_key(struct kw_exec *exec, bool is_nx);
static bool copy_options(struct kw_exec *exec, bool *is_replacing);
static bool copy_value(struct kw_exec *exec, const struct kw_cache_found *found);
static bool database_is_ours(struct kw_exec *exec, struct kw_bytes index);

void kw__do_rename(struct kw_exec *exec)
{
    rename_key(exec, false);
}

void kw__do_renamenx(struct kw_exec *exec)
{
    rename_key(exec, true);
}

/* COPY source destination [DB index] [REPLACE] */
void kw__do_copy(struct kw_exec *exec)
{
    struct kw_bytes from = exec->argv[1];
    struct kw_bytes to = exec->argv[2];
    struct kw_cache_found found;
    bool is_replacing = false;

    if (!copy_options(exec, &is_replacing)) {
        return;
    }
    if (kw_bytes_equal(from, to)) {
        kw_exec_error(exec, KW_ERROR_SAME_OBJECT, NULL);
        return;
    }
    struct kw_cache_key key = kw__key_of(exec->worker, from);
    bool is_there = kw__key_look(exec->worker, &key, true, &found);
    if (!is_there) {
        kw_key_missed(exec, from);
    }
    if (!is_there || (!is_replacing && kw_key_kind(exec, to) != KW_KIND_COUNT)) {
        kw_reply_int(exec->out, 0);
        return;
    }
    exec->news = KW_NEWS_SURE;
    if (copy_value(exec, &found)) {
        kw_key_changed(exec, to, KW_STORE_GENERIC, "copy_to");
        kw_reply_int(exec->out, 1);
    }
}

/* MOVE key index */
void kw__do_move(struct kw_exec *exec)
{
    if (database_is_ours(exec, exec->argv[2])) {
        kw_exec_error(exec, KW_ERROR_SAME_OBJECT, NULL);
    }
}

/* SWAPDB index index */
void kw__do_swapdb(struct kw_exec *exec)
{
    int64_t index = 0;

    if (kw_text_to_int(exec->argv[1], &index) != KW_OK) {
        kw_exec_error(exec, KW_ERROR_FIRST_DB, NULL);
    } else if (kw_text_to_int(exec->argv[2], &index) != KW_OK) {
        kw_exec_error(exec, KW_ERROR_SECOND_DB, NULL);
    } else if (database_is_ours(exec, exec->argv[1]) && database_is_ours(exec, exec->argv[2])) {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

static void rename_key(struct kw_exec *exec, bool is_nx)
{
    struct kw_bytes from = exec->argv[1];
    struct kw_bytes to = exec->argv[2];
    struct kw_cache_key key = kw__key_of(exec->worker, from);
    struct kw_cache_found found;

    if (!kw__key_look(exec->worker, &key, true, &found)) {
        kw_exec_error(exec, KW_ERROR_NO_SUCH_KEY, NULL);
        return;
    }
    bool is_same = kw_bytes_equal(from, to);
    if (is_nx && (is_same || kw_key_kind(exec, to) != KW_KIND_COUNT)) {
        kw_reply_int(exec->out, 0);
        return;
    }
    if (!is_same) {
        exec->news = KW_NEWS_SURE;
        if (!kw__key_move(exec, from, to, &found)) {
            return;
        }
        kw_key_changed(exec, from, KW_STORE_GENERIC, "rename_from");
        kw_key_changed(exec, to, KW_STORE_GENERIC, "rename_to");
        if (kw__kind_of(&found) == KW_KIND_LIST || kw__kind_of(&found) == KW_KIND_ZSET) {
            kw_key_ready(exec, to);
        }
    }
    if (is_nx) {
        kw_reply_int(exec->out, 1);
    } else {
        kw_reply_status(exec->out, KW_BYTES("OK"));
    }
}

static bool copy_options(struct kw_exec *exec, bool *is_replacing)
{
    for (size_t i = 3; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("REPLACE"))) {
            *is_replacing = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("DB")) && i + 1 < exec->argc) {
            i++;
            if (!database_is_ours(exec, exec->argv[i])) {
                return false;
            }
        } else {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

static bool copy_value(struct kw_exec *exec, const struct kw_cache_found *found)
{
    struct kw_bytes to = exec->argv[2];
    enum kw_kind kind = kw__kind_of(found);

    if (kind == KW_KIND_STRING) {
        return kw__key_put_form(exec, to, found->kind, found->value, found->deadline_ms);
    }
    void *copy = kw_object_kind(kind)->copy(exec->worker, kw__object_of(found));
    if (!kw_key_put_object(exec, to, kind, copy, found->deadline_ms)) {
        return false;
    }
    if (kind == KW_KIND_LIST || kind == KW_KIND_ZSET) {
        kw_key_ready(exec, to);
    }
    return true;
}

/* There is database 0 and no other; false: the error is written. */
static bool database_is_ours(struct kw_exec *exec, struct kw_bytes index)
{
    int64_t number = 0;

    if (!kw_exec_int(exec, index, &number)) {
        return false;
    }
    if (number != 0) {
        kw_exec_error(exec, KW_ERROR_DB_INDEX, NULL);
        return false;
    }
    return true;
}
