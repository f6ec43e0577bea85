/* merge.c - one function for each KW_MERGE_*.
 *
 * Errors first. When all parts failed their first error is the answer. When some did:
 *   a write   PARTIALRESULT: how many keys or shards were written, and why the others were not
 *   a read    the first error: a list that lacks something looks like one that does not
 *             (but partial-reads puts the error in the place of the elements)
 * What is changed on all shards by scripting commands passes the node's own words: libraries match
 * them ("Library 'x' already exists"), and a shard that lacks something gets it when it is needed.
 *
 * INVARIANTS
 * M1  exactly one reply is appended. Merges that may find out late that replies do not fit check
 *     before they append.
 */
#include "proxy/gather/merge.h"

#include "base/apart.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/gather/merge_own.h"
#include "resp/errors.h"
#include "resp/reply_parser.h"
#include "resp/writer.h"

#include <stdio.h>

static bool take_long_number(struct kw_bytes *reply, char type, int64_t *number);
static bool merge_failures(struct kw_merge_job *job, struct kw_buf *out);
static bool failure_is_neutral(const struct kw_merge_job *job, struct kw_bytes reply);
static void merge_partial(const struct kw_merge_job *job, struct kw_bytes failure,
                          struct kw_buf *out);
static bool merge_in_key_order(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_integers(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_and_each(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_sum_each(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_concatenate(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_union(struct kw_merge_job *job, struct kw_buf *out);
static bool merge_first(struct kw_merge_job *job, struct kw_buf *out);

void kw_merge(struct kw_merge_job *job, struct kw_buf *out)
{
    bool is_merged = false;

    KW_ASSERT(job->parts_count > 0);
    if (merge_failures(job, out)) {
        return;
    }
    switch (job->how) {
    case KW_MERGE_IN_KEY_ORDER:
        is_merged = merge_in_key_order(job, out);
        break;
    case KW_MERGE_SUM:
    case KW_MERGE_MIN:
    case KW_MERGE_AND:
        is_merged = merge_integers(job, out);
        break;
    case KW_MERGE_AND_EACH:
    case KW_MERGE_MIN_EACH:
        is_merged = merge_and_each(job, out);
        break;
    case KW_MERGE_SUM_EACH:
        is_merged = merge_sum_each(job, out);
        break;
    case KW_MERGE_CONCATENATE:
        is_merged = merge_concatenate(job, out);
        break;
    case KW_MERGE_UNION:
        is_merged = merge_union(job, out);
        break;
    case KW_MERGE_ALL_SUCCEEDED:
    case KW_MERGE_ONE_SUCCEEDED:
        is_merged = merge_first(job, out);
        break;
    case KW_MERGE_OWN:
        is_merged = kw_merge_own(job, out);
        break;
    case KW_MERGE_NONE:
    case KW_MERGE_FIRST_NOT_NULL:
    case KW_MERGE_CURSOR:
    default:
        KW_UNREACHABLE();
    }
    if (!is_merged) {
        kw_reply_error(out, KW_ERROR_BAD_MERGE); /* M1 */
    }
}

bool kw_merge_take_number(struct kw_bytes *reply, char type, int64_t *number)
{
    int digit = reply->len >= 4 ? reply->data[1] - '0' : -1;

    if (digit < 0 || digit > 9 || reply->data[0] != type ||
        memcmp(reply->data + 2, "\r\n", 2) != 0) {
        return take_long_number(reply, type, number);
    }
    *number = digit; /* nearly all have one */
    *reply = kw_bytes_of(reply->data + 4, reply->len - 4);
    return true;
}

static KW_APART bool take_long_number(struct kw_bytes *reply, char type, int64_t *number)
{
    const char *end = reply->len > 0 ? memchr(reply->data, '\r', reply->len) : NULL;

    if (end == NULL || reply->data[0] != type ||
        kw_text_to_int(kw_bytes_of(reply->data + 1, (size_t)(end - reply->data) - 1), number) !=
            KW_OK) {
        return false;
    }
    size_t len = (size_t)(end - reply->data) + 2;
    *reply = kw_bytes_of(reply->data + len, reply->len - len);
    return true;
}

bool kw_merge_take_value(struct kw_bytes *reply, int proto, struct kw_bytes *value)
{
    struct kw_reply_parser parser = {0};
    size_t len = 0;

    if (reply->len == 0 || kw_reply_scan(&parser, proto, reply->data, reply->len, &len) != KW_OK) {
        return false;
    }
    *value = kw_bytes_of(reply->data, len);
    *reply = kw_bytes_of(reply->data + len, reply->len - len);
    return true;
}

void kw_merge_pass(const struct kw_merge_part *part, struct kw_bytes bytes, struct kw_buf *out)
{
    if (bytes.len > KW_COPY_MAX_BYTES && part->chunk != NULL) {
        kw_buf_append_window(out, part->chunk, (size_t)(bytes.data - part->chunk->data), bytes.len);
    } else {
        kw_buf_append_bytes(out, bytes);
    }
}

/* Deal with errors among the replies. True when the answer is written. */
static bool merge_failures(struct kw_merge_job *job, struct kw_buf *out)
{
    struct kw_bytes failure = {NULL, 0};
    uint32_t failed_count = 0;
    uint32_t neutral_count = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        struct kw_bytes reply = job->parts[i].reply;
        if (!kw_merge_is_error(reply)) {
            continue;
        }
        failed_count++;
        if (failure_is_neutral(job, reply)) {
            neutral_count++;
            failure = failure.data == NULL ? reply : failure;
        } else if (failed_count - neutral_count == 1) {
            failure = reply;
        }
    }
    bool has_success = failed_count < job->parts_count;
    bool is_forgiven = failed_count == neutral_count || job->how == KW_MERGE_ONE_SUCCEEDED ||
                       (job->may_be_partial && job->how == KW_MERGE_IN_KEY_ORDER);
    if (failed_count == 0 || (has_success && is_forgiven)) {
        return false;
    }
    bool is_write =
        (job->command->flags & KW_COMMAND_WRITE) != 0 && job->command->group != KW_GROUP_SCRIPTING;
    if (has_success && is_write) {
        merge_partial(job, failure, out);
    } else {
        kw_buf_append_bytes(out, failure);
    }
    return true;
}

/* Errors that say that there was nothing to be done there, while another shard did it. */
static bool failure_is_neutral(const struct kw_merge_job *job, struct kw_bytes reply)
{
    return job->command->group == KW_GROUP_SCRIPTING &&
           (kw_bytes_start_with(reply, KW_BYTES("-NOTBUSY ")) ||
            (strcmp(job->command->name, "function|delete") == 0 &&
             kw_bytes_equal(kw_bytes_of(reply.data + 1, reply.len - 1),
                            KW_BYTES("ERR Library not found\r\n"))));
}

static void merge_partial(const struct kw_merge_job *job, struct kw_bytes failure,
                          struct kw_buf *out)
{
    char counts[64];
    char why[KW_ERROR_MAX_BYTES];
    uint32_t done = 0;
    uint32_t all = 0;
    bool has_keys = job->parts[0].keys_count > 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        uint32_t count = has_keys ? job->parts[i].keys_count : 1;
        all += count;
        done += kw_merge_is_error(job->parts[i].reply) ? 0 : count;
    }
    (void)snprintf(counts, sizeof counts, "%u of %u %s", done, all, has_keys ? "keys" : "shards");
    size_t len = failure.len - 1 < sizeof why ? failure.len - 1 : sizeof why - 1;
    memcpy(why, failure.data + 1, len);
    while (len > 0 && (why[len - 1] == '\r' || why[len - 1] == '\n')) {
        len--;
    }
    why[len] = '\0';
    kw_reply_error_text(out, KW_ERROR_PARTIAL_RESULT, counts, why);
}

/* Each element back to the place of its key. */
static bool merge_in_key_order(struct kw_merge_job *job, struct kw_buf *out)
{
    for (uint32_t i = 0; i < job->parts_count; i++) {
        struct kw_merge_part *part = &job->parts[i];
        int64_t count = 0;
        if (kw_merge_is_error(part->reply)) {
            continue; /* it stands for each of its elements */
        }
        if (!kw_merge_take_number(&part->reply, '*', &count) || count != part->keys_count) {
            return false;
        }
    }
    kw_reply_array(out, job->keys_count);
    for (uint32_t key = 0; key < job->keys_count; key++) {
        struct kw_merge_part *part = &job->parts[job->key_parts[key]];
        struct kw_bytes value = part->reply;
        if (part->keys_count > 1 && !kw_merge_is_error(part->reply)) {
            bool is_there = kw_merge_take_value(&part->reply, job->proto, &value);
            KW_ASSERT(is_there); /* the link has counted them */
        }
        kw_merge_pass(part, value, out);
    }
    return true;
}

static bool merge_integers(struct kw_merge_job *job, struct kw_buf *out)
{
    int64_t result = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        int64_t number = 0;
        if (!kw_merge_take_number(&job->parts[i].reply, ':', &number)) {
            return false;
        }
        if (job->how == KW_MERGE_SUM) {
            result = (int64_t)((uint64_t)result + (uint64_t)number);
        } else if (i == 0 || number < result) {
            result = number; /* the smallest of 0 and 1 is AND, too */
        }
    }
    kw_reply_int(out, job->how == KW_MERGE_SUM && result < 0 ? 0 : result);
    return true;
}

/* Arrays of integers of one length: the smallest of each place. */
static bool merge_and_each(struct kw_merge_job *job, struct kw_buf *out)
{
    int64_t count = -1;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        struct kw_bytes *reply = &job->parts[i].reply;
        int64_t this_count = 0;
        if (!kw_merge_take_number(reply, '*', &this_count) || (i > 0 && this_count != count)) {
            return false;
        }
        count = this_count;
        struct kw_bytes rest = *reply; /* M1 */
        for (int64_t n = 0; n < count; n++) {
            int64_t number = 0;
            if (!kw_merge_take_number(&rest, ':', &number)) {
                return false;
            }
        }
    }
    kw_reply_array(out, (size_t)count);
    for (int64_t n = 0; n < count; n++) {
        int64_t result = INT64_MAX;
        for (uint32_t i = 0; i < job->parts_count; i++) {
            int64_t number = 0;
            bool is_there = kw_merge_take_number(&job->parts[i].reply, ':', &number);
            KW_ASSERT(is_there);
            result = number < result ? number : result;
        }
        kw_reply_int(out, result);
    }
    return true;
}

/* Arrays of name, integer with the same names in the same order: the nodes repeat what was asked.
 * One of the parts may be keyway's own, which takes off what the nodes count too much; a node that
 * has just heard of the end of a subscription is ahead of it.
 */
static bool merge_sum_each(struct kw_merge_job *job, struct kw_buf *out)
{
    struct kw_buf sums;
    int64_t count = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        int64_t this_count = 0;
        if (!kw_merge_take_number(&job->parts[i].reply, '*', &this_count) ||
            (i > 0 && this_count != count) || this_count % 2 != 0) {
            return false;
        }
        count = this_count;
    }
    kw_buf_init(&sums, out->pool);
    for (int64_t n = 0; n < count; n += 2) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < job->parts_count; i++) {
            struct kw_bytes name;
            int64_t number = 0;
            if (!kw_merge_take_value(&job->parts[i].reply, job->proto, &name) ||
                !kw_merge_take_number(&job->parts[i].reply, ':', &number)) {
                kw_buf_reset(&sums); /* M1 */
                return false;
            }
            if (i == 0) {
                kw_buf_append_bytes(&sums, name);
            }
            sum += number;
        }
        kw_reply_int(&sums, sum < 0 ? 0 : sum);
    }
    kw_reply_array(out, (size_t)count);
    kw_buf_append_buf(out, &sums);
    return true;
}

