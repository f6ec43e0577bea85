/* read.c - a node's reply to a read that was not answered from memory.
 *
 * It says what its key is, or was a moment ago. Nobody may be shown less than that afterwards,
 * though the node's word of the change may still be on its way (R3):
 *
 *   there is an entry of the same request, and it says the same    nothing
 *   else, when there is anything of the key, or a fill of it       the slot was seen: what is kept
 *                                                                  of it counts again when its node
 *                                                                  has been heard of since
 *                                                                  (answer.c)
 *
 * An entry that says otherwise goes at once, and a fill must bring what was seen.
 *
 * So a hot key of which many fields are read loses nothing by those that are not kept: it waits for
 * one round trip to its node. To remove its entries instead would let none of them live, each being
 * read past the cache while another one is fetched.
 *
 * And the key may be hot enough to be fetched itself: answer.c has found out, and its size is known
 * now.
 *
 * INVARIANTS
 * D1  each reply to a read is heeded so before it leaves. Not those that tell how old something is
 *     (TTL, OBJECT), and those of no key (SCAN, KEYS, DBSIZE).
 * D2  the time of seen_us is read when the reply is here: behind its execution, whatever the loop's
 *     time is.
 */
#include "base/clock.h"
#include "base/text.h"
#include "command/keys.h"
#include "proxy/gather/bunch.h"
#include "proxy/near/near.h"
#include "proxy/near/touch.h"
#include "proxy/origin/fill.h"

static void reply_look(struct kw_request *request, const struct kw_reply_part *part);
static void key_replied(struct kw_near *near, struct kw_request *request,
                        const struct kw_reply_part *part);
static enum kw_heat heat_of(uint8_t mark);
static bool reply_is_worth(struct kw_near *near, uint64_t hash, enum kw_heat heat,
                           const struct kw_reply_part *part);
static void key_heed(struct kw_near *near, struct kw_request *request,
                     const struct kw_reply_part *part, bool is_kept, enum kw_heat heat);
static void keys_replied(struct kw_near *near, struct kw_request *request,
                         const struct kw_reply_part *part);
static void bunch_look(struct kw_near *near, const struct kw_request *bunch, uint64_t looked);
static void one_replied(struct kw_near *near, const struct kw_request *request,
                        struct kw_bytes name, struct kw_bytes wire, struct kw_bytes reply,
                        bool is_due);
static size_t reply_len(const struct kw_reply_part *first);
static void other_replied(struct kw_near *near, const struct kw_request *request);
static void near_witness(struct kw_near *near, const struct kw_near_read *read,
                         const struct kw_near_key *key, struct kw_bytes reply);
static void fetch(struct kw_near *near, enum kw_heat heat, const struct kw_near_read *read,
                  const struct kw_near_key *key, const struct kw_bytes *wire, size_t count);
static bool can_wait(enum kw_heat heat);
static bool near_wants(const struct kw_near *near, struct kw_bytes name, uint16_t slot);

void kw_near_on_reply(struct kw_request *request, const struct kw_reply_part *part)
{
    const struct kw_near_warm *warm = request->client->proxy->near_brief.warm;

    if (request->near >= KW_NEAR_MARK_COLD && !kw__warm_has_since(warm, request->near_hash)) {
        if (request->near == KW_NEAR_MARK_COLD_WRITE) {
            request->near = KW_NEAR_MARK_NONE; /* what is fetched from now on is no older: warm.c */
        }
        return; /* D1: nothing is kept that it might contradict */
    }
    reply_look(request, part);
}

