# shellcheck shell=sh
# tracefs_state: prints what differs between an unused tracefs and one with remains.
tracefs_state() {
  cd /sys/kernel/tracing || return
  ls instances
  for folder in . instances/*; do
    for file in tracing_on current_tracer trace_clock set_ftrace_filter; do echo "$folder/$file $(head -n 1 "$folder/$file")"; done
    grep -l '^[1X]' "$folder"/events/*/enable
    grep -v none "$folder"/events/syscalls/*/filter
  done
  cat dynamic_events
}
