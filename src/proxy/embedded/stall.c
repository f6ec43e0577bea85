/* stall.c - one table of all who wait, under one mutex; served where the elements come from.
 *
 *   worker 1: BLPOP k  -> nothing there: in the table, then one look more
 *   worker 0: LPUSH k  -> ready k: takes worker 1's client out of the table, runs its BLPOP on k,
 *                         sends the reply to worker 1 by errand
 *   worker 1: time over, client gone, UNBLOCK: out of the table, if nobody has taken it meanwhile
 *
 * A command that is run for its client names only the key that is ready: another key of it may
 * hold something of another type by now, which is no error while it waits.
 *
 * INVARIANTS
 * S1  Under the mutex a stall either waits, and is in the list of each of its keys; or it is taken
 *     by exactly one who ends it, and is in none.
 * S2  Lists are in the order in which clients began to wait; one that was taken for nothing goes
 *     back to its place.
 * S3  Who ends up waiting has looked at its keys after the last ready key that told of nobody:
 *     whoever brought that one counts a miss, and then who has taken a stall looks again. Both
 *     sides hold the key's stripe when they look.
 * S4  The mutex is never held while a command runs.
 */
#include "proxy/embedded/stall.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "command/keys.h"
#include "net/timer.h"
#include "proxy/crew.h"
#include "proxy/embedded/events.h"
#include "proxy/embedded/shared.h"
#include "proxy/reply.h"

#include <pthread.h>
#include <stdlib.h>

enum { TIMEOUT_TEXT_MAX = 32 };

/* A key that somebody waits for. */
struct stall_key {
    struct kw_map_link by_name;
    struct kw_list places; /* struct place, oldest stall first */
    size_t name_len;
    char name[];
};

/* One stall at one key. */
struct place {
    struct kw_list of_key;
    struct stall_key *key; /* meaningful while it waits */
    struct kw_stall *stall;
    struct kw_bytes name; /* in the stall's argv */
};

struct kw_stall {
    struct kw_errand errand; /* first: takes the reply home */
    /* set once */
    struct kw_proxy *home;
    struct kw_client *client;
    struct kw_request *request;
    const struct kw_command *command;
    struct kw_argv argv; /* items are owned, and point into wire */
    char *wire;          /* owned */
    uint32_t places_count;
    struct place *places; /* owned */
    uint64_t number;      /* those who came later have higher ones */
    int proto;
    bool is_count; /* WAIT: its time ends in a number */
    /* the worker's */
    struct kw_timer *timer; /* NULL: it waits for ever */
    /* under the mutex */
    bool is_taken;
    /* of whoever has taken it */
    uint64_t misses_seen;
    struct kw_blob reply;
};

struct kw_stalls {
    pthread_mutex_t mutex;
    struct kw_map keys;
    uint64_t numbers;
    uint64_t misses;        /* ready keys that nobody was waiting for: S3 */
    _Atomic uint32_t count; /* of stalls, taken ones included */
};

static struct kw_stall *stall_new(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire, uint64_t timeout_ms);
static void stall_name_keys(struct kw_stall *stall);
static uint64_t timeout_ms_of(const struct kw_command *command, const struct kw_argv *argv);
static struct kw_stall *stalls_take_first(struct kw_stalls *stalls, struct kw_bytes name);
static bool stalls_take(struct kw_stalls *stalls, struct kw_stall *stall);
static void take_locked(struct kw_stalls *stalls, struct kw_stall *stall);
static bool stalls_put_back(struct kw_stalls *stalls, struct kw_stall *stall);
static struct stall_key *key_find(const struct kw_stalls *stalls, struct kw_bytes name);
static struct stall_key *key_get(struct kw_stalls *stalls, struct kw_bytes name);
static bool stall_serve(struct kw_proxy *proxy, struct kw_stall *stall,
                        const struct kw_bytes *name);
static bool stall_look(struct kw_proxy *proxy, struct kw_stall *stall, struct kw_bytes name);
static void narrow(const struct kw_stall *stall, struct kw_bytes name, struct kw_argv *argv);
static void stall_on_time(void *arg);
static void stall_end(struct kw_stall *stall, struct kw_bytes reply);
static void errand_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void errand_done(struct kw_proxy *home, struct kw_errand *errand);
static void stall_free(struct kw_stall *stall);

struct kw_stalls *kw_stalls_new(void)
{
    struct kw_stalls *stalls = kw_alloc_zero(1, sizeof *stalls);

    pthread_mutex_init(&stalls->mutex, NULL);
    kw_map_init(&stalls->keys);
    return stalls;
}

void kw_stalls_free(struct kw_stalls **stalls)
{
    KW_ASSERT((*stalls)->keys.count == 0);
    kw_map_deinit(&(*stalls)->keys);
    pthread_mutex_destroy(&(*stalls)->mutex);
    kw_free(*stalls);
    *stalls = NULL;
}

