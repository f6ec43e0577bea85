/* answer.c - who merges what, and where it goes.
 *
 *   the answer's turn has come      --> merged into the client's output
 *   earlier requests are in flight  --> merged into what is parked at the answer, parts' replies go
 *   nobody wants it                 --> parts' replies go
 *
 * The merge itself is merge.c's, which knows replies only: here it is told which part has which
 * number, who said it, and what else belongs to the answer: keyway's own reply (publish.c), the
 * cursor (scan.c). What came in bunches is merged by bunch.c when it can be, without being cut up.
 *
 * Cost: O(keys + parts).
 */
#include "proxy/gather/answer.h"

#include "backend/node.h"
#include "base/assert.h"
#include "base/mem.h"
#include "proxy/client.h"
#include "proxy/gather/bunch.h"
#include "proxy/gather/gather.h"
#include "proxy/gather/merge_own.h"
#include "proxy/gather/script.h"
#include "proxy/parked.h"
#include "proxy/pubsub/publish.h"
#include "proxy/reply.h"
#include "proxy/request.h"

static void answer_merge(struct kw_gather *gather, struct kw_buf *out);
static const char *part_node_name(const struct kw_request *part);

void kw_answer_complete(struct kw_gather *gather)
{
    struct kw_client *client = gather->client;

    if (kw_scan_goes_on(gather)) {
        return;
    }
    struct kw_request *answer = gather->answer;
    bool is_wanted = !client->is_gone && !answer->is_muted;

    gather->is_complete = true; /* G3 of gather.c */
    kw_script_on_complete(gather);
    if (is_wanted && client->oldest == gather->first) {
        answer_merge(gather, &client->stream.out);
        answer->is_streaming = true;
        kw_stream_mark(&client->stream);
    } else {
        if (is_wanted) {
            answer_merge(gather, kw__request_parked(answer));
            client->parked_bytes += answer->parked.len;
        }
        for (struct kw_request *part = gather->first; part != answer; part = part->next) {
            kw__request_drop_parked(part);
        }
    }
    kw_reply_finish(answer); /* the gather may be gone */
    if (client->stream.out.len + client->parked_bytes > KW_OUTPUT_PAUSE_BYTES) {
        kw_client_output_ok(client);
    }
}

/* The replies of all parts, each at the number of its part, become one. */
static void answer_merge(struct kw_gather *gather, struct kw_buf *out)
{
    struct kw_proxy *proxy = gather->client->proxy;
    struct kw_gathering *gathering = proxy->gathering;

    struct kw_bytes own = {NULL, 0}; /* keyway's own reply, as if it were a node */
    bool names_nodes = gather->command->route != KW_ROUTE_SPLIT;

    if (gather->key_parts != NULL && kw_bunch_merge(gather, out)) {
        return;
    }
    if (gather->parts_count >= gathering->parts_size) {
        gathering->parts_size = gather->parts_count < 64 ? 64 : gather->parts_count + 1;
        gathering->parts =
            kw_realloc(gathering->parts, gathering->parts_size * sizeof *gathering->parts);
    }
    for (const struct kw_request *part = gather->first; part != gather->answer; part = part->next) {
        KW_ASSERT(part->state == KW_REQUEST_DONE &&
                  part->part < gather->parts_count); /* G3 of gather.c */
        if (part->is_bunch) {
            kw_bunch_cut(part, gathering->parts);
            continue;
        }
        gathering->parts[part->part] = (struct kw_merge_part){
            .reply = kw__part_reply(part),
            .chunk = part->parked.head,
            .keys_count = part->keys_count,
            .node = names_nodes ? part_node_name(part) : NULL,
        };
    }
    struct kw_merge_job job = {
        .command = gather->command,
        .how = gather->command->merge,
        .proto = gather->client->proto,
        .parts = gathering->parts,
        .parts_count = gather->parts_count,
        .key_parts = gather->key_parts,
        .keys_count = gather->keys_count,
        .may_be_partial =
            proxy->config->partial_reads && (gather->command->flags & KW_COMMAND_WRITE) == 0,
    };
    if (job.command->group == KW_GROUP_PUBSUB &&
        kw_publish_own_reply(proxy->hub, job.command, job.parts[0].reply, job.proto, &own)) {
        job.parts[job.parts_count++] = (struct kw_merge_part){.reply = own, .node = "keyway"};
    }
    if (job.how == KW_MERGE_CURSOR) {
        kw_scan_answer(gather, &job, out);
    } else if (job.how == KW_MERGE_FIRST_NOT_NULL) {
        kw_merge_random(&job, kw_backend_random(proxy->backend), out);
    } else {
        kw_merge(&job, out);
    }
    kw_free((char *)own.data);
}

static const char *part_node_name(const struct kw_request *part)
{
    const struct kw_node *node = kw_backend_node_of_slot(part->client->proxy->backend, part->slot);

    return node != NULL ? node->name : "?";
}
