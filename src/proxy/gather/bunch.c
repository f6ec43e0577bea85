/* bunch.c - parts that share a call while all goes well.
 *
 *   queue:   ... [bunch: commands 0 1 2] [part 3] [answer] ...
 *                   replies 0 and 1 are there, 2 is MOVED:
 *            ... [bunch: commands 0 1] [part 2] [part 3] [answer] ...
 *
 * A bunch has no slot, so nothing that is about a slot is done with it: it is never redirected,
 * sent again, held or failed. When any of that is due, or a reply is large, or no array, or out of
 * turn, bunch_divide() makes an ordinary part of each command that has no answer yet; these stand
 * where the bunch stood on its link, and what came is handed to the first of them. The bunch is
 * DONE with what it has. Whoever looks for requests of a slot takes a bunch for one of every slot,
 * so while any slot is unstable there are no new ones.
 *
 * INVARIANTS
 * B1  each command of a bunch has one key, and only reads: so a bunch is no barrier, and its
 *     commands need no order among themselves nor to what is younger.
 * B2  the commands of a bunch have the numbers from bunch->part on; the first keys_count of them
 *     end in it, others have left it.
 * B3  the replies of a bunch lie in one chunk, in order; ends[] says where each ends.
 * B4  each of them is an array of one element.
 * B5  the near cache keeps nothing of its keys when it begins, notes[] says whether that is so when
 *     it ends: what may be kept goes alone.
 */
#include "proxy/gather/bunch.h"

#include "backend/inflight.h"
#include "backend/link.h"
#include "backend/node.h"
#include "base/apart.h"
#include "base/assert.h"
#include "proxy/client.h"
#include "proxy/near/near.h"
#include "proxy/near/variant.h"
#include "proxy/reply.h"
#include "proxy/resend.h"
#include "resp/writer.h"

#define SINGLE_HEAD "*1\r\n" /* B4 */

enum {
    MERGED_MAX = 64,           /* replies that kw_bunch_merge() finds room for */
    BUNCHES_MAX = 16,          /* of one window, by the node's index */
    ROOM_MAX_BYTES = 8 * 1024, /* kept for replies that are not there yet */
    ALONE = 254,               /* instead of a bunch's index */
    SENT = 255
};

/* Parts of a split that are looked at together. */
struct window {
    const struct kw_split_part *parts;
    uint32_t count;
    struct bunch {
        struct kw_node *node; /* NULL: not in use */
        size_t room;          /* for its commands */
        uint32_t count;       /* of its parts */
        uint8_t last;
    } bunches[BUNCHES_MAX];
    uint8_t bunch_of[KW_BUNCH_COMMANDS_MAX];
    uint8_t next[KW_BUNCH_COMMANDS_MAX]; /* part of the same bunch */
    uint64_t notes[KW_BUNCH_COMMANDS_MAX];
};

static void window_sort(struct window *window, struct kw_proxy *proxy,
                        const struct kw_split *split);
static struct bunch *window_choose(struct window *window, struct kw_node *node, size_t len);
static bool bunch_send(struct kw_gather *gather, const struct kw_split *split,
                       struct window *window, uint32_t from);
static void part_send_alone(struct kw_gather *gather, const struct kw_split *split,
                            const struct kw_split_part *from);
static bool part_answer(struct kw_gather *gather, uint16_t slot, struct kw_bytes name);
static void bunch_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static bool bunch_may_take(const struct kw_request *bunch);
static bool bunch_on_singles(struct kw_call *call, const char *data, const uint32_t *ends,
                             uint32_t count);
static inline void bunch_keep(struct kw_request *bunch, struct kw_bytes bytes);
static void bunch_break(struct kw_request *bunch, const struct kw_reply_part *part);
static void bunch_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                          bool was_sent);
static struct kw_request *bunch_divide(struct kw_request *bunch, uint32_t left);
static uint16_t slot_of_command(const struct kw_command *command, const struct kw_argv *argv);

static const struct kw_call_user bunch_user = {
    .on_reply = bunch_on_reply, .on_fail = bunch_on_fail, .on_singles = bunch_on_singles};

bool kw_bunch_may(const struct kw_proxy *proxy, const struct kw_command *command)
{
    bool is_known = proxy->near == NULL || command->cache == KW_CACHE_EACH_KEY; /* by near/ */

    return is_known && kw_command_may_retry(command) /* B1 */ && !proxy->has_unstable[0] &&
           !proxy->has_unstable[1];
}

void kw_bunch_send(struct kw_gather *gather, const struct kw_split *split)
{
    struct window window;

    for (uint32_t at = 0; at < split->parts_count; at += window.count) {
        uint32_t left = split->parts_count - at;
        window.parts = &split->parts[at];
        window.count = left < KW_BUNCH_COMMANDS_MAX ? left : KW_BUNCH_COMMANDS_MAX;
        window_sort(&window, gather->client->proxy, split);
        for (uint32_t i = 0; i < window.count; i++) {
            if (window.bunch_of[i] != SENT && !bunch_send(gather, split, &window, i)) {
                part_send_alone(gather, split, &window.parts[i]);
            }
        }
    }
}

