/* test_buf.c - chains of chunks: no byte lost, moved or kept too long; every chunk comes back. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/kw_test.h"

/* A pool, two bufs of it, and a big piece of bytes that are all different from their neighbours. */
struct desk {
    struct kw_chunk_pool pool;
    struct kw_buf buf;
    struct kw_buf other;
    char bytes[256 * 1024];
    char read[256 * 1024];
};

static struct desk desk;

static void desk_open(void)
{
    kw_chunk_pool_init(&desk.pool);
    kw_buf_init(&desk.buf, &desk.pool);
    kw_buf_init(&desk.other, &desk.pool);
    for (size_t i = 0; i < sizeof desk.bytes; i++) {
        desk.bytes[i] = (char)(i * 7 + i / 251);
    }
}

/* All must be given back by now. */
static void desk_close(void)
{
    kw_buf_reset(&desk.buf);
    kw_buf_reset(&desk.other);
    assert_int_equal(desk.pool.in_use_count, 0);
    assert_int_equal(desk.pool.in_use_bytes, 0);
    kw_chunk_pool_deinit(&desk.pool);
    for (int i = 0; i < KW_CHUNK_EXACT; i++) {
        assert_int_equal(desk.pool.free_count[i], 0);
    }
}

/* The bytes of BUF, in one piece, without consuming them. */
static const char *bytes_of(const struct kw_buf *buf)
{
    struct iovec iov[512];
    int count = kw_buf_iov(buf, iov, 512);
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        assert_true(iov[i].iov_len > 0); /* no empty piece for the kernel */
        memcpy(desk.read + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    assert_int_equal(len, buf->len);
    return desk.read;
}

static void assert_holds(const struct kw_buf *buf, const char *bytes, size_t len)
{
    assert_int_equal(buf->len, len);
    assert_memory_equal(bytes_of(buf), bytes, len);
}

KW_TEST(buf_that_is_empty_holds_no_chunk)
{
    desk_open();
    kw_buf_append(&desk.buf, "", 0);
    assert_null(desk.buf.head);
    kw_buf_append(&desk.buf, "x", 1);
    assert_int_equal(desk.pool.in_use_count, 1);
    kw_buf_consume(&desk.buf, 1);

    assert_null(desk.buf.head);
    assert_null(desk.buf.tail);
    assert_int_equal(desk.pool.in_use_count, 0);
    kw_buf_consume(&desk.buf, 0);
    assert_int_equal(kw_buf_iov(&desk.buf, NULL, 0), 0);
    desk_close();
}

KW_TEST(buf_gives_back_what_was_appended_whatever_the_sizes)
{
    static const size_t sizes[] = {1,    2,    100,  176,   177,   1000, 1968,
                                   1969, 2048, 8192, 16304, 16305, 50000};

    for (size_t append = 0; append < sizeof sizes / sizeof sizes[0]; append++) {
        for (size_t consume = 0; consume < sizeof sizes / sizeof sizes[0]; consume++) {
            size_t in = 0;
            size_t out = 0;
            desk_open();
            while (out < 120000) {
                if (in < 120000) {
                    size_t len = sizes[append] < 120000 - in ? sizes[append] : 120000 - in;
                    kw_buf_append(&desk.buf, desk.bytes + in, len);
                    in += len;
                }
                size_t len = sizes[consume] < desk.buf.len ? sizes[consume] : desk.buf.len;
                struct iovec first;
                assert_int_equal(kw_buf_iov(&desk.buf, &first, 1), 1);
                size_t seen = first.iov_len < len ? first.iov_len : len;
                assert_memory_equal(first.iov_base, desk.bytes + out, seen);
                kw_buf_consume(&desk.buf, len);
                out += len;
            }
            assert_int_equal(desk.buf.len, 0);
            assert_int_equal(desk.pool.in_use_count, 0);
            desk_close();
        }
    }
}

KW_TEST(buf_small_first_appends_take_a_small_amount_of_memory)
{
    desk_open();
    kw_buf_append(&desk.buf, "+OK\r\n", 5);
    assert_true(desk.pool.in_use_bytes <= 2048);
    desk_close();
}

KW_TEST(buf_iov_is_cut_at_its_maximum)
{
    struct iovec iov[3];

    desk_open();
    kw_buf_append(&desk.buf, desk.bytes, 100000);

    assert_int_equal(kw_buf_iov(&desk.buf, iov, 3), 3);
    assert_memory_equal(iov[0].iov_base, desk.bytes, iov[0].iov_len);
    assert_int_equal(kw_buf_iov(&desk.buf, iov, 0), 0);
    desk_close();
}

KW_TEST(buf_a_run_is_in_one_chunk_and_its_bytes_stay_while_it_is_held)
{
    size_t offset = 0;

    /* given a run behind other bytes, held by somebody */
    desk_open();
    kw_buf_append(&desk.buf, desk.bytes, 10);
    struct kw_chunk *chunk = kw_buf_append_run(&desk.buf, desk.bytes + 10, 100, &offset);
    struct kw_chunk *held = kw_chunk_ref(chunk);

    /* when the buf has sent it, and much more has come and gone */
    kw_buf_append(&desk.buf, desk.bytes + 110, 50000);
    assert_holds(&desk.buf, desk.bytes, 50110);
    kw_buf_consume(&desk.buf, 50110);
    for (int i = 0; i < 100; i++) {
        kw_buf_append(&desk.buf, desk.bytes, 5000);
        kw_buf_consume(&desk.buf, 5000);
    }

    assert_memory_equal(held->data + offset, desk.bytes + 10, 100);
    assert_int_equal(desk.pool.in_use_count, 1);
    kw_chunk_unref(&held);
    assert_null(held);
    desk_close();
}

KW_TEST(buf_a_run_that_is_written_where_it_belongs_is_taken_as_it_lies)
{
    size_t offset = 0;

    /* an empty buf has no room, one of another run has what is left of its chunk */
    desk_open();
    assert_null(kw_buf_spare(&desk.buf, 1));
    const struct kw_chunk *chunk = kw_buf_append_run(&desk.buf, desk.bytes, 10, &offset);
    char *spare = kw_buf_spare(&desk.buf, 1000);
    assert_non_null(spare);
    assert_null(kw_buf_spare(&desk.buf, chunk->cap - 9));

    /* given more written than is needed */
    memcpy(spare, desk.bytes + 10, 1000);
    assert_ptr_equal(kw_buf_append_run(&desk.buf, spare, 500, &offset), chunk);
    assert_ptr_equal(chunk->data + offset, spare);
    (void)kw_buf_append_run(&desk.buf, desk.bytes + 510, 100, &offset);

    assert_holds(&desk.buf, desk.bytes, 610);

    /* behind bytes that are only lent there is none */
    struct kw_chunk *lender = kw_chunk_get(&desk.pool, 1000);
    kw_buf_append_window(&desk.buf, lender, 0, 1000);
    kw_chunk_unref(&lender);
    assert_null(kw_buf_spare(&desk.buf, 1));
    desk_close();
}

KW_TEST(buf_a_run_may_be_as_long_as_the_copy_limit)
{
    size_t offset = 0;

    desk_open();
    for (size_t at = 0; at + KW_COPY_MAX_BYTES <= 10 * KW_COPY_MAX_BYTES; at += KW_COPY_MAX_BYTES) {
        struct kw_chunk *chunk =
            kw_buf_append_run(&desk.buf, desk.bytes + at, KW_COPY_MAX_BYTES, &offset);
        assert_memory_equal(chunk->data + offset, desk.bytes + at, KW_COPY_MAX_BYTES);
    }
    assert_holds(&desk.buf, desk.bytes, 10 * KW_COPY_MAX_BYTES);
    desk_close();
}

KW_TEST(buf_a_window_shows_bytes_without_copying_them)
{
    struct iovec iov[4];

    desk_open();
    struct kw_chunk *owner = kw_chunk_get(&desk.pool, 100000);
    memcpy(owner->data, desk.bytes, 100000);
    owner->end = 100000;
    kw_buf_append(&desk.buf, "<", 1);
    kw_buf_append_window(&desk.buf, owner, 1000, 90000);
    kw_buf_append(&desk.buf, ">", 1); /* must not be written into the owner */
    assert_int_equal(kw_buf_iov(&desk.buf, iov, 4), 3);
    assert_ptr_equal(iov[1].iov_base, owner->data + 1000);
    assert_int_equal(iov[1].iov_len, 90000);
    assert_memory_equal(owner->data, desk.bytes, 100000);

    /* the owner lives as long as a window of it */
    assert_int_equal(owner->refs, 2);
    kw_chunk_unref(&owner);
    kw_buf_consume(&desk.buf, 1 + 45000);
    assert_int_equal(kw_buf_iov(&desk.buf, iov, 4), 2);
    assert_memory_equal(iov[0].iov_base, desk.bytes + 46000, 45000);
    assert_int_equal(desk.pool.in_use_count, 3);
    kw_buf_consume(&desk.buf, 45000);
    assert_int_equal(desk.pool.in_use_count, 1);
    desk_close();
}

KW_TEST(buf_a_chunk_that_was_a_window_is_an_ordinary_one_again)
{
    desk_open();
    struct kw_chunk *owner = kw_chunk_get(&desk.pool, 20000);
    kw_buf_append_window(&desk.buf, owner, 0, 20000);
    kw_buf_reset(&desk.buf);
    kw_chunk_unref(&owner);
    for (int i = 0; i < 4; i++) {
        struct kw_chunk *chunk = kw_chunk_get(&desk.pool, 0);
        assert_null(chunk->owner);
        assert_ptr_equal(chunk->data, chunk->storage);
        assert_in_range(chunk->cap, 64, 256);
        memset(chunk->data, 'x', chunk->cap);
        kw_chunk_unref(&chunk);
    }
    desk_close();
}

KW_TEST(buf_append_buf_moves_everything_in_order_and_empties_the_other)
{
    static const size_t sizes[] = {0,     1,     1000, KW_COPY_MAX_BYTES, KW_COPY_MAX_BYTES + 1,
                                   40000, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
            desk_open();
            kw_buf_append(&desk.buf, desk.bytes, sizes[i]);
            kw_buf_append(&desk.other, desk.bytes + sizes[i], sizes[n]);
            kw_buf_append_buf(&desk.buf, &desk.other);
            assert_int_equal(desk.other.len, 0);
            assert_null(desk.other.head);
            assert_null(desk.other.tail);
            kw_buf_append(&desk.buf, desk.bytes + sizes[i] + sizes[n], 100);
            kw_buf_append(&desk.other, "again", 5);
            assert_holds(&desk.other, "again", 5);
            assert_holds(&desk.buf, desk.bytes, sizes[i] + sizes[n] + 100);
            desk_close();
        }
    }
}

