/* prefetch.h - lines of memory that are about to be used are asked for.
 *
 * What several threads write lies in the cache of the one that wrote last. Who asks for it as for
 * reading only asks twice.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_PREFETCH_H
#define KW_BASE_PREFETCH_H

#include <stdint.h>

enum { KW_LINE_BYTES = 64 }; /* of a processor's cache */

/* The first two lines of OBJECT, which is one thread's own. NULL does no harm, but takes time. */
static inline void kw_prefetch_two(const void *object)
{
    __builtin_prefetch(object);
    __builtin_prefetch((const void *)((uintptr_t)object + KW_LINE_BYTES));
}

/* One line, for writing. */
static inline void kw_prefetch_write(const volatile void *line)
{
#ifdef __x86_64__
    /* Compilers leave it out, as the first processors of this kind had no such instruction: to
     * them it is a no-op.
     */
    __asm__ volatile("prefetchw %0" : : "m"(*(const volatile char *)line));
#else
    __builtin_prefetch((const void *)line, 1);
#endif
}

#endif