struct kw_bytes kw_bunch_next(const char **at, struct kw_bytes *wire)
{
    struct kw_near_walk words = kw__walk_begin(kw_bytes_of(*at, 0));

    (void)kw__walk_next(&words, wire);
    struct kw_bytes key = kw__walk_next(&words, wire); /* B1 */
    *at = words.at;
    return key;
}

bool kw_bunch_has_slot(const struct kw_request *bunch, uint16_t slot)
{
    const char *at = kw_call_bytes(&bunch->call).data;
    bool may_have = (bunch->gather->bunch_slots >> (slot % 64) & 1) != 0;
    bool has_it = false;

    for (uint32_t i = 0; may_have && !has_it && i < bunch->keys_count; i++) {
        struct kw_bytes wire;
        has_it = kw_slot_of_key(kw_bunch_next(&at, &wire)) == slot;
    }
    return has_it;
}

size_t kw_bunch_room(const struct kw_request *bunch, size_t len)
{
    size_t room = len * bunch->keys_count;

    return room > len && room <= ROOM_MAX_BYTES ? room : len;
}

void kw_bunch_cut(const struct kw_request *bunch, struct kw_merge_part *parts)
{
    const uint32_t *ends = bunch->gather->ends;
    struct kw_chunk *chunk = bunch->parked.head;
    uint32_t start = 0;

    for (uint32_t i = bunch->part; i < bunch->part + bunch->keys_count; i++) {
        parts[i] = (struct kw_merge_part){
            .reply = kw_bytes_of(chunk->data + chunk->start + start, ends[i] - start), /* B3 */
            .chunk = chunk,
            .keys_count = 1,
        };
        start = ends[i];
    }
}

bool kw_bunch_merge(const struct kw_gather *gather, struct kw_buf *out)
{
    struct kw_bytes values[MERGED_MAX]; /* by the parts' numbers */

    if (gather->parts_count != gather->keys_count || gather->keys_count > MERGED_MAX) {
        return false;
    }
    for (const struct kw_request *bunch = gather->first; bunch != gather->answer;
         bunch = bunch->next) {
        if (!bunch->is_bunch || bunch->keys_count == 0 || bunch->parked.len > KW_COPY_MAX_BYTES) {
            return false; /* not for who has errors to look for, or large values to lend */
        }
        const char *replies = bunch->parked.head->data + bunch->parked.head->start;
        const uint32_t *ends = gather->ends + bunch->part;
        uint32_t start = 0;
        for (uint32_t i = 0; i < bunch->keys_count; i++) {
            uint32_t value = start + sizeof SINGLE_HEAD - 1; /* B4 */
            values[bunch->part + i] = kw_bytes_of(replies + value, ends[i] - value);
            start = ends[i];
        }
    }
    kw_reply_array(out, gather->keys_count);
    for (uint32_t key = 0; key < gather->keys_count; key++) {
        kw_buf_append_bytes(out, values[gather->key_parts[key]]);
    }
    return true;
}

/* Which part goes with which others? */
static void window_sort(struct window *window, struct kw_proxy *proxy, const struct kw_split *split)
{
    const struct kw_near *near = proxy->near;

    memset(window->bunches, 0, sizeof window->bunches);
    for (uint32_t i = 0; i < window->count; i++) {
        const struct kw_split_part *part = &window->parts[i];
        struct kw_node *node = kw_backend_node_of_slot(proxy->backend, part->slot);
        struct bunch *bunch = NULL;
        bool is_cold =
            near == NULL || kw_near_is_cold(near, split->argv[split->run.first + part->first],
                                            &window->notes[i]); /* B5 */
        if (node != NULL && part->keys_count == 1 /* B1 */ && is_cold) {
            bunch = window_choose(window, node, kw_split_len(split, part));
        }
        window->bunch_of[i] = bunch == NULL ? ALONE : (uint8_t)(bunch - window->bunches);
        if (bunch != NULL) {
            window->next[bunch->count == 0 ? i : bunch->last] = (uint8_t)i;
            bunch->last = (uint8_t)i;
            bunch->count++;
        }
    }
}

/* No search: which node it is can't be foreseen, and a processor that guesses wrong loses more than
 * all the rest takes. NULL when another node has the place, or it is full: the part goes alone.
 */
static inline struct bunch *window_choose(struct window *window, struct kw_node *node, size_t len)
{
    struct bunch *bunch = &window->bunches[node->index % BUNCHES_MAX];

    if ((bunch->node != node && bunch->node != NULL) || bunch->room + len > KW_COPY_MAX_BYTES) {
        return NULL;
    }
    bunch->node = node;
    bunch->room += len;
    return bunch;
}

