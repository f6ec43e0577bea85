/* field_commands.c - BITFIELD: numbers of 1 to 64 bits anywhere in a string.
 *
 * All operations are read before the first is done, so an error changes nothing. They work on a
 * copy of the string; their replies wait until it is stored.
 */
#include "base/text.h"
#include "store/bits/bits.h"

enum field_verb { FIELD_GET, FIELD_SET, FIELD_INCRBY };
enum field_overflow { FIELD_WRAP, FIELD_SAT, FIELD_FAIL };

/* What an operation does to the string: nothing, when it only reads, or fails on overflow. */
enum field_effect { FIELD_KEPT, FIELD_SAME, FIELD_CHANGED };

struct field {
    enum field_verb verb;
    enum field_overflow overflow;
    bool is_signed;
    unsigned bits;
    uint64_t offset;
    int64_t operand;
};

/* Reads the operations one after the other. */
struct field_reader {
    struct kw_exec *exec;
    size_t at;
    enum field_overflow overflow;
};

/* What there is to do, as a whole. */
struct field_plan {
    size_t count;
    bool is_writing;
    uint64_t last; /* the highest bit that is written */
};

static bool plan_read(struct kw_exec *exec, struct field_plan *plan);
static bool field_next(struct field_reader *reader, struct field *field, bool *is_over);
static bool field_overflow_read(struct field_reader *reader);
static bool field_type(struct kw_exec *exec, struct kw_bytes text, struct field *field);
static void fields_read(struct kw_exec *exec, const struct field_plan *plan);
static void fields_write(struct kw_exec *exec, const struct field_plan *plan);
static enum field_effect field_do(const struct field *field, char *data, size_t len,
                                  struct kw_buf *replies, int proto);
static bool field_next_value(const struct field *field, uint64_t old, uint64_t *next);
static bool unsigned_sum(uint64_t value, int64_t by, const struct field *field, uint64_t *sum);
static bool signed_sum(int64_t value, int64_t by, const struct field *field, uint64_t *sum);
static uint64_t bits_get(const char *data, size_t len, const struct field *field);
static void bits_set(char *data, const struct field *field, uint64_t value);

void kw__do_bitfield(struct kw_exec *exec)
{
    struct field_plan plan = {0};

    if (plan_read(exec, &plan)) {
        if (plan.is_writing) {
            fields_write(exec, &plan);
        } else {
            fields_read(exec, &plan);
        }
    }
}

void kw__do_bitfield_ro(struct kw_exec *exec)
{
    struct field_plan plan = {0};

    if (!plan_read(exec, &plan)) {
        return;
    }
    if (plan.is_writing) {
        kw_exec_error(exec, KW_ERROR_BITFIELD_RO, NULL);
    } else {
        fields_read(exec, &plan);
    }
}

/* Look at all operations; false: the error is written. */
static bool plan_read(struct kw_exec *exec, struct field_plan *plan)
{
    struct field_reader reader = {.exec = exec, .at = 2};
    struct field field;
    bool is_over = false;

    while (field_next(&reader, &field, &is_over)) {
        if (is_over) {
            return true;
        }
        plan->count++;
        if (field.verb != FIELD_GET) {
            uint64_t last = field.offset + field.bits - 1;
            plan->is_writing = true;
            plan->last = last > plan->last ? last : plan->last;
        }
    }
    return false;
}