static KW_APART void reply_look(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_near *near = request->client->proxy->near;

    if (!part->is_first || request->is_follower) {
        return;
    }
    (void)kw__near_awake(near);
    switch (kw__near_role(near, request->command)) {
    case KW_NEAR_ROLE_GET:
    case KW_NEAR_ROLE_WHOLE:
        key_replied(near, request, part);
        return;
    case KW_NEAR_ROLE_MGET:
        keys_replied(near, request, part);
        return;
    case KW_NEAR_ROLE_EXISTS:
    case KW_NEAR_ROLE_READ_KEY:
    case KW_NEAR_ROLE_READ_SLOT:
    case KW_NEAR_ROLE_EXEC:
        other_replied(near, request);
        return;
    case KW_NEAR_ROLE_NONE:
    case KW_NEAR_ROLE_WRITE_KEY:
    case KW_NEAR_ROLE_WRITE_SLOT:
    case KW_NEAR_ROLE_WRITE_ALL:
        return;
    }
    KW_UNREACHABLE();
}

void kw__near_seen(struct kw_near *near, uint16_t slot)
{
    struct kw_near_shared *shared = near->shared;

    atomic_store(slot == KW_SLOT_NONE ? &shared->all_seen_us : &shared->slots[slot].seen_us,
                 kw_clock_us()); /* D2 */
    if (atomic_load_explicit(&shared->is_any_blind, memory_order_relaxed)) {
        if (slot == KW_SLOT_NONE) {
            kw_cache_flush(near->worker);
        } else {
            kw_near_forget_slot(near->proxy, slot); /* nobody will say what has changed */
        }
    }
}

static void key_replied(struct kw_near *near, struct kw_request *request,
                        const struct kw_reply_part *part)
{
    uint64_t hash = request->near_hash;

    if (!kw_near_knows_hash(request->near)) {
        struct kw_bytes name =
            kw__variant_argument(kw_call_bytes(&request->call), kw_keys_single(request->command));
        hash = kw_cache_key(near->worker, name, kw_bytes_of("", 0)).hash;
    }
    bool is_kept = kw_cache_may_have(near->worker, hash);
    enum kw_heat heat = heat_of(request->near);
    heat = heat != KW_HEAT_NONE && reply_is_worth(near, hash, heat, part) ? heat : KW_HEAT_NONE;
    if (is_kept || heat != KW_HEAT_NONE) {
        key_heed(near, request, part, is_kept, heat);
    }
}

static enum kw_heat heat_of(uint8_t mark)
{
    return mark == KW_NEAR_MARK_HOT      ? KW_HEAT_HOT
           : mark == KW_NEAR_MARK_CHANCE ? KW_HEAT_CHANCE
                                         : KW_HEAT_NONE;
}

static bool reply_is_worth(struct kw_near *near, uint64_t hash, enum kw_heat heat,
                           const struct kw_reply_part *part)
{
    size_t len = reply_len(part);

    return part->type != '-' && len <= near->proxy->config->near_cache_max_item_bytes &&
           kw_hot_is_worth(near->hot, hash, heat, len);
}

static KW_APART void key_heed(struct kw_near *near, struct kw_request *request,
                              const struct kw_reply_part *part, bool is_kept, enum kw_heat heat)
{
    struct kw_bytes argv[KW_NEAR_ARGS_MAX];
    struct kw_near_key key;

    struct kw_bytes wire = kw_call_bytes(&request->call);
    struct kw_near_read read = {.command = request->command,
                                .role = kw__near_role(near, request->command),
                                .argv = argv,
                                .argc = kw__variant_cut(wire, argv, KW_NEAR_ARGS_MAX),
                                .proto = request->client->proto,
                                .slot = request->slot};
    read.name = argv[kw_keys_single(request->command)];
    if (read.argc > KW_NEAR_ARGS_MAX || !kw__variant_make(near, &read, &key)) {
        kw__near_seen(near, request->slot);
        return;
    }
    if (is_kept && part->is_last) {
        near_witness(near, &read, &key, part->bytes);
    } else if (is_kept) {
        /* It passes in parts, too large to be compared. Were the next read the one to wish for a
         * sign, its own reply would come behind that, and so on. */
        struct kw_cache_found found;
        kw__near_seen(near, request->slot);
        if (kw_cache_get(near->worker, &key.key, &found)) {
            kw__fill_wish(near, request->slot, found.domain);
        }
    }
    fetch(near, heat, &read, &key, &wire, 1);
}

