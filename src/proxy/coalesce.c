/* coalesce.c - a read waits for the reply to another one instead of being sent.
 *
 *   link's order:   ... lead GET k ............................. reply
 *                          |   <- follower: the same bytes          |
 *                          |        <- follower                     +-> all of them
 *
 * A follower takes its lead's place in the order of the link that it would have taken itself. What
 * has been answered over that link until then stood before the lead, so the lead's reply is no
 * older: the follower may be shown it. What was told past that link since the lead was sent may be
 * newer: by another link or another worker, or from memory, after a fill was kept. That is counted:
 *
 *   shared->told[slot]   replies that told of the slot, by whomever; fills that were kept
 *   slots[slot].mine     of these, those over slots[slot].link, over which this worker last led
 *
 * and a lead is followed only while the number of the others' is what it was.
 *
 * Traffic of keys that nothing is kept of need not pay for that: near-cache-coalesce hot shares
 * reads of warm keys only, and replies about keys that are cold when they come are not counted. If
 * such a reply was newer than a lead's, it was executed after that left; then its key was warm, and
 * it still is, as long as no places have cooled (near/warm.c).
 *
 * Only the newest lead of some bytes is followed. Leads are found by a hash of their bytes; one
 * that another one takes the place of keeps the followers that it has.
 *
 * What becomes of a lead becomes of its followers: they get the parts of its reply as they come;
 * when its link breaks they are lost as it is; when it is redirected each goes its own way, from
 * the place in its client's queue that it has. They need nobody but themselves then: they refer to
 * the lead's bytes.
 *
 * INVARIANTS
 * C1  a follower joins before its lead's reply has begun, on the same link.
 * C2  nobody's unanswered requests about the same slot stand behind the place that it takes: they
 *     are on that link before the lead, or follow it, or a lead before it (O2, R5).
 * C3  a lead is in the table only as long as it is in flight and answered by nobody.
 * C4  leads are followed only while all workers count what they tell, and have done since it was
 *     sent; those of cold keys, while all count what they tell of these, too.
 * C5  what is told of a cold key is counted by who shares reads of these; else a lead's key is warm
 *     when it leaves, and it is followed only until places cool (near/warm.c M4).
 */
#include "proxy/coalesce.h"

#include "base/hash.h"
#include "base/mem.h"
#include "command/keys.h"
#include "proxy/account.h"
#include "proxy/near/near.h"
#include "proxy/near/shared.h"
#include "proxy/near/touch.h"
#include "proxy/near/variant.h"
#include "proxy/parked.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/resend.h"

enum {
    LEADS = 1024,
    FOLLOWERS_MAX = 4096, /* of one lead: behind more, another read is sent */
    LOOK_MAX = 64         /* requests in a client's queue: behind more, it is sent */
};

struct lead {
    struct kw_request *request; /* NULL: nobody */
    uint32_t others;            /* what was told past its link when it was sent */
    uint32_t all;               /* shared->all_told, then */
    uint32_t tellers_changes;   /* shared->tellers_changes, then */
    uint64_t turned_ms;         /* shared->warm.turned_ms, then */
    uint32_t followers_count;
};

struct slot {
    const struct kw_link *link; /* only compared */
    uint32_t mine;
};

struct kw_coalesce {
    struct kw_near_shared *shared; /* set once */
    bool is_of_all;                /* set once: cold keys, too */
    struct lead leads[LEADS];
    struct slot slots[KW_SLOTS_COUNT];
};

static enum kw_coalescing coalescing_of(const struct kw_coalesce *coalesce);
static void coalesce_begin(struct kw_proxy *proxy, enum kw_coalescing wanted);
static void coalesce_end(struct kw_proxy *proxy);
static bool may_be_cold(const struct kw_coalesce *coalesce, const struct kw_request *request);
static void bunch_tell(struct kw_coalesce *coalesce, const struct kw_request *bunch);
static bool is_of_cold(const struct kw_request *request);
static struct lead *lead_of(struct kw_coalesce *coalesce, struct kw_bytes wire, uint8_t proto);
static bool lead_is_fresh(const struct kw_coalesce *coalesce, const struct lead *lead);
static bool client_may_share(const struct kw_client *client, uint16_t slot);
static bool client_may_follow(const struct kw_client *client, const struct kw_request *lead);
static uint32_t told_by_others(const struct kw_coalesce *coalesce, uint16_t slot);
static void request_forget_lead(struct kw_request *request);