bool kw_stalls_has_any(const struct kw_stalls *stalls)
{
    return atomic_load(&stalls->count) > 0;
}

enum kw_verdict kw_stall_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_bytes wire)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_stalls *stalls = proxy->embedded->commons->stalls;
    struct kw_stall *stall = stall_new(client, command, wire, timeout_ms_of(command, &proxy->argv));

    stall_name_keys(stall);
    pthread_mutex_lock(&stalls->mutex);
    stall->number = ++stalls->numbers;
    stall->is_taken = true; /* by us: S3 demands a look from now on */
    stall->misses_seen = stalls->misses;
    pthread_mutex_unlock(&stalls->mutex);
    (void)stall_serve(proxy, stall, NULL);
    kw_events_tell(proxy, client); /* what BLMOVE has pushed */
    return KW_SENT;
}

enum kw_verdict kw_stall_wait(struct kw_client *client, const struct kw_command *command,
                              struct kw_bytes wire)
{
    const struct kw_argv *argv = &client->proxy->argv;
    int64_t replicas = 0;
    int64_t timeout = 0;

    if (kw_text_to_int(argv->items[1], &replicas) != KW_OK) {
        return kw_reply_refuse(client, KW_ERROR_NOT_INTEGER, NULL, NULL);
    }
    if (kw_text_to_int(argv->items[2], &timeout) != KW_OK) {
        return kw_reply_refuse(client, KW_ERROR_TIMEOUT_NUMBER, NULL, NULL);
    }
    if (timeout < 0) {
        return kw_reply_refuse(client, KW_ERROR_TIMEOUT_NEGATIVE, NULL, NULL);
    }
    if (replicas <= 0 || (client->modes & (KW_MODE_MULTI | KW_MODE_HOSTING)) != 0) {
        kw_reply_int(kw_reply_begin(client), 0);
        kw_reply_end(client);
        return KW_ANSWERED;
    }
    stall_new(client, command, wire, (uint64_t)timeout)->is_count = true;
    return KW_SENT;
}

void kw_stalls_serve(struct kw_proxy *proxy, struct kw_bytes name)
{
    struct kw_stalls *stalls = proxy->embedded->commons->stalls;
    struct kw_stall *stall = NULL;

    while ((stall = stalls_take_first(stalls, name)) != NULL) {
        if (!stall_serve(proxy, stall, &name)) {
            return; /* nothing is left for those behind it */
        }
    }
}

void kw_stall_unblock(struct kw_client *client, bool is_error)
{
    struct kw_stall *stall = client->stall;
    struct kw_buf line;

    if (!stalls_take(client->proxy->embedded->commons->stalls, stall)) {
        return; /* its reply is on its way */
    }
    if (!is_error) {
        stall_end(stall, (struct kw_bytes){0});
        return;
    }
    kw_buf_init(&line, client->proxy->chunks);
    kw_reply_error(&line, KW_ERROR_UNBLOCKED);
    stall_end(stall, kw_bytes_of(line.head->data + line.head->start, line.len));
    kw_buf_reset(&line);
}

void kw_stall_drop(struct kw_client *client)
{
    struct kw_stall *stall = client->stall;

    if (stall != NULL && stalls_take(client->proxy->embedded->commons->stalls, stall)) {
        stall_end(stall, KW_BYTES(""));
    }
}

static struct kw_stall *stall_new(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire, uint64_t timeout_ms)
{
    struct kw_stall *stall = kw_alloc_zero(1, sizeof *stall);
    const struct kw_argv *argv = &client->proxy->argv;

    stall->errand.visit = errand_visit;
    stall->errand.done = errand_done;
    stall->home = client->proxy;
    stall->client = client;
    stall->command = command;
    stall->proto = client->proto;
    stall->wire = kw_alloc(wire.len);
    memcpy(stall->wire, wire.data, wire.len);
    stall->argv.items = kw_alloc(argv->count * sizeof argv->items[0]);
    stall->argv.count = argv->count;
    for (size_t i = 0; i < argv->count; i++) {
        struct kw_bytes item = argv->items[i];
        stall->argv.items[i] = kw_bytes_of(stall->wire + (item.data - wire.data), item.len);
    }
    stall->request = kw_reply_defer(client, command, NULL);
    if (timeout_ms > 0) {
        stall->timer = kw_timer_new(client->proxy->loop, stall_on_time, stall);
        kw_timer_start(stall->timer, timeout_ms);
    }
    client->stall = stall;
    client->modes |= KW_MODE_LEASED; /* nothing of it starts meanwhile */
    atomic_fetch_add(&client->proxy->embedded->commons->stalls->count, 1);
    KW_STAT_ADD(client->proxy->stats, clients_blocked, 1);
    return stall;
}

