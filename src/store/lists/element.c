/* element.c - see element.h.
 *
 *     [head][text, or the number's other bytes][tail]
 *
 *     head        what follows
 *     0nnnnnnn    nothing: the number n
 *     10llllll    text of l bytes
 *     110nnnnn    1 byte: a number of 13 bits, with sign
 *     1110llll    1 byte of length, then text of up to 4095 bytes
 *     F0          4 bytes of length, then text
 *     F1 ... F4   2, 3, 4, 8 bytes: a number
 *
 * The tail is the size of all before it, in groups of 7 bits, the lowest last; every group but the
 * first has its high bit set when read from the right, so an element can be found from its end.
 * Numbers lie with their low byte first.
 *
 * INVARIANTS
 *   I1  An element has a text of at most 32 bits of length: no command is longer.
 */
#include "store/lists/element.h"

#include "base/assert.h"
#include "base/number.h"

enum {
    HEAD_SHORT_TEXT = 0x80,
    HEAD_SHORT_INT = 0xC0,
    HEAD_TEXT = 0xE0,
    HEAD_LONG_TEXT = 0xF0,
    HEAD_INT_16 = 0xF1,
    HEAD_INT_24 = 0xF2,
    HEAD_INT_32 = 0xF3,
    HEAD_INT_64 = 0xF4
};

/* Where an element's text or number is. */
struct element_shape {
    size_t head_bytes;
    size_t text_bytes; /* 0 for a number */
    bool is_number;
};

static bool element_pack_number(struct kw_bytes text, struct kw_list_element *element);
static void element_pack_text_head(size_t len, struct kw_list_element *element);
static size_t element_pack_tail(size_t size, char *tail);
static void element_shape(const char *at, struct element_shape *shape);
static int64_t element_number(const char *at);

void kw_list_element_pack(struct kw_bytes text, struct kw_list_element *element)
{
    KW_ASSERT(text.len < UINT32_MAX); /* I1 */
    element->text = text;
    if (element_pack_number(text, element)) {
        element->text.len = 0;
    } else {
        element_pack_text_head(text.len, element);
    }
    size_t size = element->head_bytes + element->text.len;
    element->tail_bytes = (uint8_t)element_pack_tail(size, element->tail);
    element->size_bytes = size + element->tail_bytes;
}

void kw_list_element_write(const struct kw_list_element *element, char *at)
{
    memcpy(at, element->head, element->head_bytes);
    at += element->head_bytes;
    if (element->text.len > 0) {
        memcpy(at, element->text.data, element->text.len);
        at += element->text.len;
    }
    memcpy(at, element->tail, element->tail_bytes);
}

size_t kw_list_element_size(const char *at)
{
    struct element_shape shape;
    char tail[KW_LIST_ELEMENT_TAIL_MAX];

    element_shape(at, &shape);
    size_t size = shape.head_bytes + shape.text_bytes;
    return size + (size < 128 ? 1 : element_pack_tail(size, tail));
}

size_t kw_list_element_size_before(const char *end)
{
    size_t size = 0;
    size_t tail = 0;
    unsigned char byte = 0;

    do {
        byte = (unsigned char)end[-1 - (long)tail];
        size |= (size_t)(byte & 127) << (7 * tail);
        tail++;
    } while (byte >= 128 && tail < KW_LIST_ELEMENT_TAIL_MAX);
    return size + tail;
}

struct kw_bytes kw_list_element_text(const char *at, char *scratch)
{
    struct element_shape shape;

    element_shape(at, &shape);
    if (shape.is_number) {
        return kw_bytes_of(scratch, kw_text_from_int(element_number(at), scratch));
    }
    return kw_bytes_of(at + shape.head_bytes, shape.text_bytes);
}

bool kw_list_element_is(const char *at, const struct kw_list_element *element)
{
    if (at[0] != element->head[0] || memcmp(at, element->head, element->head_bytes) != 0) {
        return false;
    }
    return element->text.len == 0 ||
           memcmp(at + element->head_bytes, element->text.data, element->text.len) == 0;
}

/* BYTES bytes of VALUE, the lowest first. */
static void element_put(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (char)(value >> (8 * i) & 255);
    }
}

