/* referral.c - one errand at a time carries all that was collected until it left. */
#include "proxy/pubsub/referral.h"

#include "base/mem.h"
#include "proxy/crew.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/pubsub/tracking.h"

/* What one client is to be told. */
struct referral {
    struct referral *next;
    uint64_t client_id;
    bool is_found; /* some worker has the client */
    bool is_all;   /* no key: anything may have changed */
    bool is_array; /* in key: of keys, as it is on the wire */
    size_t key_len;
    char key[];
};

struct kw_referrals {
    struct kw_proxy *proxy;
    struct round *round; /* under way, or NULL */
    struct referral *oldest;
    struct referral *newest;
};

struct round {
    struct kw_errand errand;        /* first */
    struct kw_referrals *referrals; /* NULL when they are gone */
    struct referral *oldest;
};

struct question {
    struct kw_errand errand; /* first */
    uint64_t client_id;
    bool is_there;
    void (*on_answer)(struct kw_proxy *home, void *arg, bool is_there, bool is_dropped);
    void *arg;
};

static struct referral *referrals_add(struct kw_referrals *referrals, uint64_t client_id,
                                      struct kw_bytes text);
static void referrals_send_now(struct kw_referrals *referrals);
static void referrals_send(struct kw_referrals *referrals);
static void round_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void round_done(struct kw_proxy *home, struct kw_errand *errand);
static struct kw_client *client_find(struct kw_proxy *proxy, uint64_t client_id);
static void referrals_drop(struct referral *oldest);
static void question_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void question_done(struct kw_proxy *home, struct kw_errand *errand);

struct kw_referrals *kw_referrals_new(struct kw_proxy *proxy)
{
    struct kw_referrals *referrals = kw_alloc_zero(1, sizeof *referrals);

    referrals->proxy = proxy;
    return referrals;
}

void kw_referrals_free(struct kw_referrals **referrals)
{
    if ((*referrals)->round != NULL) {
        (*referrals)->round->referrals = NULL;
    }
    referrals_drop((*referrals)->oldest);
    kw_free(*referrals);
    *referrals = NULL;
}

void kw_referrals_add(struct kw_referrals *referrals, uint64_t client_id,
                      const struct kw_bytes *key)
{
    struct kw_bytes text = key == NULL ? kw_bytes_of("", 0) : *key;

    referrals_add(referrals, client_id, text)->is_all = key == NULL;
    referrals_send_now(referrals);
}

void kw_referrals_add_array(struct kw_referrals *referrals, uint64_t client_id,
                            struct kw_bytes keys)
{
    referrals_add(referrals, client_id, keys)->is_array = true;
    referrals_send_now(referrals);
}

void kw_referral_ask(struct kw_proxy *proxy, uint64_t client_id,
                     void (*on_answer)(struct kw_proxy *home, void *arg, bool is_there,
                                       bool is_dropped),
                     void *arg)
{
    struct question *question = kw_alloc_zero(1, sizeof *question);

    question->errand.visit = question_visit;
    question->errand.done = question_done;
    question->client_id = client_id;
    question->on_answer = on_answer;
    question->arg = arg;
    kw_crew_send(proxy, &question->errand);
}

static struct referral *referrals_add(struct kw_referrals *referrals, uint64_t client_id,
                                      struct kw_bytes text)
{
    struct referral *referral = kw_alloc_zero(1, sizeof *referral + text.len);

    referral->client_id = client_id;
    referral->key_len = text.len;
    memcpy(referral->key, text.data, text.len);
    if (referrals->oldest == NULL) {
        referrals->oldest = referral;
    } else {
        referrals->newest->next = referral;
    }
    referrals->newest = referral;
    return referral;
}

/* Unless a round is under way: what is there goes with the next one. */
static void referrals_send_now(struct kw_referrals *referrals)
{
    if (referrals->round == NULL) {
        referrals_send(referrals);
    }
}

static void referrals_send(struct kw_referrals *referrals)
{
    struct round *round = kw_alloc_zero(1, sizeof *round);

    round->errand.visit = round_visit;
    round->errand.done = round_done;
    round->referrals = referrals;
    round->oldest = referrals->oldest;
    referrals->oldest = NULL;
    referrals->newest = NULL;
    referrals->round = round;
    kw_crew_send(referrals->proxy, &round->errand);
}

static void round_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_client *client = NULL; /* of the last one: most name the same */
    uint64_t client_id = 0;

    for (struct referral *one = ((struct round *)errand)->oldest; one != NULL; one = one->next) {
        if (one->client_id != client_id) {
            client_id = one->client_id;
            client = client_find(proxy, client_id);
        }
        if (client != NULL) {
            struct kw_bytes key = kw_bytes_of(one->key, one->key_len);
            one->is_found = true;
            if (one->is_array) {
                kw_tracking_tell_array(client, key);
            } else {
                kw_tracking_tell(client, one->is_all ? NULL : &key);
            }
        }
    }
}

static void round_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct round *round = (struct round *)errand;
    struct kw_referrals *referrals = round->referrals;

    (void)home;
    if (referrals != NULL) {
        referrals->round = NULL;
    }
    for (const struct referral *one = round->oldest;
         referrals != NULL && !errand->is_dropped && one != NULL; one = one->next) {
        if (!one->is_found) {
            kw_trackers_on_redirect_gone(referrals->proxy->tracking, one->client_id);
        }
    }
    bool has_more = referrals != NULL && !errand->is_dropped && referrals->oldest != NULL;
    referrals_drop(round->oldest);
    kw_free(round);
    if (has_more) {
        referrals_send(referrals);
    }
}

static struct kw_client *client_find(struct kw_proxy *proxy, uint64_t client_id)
{
    for (struct kw_list *at = proxy->clients.next; at != &proxy->clients; at = at->next) {
        struct kw_client *client = KW_LIST_ENTRY(at, struct kw_client, all);
        if (client->id == client_id && !client->is_gone) {
            return client;
        }
    }
    return NULL;
}

static void referrals_drop(struct referral *oldest)
{
    while (oldest != NULL) {
        struct referral *next = oldest->next;
        kw_free(oldest);
        oldest = next;
    }
}

static void question_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct question *question = (struct question *)errand;

    question->is_there = question->is_there || client_find(proxy, question->client_id) != NULL;
}

static void question_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct question *question = (struct question *)errand;

    question->on_answer(home, question->arg, question->is_there, errand->is_dropped);
    kw_free(question);
}