/* Of the whole reply whose FIRST part has come; SIZE_MAX when only its end will tell. */
static size_t reply_len(const struct kw_reply_part *first)
{
    const char *line_end = NULL;
    int64_t len = 0;

    if (first->is_last) {
        return first->bytes.len;
    }
    line_end = memchr(first->bytes.data, '\n', first->bytes.len);
    if (first->type != '$' || line_end == NULL) {
        return SIZE_MAX;
    }
    size_t head = (size_t)(line_end - first->bytes.data) + 1;
    return kw_text_to_int(kw_bytes_of(first->bytes.data + 1, head - 3), &len) == KW_OK && len >= 0
               ? head + (size_t)len + 2
               : SIZE_MAX;
}

/* The same for MGET, whose reply is that of as many GETs. */
static void keys_replied(struct kw_near *near, struct kw_request *request,
                         const struct kw_reply_part *part)
{
    bool is_due = request->near == KW_NEAR_MARK_DUE;
    struct kw_near_walk keys = kw__walk_begin(kw_call_bytes(&request->call));
    struct kw_bytes wire;
    struct kw_bytes reply;

    if (!part->is_last || part->type != '*') {
        kw__near_seen(near, kw_route_is_plain(near->proxy) ? KW_SLOT_NONE : request->slot);
        return;
    }
    struct kw_near_walk values = kw__walk_begin(part->bytes);
    (void)kw__walk_next(&keys, &wire); /* MGET */
    while (keys.left_count > 0 && values.left_count > 0) {
        struct kw_bytes name = kw__walk_next(&keys, &wire);
        (void)kw__walk_next(&values, &reply);
        one_replied(near, request, name, wire, reply, is_due);
    }
}

bool kw_near_is_cold(const struct kw_near *near, struct kw_bytes name, uint64_t *note)
{
    return kw__warm_is_cold(near->warm, kw__warm_place(name), note);
}

void kw_near_on_bunch(struct kw_request *bunch)
{
    struct kw_hot *hot = bunch->client->proxy->near->hot;
    uint64_t due = 0;

    _Static_assert(KW_BUNCH_COMMANDS_MAX <= 64, "a bit for each");
    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        due |= (uint64_t)kw_hot_is_due(hot) << i;
    }
    bunch->near = KW_NEAR_MARK_BUNCH;
    bunch->near_hash = due;
}

/* Its keys may be warm by now, nobody has looked: their notes are such that all are looked at. */
void kw__near_bunch_began(const struct kw_near *near, struct kw_request *bunch)
{
    const char *at = kw_call_bytes(&bunch->call).data;

    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        struct kw_bytes wire;
        struct kw_bytes name = kw_bunch_next(&at, &wire);
        uint64_t place = kw__warm_place(name);
        bunch->gather->notes[bunch->part + i] =
            kw__warm_note(place, (kw__warm_ups(near->warm, place) - 1) & KW_WARM_UPS_MASK);
    }
    bunch->near = KW_NEAR_MARK_BUNCH;
}

/* As keys_replied(), for keys that have become warm since, or are due. Mostly there are none. */
void kw__near_bunch_replied(struct kw_near *near, const struct kw_request *bunch)
{
    const uint64_t *notes = bunch->gather->notes + bunch->part;
    uint64_t looked = bunch->near_hash;

    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        looked |= (uint64_t)kw__warm_has_since(near->warm, notes[i]) << i;
    }
    if (looked != 0 && bunch->state == KW_REQUEST_DONE && bunch->parked.head != NULL) {
        bunch_look(near, bunch, looked);
    }
}

/* Look at the replies that have a bit in LOOKED. */
static KW_APART void bunch_look(struct kw_near *near, const struct kw_request *bunch,
                                uint64_t looked)
{
    const struct kw_chunk *replies = bunch->parked.head;
    const char *at = kw_call_bytes(&bunch->call).data;
    struct kw_near_walk values = {.at = replies->data + replies->start};

    (void)kw__near_awake(near);
    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        struct kw_bytes wire;
        struct kw_bytes reply;
        struct kw_bytes name = kw_bunch_next(&at, &wire);
        values = kw__walk_begin(kw_bytes_of(values.at, 0));
        (void)kw__walk_next(&values, &reply);
        if ((looked >> i & 1) != 0) {
            one_replied(near, bunch, name, wire, reply, (bunch->near_hash >> i & 1) != 0);
        }
    }
}

