/** How a row's payload is laid out, so that its fields can be decoded later, on demand. */
export const Shape = {
  /** An event's arguments, after `name: `. */
  arguments: 0,
  /** `sys_NAME(arg: value, …)`. */
  syscallEnter: 1,
  /** `sys_NAME -> 0x…`. */
  syscallExit: 2,
  /** `func() {`, `}`, `func();`. */
  graph: 3,
  /** Text written to trace_marker. */
  marker: 4,
  /** `func <-caller` of the function tracer. */
  call: 5,
  /** Nothing that the kernel could name. */
  nameless: 6,
  /** `<stack trace>` and its ` => function` lines. */
  stack: 7,
  /** `# ID buf: BYTES` of trace_marker_raw. */
  rawData: 8,
  /** A tracer's own line, without an event's name. */
  sample: 9,
} as const;
export type Shape = (typeof Shape)[keyof typeof Shape];