/* Send the bunch whose first part is FROM. False when there is none. */
static bool bunch_send(struct kw_gather *gather, const struct kw_split *split,
                       struct window *window, uint32_t from)
{
    struct kw_client *client = gather->client;
    const struct bunch *chosen = &window->bunches[window->bunch_of[from] % BUNCHES_MAX];
    char bytes[KW_COPY_MAX_BYTES];
    struct kw_link *link = NULL;
    uint32_t count = chosen->count;
    size_t len = 0;

    if (window->bunch_of[from] == ALONE || count == 1 ||
        kw_node_link(chosen->node, client->proto, client->db, client->id, &link) != KW_OK ||
        kw_link_has_room(link, 0) != KW_OK) {
        return false; /* one by one they will get the error that fits */
    }
    for (uint32_t n = 0, i = from; n < count; n++, i = window->next[i]) {
        gather->key_parts[window->parts[i].first] = gather->parts_count + n; /* B2 */
        gather->notes[gather->parts_count + n] = window->notes[i];
        gather->bunch_slots |= 1ull << (window->parts[i].slot % 64);
        len += kw_split_write(split, &window->parts[i], bytes + len);
        window->bunch_of[i] = SENT;
    }
    kw__bunch_post(gather, link, count, kw_bytes_of(bytes, len));
    return true;
}

void kw__bunch_post(struct kw_gather *gather, struct kw_link *link, uint32_t count,
                    struct kw_bytes bytes)
{
    struct kw_request *bunch = kw__gather_add(gather, KW_SLOT_NONE, count);

    bunch->call.user = &bunch_user;
    bunch->call.replies_count = count;
    bunch->is_bunch = true;
    bunch->is_barrier = false; /* B1 */
    gather->parts_count += count - 1;
    KW_STAT_ADD(gather->client->proxy->stats, calls_sent, count - 1);
    enum kw_status status = kw_link_send(link, &bunch->call, bytes, NULL);
    KW_ASSERT(status == KW_OK); /* it has room, and this is small */
    if (gather->client->proxy->near != NULL) {
        kw_near_on_bunch(bunch);
    }
    kw__gather_append(gather, bunch);
}

static void part_send_alone(struct kw_gather *gather, const struct kw_split *split,
                            const struct kw_split_part *from)
{
    for (uint32_t key = from->first; key != KW_SPLIT_NONE; key = split->key_next[key]) {
        gather->key_parts[key] = gather->parts_count;
    }
    if (from->keys_count > 1 || gather->client->proxy->near == NULL ||
        !part_answer(gather, from->slot, split->argv[split->run.first + from->first])) {
        kw__gather_send_part(gather, split, from);
    }
}

/* From memory, if NAME is kept there. */
static bool part_answer(struct kw_gather *gather, uint16_t slot, struct kw_bytes name)
{
    struct kw_bytes value;

    if (!kw_near_answer_part(gather->client, name, slot, &value)) {
        return false;
    }
    struct kw_request *part = kw__gather_add(gather, slot, 1);
    part->near = KW_NEAR_MARK_HEEDED;
    part->is_told = true; /* when it was kept: origin/fill.c L4 */
    kw__gather_append(gather, part);
    kw_reply_pass(part, KW_BYTES(SINGLE_HEAD));
    kw_reply_pass(part, value);
    kw_reply_finish(part);
    return true;
}

static void bunch_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *bunch = (struct kw_request *)call;
    struct kw_client *client = bunch->client;
    bool is_whole = part->is_first && part->is_last;

    if (__builtin_expect(!is_whole || !bunch_may_take(bunch) ||
                             !kw_bytes_start_with(part->bytes, KW_BYTES(SINGLE_HEAD)),
                         0)) {
        bunch_break(bunch, part);
        return;
    }
    bunch_keep(bunch, part->bytes);
    bunch->gather->ends[bunch->part + bunch->keys_count - 1 - part->replies_left] =
        (uint32_t)bunch->parked.len;
    if (client->stream.out.len + client->parked_bytes > KW_OUTPUT_PAUSE_BYTES) {
        kw_client_output_ok(client);
    }
    if (part->replies_left == 0) {
        kw_reply_finish(bunch);
    }
}

static bool bunch_on_singles(struct kw_call *call, const char *data, const uint32_t *ends,
                             uint32_t count)
{
    struct kw_request *bunch = (struct kw_request *)call;
    uint32_t *kept = &bunch->gather->ends[bunch->part + bunch->keys_count - call->replies_left];
    size_t start = bunch->parked.len;
    size_t first = 0;

    if (!bunch_may_take(bunch)) {
        return false;
    }
    if (bunch->parked.head == NULL) {
        first = ends[0];
        bunch_keep(bunch, kw_bytes_of(data, first)); /* makes room for as many as will come */
    }
    bunch_keep(bunch, kw_bytes_of(data + first, ends[count - 1] - first));
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = (uint32_t)start + ends[i];
    }
    return true;
}

