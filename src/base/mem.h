/* mem.h - every heap allocation of keyway goes through here.
 *
 * Allocations are counted, so that a test can show that a steady state allocates nothing (B4).
 * kw_alloc() never returns NULL: a process that has no memory for its own small structures cannot
 * go on. kw_try_alloc() is for sizes that come from the network: refusal is a normal outcome there.
 *
 * Thread: any. Memory: what is returned is owned by the caller until kw_free().
 */
#ifndef KW_BASE_MEM_H
#define KW_BASE_MEM_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* SIZE bytes, uninitialised; aborts with a log line when there are none. */
void *kw_alloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));

/* COUNT x SIZE zeroed bytes; aborts when there are none or the product overflows. */
void *kw_alloc_zero(size_t count, size_t size_bytes) __attribute__((malloc, returns_nonnull));

/* COUNT x SIZE zeroed bytes that begin at a line of the processor's cache; aborts as above. */
void *kw_alloc_line(size_t count, size_t size_bytes) __attribute__((malloc, returns_nonnull));

/* SIZE zeroed bytes at a multiple of 2 MiB, in pages of that size where the system has them: for
 * tables that are looked at here and there, whose small pages a processor can't keep in mind.
 * Untouched they cost nothing. Aborts as above. For kw_free_huge(), which is told SIZE again.
 */
void *kw_alloc_huge(size_t size_bytes) __attribute__((malloc, returns_nonnull));
void kw_free_huge(void *pointer, size_t size_bytes);

/* Grow or shrink POINTER (may be NULL) to SIZE bytes; aborts when there are none. */
void *kw_realloc(void *pointer, size_t size_bytes) __attribute__((returns_nonnull));

/* SIZE bytes or NULL. */
void *kw_try_alloc(size_t size_bytes) __attribute__((malloc));

/* Grow POINTER (may be NULL) to SIZE bytes, or NULL (POINTER is then unchanged and still owned). */
void *kw_try_realloc(void *pointer, size_t size_bytes);

/* A copy of the NUL-terminated TEXT. */
char *kw_text_copy(const char *text) __attribute__((malloc, returns_nonnull));

/* A copy of BYTES with a NUL behind it. */
char *kw_text_copy_bytes(struct kw_bytes bytes) __attribute__((malloc, returns_nonnull));

/* Give POINTER back; NULL is allowed. */
void kw_free(void *pointer);

/* Heap allocations made by the whole process since the start: a steady state adds none. */
uint64_t kw_mem_allocations_count(void);

/* Bytes the allocator has handed out / holds resident; 0 when built without jemalloc. */
size_t kw_mem_allocated_bytes(void);
size_t kw_mem_resident_bytes(void);

/* What the allocator says of itself, in pieces of text. */
void kw_mem_report(void (*on_text)(void *user, const char *text), void *user);

#endif