/* The next operation; OVERFLOW is none but holds for those behind it. */
static bool field_next(struct field_reader *reader, struct field *field, bool *is_over)
{
    struct kw_exec *exec = reader->exec;

    while (reader->at < exec->argc && kw_exec_is(exec, reader->at, KW_BYTES("OVERFLOW")) &&
           reader->at + 1 < exec->argc) {
        if (!field_overflow_read(reader)) {
            return false;
        }
    }
    *is_over = reader->at == exec->argc;
    if (*is_over) {
        return true;
    }
    size_t at = reader->at;
    size_t left = exec->argc - at - 1;
    *field = (struct field){.overflow = reader->overflow};
    if (kw_exec_is(exec, at, KW_BYTES("GET")) && left >= 2) {
        field->verb = FIELD_GET;
    } else if (kw_exec_is(exec, at, KW_BYTES("SET")) && left >= 3) {
        field->verb = FIELD_SET;
    } else if (kw_exec_is(exec, at, KW_BYTES("INCRBY")) && left >= 3) {
        field->verb = FIELD_INCRBY;
    } else {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return false;
    }
    reader->at += field->verb == FIELD_GET ? 3 : 4;
    return field_type(exec, exec->argv[at + 1], field) &&
           kw__bit_offset(exec, exec->argv[at + 2], field->bits, &field->offset) &&
           (field->verb == FIELD_GET || kw_exec_int(exec, exec->argv[at + 3], &field->operand));
}

static bool field_overflow_read(struct field_reader *reader)
{
    static const struct kw_bytes words[] = {{"WRAP", 4}, {"SAT", 3}, {"FAIL", 4}};

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kw_exec_is(reader->exec, reader->at + 1, words[i])) {
            reader->overflow = (enum field_overflow)i;
            reader->at += 2;
            return true;
        }
    }
    kw_exec_error(reader->exec, KW_ERROR_BITFIELD_OVERFLOW, NULL);
    return false;
}

/* i1 to i64, u1 to u63. */
static bool field_type(struct kw_exec *exec, struct kw_bytes text, struct field *field)
{
    int64_t bits = 0;
    char sign = text.len > 0 ? text.data[0] : '\0';

    field->is_signed = sign == 'i';
    if ((sign != 'i' && sign != 'u') ||
        kw_text_to_int(kw_bytes_of(text.data + 1, text.len - 1), &bits) != KW_OK || bits < 1 ||
        bits > (field->is_signed ? 64 : 63)) {
        kw_exec_error(exec, KW_ERROR_BITFIELD_TYPE, NULL);
        return false;
    }
    field->bits = (unsigned)bits;
    return true;
}

static void fields_read(struct kw_exec *exec, const struct field_plan *plan)
{
    struct field_reader reader = {.exec = exec, .at = 2};
    struct kw_bytes value = {0};
    struct field field;
    bool is_over = false;

    enum kw_found found = kw_key_string(exec, exec->argv[1], &value);
    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND_NOTHING) {
        kw_key_missed(exec, exec->argv[1]);
    }
    kw_reply_array(exec->out, plan->count);
    while (field_next(&reader, &field, &is_over) && !is_over) {
        field_do(&field, (char *)(uintptr_t)value.data, value.len, exec->out, exec->proto);
    }
}

static void fields_write(struct kw_exec *exec, const struct field_plan *plan)
{
    struct field_reader reader = {.exec = exec, .at = 2};
    struct kw_bytes name = exec->argv[1];
    struct kw_bit_string string;
    struct kw_buf replies;
    struct field field;
    bool is_over = false;

    if (!kw__bit_string(exec, plan->last, &string)) {
        return;
    }
    bool is_changed = false; /* a string that only grows, for an operation that fails, is told of to
                                nobody: so redis has it */
    kw_buf_init(&replies, exec->out->pool);
    while (field_next(&reader, &field, &is_over) && !is_over) {
        enum field_effect effect = field_do(&field, string.data, string.len, &replies, exec->proto);
        is_changed =
            is_changed || effect == FIELD_CHANGED || (effect == FIELD_SAME && string.is_other);
    }
    if ((is_changed || string.is_other || !string.is_raw) &&
        !kw__key_put_form(exec, name, KW_FORM_RAW, kw_bytes_of(string.data, string.len),
                          KW_DEADLINE_KEEP)) {
        kw_buf_reset(&replies);
        return;
    }
    if (is_changed) {
        kw_key_changed(exec, name, KW_STORE_STRING, "setbit");
    }
    kw_reply_array(exec->out, plan->count);
    kw_buf_append_buf(exec->out, &replies);
}

