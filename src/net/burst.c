/* burst.c - a list of planned operations, and two ways to do them.
 *
 * INVARIANTS
 * U1  a planned operation is done once, by kw_burst_go(), and its result is set there.
 * U2  the ring is empty between two bursts: every operation is marked MSG_DONTWAIT, so the kernel
 *     completes it while it is submitted, and nothing refers to a socket or its bytes afterwards.
 * U3  when the ring fails in any way it is given up for good; what it has not taken is done by
 *     calls.
 */
#include "net/burst.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

enum { RESULT_OPEN = INT_MIN }; /* not done yet */

struct operation {
    int fd;
    bool is_send;
    char *bytes;
    size_t len;
    int *result;
};

struct kw_burst {
    struct operation planned[KW_BURST_MAX];
    unsigned planned_count;
    bool may_use_ring;
    bool has_ring;
    struct io_uring ring;
    char *slots; /* KW_BURST_MAX of them, from the first receive on */
};

static void burst_plan(struct kw_burst *burst, const struct operation *operation);
static bool burst_open_ring(struct kw_burst *burst);
static void burst_submit(struct kw_burst *burst);
static void burst_give_up(struct kw_burst *burst, unsigned submitted);
static void burst_call(const struct operation *operation);

struct kw_burst *kw_burst_new(bool may_use_ring)
{
    struct kw_burst *burst = kw_alloc_zero(1, sizeof *burst);

    burst->may_use_ring = may_use_ring;
    return burst;
}

void kw_burst_free(struct kw_burst **burst)
{
    if (*burst != NULL) {
        if ((*burst)->has_ring) {
            io_uring_queue_exit(&(*burst)->ring);
        }
        kw_free((*burst)->slots);
        kw_free(*burst);
        *burst = NULL;
    }
}

void kw_burst_send(struct kw_burst *burst, int fd, const char *data, size_t len, int *result)
{
    /* The planned bytes are written only by receives: the cast is safe. */
    burst_plan(burst, &(struct operation){fd, true, (char *)data, len, result});
}

const char *kw_burst_receive(struct kw_burst *burst, int fd, int *result)
{
    if (burst->slots == NULL) {
        burst->slots = kw_alloc((size_t)KW_BURST_MAX * KW_BURST_SLOT_BYTES);
    }
    char *slot = burst->slots + (size_t)burst->planned_count * KW_BURST_SLOT_BYTES;
    burst_plan(burst, &(struct operation){fd, false, slot, KW_BURST_SLOT_BYTES, result});
    return slot;
}

void kw_burst_go(struct kw_burst *burst)
{
    /* For a single one the ring is no gain. */
    if (burst->planned_count > 1 && burst->may_use_ring &&
        (burst->has_ring || burst_open_ring(burst))) {
        burst_submit(burst);
    }
    for (unsigned i = 0; i < burst->planned_count; i++) {
        if (*burst->planned[i].result == RESULT_OPEN) {
            burst_call(&burst->planned[i]);
        }
    }
    burst->planned_count = 0;
}

static void burst_plan(struct kw_burst *burst, const struct operation *operation)
{
    KW_ASSERT(burst->planned_count < KW_BURST_MAX);
    *operation->result = RESULT_OPEN;
    burst->planned[burst->planned_count++] = *operation;
}

static bool burst_open_ring(struct kw_burst *burst)
{
    struct io_uring_params best = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* Linux 6.1 */
    };
    struct io_uring_params plain = {.flags = 0};
    int result = io_uring_queue_init_params(KW_BURST_MAX, &burst->ring, &best);

    if (result == -EINVAL) {
        result = io_uring_queue_init_params(KW_BURST_MAX, &burst->ring, &plain);
    }
    if (result < 0) {
        kw_log(KW_LOG_VERBOSE, "no io_uring (%s): one system call for each socket",
               strerror(-result));
        burst->may_use_ring = false; /* U3 */
        return false;
    }
    /* Saves the kernel a look-up for each burst; older ones can't. */
    (void)io_uring_register_ring_fd(&burst->ring);
    burst->has_ring = true;
    return true;
}

static void burst_submit(struct kw_burst *burst)
{
    unsigned count = burst->planned_count;

    for (unsigned i = 0; i < count; i++) {
        const struct operation *operation = &burst->planned[i];
        struct io_uring_sqe *entry = io_uring_get_sqe(&burst->ring);
        if (operation->is_send) {
            io_uring_prep_send(entry, operation->fd, operation->bytes, operation->len,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            io_uring_prep_recv(entry, operation->fd, operation->bytes, operation->len,
                               MSG_DONTWAIT);
        }
        io_uring_sqe_set_data(entry, operation->result);
    }
    int submitted = io_uring_submit(&burst->ring); /* negative: nothing was */
    unsigned seen = 0;
    unsigned head = 0;
    struct io_uring_cqe *done = NULL;
    io_uring_for_each_cqe(&burst->ring, head, done)
    {
        int *result = io_uring_cqe_get_data(done);
        *result = done->res;
        seen++;
    }
    io_uring_cq_advance(&burst->ring, seen);
    if (submitted != (int)count || seen != count) {
        burst_give_up(burst, submitted < 0 ? 0 : (unsigned)submitted);
    }
}

/* U3. Of the first SUBMITTED operations those without a result may have been done or not: their
 * streams can't be trusted any more.
 */
static void burst_give_up(struct kw_burst *burst, unsigned submitted)
{
    kw_log(KW_LOG_WARNING, "io_uring took %u of %u operations: it is not used any more", submitted,
           burst->planned_count);
    io_uring_queue_exit(&burst->ring);
    burst->has_ring = false;
    burst->may_use_ring = false;
    for (unsigned i = 0; i < submitted; i++) {
        if (*burst->planned[i].result == RESULT_OPEN) {
            *burst->planned[i].result = -ECONNRESET;
        }
    }
}

static void burst_call(const struct operation *operation)
{
    ssize_t count =
        operation->is_send
            ? send(operation->fd, operation->bytes, operation->len, MSG_DONTWAIT | MSG_NOSIGNAL)
            : recv(operation->fd, operation->bytes, operation->len, MSG_DONTWAIT);

    *operation->result = count < 0 ? -errno : (int)count;
}