void kw_coalesce_configure(struct kw_proxy *proxy)
{
    bool is_on = proxy->near != NULL && !proxy->near->is_stopped;
    enum kw_coalescing wanted = is_on ? proxy->config->near_cache_coalesce : KW_COALESCING_NO;

    if (wanted == coalescing_of(proxy->coalesce)) {
        return;
    }
    if (proxy->coalesce != NULL) {
        coalesce_end(proxy);
    }
    if (wanted != KW_COALESCING_NO) {
        coalesce_begin(proxy, wanted);
    }
}

static enum kw_coalescing coalescing_of(const struct kw_coalesce *coalesce)
{
    if (coalesce == NULL) {
        return KW_COALESCING_NO;
    }
    return coalesce->is_of_all ? KW_COALESCING_YES : KW_COALESCING_HOT;
}

static void coalesce_begin(struct kw_proxy *proxy, enum kw_coalescing wanted)
{
    struct kw_coalesce *coalesce = kw_alloc_zero(1, sizeof *coalesce);

    coalesce->shared = proxy->near->shared;
    coalesce->is_of_all = wanted == KW_COALESCING_YES;
    proxy->coalesce = coalesce;
    atomic_fetch_add(&coalesce->shared->tellers_count, 1); /* C4 */
    atomic_fetch_add(&coalesce->shared->all_tellers_count, coalesce->is_of_all ? 1 : 0);
    atomic_fetch_add(&coalesce->shared->tellers_changes, 1);
}

static void coalesce_end(struct kw_proxy *proxy)
{
    struct kw_coalesce *coalesce = proxy->coalesce;

    atomic_fetch_sub(&coalesce->shared->all_tellers_count, coalesce->is_of_all ? 1 : 0);
    atomic_fetch_sub(&coalesce->shared->tellers_count, 1);
    atomic_fetch_add(&coalesce->shared->tellers_changes, 1);
    proxy->coalesce = NULL;
    kw_free(coalesce);
}

bool kw_coalesce_may(const struct kw_client *client, const struct kw_command *command,
                     const struct kw_target *target)
{
    const struct kw_coalesce *coalesce = client->proxy->coalesce;
    const struct kw_near_shared *shared = coalesce->shared;
    bool is_known = kw_near_knows_hash(target->near_mark);

    if (!is_known && (!coalesce->is_of_all || target->near_mark == KW_NEAR_MARK_NONE ||
                      atomic_load(&shared->all_tellers_count) != shared->workers_count)) { /* C4 */
        return false;
    }
    enum kw_near_role role = kw__near_role(client->proxy->near, command);
    return role == KW_NEAR_ROLE_GET || role == KW_NEAR_ROLE_WHOLE;
}

bool kw_coalesce_join(struct kw_client *client, const struct kw_command *command,
                      const struct kw_target *target, const struct kw_link *link,
                      struct kw_bytes wire)
{
    struct kw_coalesce *coalesce = client->proxy->coalesce;
    struct lead *place = lead_of(coalesce, wire, client->proto);
    struct kw_request *lead = place->request;

    if (lead == NULL || lead->call.link != link || lead->call.is_reply_started || /* C1 */
        place->followers_count >= FOLLOWERS_MAX ||
        !kw_bytes_equal(kw_call_bytes(&lead->call), wire) || !lead_is_fresh(coalesce, place) ||
        !client_may_share(client, target->slot) || !client_may_follow(client, lead)) {
        return false;
    }
    struct kw_request *request = kw__request_get(client, KW_REQUEST_DEFERRED);
    request->command = command;
    request->slot = target->slot;
    request->near_hash = target->near_hash;
    request->near = target->near_mark;
    request->call.user = &kw__request_user;
    request->call.chunk = kw_chunk_ref(lead->call.chunk);
    request->call.offset = lead->call.offset;
    request->call.len = lead->call.len;
    request->call.is_reply_started = false;
    request->is_follower = true;
    request->is_special = true;
    request->lead = lead;
    lead->is_special = true;
    kw_list_append(&lead->followers, &request->followers);
    place->followers_count++;
    kw_reply_expect(request);
    KW_STAT_ADD(client->proxy->stats, near_cache_coalesced, 1);
    return true;
}