/* REPLY is what GET NAME would have got. WIRE: the name with its head; IS_DUE: is it hot? */
static void one_replied(struct kw_near *near, const struct kw_request *request,
                        struct kw_bytes name, struct kw_bytes wire, struct kw_bytes reply,
                        bool is_due)
{
    struct kw_near_read get = kw__variant_get(near, name, request->client->proto);
    struct kw_bytes command[2] = {KW_BYTES("*2\r\n$3\r\nGET\r\n"), wire};
    struct kw_near_key key;
    bool is_made = kw__variant_make(near, &get, &key);

    KW_ASSERT(is_made);
    if (kw_cache_may_have(near->worker, key.key.hash)) {
        near_witness(near, &get, &key, reply);
    }
    if (is_due && reply.len <= near->proxy->config->near_cache_max_item_bytes) {
        fetch(near, kw_hot_read(near->hot, key.key.hash, reply.len), &get, &key, command, 2);
    }
}

/* A command that is never kept, or several. */
static void other_replied(struct kw_near *near, const struct kw_request *request)
{
    struct kw_near_touch touch = kw__touch_of(near, request);

    if (touch.is_beyond || touch.is_all) {
        kw__near_seen(near, kw_route_is_plain(near->proxy) ? KW_SLOT_NONE : request->slot);
    }
    for (size_t i = 0; i < touch.count; i++) {
        struct kw_cache_key key = kw_cache_key(near->worker, touch.names[i], kw_bytes_of("", 0));
        if (kw_cache_may_have(near->worker, key.hash)) {
            kw__near_seen(near, kw_slot_of_key(touch.names[i]));
        }
    }
}

/* D1. */
static void near_witness(struct kw_near *near, const struct kw_near_read *read,
                         const struct kw_near_key *key, struct kw_bytes reply)
{
#ifndef KW_KNOCKOUT_WITNESS
    struct kw_bytes value = kw__variant_value(read->role, reply).bytes;

    if (!kw_cache_witness(near->worker, &key->key, value)) {
        kw__near_seen(near, read->slot);
    }
#else
    (void)near;
    (void)read;
    (void)key;
    (void)reply;
#endif
}

/* READ's KEY, if its HEAT and the options say so: its command is COUNT pieces of WIRE. */
static void fetch(struct kw_near *near, enum kw_heat heat, const struct kw_near_read *read,
                  const struct kw_near_key *key, const struct kw_bytes *wire, size_t count)
{
    if (heat == KW_HEAT_NONE || !near_wants(near, key->key.name, read->slot) ||
        (heat == KW_HEAT_CHANCE && !kw_hot_take_chance(near->hot))) {
        return;
    }
    if (can_wait(heat)) {
        kw__fill_start_later(near, read, key, wire, count);
    } else {
        kw__fill_start(near, read, key, wire, count);
    }
}

static bool can_wait(enum kw_heat heat)
{
#ifndef KW_KNOCKOUT_HASTE
    return heat == KW_HEAT_CHANCE;
#else
    return heat != KW_HEAT_NONE; /* no rule, but what is rare otherwise */
#endif
}

static bool near_wants(const struct kw_near *near, struct kw_bytes name, uint16_t slot)
{
    bool is_wanted = near->prefixes_count == 0;

    if (kw__near_is_moving(near, slot)) {
        return false;
    }
    for (size_t i = 0; i < near->prefixes_count && !is_wanted; i++) {
        is_wanted = kw_bytes_start_with(name, near->prefixes[i]);
    }
    for (size_t i = 0; i < near->skips_count && is_wanted; i++) {
        is_wanted = !kw_bytes_start_with(name, near->skips[i]);
    }
    return is_wanted;
}
