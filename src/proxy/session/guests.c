/* guests.c - EXEC's array, with some elements replaced while it passes.
 *
 * The array is not collected: its elements are counted as they stream through, by the parser that
 * has framed the whole reply before. What answers a substitute is dropped, and at its end the guest
 * is asked.
 *
 * INVARIANTS
 * G1  places are in the order of their indexes; next_place is the first one not answered yet.
 * G2  both parsers, the link's and this one, stop at the same byte: all of a part is accounted for.
 */
#include "proxy/session/guests.h"

#include "base/blob.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/local/local.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/session/transaction.h"
#include "resp/reply_parser.h"

#include <sys/uio.h>

struct place {
    const struct kw_command *command;
    size_t wire_len;
    uint32_t index; /* of its element */
};

struct kw_guests {
    struct kw_blob wires;  /* the guests' own bytes, one after the other */
    struct kw_blob places; /* struct place */

    /* while EXEC's reply passes */
    struct kw_reply_parser parser;
    size_t next_place; /* G1 */
    size_t wires_used;
    uint32_t index; /* of the element that comes */
    bool is_inside; /* the array's own line is over */
};

static struct kw_bytes bytes_behind(struct kw_bytes bytes, size_t len);
static const struct place *guests_due(const struct kw_guests *guests);
static void guests_answer(struct kw_guests *guests, struct kw_request *request);
static void pass_buf(struct kw_request *request, struct kw_buf *buf);

bool kw_guests_take(const struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t proto = client->proto;

    if (command->route != KW_ROUTE_LOCAL || !kw_local_is_written(command)) {
        return false;
    }
    /* A version that changes between two elements would be that of replies already under way. */
    return command->local != KW_LOCAL_HELLO || argv->count < 2 ||
           kw_text_to_int(argv->items[1], &proto) != KW_OK || proto == client->proto ||
           (proto != 2 && proto != 3);
}

struct kw_bytes kw_guests_substitute(void)
{
    return KW_BYTES("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n");
}

void kw_guests_add(struct kw_guests **guests, const struct kw_command *command, uint32_t index,
                   struct kw_bytes wire)
{
    struct place place = {.command = command, .wire_len = wire.len, .index = index};

    if (*guests == NULL) {
        *guests = kw_alloc_zero(1, sizeof **guests);
    }
    kw_blob_add(&(*guests)->places, kw_bytes_of((const char *)&place, sizeof place));
    kw_blob_add(&(*guests)->wires, wire);
}

size_t kw_guests_bytes(const struct kw_guests *guests)
{
    return guests == NULL ? 0 : guests->wires.len + guests->places.len;
}

void kw_guests_pass(struct kw_request *request, const struct kw_reply_part *part,
                    struct kw_link *link)
{
    struct kw_guests *guests = request->run->guests;
    struct kw_client *client = request->client;
    struct kw_bytes rest = part->bytes;
    struct kw_reply_part end = *part;

    if (guests == NULL || part->type != '*' || client->is_gone) {
        kw_request_pass(request, part, link);
        return;
    }
    if (!guests->is_inside) {
        const char *line_end = memchr(rest.data, '\n', rest.len);
        size_t len = line_end == NULL ? rest.len : (size_t)(line_end - rest.data) + 1;
        kw_reply_pass(request, kw_bytes_of(rest.data, len));
        rest = bytes_behind(rest, len);
        guests->is_inside = line_end != NULL;
    }
    while (rest.len > 0) {
        size_t len = 0;
        enum kw_status status =
            kw_reply_scan(&guests->parser, client->proto, rest.data, rest.len, &len);
        bool is_guest = guests_due(guests) != NULL;
        KW_ASSERT(status == KW_OK || (status == KW_AGAIN && len == rest.len)); /* G2 */
        if (!is_guest) {
            kw_reply_pass(request, kw_bytes_of(rest.data, len));
        } else if (status == KW_OK) {
            guests_answer(guests, request);
        }
        guests->index += status == KW_OK ? 1 : 0;
        rest = bytes_behind(rest, len);
    }
    end.bytes = rest;
    kw_request_pass(request, &end, link);
}

void kw_guests_free(struct kw_guests **guests)
{
    if (*guests != NULL) {
        kw_blob_deinit(&(*guests)->wires);
        kw_blob_deinit(&(*guests)->places);
        kw_free(*guests);
        *guests = NULL;
    }
}

static struct kw_bytes bytes_behind(struct kw_bytes bytes, size_t len)
{
    return kw_bytes_of(bytes.data + len, bytes.len - len);
}

/* The guest whose element this is; NULL: it is the node's. */
static const struct place *guests_due(const struct kw_guests *guests)
{
    const struct place *places = (const struct place *)guests->places.data;
    size_t count = guests->places.len / sizeof *places;
    bool is_due = guests->next_place < count && places[guests->next_place].index == guests->index;

    return is_due ? &places[guests->next_place] : NULL;
}

/* It was cut once, when it was queued: so it is whole and well formed. */
static void guests_answer(struct kw_guests *guests, struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;
    const struct place *place = guests_due(guests);
    struct kw_bytes wire = kw_bytes_of(guests->wires.data + guests->wires_used, place->wire_len);
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;
    struct kw_buf buf;

    enum kw_status status = kw_request_parse(&parser, &proxy->limits, wire, &proxy->argv, &cut);
    KW_ASSERT(status == KW_OK && proxy->argv.count > 0);
    kw_buf_init(&buf, proxy->chunks);
    (void)kw_local_write(request->client, place->command, &buf);
    pass_buf(request, &buf);
    guests->wires_used += place->wire_len;
    guests->next_place++;
}

static void pass_buf(struct kw_request *request, struct kw_buf *buf)
{
    struct iovec iov[1];

    while (buf->len > 0) {
        (void)kw_buf_iov(buf, iov, 1);
        kw_reply_pass(request, kw_bytes_of(iov[0].iov_base, iov[0].iov_len));
        kw_buf_consume(buf, iov[0].iov_len);
    }
    kw_buf_reset(buf);
}
