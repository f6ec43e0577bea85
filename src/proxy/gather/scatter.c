/* scatter.c - parts that take the place of a request.
 *
 *   before:   [MGET a b c] ...           alone, or a part of a gather
 *   after:    [MGET a] [MGET b] [MGET c] ([answer]) ...
 *
 * The request itself becomes the first of them; the answer is new when it was no part. All of them
 * hold back what is younger, as any redirected request does, but not each other: their keys differ.
 */
#include "proxy/gather/scatter.h"

#include "proxy/gather/gather.h"
#include "proxy/reply.h"
#include "proxy/resend.h"

static struct kw_chunk *scatter_cut(struct kw_request *request);
static struct kw_gather *scatter_gather(struct kw_request *request);
static struct kw_request *scatter_children(struct kw_request *request, struct kw_chunk *chunk);
static void scatter_keys(struct kw_gather *gather, const struct kw_request *request,
                         const struct kw_split *split);
static void child_take_bytes(struct kw_request *child, struct kw_chunk *chunk, size_t len);
static void gather_add_answer(struct kw_gather *gather, struct kw_request *before, bool is_muted);

bool kw_gather_scatter(struct kw_request *request)
{
    struct kw_chunk *chunk = scatter_cut(request);

    if (chunk == NULL) {
        return false;
    }
    struct kw_gather *gather = scatter_gather(request);
    gather->left_count++; /* G2: for this function, or for the request that was no part */
    struct kw_request *last = scatter_children(request, chunk);
    kw_chunk_unref(&chunk);
    if (gather->last == request) {
        gather->last = last;
    }
    if (gather->answer == NULL) {
        gather_add_answer(gather, last, request->is_muted);
        request->is_muted = false;
    }
    const struct kw_request *behind = last->next;
    for (struct kw_request *child = request; child != behind;) {
        struct kw_request *next = child->next; /* it stays, DONE or not: left_count is not 0 */
        kw_resend_now(child);
        child = next;
    }
    kw_gather_on_part(gather);
    return true;
}

/* Cut REQUEST's command by key. Returns a chunk with room for all that comes of it, or NULL. */
static struct kw_chunk *scatter_cut(struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;
    struct kw_gathering *gathering = proxy->gathering;
    struct kw_split *split = gathering->split;
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;
    struct kw_chunk *chunk = NULL;
    size_t room = 0;

    if (request->is_part && request->keys_count < 2) {
        return NULL;
    }
    if (kw_request_parse(&parser, &proxy->limits, kw_call_bytes(&request->call), &gathering->argv,
                         &cut) != KW_OK ||
        !kw_split_by_key(split, request->command, gathering->argv.items, gathering->argv.count)) {
        return NULL;
    }
    for (uint32_t i = 0; i < split->parts_count; i++) {
        room += kw_split_len(split, &split->parts[i]);
    }
    if (!kw_split_is_conditional(split)) {
        chunk = kw_chunk_get(proxy->chunks, room);
    }
    if (chunk == NULL) {
        kw_split_clear(split);
    }
    return chunk;
}

/* The gather of REQUEST: a new one when it was no part. */
static struct kw_gather *scatter_gather(struct kw_request *request)
{
    struct kw_gather *gather = request->gather;
    const struct kw_split *split = request->client->proxy->gathering->split;
    bool is_new = gather == NULL;

    if (is_new) {
        gather = kw__gather_begin(request->client, request->command);
        gather->parts_count = 1;
        gather->first = request;
        gather->last = request;
        request->is_gathered = true;
        request->gather = gather;
        request->is_part = true;
        request->part = 0;
    }
    if (request->command->merge == KW_MERGE_IN_KEY_ORDER) {
        if (is_new) {
            kw__gather_keep_keys(gather, split->key_part, split->run.count);
        } else {
            scatter_keys(gather, request, split);
        }
    }
    return gather;
}

/* Put the parts into the queue, REQUEST as the first, their commands into CHUNK. Returns the last.
 */
static struct kw_request *scatter_children(struct kw_request *request, struct kw_chunk *chunk)
{
    struct kw_client *client = request->client;
    struct kw_split *split = client->proxy->gathering->split;
    struct kw_chunk *old = request->call.chunk; /* the words of the split lie in it */
    struct kw_request *before = request;

    client->barriers_count -= request->is_barrier ? 1 : 0;
    client->inflight_bytes -= request->call.len;
    request->call.chunk = NULL;
    for (uint32_t i = 0; i < split->parts_count; i++) {
        const struct kw_split_part *from = &split->parts[i];
        struct kw_request *child =
            i == 0 ? request : kw__gather_add(request->gather, request->slot, from->keys_count);
        child->is_barrier = false; /* one key, however often */
        child->keys_count = from->keys_count;
        child->state = KW_REQUEST_QUEUED;
        child_take_bytes(child, chunk, kw_split_write(split, from, chunk->data + chunk->end));
        if (i == 0) {
            client->inflight_bytes += child->call.len;
        } else {
            kw_reply_expect_behind(child, before);
        }
        kw_resend_hold(child);
        before = child;
    }
    kw_split_clear(split);
    kw_chunk_unref(&old);
    return before;
}

/* The keys of REQUEST's elements, in their order, get the parts that SPLIT is about to become. */
static void scatter_keys(struct kw_gather *gather, const struct kw_request *request,
                         const struct kw_split *split)
{
    uint32_t seen = 0;

    for (uint32_t key = 0; key < gather->keys_count && gather->key_parts != NULL; key++) {
        if (gather->key_parts[key] == request->part) {
            uint32_t child = split->key_part[seen++];
            gather->key_parts[key] = child == 0 ? request->part : gather->parts_count + child - 1;
        }
    }
}

/* CHILD's command are the next LEN bytes of CHUNK. */
static void child_take_bytes(struct kw_request *child, struct kw_chunk *chunk, size_t len)
{
    child->call.chunk = kw_chunk_ref(chunk);
    child->call.offset = chunk->end;
    child->call.len = len;
    chunk->end += len;
}

static void gather_add_answer(struct kw_gather *gather, struct kw_request *before, bool is_muted)
{
    struct kw_request *answer = kw__request_get(gather->client, KW_REQUEST_DEFERRED);

    answer->is_gathered = true;
    answer->command = gather->command;
    answer->slot = KW_SLOT_NONE;
    answer->gather = gather;
    gather->answer = answer;
    kw_reply_expect_behind(answer, before); /* G1 */
    answer->is_muted = is_muted;
}