void kw_coalesce_lead(struct kw_request *request)
{
    struct kw_coalesce *coalesce = request->client->proxy->coalesce;
    struct kw_near_shared *shared = coalesce->shared;
    struct slot *slot = &coalesce->slots[request->slot];
    uint64_t turned_ms = atomic_load(&shared->warm.turned_ms);
    uint32_t changes = atomic_load(&shared->tellers_changes);

    if (!client_may_share(request->client, request->slot) ||
        atomic_load(&shared->publishing[request->slot]) != 0 || may_be_cold(coalesce, request)) {
        return;
    }
    if (slot->link != request->call.link) {
        slot->link = request->call.link;
        slot->mine--; /* leads over the former one are followed no more */
    }
    request->is_lead = true;
    *lead_of(coalesce, kw_call_bytes(&request->call), request->client->proto) =
        (struct lead){.request = request,
                      .others = told_by_others(coalesce, request->slot),
                      .all = atomic_load(&shared->all_told),
                      .tellers_changes = changes,
                      .turned_ms = turned_ms};
}

/* C5: then others do not count what they tell of its key. */
static bool may_be_cold(const struct kw_coalesce *coalesce, const struct kw_request *request)
{
    const struct kw_near_shared *shared = coalesce->shared;
    struct kw_bytes name =
        kw__variant_argument(kw_call_bytes(&request->call), kw_keys_single(request->command));

    return atomic_load(&shared->all_tellers_count) != shared->workers_count &&
           !kw__warm_has(&shared->warm, kw__warm_place(name));
}

void kw_coalesce_pass(struct kw_request *lead, const struct kw_reply_part *part,
                      struct kw_link *link)
{
    for (struct kw_list *at = lead->followers.next; at != &lead->followers;) {
        struct kw_request *follower = KW_LIST_ENTRY(at, struct kw_request, followers);
        at = at->next;
        KW_ASSERT(follower->lead == lead && follower->state == KW_REQUEST_DEFERRED);
        follower->call.is_reply_started = true;
        follower->is_told = true; /* with the lead's */
        if (part->type == '-' && part->is_first) {
            kw_account_failed(follower, kw_bytes_of(part->bytes.data + 1, part->bytes.len - 1));
        }
        kw_request_pass(follower, part, link);
    }
}

void kw_coalesce_lost(struct kw_request *lead, const struct kw_link *link, enum kw_status status,
                      bool was_sent)
{
    while (!kw_list_is_empty(&lead->followers)) {
        struct kw_request *follower =
            KW_LIST_ENTRY(lead->followers.next, struct kw_request, followers);
        kw_coalesce_leave(follower);
        kw_request_lost(follower, link, status, was_sent, true);
    }
}

void kw_coalesce_leave(struct kw_request *request)
{
    if (request->is_follower) {
        request->is_follower = false;
        request->is_told = false;
        request->lead = NULL;
        kw_list_remove(&request->followers);
        return;
    }
    request_forget_lead(request);
    while (!kw_list_is_empty(&request->followers)) {
        struct kw_request *follower =
            KW_LIST_ENTRY(request->followers.next, struct kw_request, followers);
        kw_coalesce_leave(follower);
        kw__request_drop_parked(follower);
        kw_resend_hold(follower);
        follower->state = KW_REQUEST_QUEUED;
        kw__client_resume_later(follower->client);
    }
}

void kw_coalesce_tell(struct kw_request *request, const struct kw_link *link)
{
    struct kw_proxy *proxy = request->client->proxy;
    struct kw_coalesce *coalesce = proxy->coalesce;

    if (request->is_told || kw__request_is_answer(request)) {
        return;
    }
    request->is_told = true;
    if (!coalesce->is_of_all && link != NULL && is_of_cold(request)) {
        return; /* C5 */
    }
    if (request->is_bunch) {
        bunch_tell(coalesce, request);
        return;
    }
    bool is_single = request->command != NULL && kw_keys_single(request->command) != 0;
    if (request->slot == KW_SLOT_NONE || (!is_single && kw_route_is_plain(proxy))) {
        atomic_fetch_add(&coalesce->shared->all_told, 1);
        return;
    }
    atomic_fetch_add(&coalesce->shared->told[request->slot], 1);
    coalesce->slots[request->slot].mine +=
        link != NULL && link == coalesce->slots[request->slot].link ? 1 : 0;
}

