/* hearing.c - greetings, and two answers instead of one.
 *
 * Why two: a broadcast of what a round of the node's loop has changed is sent when the round ends,
 * behind what the same round has answered. An answer that has been read was sent by the end of its
 * round or later; what is sent after that is executed in a later round, and its answer comes behind
 * the broadcast. (In the midst of a long script, or while it loads, a node answers without
 * broadcasting: with errors, which count for nothing.)
 *
 * INVARIANTS
 * E1  a key is fetched over a connection only if its node tells of it: prefixes that change at run
 *     time count when the connection has been opened anew.
 * E2  what is sent in the microsecond of an answer leaves behind it, at the end of the same tick.
 * E3  of the commands sent in the microsecond asked_us the last one was answered at answered_us, so
 *     what heard_us says is true of all of them (answer.c compares it with when a fill was sent).
 */
#include "proxy/origin/hearing.h"

#include "base/assert.h"
#include "base/text.h"
#include "config/config.h"

static unsigned add_prefixes(struct kw_blob *words, struct kw_bytes prefixes);
static bool is_overlapped(struct kw_bytes prefixes, struct kw_bytes prefix);
static void add_word(struct kw_blob *command, struct kw_bytes word);

void kw__hearing_begin(struct kw_hearing *hearing, const struct kw_config *config, bool is_blind)
{
    struct kw_blob words = {0};
    unsigned count = 0;

    kw__hearing_end(hearing);
    hearing->is_broadcast_wanted = config->near_cache_broadcast;
    hearing->is_broadcast = config->near_cache_broadcast && !is_blind;
    if (is_blind) {
        add_word(&words, KW_BYTES("PING"));
        count = 1;
    } else {
        add_word(&words, KW_BYTES("CLIENT"));
        add_word(&words, KW_BYTES("TRACKING"));
        add_word(&words, KW_BYTES("ON"));
        count = 3;
    }
    if (hearing->is_broadcast) {
        add_word(&words, KW_BYTES("BCAST"));
        count++;
        kw_blob_add(&hearing->prefixes, kw_bytes_of_text(config->near_cache_prefix));
        count += add_prefixes(&words, kw_blob_bytes(&hearing->prefixes));
    }
    kw_blob_print(&hearing->greeting, "*%u\r\n", count);
    kw_blob_add(&hearing->greeting, kw_blob_bytes(&words));
    kw_blob_deinit(&words);
}

void kw__hearing_end(struct kw_hearing *hearing)
{
    kw_blob_deinit(&hearing->prefixes);
    kw_blob_deinit(&hearing->greeting);
    *hearing = (struct kw_hearing){0};
}

bool kw__hearing_suits(const struct kw_hearing *hearing, const struct kw_config *config)
{
    struct kw_bytes wanted = kw_bytes_of_text(config->near_cache_prefix);

    return hearing->is_broadcast_wanted == config->near_cache_broadcast &&
           (!hearing->is_broadcast || kw_bytes_equal(kw_blob_bytes(&hearing->prefixes), wanted));
}

bool kw__hearing_covers(const struct kw_hearing *hearing, struct kw_bytes name)
{
    struct kw_bytes left = kw_blob_bytes(&hearing->prefixes);
    struct kw_bytes prefix = {0};
    unsigned count = 0;

    for (; kw_text_next_word(&left, &prefix); count++) {
        if (kw_bytes_start_with(name, prefix)) {
            return true;
        }
    }
    return count == 0; /* all keys; or of each that is fetched */
}

uint64_t kw__hearing_answer(struct kw_hearing *hearing, uint64_t sent_us, uint64_t now_us)
{
    if (!hearing->is_broadcast) {
        hearing->heard_us = sent_us;
    } else if (sent_us >= hearing->answered_us) { /* E2 */
        KW_ASSERT(hearing->heard_us <= hearing->asked_us);
        hearing->heard_us = hearing->asked_us;
        hearing->asked_us = sent_us;
        hearing->answered_us = now_us;
    } else if (sent_us == hearing->asked_us) {
        hearing->answered_us = now_us; /* E3 */
    }
    return hearing->heard_us;
}

uint64_t kw__hearing_ask_after(const struct kw_hearing *hearing, uint64_t wished_us)
{
    return hearing->asked_us > wished_us ? hearing->answered_us - 1 : wished_us; /* E2 */
}

/* Returns how many words that is. */
static unsigned add_prefixes(struct kw_blob *words, struct kw_bytes prefixes)
{
    struct kw_bytes left = prefixes;
    struct kw_bytes prefix = {0};
    unsigned count = 0;

    while (kw_text_next_word(&left, &prefix)) {
        if (!is_overlapped(prefixes, prefix)) {
            add_word(words, KW_BYTES("PREFIX"));
            add_word(words, prefix);
            count += 2;
        }
    }
    return count;
}

/* Nodes refuse prefixes of which one begins another: the shorter one says it all. PREFIX is one of
 * PREFIXES.
 */
static bool is_overlapped(struct kw_bytes prefixes, struct kw_bytes prefix)
{
    struct kw_bytes other = {0};

    while (kw_text_next_word(&prefixes, &other)) {
        bool is_same = other.len == prefix.len;
        if (kw_bytes_start_with(prefix, other) && (!is_same || other.data < prefix.data)) {
            return true;
        }
    }
    return false;
}

static void add_word(struct kw_blob *command, struct kw_bytes word)
{
    kw_blob_print(command, "$%zu\r\n", word.len);
    kw_blob_add(command, word);
    kw_blob_add(command, KW_BYTES("\r\n"));
}
