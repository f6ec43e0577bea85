/* crew.c - an inbox for each worker, and errands that go from one to the next.
 *
 *   kw_crew_send          visit here; post to the next worker's inbox
 *   crew_on_letter        all visited: done. Else visit, post to the next; after the last one: home
 *
 * INVARIANTS
 * C1  members are set before the threads start and never change: reading them takes no lock.
 * C2  once is_stopped is set there is one thread left, and no errand is under way or starts.
 */
#include "proxy/crew.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/inbox.h"
#include "proxy/internal.h"

struct member {
    struct kw_crew *crew;
    struct kw_proxy *proxy;
    struct kw_inbox *inbox;
};

struct kw_crew {
    struct member members[KW_WORKERS_MAX]; /* C1 */
    unsigned members_count;
    struct kw_config_board *board; /* borrowed, set once */
    bool is_stopped;               /* C2 */
};

static void crew_on_letter(void *arg, struct kw_letter *letter);
static void member_visit(struct member *member, struct kw_errand *errand);
static void errand_drop(struct kw_proxy *home, struct kw_errand *errand);

struct kw_crew *kw_crew_new(struct kw_config_board *board)
{
    struct kw_crew *crew = kw_alloc_zero(1, sizeof *crew);

    crew->board = board;
    return crew;
}

void kw_crew_join(struct kw_crew *crew, struct kw_proxy *proxy)
{
    KW_ASSERT(crew->members_count < KW_WORKERS_MAX);
    KW_ASSERT(proxy->crew == NULL);
    struct member *member = &crew->members[crew->members_count];

    member->crew = crew;
    member->proxy = proxy;
    member->inbox = kw_inbox_open(proxy->loop, crew_on_letter, member);
    proxy->crew = crew;
    proxy->crew_index = crew->members_count;
    crew->members_count++;
}

void kw_crew_send(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct kw_crew *crew = proxy->crew;

    errand->visited_count = 0;
    errand->is_dropped = false;
    if (crew == NULL) {
        errand->visit(proxy, errand);
        errand->done(proxy, errand);
        return;
    }
    errand->home = proxy->crew_index;
    errand->visits_count = crew->members_count;
    if (crew->is_stopped) {
        errand_drop(proxy, errand);
        return;
    }
    member_visit(&crew->members[errand->home], errand);
}

void kw_crew_hand(struct kw_proxy *proxy, unsigned index, struct kw_errand *errand)
{
    struct kw_crew *crew = proxy->crew;

    errand->visited_count = 0;
    errand->visits_count = 1;
    errand->is_dropped = false;
    errand->home = index;
    if (crew != NULL && crew->is_stopped) {
        errand_drop(proxy, errand);
    } else if (crew == NULL || index == proxy->crew_index) {
        errand->visit(proxy, errand);
        errand->done(proxy, errand);
    } else {
        kw_inbox_post(crew->members[index].inbox, &errand->letter);
    }
}

void kw_crew_stop(struct kw_crew *crew)
{
    crew->is_stopped = true;
    for (unsigned i = 0; i < crew->members_count; i++) {
        kw_inbox_close(&crew->members[i].inbox); /* delivers what is there */
    }
}

void kw_crew_free(struct kw_crew **crew)
{
    KW_ASSERT((*crew)->is_stopped);
    kw_free(*crew);
    *crew = NULL;
}

struct kw_config_board *kw_crew_board(const struct kw_crew *crew)
{
    return crew->board;
}

static void crew_on_letter(void *arg, struct kw_letter *letter)
{
    struct member *member = arg;
    struct kw_crew *crew = member->crew;
    struct kw_errand *errand = (struct kw_errand *)letter;

    if (crew->is_stopped) {
        errand_drop(crew->members[errand->home].proxy, errand);
    } else if (errand->visited_count == errand->visits_count) {
        KW_ASSERT(member == &crew->members[errand->home]);
        errand->done(member->proxy, errand);
    } else {
        member_visit(member, errand);
    }
}

static void member_visit(struct member *member, struct kw_errand *errand)
{
    struct kw_crew *crew = member->crew;

    errand->visit(member->proxy, errand);
    errand->visited_count++;
    if (errand->visits_count == 1) {
        errand->done(member->proxy, errand);
        return;
    }
    unsigned next = (errand->home + errand->visited_count) % crew->members_count; /* home at last */
    kw_inbox_post(crew->members[next].inbox, &errand->letter);
}

static void errand_drop(struct kw_proxy *home, struct kw_errand *errand)
{
    errand->is_dropped = true;
    errand->done(home, errand);
}