/* Its replies have come, from wherever; at its end, before anybody is told. */
static KW_APART void bunch_tell(struct kw_coalesce *coalesce, const struct kw_request *bunch)
{
    const struct kw_near *near = bunch->client->proxy->near;
    const char *at = kw_call_bytes(&bunch->call).data;

    for (uint32_t i = 0; i < bunch->keys_count; i++) {
        struct kw_bytes wire;
        struct kw_bytes name = kw_bunch_next(&at, &wire);
        bool is_cold = bunch->near == KW_NEAR_MARK_BUNCH &&
                       !kw__warm_has(near->warm, bunch->gather->notes[bunch->part + i]);
        if (coalesce->is_of_all || !is_cold) { /* C5 */
            atomic_fetch_add(&coalesce->shared->told[kw_slot_of_key(name)], 1);
        }
    }
}

/* Was REQUEST about a key that was cold, and still is, or about none? Its place is looked at, not
 * whether any has become warm: that is known only later, when something is fetched.
 */
static bool is_of_cold(const struct kw_request *request)
{
    const struct kw_near *near = request->client->proxy->near;

    return (request->near == KW_NEAR_MARK_COLD || request->near == KW_NEAR_MARK_NONE) &&
           !kw__warm_has(near->warm, request->near_hash);
}

void kw_coalesce_on_end(struct kw_request *request)
{
    if (request->client->proxy->coalesce != NULL) {
        kw_coalesce_tell(request, NULL);
    }
    if (request->is_lead || request->is_follower) {
        kw_coalesce_leave(request);
    }
}

static struct lead *lead_of(struct kw_coalesce *coalesce, struct kw_bytes wire, uint8_t proto)
{
    return &coalesce->leads[kw_hash(wire, proto) % LEADS];
}

/* Has nobody been told more than the lead will say? */
static bool lead_is_fresh(const struct kw_coalesce *coalesce, const struct lead *lead)
{
    const struct kw_near_shared *shared = coalesce->shared;
    uint16_t slot = lead->request->slot;

#ifdef KW_KNOCKOUT_COALESCE
    return true;
#endif
    return atomic_load(&shared->publishing[slot]) == 0 &&
           coalesce->slots[slot].link == lead->request->call.link &&
           told_by_others(coalesce, slot) == lead->others &&
           atomic_load(&shared->all_told) == lead->all &&
           atomic_load(&shared->tellers_changes) == lead->tellers_changes && /* C4 */
           atomic_load(&shared->warm.turned_ms) == lead->turned_ms;          /* C5 */
}

static bool client_may_share(const struct kw_client *client, uint16_t slot)
{
    const struct kw_proxy *proxy = client->proxy;
    const struct kw_near_shared *shared = proxy->coalesce->shared;

    return client->modes == 0 && client->transaction == NULL && client->redirecting_count == 0 &&
           !client->is_near_refused && !kw__slot_is_unstable(proxy, slot) &&
           atomic_load(&shared->tellers_count) == shared->workers_count; /* C4 */
}

/* C2. */
static bool client_may_follow(const struct kw_client *client, const struct kw_request *lead)
{
    bool is_plain = kw_route_is_plain(client->proxy);
    unsigned looked = 0;

    for (const struct kw_request *request = client->inflight_count > 0 ? client->oldest : NULL;
         request != NULL; request = request->next) {
        if (++looked > LOOK_MAX) {
            return false;
        }
        if (!kw__near_may_touch(request, lead->slot, is_plain)) {
            continue;
        }
        const struct kw_call *call = kw__request_call(request);
        if (call->link != lead->call.link || call->position > lead->call.position) {
            return false;
        }
    }
    return true;
}

static uint32_t told_by_others(const struct kw_coalesce *coalesce, uint16_t slot)
{
    return atomic_load(&coalesce->shared->told[slot]) - coalesce->slots[slot].mine;
}

/* C3. */
static void request_forget_lead(struct kw_request *request)
{
    struct kw_coalesce *coalesce = request->client->proxy->coalesce;

    request->is_lead = false;
    if (coalesce != NULL) {
        struct lead *place =
            lead_of(coalesce, kw_call_bytes(&request->call), request->client->proto);
        if (place->request == request) {
            place->request = NULL;
        }
    }
}
