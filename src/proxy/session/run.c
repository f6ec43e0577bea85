/* run.c - what comes back for MULTI ... EXEC sent in one run over the shared link.
 *
 *   +OK, +QUEUED ..., the reply to EXEC
 *
 * When the slot has moved, the node refuses a queued command, and therefore EXEC; or it refuses
 * EXEC. Nothing was executed then, so the whole run is sent again where the first refusal points
 * to. Behind ASKING a whole run is asked: a server drops that flag with the first command outside
 * of MULTI (seen with redis 7.0).
 *
 * INVARIANTS
 * I1  a run that was written whole and got no reply to EXEC is not sent again, unless it only reads
 *     or a refusal of one of its commands has come (R2).
 */
#include "backend/node.h"
#include "proxy/redirect.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/session/guests.h"
#include "proxy/session/transaction.h"

static void run_on_reply(struct kw_call *call, const struct kw_reply_part *part);
static bool run_redirected(struct kw_request *request, const struct kw_reply_part *part);
static void run_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                        bool was_sent);

const struct kw_call_user kw__run_user = {.on_reply = run_on_reply, .on_fail = run_on_fail};

static void run_on_reply(struct kw_call *call, const struct kw_reply_part *part)
{
    struct kw_request *request = (struct kw_request *)call;

    if (part->replies_left > 0) {
        (void)kw__run_note(request->run, part);
        return;
    }
    if (part->type == '-' && part->is_first && part->is_last && run_redirected(request, part)) {
        return;
    }
    kw_guests_pass(request, part, call->link);
}

struct kw_bytes kw__run_note(struct kw_run *run, const struct kw_reply_part *part)
{
    static const struct kw_bytes because = {"-EXECABORT Transaction discarded because of: ",
                                            sizeof "-EXECABORT Transaction discarded because of: " -
                                                1};
    struct kw_bytes line = part->bytes;

    if (part->replies_left > 0) {
        if (part->type == '-' && part->is_first && part->is_last && run->error_len == 0 &&
            line.len <= sizeof run->error) {
            memcpy(run->error, line.data, line.len);
            run->error_len = (uint8_t)line.len;
        }
    } else if (kw_bytes_start_with(line, because) && line.len <= sizeof run->error) {
        run->error_len = (uint8_t)(line.len - because.len + 1); /* "-READONLY ..." from within */
        run->error[0] = '-';
        memcpy(run->error + 1, line.data + because.len, run->error_len - 1u);
    } else if (!kw_bytes_start_with(line, KW_BYTES("-EXECABORT"))) {
        return line; /* EXEC's own */
    }
    return kw_bytes_of(run->error, run->error_len);
}

bool kw__run_lacks_multi(const struct kw_reply_part *part)
{
    struct kw_bytes text = kw_bytes_of_text(kw_error_text(KW_ERROR_EXEC_WITHOUT_MULTI));

    return part->type == '-' && part->is_first &&
           kw_bytes_start_with(kw_bytes_of(part->bytes.data + 1, part->bytes.len - 1), text);
}

/* EXEC was refused: because of where it was asked? */
static bool run_redirected(struct kw_request *request, const struct kw_reply_part *part)
{
    struct kw_run *run = request->run;
    struct kw_bytes line = kw__run_note(run, part);
    struct kw_redirect redirect;
    char text[sizeof run->error];

    if (kw__run_lacks_multi(part)) {
        KW_STAT_ADD(request->client->proxy->stats, results_unknown, 1);
        kw_reply_fail(request, KW_ERROR_UNKNOWN_RESULT, part->node->name); /* MULTI was refused */
        return true;
    }
    if (line.len < 3 || !kw_redirect_classify(line, request->slot, &redirect)) {
        return false; /* an error that is the client's */
    }
    size_t text_len = line.len - 3 < sizeof text ? line.len - 3 : sizeof text - 1;
    memcpy(text, line.data + 1, text_len); /* kept: what follows may free the run */
    text[text_len] = '\0';
    run->error_len = 0;
    if (kw_request_redirected(request, part->node, line)) {
        KW_STAT_ADD(request->client->proxy->stats, transactions_replayed, 1);
        return true;
    }
    kw_reply_fail(request, KW_ERROR_EXECABORT_BECAUSE, text); /* its time is over */
    return true;
}

static void run_on_fail(struct kw_call *call, const struct kw_link *link, enum kw_status status,
                        bool was_sent)
{
    struct kw_request *request = (struct kw_request *)call;
    struct kw_run *run = request->run;
    bool may_retry = !was_sent || run->is_read_only || run->error_len > 0; /* I1 */

    run->error_len = 0;
    kw_request_lost(request, link, status, was_sent, may_retry);
}
