/* test_mailbox.c - letters between threads: each arrives once, in its sender's order. */
#include "base/mailbox.h"
#include "tests/unit/kw_test.h"

#include <pthread.h>

enum { SENDERS = 3, LETTERS = 20000 };

struct numbered {
    struct kw_letter letter; /* first */
    int sender;
    int number;
};

struct sender {
    struct kw_mailbox *mailbox;
    struct numbered *letters;
    int first_in_box; /* posts that found the box empty */
};

static struct numbered letters[SENDERS][LETTERS];

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < LETTERS; i++) {
        sender->first_in_box +=
            kw_mailbox_post(sender->mailbox, &sender->letters[i].letter) ? 1 : 0;
    }
    return NULL;
}

KW_TEST(mailbox_that_is_empty_has_no_letter)
{
    struct kw_mailbox mailbox;

    kw_mailbox_init(&mailbox);
    assert_null(kw_mailbox_take(&mailbox));
}

KW_TEST(mailbox_gives_letters_oldest_first_and_says_when_to_wake)
{
    struct kw_mailbox mailbox;
    struct kw_letter three[3];

    kw_mailbox_init(&mailbox);
    assert_true(kw_mailbox_post(&mailbox, &three[0]));
    assert_false(kw_mailbox_post(&mailbox, &three[1]));
    assert_false(kw_mailbox_post(&mailbox, &three[2]));
    struct kw_letter *taken = kw_mailbox_take(&mailbox);

    assert_ptr_equal(taken, &three[0]);
    assert_ptr_equal(taken->next, &three[1]);
    assert_ptr_equal(taken->next->next, &three[2]);
    assert_null(taken->next->next->next);
    assert_null(kw_mailbox_take(&mailbox));
    assert_true(kw_mailbox_post(&mailbox, &three[1])); /* a letter may be sent again */
}

KW_TEST(mailbox_loses_and_reorders_nothing_between_threads)
{
    struct kw_mailbox mailbox;
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    int next[SENDERS] = {0};
    int total = 0;

    kw_mailbox_init(&mailbox);
    for (int i = 0; i < SENDERS; i++) {
        for (int n = 0; n < LETTERS; n++) {
            letters[i][n].sender = i;
            letters[i][n].number = n;
        }
        senders[i] = (struct sender){&mailbox, letters[i], 0};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    int batches = 0;
    while (total < SENDERS * LETTERS) {
        struct kw_letter *letter = kw_mailbox_take(&mailbox);
        batches += letter != NULL ? 1 : 0;
        for (; letter != NULL; letter = letter->next) {
            struct numbered *numbered = (struct numbered *)letter;
            assert_int_equal(numbered->number, next[numbered->sender]);
            next[numbered->sender]++;
            total++;
        }
    }
    int wakes = 0;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next[i], LETTERS);
        wakes += senders[i].first_in_box;
    }
    assert_int_equal(wakes, batches); /* one wake-up for each batch: none lost, none too many */
    assert_null(kw_mailbox_take(&mailbox));
}
