/* wish.c - the options of CLIENT TRACKING, with redis's own checks and texts.
 *
 *   words --kw_wish_read--> wish --kw_wish_fits--> granted, or refused (tracker.c)
 *
 * A client that tracks already may ask again, for more: then what it asks for must go together with
 * what it has. Checks are made in the order in which redis makes them, as the first that fails is
 * the error.
 */
#include "proxy/pubsub/wish.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/reply.h"

static bool options_fit(const struct kw_wish *wish, const struct kw_client *client,
                        struct kw_buf *line);
static bool prefixes_fit(const struct kw_wish *wish, const struct kw_client *client,
                         struct kw_buf *line);
static bool prefixes_overlap(const struct kw_prefix *a, const struct kw_prefix *b);
static void write_overlap(struct kw_buf *line, enum kw_error error, const struct kw_prefix *a,
                          const struct kw_prefix *b);

bool kw_wish_read(struct kw_wish *wish, const struct kw_argv *argv, enum kw_error *error)
{
    const struct kw_bytes *items = argv->items;

    for (size_t i = 3; i < argv->count; i++) {
        bool has_more = i + 1 < argv->count;
        int64_t id = 0;
        if (kw_bytes_equal_nocase(items[i], KW_BYTES("redirect")) && has_more) {
            if (wish->redirect_id != 0) {
                *error = KW_ERROR_TRACKING_TWO_REDIRECTS;
                return false;
            }
            if (kw_text_to_int(items[++i], &id) != KW_OK) {
                *error = KW_ERROR_NOT_INTEGER;
                return false;
            }
            if (id == 0) { /* here it would mean that none is named */
                *error = KW_ERROR_TRACKING_NO_REDIRECT;
                return false;
            }
            wish->redirect_id = (uint64_t)id;
        } else if (kw_bytes_equal_nocase(items[i], KW_BYTES("bcast"))) {
            wish->is_bcast = true;
        } else if (kw_bytes_equal_nocase(items[i], KW_BYTES("optin"))) {
            wish->is_optin = true;
        } else if (kw_bytes_equal_nocase(items[i], KW_BYTES("optout"))) {
            wish->is_optout = true;
        } else if (kw_bytes_equal_nocase(items[i], KW_BYTES("noloop"))) {
            wish->is_noloop = true;
        } else if (kw_bytes_equal_nocase(items[i], KW_BYTES("prefix")) && has_more) {
            i++;
            wish->prefixes =
                kw_realloc(wish->prefixes, (wish->prefixes_count + 1) * sizeof wish->prefixes[0]);
            struct kw_prefix *prefix = &wish->prefixes[wish->prefixes_count++];
            prefix->len = items[i].len;
            prefix->data = kw_alloc(items[i].len + 1);
            memcpy(prefix->data, items[i].data, items[i].len);
        } else {
            return false;
        }
    }
    wish->is_on = kw_bytes_equal_nocase(items[2], KW_BYTES("on"));
    return wish->is_on || kw_bytes_equal_nocase(items[2], KW_BYTES("off"));
}

bool kw_wish_fits(const struct kw_wish *wish, const struct kw_client *client, struct kw_buf *line)
{
    return options_fit(wish, client, line) && prefixes_fit(wish, client, line);
}

void kw_wish_free(struct kw_wish *wish)
{
    for (uint32_t i = 0; i < wish->prefixes_count; i++) {
        kw_free(wish->prefixes[i].data);
    }
    kw_free(wish->prefixes);
    wish->prefixes = NULL;
    wish->prefixes_count = 0;
}

static bool options_fit(const struct kw_wish *wish, const struct kw_client *client,
                        struct kw_buf *line)
{
    const struct kw_tracker *tracker = client->tracker;
    enum kw_error error = KW_ERROR_COUNT;

    if (!wish->is_bcast && wish->prefixes_count > 0) {
        error = KW_ERROR_TRACKING_PREFIX;
    } else if (tracker != NULL && tracker->is_bcast != wish->is_bcast) {
        error = KW_ERROR_TRACKING_SWITCH_BCAST;
    } else if (wish->is_bcast && (wish->is_optin || wish->is_optout)) {
        error = KW_ERROR_TRACKING_BCAST_OPT;
    } else if (wish->is_optin && wish->is_optout) {
        error = KW_ERROR_TRACKING_BOTH_OPT;
    } else if (tracker != NULL &&
               ((wish->is_optin && tracker->is_optout) || (wish->is_optout && tracker->is_optin))) {
        error = KW_ERROR_TRACKING_SWITCH_OPT;
    }
    if (error != KW_ERROR_COUNT) {
        kw_reply_error(line, error);
    }
    return error == KW_ERROR_COUNT;
}

static bool prefixes_fit(const struct kw_wish *wish, const struct kw_client *client,
                         struct kw_buf *line)
{
    const struct kw_tracker *tracker = client->tracker;

    for (uint32_t i = 0; i < wish->prefixes_count; i++) {
        const struct kw_prefix *prefix = &wish->prefixes[i];
        for (uint32_t n = 0; tracker != NULL && n < tracker->prefixes_count; n++) {
            if (prefixes_overlap(prefix, &tracker->prefixes[n])) {
                write_overlap(line, KW_ERROR_TRACKING_OVERLAP, prefix, &tracker->prefixes[n]);
                return false;
            }
        }
        for (uint32_t n = i + 1; n < wish->prefixes_count; n++) {
            if (prefixes_overlap(prefix, &wish->prefixes[n])) {
                write_overlap(line, KW_ERROR_TRACKING_OVERLAP_GIVEN, prefix, &wish->prefixes[n]);
                return false;
            }
        }
    }
    return true;
}

static bool prefixes_overlap(const struct kw_prefix *a, const struct kw_prefix *b)
{
    return memcmp(a->data, b->data, a->len < b->len ? a->len : b->len) == 0;
}

static void write_overlap(struct kw_buf *line, enum kw_error error, const struct kw_prefix *a,
                          const struct kw_prefix *b)
{
    char first[128];
    char second[128];

    kw_text_printable(kw_bytes_of(a->data, a->len), first, sizeof first);
    kw_text_printable(kw_bytes_of(b->data, b->len), second, sizeof second);
    kw_reply_error_text(line, error, first, second);
}