/* BLMOVE and BRPOPLPUSH wait for their first key only. */
static void stall_name_keys(struct kw_stall *stall)
{
    struct kw_keys keys;

    (void)kw_keys_find(stall->command, stall->argv.items, stall->argv.count, &keys);
    stall->places_count = stall->command->keys[1].find == KW_FIND_NONE ? keys.count : 1;
    stall->places = kw_alloc_zero(stall->places_count, sizeof stall->places[0]);
    for (uint32_t i = 0; i < stall->places_count; i++) {
        stall->places[i].stall = stall;
        stall->places[i].name = stall->argv.items[kw_keys_at(&keys, i)];
        kw_list_init(&stall->places[i].of_key);
    }
}

/* The store has found it to be a timeout. 0: for ever. */
static uint64_t timeout_ms_of(const struct kw_command *command, const struct kw_argv *argv)
{
    const double longest_ms = 1e12;
    struct kw_bytes digits =
        argv->items[command->keys[0].find == KW_FIND_NUMKEYS ? 1 : argv->count - 1];
    char text[TIMEOUT_TEXT_MAX + 1];
    size_t len = digits.len < TIMEOUT_TEXT_MAX ? digits.len : TIMEOUT_TEXT_MAX;

    memcpy(text, digits.data, len);
    text[len] = '\0';
    double ms = strtod(text, NULL) * 1000;
    if (!(ms > 0)) {
        return 0;
    }
    ms = ms < longest_ms ? ms : longest_ms;
    return (uint64_t)(ms + 0.999);
}

/* The oldest one that waits for NAME, taken; NULL: nobody waits for it. */
static struct kw_stall *stalls_take_first(struct kw_stalls *stalls, struct kw_bytes name)
{
    struct kw_stall *stall = NULL;

    pthread_mutex_lock(&stalls->mutex);
    const struct stall_key *key = key_find(stalls, name);
    if (key != NULL) {
        stall = KW_LIST_ENTRY(key->places.next, struct place, of_key)->stall;
        take_locked(stalls, stall);
    } else {
        stalls->misses++; /* S3 */
    }
    pthread_mutex_unlock(&stalls->mutex);
    return stall;
}

/* False: somebody else has it. */
static bool stalls_take(struct kw_stalls *stalls, struct kw_stall *stall)
{
    pthread_mutex_lock(&stalls->mutex);
    bool is_ours = !stall->is_taken;
    if (is_ours) {
        take_locked(stalls, stall);
    }
    pthread_mutex_unlock(&stalls->mutex);
    return is_ours;
}

static void take_locked(struct kw_stalls *stalls, struct kw_stall *stall)
{
    stall->is_taken = true;
    stall->misses_seen = stalls->misses;
    for (uint32_t i = 0; i < stall->places_count; i++) { /* S1 */
        struct place *place = &stall->places[i];
        kw_list_remove(&place->of_key);
        if (kw_list_is_empty(&place->key->places)) {
            kw_map_remove(&stalls->keys, &place->key->by_name);
            kw_free(place->key);
        }
        place->key = NULL;
    }
}

/* It waits again. False: look once more, as a key was ready meanwhile (S3). */
static bool stalls_put_back(struct kw_stalls *stalls, struct kw_stall *stall)
{
    pthread_mutex_lock(&stalls->mutex);
    bool may_wait = stall->misses_seen == stalls->misses;
    stall->misses_seen = stalls->misses;
    for (uint32_t i = 0; may_wait && i < stall->places_count; i++) {
        struct place *place = &stall->places[i];
        place->key = key_get(stalls, place->name);
        struct kw_list *at = place->key->places.prev; /* S2 */
        while (at != &place->key->places &&
               KW_LIST_ENTRY(at, struct place, of_key)->stall->number > stall->number) {
            at = at->prev;
        }
        kw_list_append(at->next, &place->of_key); /* in front of the next one */
    }
    stall->is_taken = !may_wait;
    pthread_mutex_unlock(&stalls->mutex);
    return may_wait;
}

static struct stall_key *key_find(const struct kw_stalls *stalls, struct kw_bytes name)
{
    for (struct kw_map_link *link = kw_map_first(&stalls->keys, kw_hash(name, 0)); link != NULL;
         link = kw_map_next(link)) {
        struct stall_key *key = KW_MAP_ENTRY(link, struct stall_key, by_name);
        if (kw_bytes_equal(kw_bytes_of(key->name, key->name_len), name)) {
            return key;
        }
    }
    return NULL;
}

static struct stall_key *key_get(struct kw_stalls *stalls, struct kw_bytes name)
{
    struct stall_key *key = key_find(stalls, name);

