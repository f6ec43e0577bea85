/* commons.c - see commons.h. */
#include "proxy/embedded/commons.h"

#include "base/mem.h"
#include "proxy/embedded/stall.h"

struct kw_commons *kw_commons_new(struct kw_store *taken_store)
{
    struct kw_commons *commons = kw_alloc_zero(1, sizeof *commons);

    commons->store = taken_store;
    commons->stalls = kw_stalls_new();
    return commons;
}

void kw_commons_free(struct kw_commons **commons)
{
    struct kw_commons *ending = *commons;

    if (ending == NULL) {
        return;
    }
    kw_stalls_free(&ending->stalls);
    kw_store_free(&ending->store);
    kw_free(ending);
    *commons = NULL;
}
