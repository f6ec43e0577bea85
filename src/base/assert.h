/* assert.h - checks of keyway's own logic, on in every build.
 *
 * KW_ASSERT(x)        always on; broken logic prints where and what, then aborts.
 * KW_DEBUG_ASSERT(x)  only with KW_DEBUG (sanitizer and test builds); may be O(n).
 * KW_UNREACHABLE()    for the default of a complete enum switch.
 *
 * Never assert on input: bytes from clients, nodes and files are handled errors.
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_ASSERT_H
#define KW_BASE_ASSERT_H

/* Print the failed condition and a backtrace to the log's file descriptor, then abort. */
_Noreturn void kw_assert_failed(const char *condition, const char *file, int line,
                                const char *function);

#define KW_ASSERT(condition)                                                                       \
    (__builtin_expect(!(condition), 0)                                                             \
         ? kw_assert_failed(#condition, __FILE__, __LINE__, __func__)                              \
         : (void)0)

#ifdef KW_DEBUG
#define KW_DEBUG_ASSERT(condition) KW_ASSERT(condition)
#else
#define KW_DEBUG_ASSERT(condition) ((void)0)
#endif

#define KW_UNREACHABLE() kw_assert_failed("unreachable", __FILE__, __LINE__, __func__)

#endif
