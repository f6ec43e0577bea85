/* prefetch.h - a line of memory that is about to be written is asked for.
 *
 * What several threads write lies in the cache of the one that wrote last. Who asks for it as for
 * reading only asks twice.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_PREFETCH_H
#define KW_BASE_PREFETCH_H

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
