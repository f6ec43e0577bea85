/* round.c - see round.h. The request waits in its client's queue, so replies stay in order. */
#include "proxy/round.h"

#include "base/mem.h"
#include "proxy/reply.h"

static void round_done(struct kw_proxy *home, struct kw_errand *errand);

enum kw_verdict kw_round_start(struct kw_client *client, const struct kw_command *command,
                               struct kw_round *taken)
{
    taken->request = kw_reply_defer(client, command, NULL);
    taken->errand.done = round_done;
    kw_crew_send(client->proxy, &taken->errand);
    return KW_SENT;
}

static void round_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct kw_round *round = (struct kw_round *)errand;
    struct kw_request *request = round->request;

    if (!errand->is_dropped) {
        struct kw_buf buf;
        kw_buf_init(&buf, home->chunks);
        if (round->on_answer != NULL) {
            round->on_answer(request->client, round, &buf);
        } else {
            kw_reply_status(&buf, KW_BYTES("OK"));
        }
        kw_reply_pass_buf(request, &buf);
    }
    kw_reply_finish(request);
    round->on_end(round);
}
