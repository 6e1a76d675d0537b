/**
 * common_flags of a record (include/linux/trace_events.h): TRACE_FLAG_HARDIRQ 0x08, TRACE_FLAG_SOFTIRQ 0x10, which is
 * set while one is served, TRACE_FLAG_NMI 0x40.
 */
const IN_INTERRUPT = 0x08 | 0x10 | 0x40;

/** Whether a record with these common_flags was written in an interrupt: hard, soft or NMI. */
export function areOfInterrupt(flags: number): boolean {
  return (flags & IN_INTERRUPT) !== 0;
}