static bool element_pack_number(struct kw_bytes text, struct kw_list_element *element)
{
    int64_t number = 0;
    size_t bytes = 0;

    if (text.len == 0 || text.len >= KW_TEXT_INT_MAX || text.data[0] > '9' ||
        kw_text_to_int(text, &number) != KW_OK) {
        return false;
    }
    if (number >= 0 && number < 128) {
        element->head[0] = (char)number;
        element->head_bytes = 1;
        return true;
    }
    if (number >= -4096 && number < 4096) {
        uint64_t bits = (uint64_t)number & 0x1fff;
        element->head[0] = (char)(HEAD_SHORT_INT | bits >> 8);
        element->head[1] = (char)(bits & 255);
        element->head_bytes = 2;
        return true;
    }
    if (number >= INT16_MIN && number <= INT16_MAX) {
        element->head[0] = (char)HEAD_INT_16;
        bytes = 2;
    } else if (number >= -(1 << 23) && number < 1 << 23) {
        element->head[0] = (char)HEAD_INT_24;
        bytes = 3;
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
        element->head[0] = (char)HEAD_INT_32;
        bytes = 4;
    } else {
        element->head[0] = (char)HEAD_INT_64;
        bytes = 8;
    }
    element_put(element->head + 1, (uint64_t)number, bytes);
    element->head_bytes = (uint8_t)(1 + bytes);
    return true;
}

static void element_pack_text_head(size_t len, struct kw_list_element *element)
{
    if (len < 64) {
        element->head[0] = (char)(HEAD_SHORT_TEXT | len);
        element->head_bytes = 1;
    } else if (len < 4096) {
        element->head[0] = (char)(HEAD_TEXT | len >> 8);
        element->head[1] = (char)(len & 255);
        element->head_bytes = 2;
    } else {
        element->head[0] = (char)HEAD_LONG_TEXT;
        element_put(element->head + 1, len, 4);
        element->head_bytes = 5;
    }
}

static size_t element_pack_tail(size_t size, char *tail)
{
    size_t bytes = 1;

    while (bytes < KW_LIST_ELEMENT_TAIL_MAX && size >> (7 * bytes) != 0) {
        bytes++;
    }
    for (size_t i = 0; i < bytes; i++) {
        size_t group = size >> (7 * (bytes - 1 - i)) & 127;
        tail[i] = (char)(group | (i > 0 ? 128 : 0));
    }
    return bytes;
}

static void element_shape(const char *at, struct element_shape *shape)
{
    static const uint8_t number_bytes[] = {0, 2, 3, 4, 8};
    unsigned head = (unsigned char)at[0];

    shape->text_bytes = 0;
    shape->head_bytes = 1;
    shape->is_number = false;
    if (head < HEAD_SHORT_TEXT) {
        shape->is_number = true;
    } else if (head < HEAD_SHORT_INT) {
        shape->text_bytes = head & 63;
    } else if (head < HEAD_TEXT) {
        shape->head_bytes = 2;
        shape->is_number = true;
    } else if (head < HEAD_LONG_TEXT) {
        shape->head_bytes = 2;
        shape->text_bytes = (head & 15) << 8 | (unsigned char)at[1];
    } else if (head == HEAD_LONG_TEXT) {
        shape->head_bytes = 5;
        shape->text_bytes = kw_number_at(at + 1, 4);
    } else {
        shape->head_bytes = 1 + (size_t)number_bytes[head - HEAD_LONG_TEXT];
        shape->is_number = true;
    }
}

static int64_t element_number(const char *at)
{
    unsigned head = (unsigned char)at[0];

    if (head < HEAD_SHORT_TEXT) {
        return (int64_t)head;
    }
    switch (head) {
    case HEAD_INT_16:
        return kw_number_signed_at(at + 1, 2);
    case HEAD_INT_24:
        return kw_number_signed_at(at + 1, 3);
    case HEAD_INT_32:
        return kw_number_signed_at(at + 1, 4);
    case HEAD_INT_64:
        return kw_number_signed_at(at + 1, 8);
    default:
        return kw_number_signed((head & 31) << 8 | (unsigned char)at[1], 13);
    }
}