KW_TEST(buf_append_buf_keeps_bytes_that_others_hold_where_they_are)
{
    size_t offset = 0;

    /* given commands that wait in one buf, held by their calls */
    desk_open();
    struct kw_chunk *small = kw_chunk_ref(kw_buf_append_run(&desk.other, "GET k", 5, &offset));
    struct kw_chunk *big = kw_chunk_get(&desk.pool, 50000);
    memcpy(big->data, desk.bytes, 50000);
    big->end = 50000;
    kw_buf_append_window(&desk.other, big, 0, 50000);

    /* when they move to the other and are sent */
    kw_buf_append_buf(&desk.buf, &desk.other);
    kw_buf_consume(&desk.buf, desk.buf.len);

    assert_memory_equal(small->data + offset, "GET k", 5);
    assert_memory_equal(big->data, desk.bytes, 50000);
    kw_chunk_unref(&small);
    kw_chunk_unref(&big);
    desk_close();
}

KW_TEST(buf_append_buf_takes_a_partly_consumed_head)
{
    desk_open();
    kw_buf_append(&desk.other, desk.bytes, 60000);
    kw_buf_consume(&desk.other, 12345);
    kw_buf_append(&desk.buf, desk.bytes, 12345);
    kw_buf_append_buf(&desk.buf, &desk.other);

    assert_holds(&desk.buf, desk.bytes, 60000);
    desk_close();
}