/* False when replies may have to be asked for once more. */
static inline bool bunch_may_take(const struct kw_request *bunch)
{
    return bunch->client->redirecting_count == 0 && !bunch->is_behind;
}

/* Append a reply to those that BUNCH has (B3). */
static inline void bunch_keep(struct kw_request *bunch, struct kw_bytes bytes)
{
    struct kw_buf *parked = &bunch->parked;
    struct kw_chunk *chunk = parked->head;

    if (__builtin_expect(chunk == NULL || chunk->cap - chunk->end < bytes.len, 0)) {
        kw_reply_pass(bunch, bytes);
        return;
    }
    memcpy(chunk->data + chunk->end, bytes.data, bytes.len);
    chunk->end += bytes.len;
    parked->len += bytes.len;
    bunch->client->parked_bytes += bytes.len;
}

/* PART is not what a bunch can take. */
static KW_APART void bunch_break(struct kw_request *bunch, const struct kw_reply_part *part)
{
    struct kw_link *link = bunch->call.link; /* NULL: that was its last reply */
    struct kw_request *first = bunch_divide(bunch, part->replies_left + 1);
    struct kw_reply_part alone = *part;

    alone.replies_left = 0;
    if (link != NULL) {
        kw_inflight_divide(link, &bunch->call, part->is_last ? first->call.next : &first->call);
    }
    if (part->is_last) {
        first->call.next = NULL;
    }
    kw_reply_finish(bunch);
    first->call.user->on_reply(&first->call, &alone);
}

static void bunch_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                          bool was_sent)
{
    struct kw_request *bunch = (struct kw_request *)call;
    struct kw_gather *gather = bunch->gather;
    uint32_t left = call->replies_left;
    bool has_answered = left < bunch->keys_count;
    struct kw_request *part = bunch_divide(bunch, left);

    gather->left_count++; /* G2: for this function, so that all parts stay until it ends */
    kw_reply_finish(bunch);
    for (; left > 0; left--) {
        struct kw_request *next = part->next;
        part->call.next = NULL;
        part->call.user->on_fail(&part->call, link, status, was_sent || has_answered);
        part = next;
    }
    kw_gather_on_part(gather);
}

/* The last LEFT commands of BUNCH become parts, behind it in the queue; their calls are linked but
 * on no link yet. Returns the first.
 */
static struct kw_request *bunch_divide(struct kw_request *bunch, uint32_t left)
{
    struct kw_gather *gather = bunch->gather;
    struct kw_proxy *proxy = bunch->client->proxy;
    struct kw_argv *argv = &proxy->gathering->argv;
    struct kw_bytes rest = kw_call_bytes(&bunch->call);
    struct kw_request *first = NULL;
    struct kw_request *before = bunch;

    KW_ASSERT(left > 0 && left <= bunch->keys_count);
    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        struct kw_request_parser parser = {0};
        struct kw_request_bytes cut;
        enum kw_status status = kw_request_parse(&parser, &proxy->limits, rest, argv, &cut);
        KW_ASSERT(status == KW_OK); /* split.c wrote it */
        if (i + left >= bunch->keys_count) {
            struct kw_request *part =
                kw__gather_add(gather, slot_of_command(gather->command, argv), 1);
            gather->parts_count--;
            part->part = bunch->part + i; /* B2 */
            part->call.chunk = kw_chunk_ref(bunch->call.chunk);
            part->call.offset = (size_t)(rest.data - bunch->call.chunk->data);
            part->call.len = cut.consumed;
            part->call.next = NULL;
            kw_reply_expect_behind(part, before);
            if (bunch->is_behind &&
                (gather->behind_slot == part->slot || gather->behind_slot == KW_SLOT_NONE)) {
                kw_resend_mark(part);
            }
            if (first == NULL) {
                first = part;
            } else {
                before->call.next = &part->call;
            }
            before = part;
        }
        rest = kw_bytes_of(rest.data + cut.consumed, rest.len - cut.consumed);
    }
    gather->last = gather->last == bunch ? before : gather->last;
    bunch->keys_count -= left;
    return first;
}

/* B1 */
static uint16_t slot_of_command(const struct kw_command *command, const struct kw_argv *argv)
{
    struct kw_keys keys;
    enum kw_keys_verdict verdict = kw_keys_find(command, argv->items, argv->count, &keys);

    KW_ASSERT(verdict == KW_KEYS_OK && keys.count == 1);
    return kw_slot_of_key(argv->items[keys.runs[0].first]);
}
