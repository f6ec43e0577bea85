/* mem.c - the only caller of the allocator.
 *
 * Release builds link jemalloc, which replaces malloc for the libraries too; sanitizer builds keep
 * the sanitizer's own (KW_NO_JEMALLOC). The counter is relaxed: it is a statistic.
 */
#include "base/mem.h"

#include "base/log.h"
#include "base/prefetch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef KW_NO_JEMALLOC
#include <jemalloc/jemalloc.h>

/* Read by jemalloc at start-up. Two arenas serve main, control and workers (the path allocates
 * nothing); idle pages go back after a second, so that an idle keyway stays a few MiB.
 */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,tcache:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
#endif

enum { HUGE_BYTES = 2 << 20 };

static _Atomic uint64_t mem_allocations;

static size_t huge_bytes(size_t size_bytes);
static void *mem_checked(void *pointer, size_t size_bytes);

void *kw_alloc(size_t size_bytes)
{
    return mem_checked(kw_try_alloc(size_bytes), size_bytes);
}

void *kw_alloc_zero(size_t count, size_t size_bytes)
{
    atomic_fetch_add_explicit(&mem_allocations, 1, memory_order_relaxed);
    return mem_checked(calloc(count, size_bytes), size_bytes);
}

void *kw_alloc_line(size_t count, size_t size_bytes)
{
    void *pointer = NULL;
    size_t all_bytes = 0;

    atomic_fetch_add_explicit(&mem_allocations, 1, memory_order_relaxed);
    if (__builtin_mul_overflow(count, size_bytes, &all_bytes) ||
        posix_memalign(&pointer, KW_LINE_BYTES, all_bytes) != 0) {
        pointer = NULL;
    }
    return memset(mem_checked(pointer, all_bytes), 0, all_bytes);
}

void *kw_alloc_huge(size_t size_bytes)
{
    size_t all_bytes = huge_bytes(size_bytes);

    atomic_fetch_add_explicit(&mem_allocations, 1, memory_order_relaxed);
    char *range = mmap(NULL, all_bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *pointer = mem_checked(range != MAP_FAILED ? range : NULL, all_bytes);
    size_t before = -(uintptr_t)pointer & (HUGE_BYTES - 1);
    if (before > 0) {
        munmap(pointer, before);
    }
    munmap(pointer + before + all_bytes, HUGE_BYTES - before);
    (void)madvise(pointer + before, all_bytes, MADV_HUGEPAGE); /* no: small ones do */
    return pointer + before;
}

void kw_free_huge(void *pointer, size_t size_bytes)
{
    munmap(pointer, huge_bytes(size_bytes));
}

static size_t huge_bytes(size_t size_bytes)
{
    return (size_bytes + HUGE_BYTES - 1) & ~(size_t)(HUGE_BYTES - 1);
}

void *kw_realloc(void *pointer, size_t size_bytes)
{
    return mem_checked(kw_try_realloc(pointer, size_bytes), size_bytes);
}

void *kw_try_alloc(size_t size_bytes)
{
    atomic_fetch_add_explicit(&mem_allocations, 1, memory_order_relaxed);
    return malloc(size_bytes);
}

void *kw_try_realloc(void *pointer, size_t size_bytes)
{
    atomic_fetch_add_explicit(&mem_allocations, 1, memory_order_relaxed);
    return realloc(pointer, size_bytes);
}

char *kw_text_copy(const char *text)
{
    return kw_text_copy_bytes(kw_bytes_of_text(text));
}

char *kw_text_copy_bytes(struct kw_bytes bytes)
{
    char *copy = kw_alloc(bytes.len + 1);

    memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

void kw_free(void *pointer)
{
    free(pointer);
}

uint64_t kw_mem_allocations_count(void)
{
    return atomic_load_explicit(&mem_allocations, memory_order_relaxed);
}

#ifndef KW_NO_JEMALLOC
static size_t mem_read(const char *name)
{
    uint64_t epoch = 1;
    size_t value = 0;
    size_t value_size = sizeof value;

    /* The statistics are cached until the epoch moves. */
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    return mallctl(name, &value, &value_size, NULL, 0) == 0 ? value : 0;
}

size_t kw_mem_allocated_bytes(void)
{
    return mem_read("stats.allocated");
}

size_t kw_mem_resident_bytes(void)
{
    return mem_read("stats.resident");
}

void kw_mem_report(void (*on_text)(void *user, const char *text), void *user)
{
    malloc_stats_print(on_text, user, NULL);
}
#else
size_t kw_mem_allocated_bytes(void)
{
    return 0;
}

size_t kw_mem_resident_bytes(void)
{
    return 0;
}

void kw_mem_report(void (*on_text)(void *user, const char *text), void *user)
{
    on_text(user, "Stats not supported for the current allocator");
}
#endif

static void *mem_checked(void *pointer, size_t size_bytes)
{
    if (pointer == NULL) {
        kw_log(KW_LOG_WARNING, "out of memory: the system has no %zu bytes left for keyway",
               size_bytes);
        abort();
    }
    return pointer;
}
