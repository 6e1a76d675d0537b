/**
 * The functions whose calls and returns a boundary, a session or an outcome may rest upon (reference: kernel/liveupdate,
 * kernel/kexec_core.c, kernel/reboot.c of Linux 6.19 to 7.3). Calls of all other functions become spans only.
 */
export const KEY_FUNCTIONS: ReadonlySet<string> = new Set([
  "luo_session_create",
  "luo_preserve_file",
  "memfd_luo_preserve",
  "kernel_kexec",
  "liveupdate_reboot",
  "luo_session_serialize",
  "luo_file_freeze",
  "memfd_luo_freeze",
  "luo_flb_serialize",
  "kernel_restart_prepare",
  "device_shutdown",
  "migrate_to_reboot_cpu",
  "syscore_shutdown",
  "machine_shutdown",
  "native_machine_shutdown",
  "machine_kexec",
  "luo_open",
  "luo_session_deserialize",
  "luo_session_retrieve",
  "luo_retrieve_file",
  "memfd_luo_retrieve",
  "luo_session_finish",
  "luo_file_finish",
  // Of the 2025 series, which had one state for the whole host (kernel/liveupdate/luo_core.c).
  "luo_prepare",
  "luo_freeze",
  "luo_finish",
  "luo_cancel",
  "luo_do_subsystems_prepare_calls",
  "luo_do_subsystems_freeze_calls",
  "luo_do_subsystems_finish_calls",
  "luo_do_subsystems_cancel_calls",
  "luo_files_prepare_one",
  "luo_files_freeze_one",
  "luo_files_finish_one",
]);

/** `name+0x4/0x60 [module]` to `name`; null for an address that no symbol was found for. */
export function symbolName(symbol: string): string | null {
  if (symbol === "" || symbol.startsWith("0x")) return null;
  const end = symbol.search(/\+0x| \[/);
  return end < 0 ? symbol : symbol.slice(0, end);
}

/** The function a return probe's name stands for where its address has no symbol: perf and the recorder append these. */
export function functionOfReturnProbe(event: string): string {
  return event.replace(/(?:__|_)(?:ret|return|exit)$/, "");
}
