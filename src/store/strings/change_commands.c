/* change_commands.c - strings that are changed: counters, APPEND, SETRANGE.
 *
 * A string is not changed where it lies, as others may be reading it: its next value is put
 * together in the worker's scratch and takes its place.
 */
#include "base/text.h"
#include "store/internal.h"

#include <limits.h>
#include <math.h>

static void count_by(struct kw_exec *exec, int64_t by);
static bool length_is_allowed(struct kw_exec *exec, uint64_t len, uint64_t more);

void kw__do_incr(struct kw_exec *exec)
{
    count_by(exec, 1);
}

void kw__do_decr(struct kw_exec *exec)
{
    count_by(exec, -1);
}

void kw__do_incrby(struct kw_exec *exec)
{
    int64_t by = 0;

    if (kw_exec_int(exec, exec->argv[2], &by)) {
        count_by(exec, by);
    }
}

void kw__do_decrby(struct kw_exec *exec)
{
    int64_t by = 0;

    if (!kw_exec_int(exec, exec->argv[2], &by)) {
        return;
    }
    if (by == INT64_MIN) {
        kw_exec_error(exec, KW_ERROR_DECR_OVERFLOW, NULL);
        return;
    }
    count_by(exec, -by);
}

void kw__do_incrbyfloat(struct kw_exec *exec)
{
    char text[KW_TEXT_LONG_DOUBLE_MAX];
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes old;
    long double value = 0;
    long double by = 0;

    enum kw_found found = kw_key_string(exec, name, &old);
    if (found == KW_FOUND_OTHER) {
        return;
    }
    if ((found == KW_FOUND && kw_text_to_long_double(old, &value) != KW_OK) ||
        kw_text_to_long_double(exec->argv[2], &by) != KW_OK) {
        kw_exec_error(exec, KW_ERROR_NOT_FLOAT, NULL);
        return;
    }
    value += by;
    if (isnan(value) || isinf(value)) {
        kw_exec_error(exec, KW_ERROR_INCR_NAN, NULL);
        return;
    }
    struct kw_bytes next = kw_bytes_of(text, kw_text_from_long_double(value, text));
    if (kw__key_put_form(exec, name, KW_FORM_EMBEDDED, next, KW_DEADLINE_KEEP)) {
        kw_key_changed(exec, name, KW_STORE_STRING, "incrbyfloat");
        kw_reply_bulk(exec->out, next);
    }
}

void kw__do_append(struct kw_exec *exec)
{
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes more = exec->argv[2];
    struct kw_bytes next = more;
    struct kw_bytes old;

    enum kw_found found = kw_key_string(exec, name, &old);
    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND) {
        if (!length_is_allowed(exec, old.len, more.len)) {
            return;
        }
        char *scratch = kw__scratch(exec, old.len + more.len);
        if (scratch == NULL) {
            return;
        }
        memcpy(scratch, old.data, old.len);
        memcpy(scratch + old.len, more.data, more.len);
        next = kw_bytes_of(scratch, old.len + more.len);
    }
    unsigned form = found == KW_FOUND ? KW_FORM_RAW : KW_FORM_PLAIN;
    if (kw__key_put_form(exec, name, form, next, KW_DEADLINE_KEEP)) {
        kw_key_changed(exec, name, KW_STORE_STRING, "append");
        kw_reply_int(exec->out, (int64_t)next.len);
    }
}

void kw__do_setrange(struct kw_exec *exec)
{
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes piece = exec->argv[3];
    struct kw_bytes old = KW_BYTES("");
    int64_t offset = 0;

    if (!kw_exec_int(exec, exec->argv[2], &offset)) {
        return;
    }
    if (offset < 0) {
        kw_exec_error(exec, KW_ERROR_OFFSET_RANGE, NULL);
        return;
    }
    if (kw_key_string(exec, name, &old) == KW_FOUND_OTHER) {
        return;
    }
    if (piece.len == 0) {
        kw_reply_int(exec->out, (int64_t)old.len);
        return;
    }
    if (!length_is_allowed(exec, (uint64_t)offset, piece.len)) {
        return;
    }
    size_t end = (size_t)offset + piece.len;
    size_t len = end > old.len ? end : old.len;
    char *scratch = kw__scratch(exec, len);
    if (scratch == NULL) {
        return;
    }
    if (old.len > 0) {
        memcpy(scratch, old.data, old.len);
    }
    memset(scratch + old.len, 0, len - old.len);
    memcpy(scratch + offset, piece.data, piece.len);
    if (kw__key_put_form(exec, name, KW_FORM_RAW, kw_bytes_of(scratch, len), KW_DEADLINE_KEEP)) {
        kw_key_changed(exec, name, KW_STORE_STRING, "setrange");
        kw_reply_int(exec->out, (int64_t)len);
    }
}

static void count_by(struct kw_exec *exec, int64_t by)
{
    char text[KW_TEXT_INT_MAX];
    struct kw_bytes name = exec->argv[1];
    struct kw_bytes old;
    int64_t value = 0;

    enum kw_found found = kw_key_string(exec, name, &old);
    if (found == KW_FOUND_OTHER || (found == KW_FOUND && !kw_exec_int(exec, old, &value))) {
        return;
    }
    int64_t next = 0;
    if (__builtin_add_overflow(value, by, &next)) {
        kw_exec_error(exec, KW_ERROR_INCR_OVERFLOW, NULL);
        return;
    }
    struct kw_bytes shown = kw_bytes_of(text, kw_text_from_int(next, text));
    if (kw_key_put_string(exec, name, shown, KW_DEADLINE_KEEP)) {
        kw_key_changed(exec, name, KW_STORE_STRING, "incrby");
        kw_reply_int(exec->out, next);
    }
}

static bool length_is_allowed(struct kw_exec *exec, uint64_t len, uint64_t more)
{
    if (len + more < len || len + more > KW_STRING_MAX_BYTES) {
        kw_exec_error(exec, KW_ERROR_STRING_TOO_LONG, NULL);
        return false;
    }
    return true;
}