/* Arrays (or sets), one behind the other. */
static bool merge_concatenate(struct kw_merge_job *job, struct kw_buf *out)
{
    char type = job->parts[0].reply.data[0];
    int64_t all = 0;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        int64_t count = 0;
        if ((type != '*' && type != '~') ||
            !kw_merge_take_number(&job->parts[i].reply, type, &count) || count < 0) {
            return false;
        }
        all += count;
    }
    if (type == '~') {
        kw_reply_set(out, (size_t)all, job->proto);
    } else {
        kw_reply_array(out, (size_t)all);
    }
    for (uint32_t i = 0; i < job->parts_count; i++) {
        kw_merge_pass(&job->parts[i], job->parts[i].reply, out);
    }
    return true;
}

/* The same, each element once: those seen are found by their hash in an open table. */
static bool merge_union(struct kw_merge_job *job, struct kw_buf *out)
{
    struct kw_buf body;
    size_t all = 0;
    size_t count = 0;
    size_t size = 16;

    for (uint32_t i = 0; i < job->parts_count; i++) {
        int64_t this_count = 0;
        if (!kw_merge_take_number(&job->parts[i].reply, '*', &this_count) || this_count < 0) {
            return false;
        }
        all += (size_t)this_count;
    }
    while (size < all * 2) {
        size *= 2;
    }
    struct kw_bytes *seen = kw_alloc_zero(size, sizeof *seen);
    kw_buf_init(&body, out->pool);
    for (uint32_t i = 0; i < job->parts_count; i++) {
        struct kw_bytes value;
        while (kw_merge_take_value(&job->parts[i].reply, job->proto, &value)) {
            size_t at = kw_hash(value, (uintptr_t)seen) & (size - 1);
            while (seen[at].data != NULL && !kw_bytes_equal(seen[at], value)) {
                at = (at + 1) & (size - 1);
            }
            if (seen[at].data == NULL) {
                seen[at] = value;
                count++;
                kw_buf_append_bytes(&body, value);
            }
        }
    }
    kw_free(seen);
    kw_reply_array(out, count);
    kw_buf_append_buf(out, &body);
    return true;
}

/* The first reply that is no error. */
static bool merge_first(struct kw_merge_job *job, struct kw_buf *out)
{
    for (uint32_t i = 0; i < job->parts_count; i++) {
        if (!kw_merge_is_error(job->parts[i].reply)) {
            kw_merge_pass(&job->parts[i], job->parts[i].reply, out);
            return true;
        }
    }
    KW_UNREACHABLE(); /* merge_failures() has answered that */
}
