/* discard.c - large objects that nobody can see any more are freed in steps, some at a tick.
 *
 * A million elements take a tenth of a second to free, and everybody else on the worker would wait
 * for it. What waits to be freed still counts as memory.
 */
#include "base/mem.h"
#include "store/internal.h"

enum { LARGE_COUNT = 2048 }; /* elements: less than what one tick frees for nothing */

struct kw_discard {
    struct kw_discard *next;
    const struct kw_object_kind *kind;
    void *object; /* owned */
};

void kw__discard(struct kw_store_worker *worker, const struct kw_object_kind *kind, void *object)
{
    bool is_large =
        worker->is_joined && kind->free_some != NULL && kind->count(object) > LARGE_COUNT;

    if (!is_large) {
        kind->free(worker, object);
        return;
    }
    struct kw_discard *discard = kw_alloc(sizeof *discard);
    *discard = (struct kw_discard){.next = worker->discards, .kind = kind, .object = object};
    worker->discards = discard;
}

void kw__discard_some(struct kw_store_worker *worker, size_t steps)
{
    while (worker->discards != NULL) {
        struct kw_discard *discard = worker->discards;
        if (!discard->kind->free_some(worker, discard->object, steps)) {
            return;
        }
        worker->discards = discard->next;
        kw_free(discard);
    }
}
