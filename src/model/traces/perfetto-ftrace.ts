/**
 * The ftrace events of Perfetto's schema (protos/perfetto/trace/ftrace, v58) that a kernel trace holds: by the number
 * of their field in FtraceEvent, the event's name and its fields' numbers and names. `symbol` fields hold an address,
 * or an id among the packet sequence's interned kernel symbols. Reader and writer of Perfetto traces take all numbers
 * from here.
 */
export type FieldKind = "int" | "uint" | "text" | "symbol" | "uints";

export interface EventSchema {
  readonly name: string;
  readonly fields: ReadonlyMap<number, { readonly name: string; readonly kind: FieldKind }>;
}

/** `number name kind`, separated by commas. */
function event(name: string, fields: string): EventSchema {
  const parsed = fields.split(",").map((part): [number, { name: string; kind: FieldKind }] => {
    const [number, field, kind] = part.trim().split(" ");
    return [Number(number), { name: field as string, kind: kind as FieldKind }];
  });
  return { name, fields: new Map(parsed) };
}

const WAKEUP = "1 comm text, 2 pid int, 3 prio int, 4 success int, 5 target_cpu int";
const VEC = "1 vec uint";
const WORK = "1 work uint, 2 function symbol";
const CPUHP = "1 cpu uint, 2 fun symbol, 3 idx int, 4 target int";

export const EVENTS: ReadonlyMap<number, EventSchema> = new Map([
  [3, event("print", "1 ip symbol, 2 buf text")],
  [
    4,
    event(
      "sched_switch",
      "1 prev_comm text, 2 prev_pid int, 3 prev_prio int, 4 prev_state int, 5 next_comm text, 6 next_pid int, 7 next_prio int",
    ),
  ],
  [11, event("cpu_frequency", "1 state uint, 2 cpu_id uint")],
  [13, event("cpu_idle", "1 state uint, 2 cpu_id uint")],
  [17, event("sched_wakeup", WAKEUP)],
  [18, event("sched_blocked_reason", "1 pid int, 2 caller symbol, 3 io_wait uint")],
  [20, event("sched_waking", WAKEUP)],
  [21, event("ipi_entry", "1 reason text")],
  [22, event("ipi_exit", "1 reason text")],
  [23, event("ipi_raise", "1 target_cpus uint, 2 reason text")],
  [24, event("softirq_entry", VEC)],
  [25, event("softirq_exit", VEC)],
  [26, event("softirq_raise", VEC)],
  [36, event("irq_handler_entry", "1 irq int, 2 name text, 3 handler uint")],
  [37, event("irq_handler_exit", "1 irq int, 2 ret int")],
  [56, event("workqueue_activate_work", "1 work uint")],
  [57, event("workqueue_execute_end", WORK)],
  [58, event("workqueue_execute_start", WORK)],
  [59, event("workqueue_queue_work", `${WORK}, 4 req_cpu int, 5 cpu int, 6 workqueue text`)],
  [113, event("suspend_resume", "1 action text, 2 val int, 3 start uint")],
  [114, event("sched_wakeup_new", WAKEUP)],
  [235, event("task_newtask", "1 pid int, 2 comm text, 3 clone_flags uint, 4 oom_score_adj int")],
  [236, event("task_rename", "1 pid int, 2 oldcomm text, 3 newcomm text, 4 oom_score_adj int")],
  [237, event("sched_process_exec", "1 filename text, 2 pid int, 3 old_pid int")],
  [238, event("sched_process_exit", "1 comm text, 2 pid int, 3 tgid int, 4 prio int")],
  [239, event("sched_process_fork", "1 parent_comm text, 2 parent_pid int, 3 child_comm text, 4 child_pid int")],
  [240, event("sched_process_free", "1 comm text, 2 pid int, 3 prio int")],
  [329, event("sys_enter", "1 id int, 2 args uints")],
  [330, event("sys_exit", "1 id int, 2 ret int")],
  [343, event("cpuhp_exit", "1 cpu uint, 2 idx int, 3 ret int, 4 state int")],
  [344, event("cpuhp_multi_enter", CPUHP)],
  [345, event("cpuhp_enter", CPUHP)],
  [404, event("wakeup_source_activate", "1 name text, 2 state uint")],
  [405, event("wakeup_source_deactivate", "1 name text, 2 state uint")],
  [408, event("console", "1 msg text")],
  [437, event("funcgraph_entry", "1 depth int, 2 func symbol")],
  [438, event("funcgraph_exit", "1 calltime uint, 2 depth int, 3 func symbol, 4 overrun uint, 5 rettime uint")],
  [491, event("sched_migrate_task", "1 comm text, 2 pid int, 3 prio int, 4 orig_cpu int, 5 dest_cpu int")],
  [504, event("device_pm_callback_start", "1 device text, 2 driver text, 3 parent text, 4 pm_ops text, 5 event int")],
  [505, event("device_pm_callback_end", "1 device text, 2 driver text, 3 error int")],
  [551, event("hrtimer_start", "1 hrtimer uint, 2 function symbol, 3 expires int, 4 softexpires int, 5 mode uint")],
  [552, event("hrtimer_cancel", "1 hrtimer uint")],
  [553, event("hrtimer_expire_entry", "1 hrtimer uint, 2 now int, 3 function symbol")],
  [554, event("hrtimer_expire_exit", "1 hrtimer uint")],
]);

const NUMBERS: ReadonlyMap<string, number> = new Map([...EVENTS].map(([number, { name }]) => [name, number]));

/** The field of FtraceEvent that holds the event. Throws if the table lacks it: a bug of ours. */
export function numberOfEvent(name: string): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new RangeError(`Perfetto's schema, as far as it stands here, has no event ${name}`);
  return number;
}

/** The number of an event's field. Throws as numberOfEvent does. */
export function numberOfField(event: string, field: string): number {
  for (const [number, { name }] of EVENTS.get(numberOfEvent(event))?.fields ?? []) if (name === field) return number;
  throw new RangeError(`Perfetto's schema, as far as it stands here, has no field ${event}.${field}`);
}

/** GenericFtraceEvent, for events without a message of their own. */
export const GENERIC = 327;
/** From here on an event describes itself (FtraceEventBundle.generic_event_descriptors). */
export const FIRST_DESCRIBED = 65_536;

/** A DescriptorProto's fields (google/protobuf/descriptor.proto): name 1, field 2 { name 1, number 3, type 5 }. */
export const TYPE_STRING = 9;
export const SIGNED_TYPES: ReadonlySet<number> = new Set([3, 5, 15, 16, 17, 18]);
