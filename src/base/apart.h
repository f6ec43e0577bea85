/* apart.h - KW_APART: a function beside the path of a request, that stays out of its callers.
 *
 * Whatever is called from one place is inlined there when keyway is linked, and then the registers,
 * the stack frame and its guard that a rare branch needs are paid for by every request. Measured:
 * a tenth of the instructions of a GET.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_APART_H
#define KW_BASE_APART_H

#define KW_APART __attribute__((noinline))

#endif