    if (key == NULL) {
        key = kw_alloc_zero(1, sizeof *key + name.len);
        key->name_len = name.len;
        memcpy(key->name, name.data, name.len);
        kw_list_init(&key->places);
        kw_map_add(&stalls->keys, &key->by_name, kw_hash(name, 0));
    }
    return key;
}

/* Run the command of STALL, which is ours, on NAME, or on each of its keys. True when it is
 * answered, false when it waits again.
 */
static bool stall_serve(struct kw_proxy *proxy, struct kw_stall *stall, const struct kw_bytes *name)
{
    struct kw_stalls *stalls = proxy->embedded->commons->stalls;
    bool must_look = name == NULL;

    if (!must_look && stall_look(proxy, stall, *name)) {
        return true;
    }
    while (must_look || !stalls_put_back(stalls, stall)) {
        must_look = false;
        for (uint32_t i = 0; i < stall->places_count; i++) {
            if (stall_look(proxy, stall, stall->places[i].name)) {
                return true;
            }
        }
    }
    return false;
}

static bool stall_look(struct kw_proxy *proxy, struct kw_stall *stall, struct kw_bytes name)
{
    struct kw_argv argv = {0};
    struct kw_buf buf;

    narrow(stall, name, &argv);
    kw_buf_init(&buf, proxy->chunks);
    enum kw_store_outcome outcome =
        kw_store_run(proxy->embedded->store, stall->command, &argv, stall->proto, &buf);
    kw_free(argv.items);
    bool is_other_type = outcome == KW_STORE_FAILED && stall->places_count > 0 &&
                         stall->command->keys[1].find == KW_FIND_NONE;
    bool is_served = outcome != KW_STORE_BLOCKS && !is_other_type;
    if (is_served) {
        for (const struct kw_chunk *chunk = buf.head; chunk != NULL; chunk = chunk->next) {
            kw_blob_add(&stall->reply,
                        kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start));
        }
    }
    kw_buf_reset(&buf);
    if (is_served) {
        kw_crew_hand(proxy, stall->home->crew_index, &stall->errand);
    }
    return is_served;
}

/* The stall's command with NAME as its only key; its items are the caller's to free. */
static void narrow(const struct kw_stall *stall, struct kw_bytes name, struct kw_argv *argv)
{
    const struct kw_key_spec *spec = &stall->command->keys[0];
    struct kw_keys keys;

    argv->items = kw_alloc(stall->argv.count * sizeof argv->items[0]);
    (void)kw_keys_find(stall->command, stall->argv.items, stall->argv.count, &keys);
    for (size_t i = 0; i < stall->argv.count; i++) {
        bool is_key = stall->command->keys[1].find == KW_FIND_NONE && i >= keys.runs[0].first &&
                      i < keys.runs[0].first + keys.runs[0].count;
        bool is_number = spec->find == KW_FIND_NUMKEYS && i == spec->begin;
        if (is_key && i == keys.runs[0].first) {
            argv->items[argv->count++] = name;
        } else if (is_number) {
            argv->items[argv->count++] = KW_BYTES("1");
        } else if (!is_key) {
            argv->items[argv->count++] = stall->argv.items[i];
        }
    }
}

static void stall_on_time(void *arg)
{
    struct kw_stall *stall = arg;

    if (stalls_take(stall->home->embedded->commons->stalls, stall)) {
        stall_end(stall, (struct kw_bytes){0});
    }
}

/* At home: answer with REPLY; one without bytes at all stands for "its time is over". */
static void stall_end(struct kw_stall *stall, struct kw_bytes reply)
{
    struct kw_client *client = stall->client;
    struct kw_request *request = stall->request;
    int proto = stall->proto;

    if (reply.data == NULL) {
        reply = stall->is_count ? KW_BYTES(":0\r\n")
                : proto == 2    ? KW_BYTES("*-1\r\n")
                                : KW_BYTES("_\r\n");
    }
    client->stall = NULL;
    client->modes &= ~KW_MODE_LEASED;
    atomic_fetch_sub(&stall->home->embedded->commons->stalls->count, 1);
    KW_STAT_ADD(client->proxy->stats, clients_blocked, -1);
    kw_reply_pass(request, reply);
    kw_reply_finish(request);
    kw__client_resume_later(client);
    stall_free(stall);
}

static void errand_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    (void)proxy; /* it has come home: errand_done() */
    (void)errand;
}

static void errand_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct kw_stall *stall = (struct kw_stall *)errand;
    struct kw_blob reply = stall->reply;

    (void)home;
    stall->reply = (struct kw_blob){0};
    stall_end(stall, kw_blob_bytes(&reply));
    kw_blob_deinit(&reply);
}

static void stall_free(struct kw_stall *stall)
{
    kw_timer_free(&stall->timer);
    kw_free(stall->places);
    kw_free(stall->argv.items);
    kw_free(stall->wire);
    kw_free(stall);
}