KW_TEST(chunk_get_has_the_room_that_was_asked_for)
{
    static const size_t rooms[] = {0,    1,    100,   200,   256,   1000,   2047,
                                   2048, 2049, 16000, 16384, 16385, 1000000};

    desk_open();
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        struct kw_chunk *chunk = kw_chunk_get(&desk.pool, rooms[i]);
        assert_true(chunk->cap >= rooms[i]);
        assert_int_equal(chunk->refs, 1);
        assert_int_equal(chunk->end, 0);
        memset(chunk->data, 'x', rooms[i]);
        kw_chunk_unref(&chunk);
    }
    desk_close();
}

#ifndef KW_NO_JEMALLOC /* sanitizers end the process instead of refusing */
KW_TEST(chunk_get_refuses_what_the_heap_refuses)
{
    desk_open();
    assert_null(kw_chunk_get(&desk.pool, SIZE_MAX / 4));
    assert_int_equal(desk.pool.in_use_count, 0);
    desk_close();
}

KW_TEST(chunk_grow_that_fails_changes_nothing)
{
    desk_open();
    struct kw_chunk *chunk = kw_chunk_get(&desk.pool, 100);
    struct kw_chunk *before = chunk;

    assert_int_equal(kw_chunk_grow(&chunk, SIZE_MAX / 4), KW_E_MEMORY);
    assert_ptr_equal(chunk, before);
    kw_chunk_unref(&chunk);
    desk_close();
}
#endif

KW_TEST(chunk_that_came_back_is_used_again)
{
    desk_open();
    struct kw_chunk *chunk = kw_chunk_get(&desk.pool, 10);
    struct kw_chunk *same = chunk;
    chunk->start = 3;
    chunk->end = 9;
    kw_chunk_unref(&chunk);
    uint64_t created = desk.pool.created_count;
    chunk = kw_chunk_get(&desk.pool, 10);

    assert_ptr_equal(chunk, same);
    assert_int_equal(desk.pool.created_count, created);
    assert_int_equal(chunk->start, 0);
    assert_int_equal(chunk->end, 0);
    kw_chunk_unref(&chunk);
    desk_close();
}