/* One operation on the LEN bytes of DATA. */
static enum field_effect field_do(const struct field *field, char *data, size_t len,
                                  struct kw_buf *replies, int proto)
{
    uint64_t old = bits_get(data, len, field);
    uint64_t next = old;

    if (field->verb == FIELD_GET) {
        kw_reply_int(replies, (int64_t)old);
        return FIELD_KEPT;
    }
    if (!field_next_value(field, old, &next)) {
        kw_reply_null(replies, proto);
        return FIELD_KEPT;
    }
    kw_reply_int(replies, (int64_t)(field->verb == FIELD_SET ? old : next));
    bits_set(data, field, next);
    return old != next ? FIELD_CHANGED : FIELD_SAME;
}

/* False: it overflows, and that is not wanted. */
static bool field_next_value(const struct field *field, uint64_t old, uint64_t *next)
{
    bool is_set = field->verb == FIELD_SET;
    bool fits = field->is_signed ? signed_sum(is_set ? field->operand : (int64_t)old,
                                              is_set ? 0 : field->operand, field, next)
                                 : unsigned_sum(is_set ? (uint64_t)field->operand : old,
                                                is_set ? 0 : field->operand, field, next);

    return fits || field->overflow != FIELD_FAIL;
}

/* VALUE + BY in the field's bits; false: it did not fit, SUM is what becomes of it. */
static bool unsigned_sum(uint64_t value, int64_t by, const struct field *field, uint64_t *sum)
{
    uint64_t max = (UINT64_C(1) << field->bits) - 1; /* at most 63 bits */
    int64_t max_by = (int64_t)(max - value);
    int64_t min_by = (int64_t)(0 - value);
    bool is_above = value > max || (by > 0 && by > max_by);
    bool is_below = !is_above && by < 0 && by < min_by;

    *sum = value + (uint64_t)by;
    if (!is_above && !is_below) {
        return true;
    }
    if (field->overflow == FIELD_WRAP) {
        *sum &= max;
    } else {
        *sum = is_above ? max : 0;
    }
    return false;
}

static bool signed_sum(int64_t value, int64_t by, const struct field *field, uint64_t *sum)
{
    unsigned bits = field->bits;
    int64_t max = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
    int64_t min = -max - 1;
    int64_t max_by = (int64_t)((uint64_t)max - (uint64_t)value);
    int64_t min_by = (int64_t)((uint64_t)min - (uint64_t)value);
    bool is_above =
        value > max || (bits != 64 && by > max_by) || (value >= 0 && by > 0 && by > max_by);
    bool is_below = !is_above && (value < min || (bits != 64 && by < min_by) ||
                                  (value < 0 && by < 0 && by < min_by));

    *sum = (uint64_t)value + (uint64_t)by;
    if (!is_above && !is_below) {
        return true;
    }
    if (field->overflow != FIELD_WRAP) {
        *sum = (uint64_t)(is_above ? max : min);
    } else if (bits < 64) {
        uint64_t high = UINT64_MAX << bits;
        bool is_minus = (*sum >> (bits - 1) & 1) != 0;
        *sum = is_minus ? *sum | high : *sum & ~high;
    }
    return false;
}

/* Bits behind the end are 0. */
static uint64_t bits_get(const char *data, size_t len, const struct field *field)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = field->offset + i;
        bool is_on = at >> 3 < len && kw__bit_at(data, at);
        value = value << 1 | (is_on ? 1 : 0);
    }
    if (field->is_signed && field->bits < 64 && (value >> (field->bits - 1) & 1) != 0) {
        value |= UINT64_MAX << field->bits;
    }
    return value;
}

static void bits_set(char *data, const struct field *field, uint64_t value)
{
    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = field->offset + i;
        unsigned char mask = (unsigned char)(0x80 >> (at & 7));
        unsigned char byte = (unsigned char)data[at >> 3];
        bool is_on = (value >> (field->bits - 1 - i) & 1) != 0;
        data[at >> 3] = (char)(is_on ? byte | mask : byte & ~mask);
    }
}
