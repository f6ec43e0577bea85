/* clock.h - the only reader of the system's clocks.
 *
 * Code on the data path does not read clocks: it uses the loop's time of this tick.
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_CLOCK_H
#define KW_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds since some fixed point: for deadlines and durations. */
uint64_t kw_clock_ms(void);

/* Monotonic microseconds, same origin. */
uint64_t kw_clock_us(void);

/* The kernel's tick-grained monotonic milliseconds: four times cheaper, up to 4 ms late. */
uint64_t kw_clock_coarse_ms(void);

/* Milliseconds since the Unix epoch: for logs, TIME and the deadlines of keys. */
uint64_t kw_clock_wall_ms(void);

/* Microseconds since the Unix epoch. */
uint64_t kw_clock_wall_us(void);

#endif