KW_TEST(chunk_grow_keeps_the_unread_bytes)
{
    desk_open();
    struct kw_chunk *chunk = kw_chunk_get(&desk.pool, 100);
    memcpy(chunk->data, desk.bytes, 100);
    chunk->end = 100;
    chunk->start = 40;
    struct kw_chunk *before = chunk;
    assert_int_equal(kw_chunk_grow(&chunk, chunk->cap - chunk->end), KW_OK);
    assert_ptr_equal(chunk, before); /* there was room */
    assert_int_equal(kw_chunk_grow(&chunk, 200000), KW_OK);

    assert_true(chunk->cap - chunk->end >= 200000);
    assert_int_equal(chunk->end - chunk->start, 60);
    assert_memory_equal(chunk->data + chunk->start, desk.bytes + 40, 60);
    assert_int_equal(desk.pool.in_use_count, 1);
    kw_chunk_unref(&chunk);
    desk_close();
}

KW_TEST(chunk_pool_keeps_a_bounded_reserve_and_trims_it)
{
    enum { MANY = 5000 };
    static struct kw_chunk *chunks[MANY];

    desk_open();
    for (int i = 0; i < MANY; i++) {
        chunks[i] = kw_chunk_get(&desk.pool, 10);
    }
    assert_int_equal(desk.pool.in_use_count, MANY);
    for (int i = 0; i < MANY; i++) {
        kw_chunk_unref(&chunks[i]);
    }
    uint32_t reserve = desk.pool.free_count[KW_CHUNK_SMALL];
    kw_chunk_pool_trim(&desk.pool);

    assert_in_range(reserve, 1, MANY - 1);
    assert_true(desk.pool.free_count[KW_CHUNK_SMALL] < reserve);
    desk_close();
}

KW_TEST(chunk_unref_of_nothing_is_harmless)
{
    struct kw_chunk *none = NULL;

    kw_chunk_unref(&none);
    assert_null(none);
}

KW_TEST(buf_in_a_steady_state_allocates_nothing)
{
    size_t offset = 0;
    uint64_t before = 0;

    desk_open();
    for (int round = 0; round < 2; round++) { /* the first one warms up */
        before = kw_mem_allocations_count();
        for (int i = 0; i < 10000; i++) {
            kw_buf_append(&desk.buf, desk.bytes, 70);
            (void)kw_buf_append_run(&desk.buf, desk.bytes, 70, &offset);
            kw_buf_consume(&desk.buf, i % 100 == 99 ? desk.buf.len : 10);
        }
    }
    assert_int_equal(kw_mem_allocations_count(), before);
    desk_close();
}

static void loan_on_return(struct kw_loan *loan)
{
    (*(int *)loan->lender)++;
}

KW_TEST(buf_returns_a_loan_when_its_last_byte_has_left)
{
    int returned = 0;

    desk_open();
    kw_buf_append(&desk.buf, "head", 4);
    struct kw_loan *loan =
        kw_buf_append_loan(&desk.buf, kw_bytes_of(desk.bytes, 100000), loan_on_return);
    loan->lender = &returned;
    kw_buf_append(&desk.buf, "tail", 4);
    kw_buf_append_buf(&desk.other, &desk.buf);
    struct iovec iov[4];

    assert_int_equal(kw_buf_iov(&desk.other, iov, 4), 3);
    assert_ptr_equal(iov[1].iov_base, desk.bytes);
    assert_int_equal(iov[1].iov_len, 100000);
    kw_buf_consume(&desk.other, 4 + 99999);
    assert_int_equal(returned, 0);
    kw_buf_consume(&desk.other, 1);
    assert_int_equal(returned, 1);
    assert_int_equal(desk.other.len, 4);
    desk_close();
    assert_int_equal(returned, 1);
}

KW_TEST(buf_goes_on_with_a_copy_of_a_loan_that_is_recalled)
{
    static char lent[50000];
    int returned = 0;

    desk_open();
    memcpy(lent, desk.bytes, sizeof lent);
    struct kw_loan *loan =
        kw_buf_append_loan(&desk.buf, kw_bytes_of(lent, sizeof lent), loan_on_return);
    loan->lender = &returned;
    kw_buf_consume(&desk.buf, 100);
    kw_loan_copy(loan);
    assert_int_equal(returned, 1);
    memset(lent, 0, sizeof lent);
    struct iovec iov[4];

    assert_int_equal(kw_buf_iov(&desk.buf, iov, 4), 1);
    assert_int_equal(iov[0].iov_len, sizeof lent - 100);
    assert_memory_equal(iov[0].iov_base, desk.bytes + 100, sizeof lent - 100);
    desk_close();
    assert_int_equal(returned, 1);
}
