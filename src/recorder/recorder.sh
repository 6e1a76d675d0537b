#!/bin/sh
# blackout's recorder: what a host writes down of one live update, before the kexec and after it. One POSIX sh file
# (dash, busybox ash); needs tracefs, awk, cat, cksum, cp, cut, dd, df, grep, gzip, head, mkdir, od, rmdir, sed, sort,
# tail, tar, tr, uname; sha256sum for checksums and --hash-sessions, setsid for readers that outlive a kill.
#
# It writes to tracefs, to its state folder and to the requested capture, and nowhere else. Each change of tracefs
# is written in the state folder's journal before it is made, so that `disarm` can take it back and `status` can list
# what is left, also after a kill -9. The capture's layout: docs/capture-format.md; how to use it: docs/recorder.md.
# Words of command lines are split at blanks, never expanded as file patterns: `set +f` stands around own patterns
# alone.
set -uf
umask 077
LC_ALL=C
export LC_ALL
VERSION=2

usage() {
  cat <<'EOF'
usage: recorder.sh VERB [OPTIONS]
  doctor [--level L] [--json]        what this host can record, what is missing, what to do about it
  plan [--level L] [--half old|new]  what `arm` would write, where, and why; writes nothing
  kernel-cmdline [--for old|next]    the words that this level needs on a kernel's command line
                 [--reuse-cmdline]     behind this kernel's own, without those that they replace
                 [--same-build]        the next kernel is this build, which --kernel finds out by itself
  bootconfig [--same-build]          the same for the next kernel as a bootconfig, its probes among it
             [--initrd FILE -o FILE]   appended to a copy of the next kernel's initrd
  arm [--level L] [--half old|new]   starts recording; after the kexec: the new kernel's part
  save                               reads again what the new kernel cannot know of the old one; right before the kexec
  mark TEXT                          writes a mark into the trace
  collect -o DIR|FILE.tar.gz         writes the capture [--name N] [--label KEY=VALUE]... [--text]
  disarm [--discard]                 takes back all that was changed
  status                             what is armed, what is left
options of all verbs:
  --level markers|events|probes|graph   (events)
  --with sched,irq,kvm     events beyond the level's own, from `events` on
  --probes fprobe|kprobe   what probes are made of (what costs less here, else kprobes)
  --state DIR              folder that outlives the kexec (/var/lib/blackout)
  --carrier FILE           save: what is saved goes there, too (a memfd that a LUO session preserves); arm, collect:
                           taken from there where the state folder does not have it
  --kernel IMAGE           the kernel image that is loaded, or is going to be. arm, save: the capture names its release,
                           size and compressor, and with --initrd FILE the initramfs' size; doctor: whether it is
                           stamped; kernel-cmdline, bootconfig: whether it is this build
  --backup                 kernel-cmdline: copies of the rings at boot, so that the rings themselves can record at once
  --instance NAME          the persistent ring's instance (blackout; else the first that outlives a boot)
  --ring-size SIZE, --marks-size SIZE, --buffer-size SIZE   for kernel-cmdline (default: by this host's CPUs)
  --redact PATTERNS        keys of kernel command lines whose values are left out, beyond the usual; `none`: leave none out
  --hash-sessions KEY      names of sessions become keyed hashes in the capture; KEY: a file, made if there is none
  --root DIR               where /proc, /sys and /dev are looked for (/)
exit: 0 done; 1 asked level cannot be recorded (doctor), or something is left (disarm); 2 usage; 3 could not be done
EOF
}

say() { printf '%s\n' "blackout: $*" >&2; }
die() { say "$*"; exit 3; }
misused() { say "$* (recorder.sh --help)"; exit 2; }

TAB=$(printf '\t')
NEWLINE='
'

# --- options ---------------------------------------------------------------------------------------------------------

LEVEL=events LEVEL_GIVEN=no WITH='' STATE=${BLACKOUT_STATE:-} INSTANCE=${BLACKOUT_INSTANCE:-} ROOT=${BLACKOUT_ROOT:-}
HALF='' OUT='' NAME='' LABELS='' TEXT=no JSON=no DISCARD=no FOR=next REDACT=${BLACKOUT_REDACT:-} MARK=''
RING_SIZE='' MARKS_SIZE='' BUFFER_SIZE='' DRY=no HASH_KEY=${BLACKOUT_HASH_SESSIONS:-}
PROBES=${BLACKOUT_PROBES:-} CARRIER=${BLACKOUT_CARRIER:-} BACKUP=no REUSE=no SAME_BUILD=no INITRD=''
IMAGE=${BLACKOUT_KERNEL:-}

[ $# -gt 0 ] || { usage >&2; exit 2; }
VERB=$1
shift
case $VERB in
  -h | --help | help) usage; exit 0 ;;
  --version) echo "$VERSION"; exit 0 ;;
  doctor | plan | kernel-cmdline | bootconfig | arm | save | mark | collect | disarm | status) ;;
  *) misused "there is no verb '$VERB'" ;;
esac
while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --json) JSON=yes; continue ;;
    --text) TEXT=yes; continue ;;
    --discard) DISCARD=yes; continue ;;
    --backup) BACKUP=yes; continue ;;
    --reuse-cmdline) REUSE=yes; continue ;;
    --same-build) SAME_BUILD=yes; continue ;;
    --level | --with | --state | --instance | --root | --half | -o | --name | --label | --for | --redact | --hash-sessions | \
      --probes | --carrier | --initrd | --kernel | \
      --ring-size | --marks-size | --buffer-size)
      [ $# -gt 0 ] || misused "$option needs a value" ;;
    -*) misused "there is no option '$option'" ;;
    *)
      [ "$VERB" = mark ] || misused "'$option' is one too many"
      MARK=${MARK:+$MARK }$option
      continue ;;
  esac
  value=$1
  shift
  case $option in
    --level) LEVEL=$value LEVEL_GIVEN=yes ;;
    --with) WITH=$value ;;
    --state) STATE=$value ;;
    --instance) INSTANCE=$value ;;
    --root) ROOT=${value%/} ;;
    --half) HALF=$value ;;
    -o) OUT=$value ;;
    --name) NAME=$value ;;
    --label) LABELS=$LABELS$value$NEWLINE ;;
    --for) FOR=$value ;;
    --redact) REDACT=$value ;;
    --hash-sessions) HASH_KEY=$value ;;
    --probes) PROBES=$value ;;
    --carrier) CARRIER=$value ;;
    --initrd) INITRD=$value ;;
    --kernel) IMAGE=$value ;;
    --ring-size) RING_SIZE=$value ;;
    --marks-size) MARKS_SIZE=$value ;;
    --buffer-size) BUFFER_SIZE=$value ;;
  esac
done
case $LEVEL in markers | events | probes | graph) ;; *) misused "--level is markers, events, probes or graph, not '$LEVEL'" ;; esac
case $HALF in '' | old | new) ;; *) misused "--half is old or new, not '$HALF'" ;; esac
case $PROBES in '' | fprobe | kprobe) ;; *) misused "--probes is fprobe or kprobe, not '$PROBES'" ;; esac
case $FOR in old | next) ;; *) misused "--for is old or next, not '$FOR'" ;; esac
case $INSTANCE in */* | .*) misused "--instance is a name, not '$INSTANCE'" ;; esac
for word in $(printf '%s' "$WITH" | tr , ' '); do
  case $word in sched | irq | kvm) ;; *) misused "--with takes sched, irq and kvm, not '$word'" ;; esac
done
for size in "${RING_SIZE:-1M}" "${MARKS_SIZE:-1M}" "${BUFFER_SIZE:-1M}"; do
  case $size in *[!0-9KMG]* | [KMG]* | '') misused "a size is a number and K, M or G, not '$size'" ;; esac
done
STATE=${STATE:-$ROOT/var/lib/blackout}
case $STATE in /*) ;; *) STATE=$PWD/$STATE ;; esac
case $OUT in '' | /*) ;; *) OUT=$PWD/$OUT ;; esac
case $CARRIER in '' | /*) ;; *) CARRIER=$PWD/$CARRIER ;; esac
case $INITRD in '' | /*) ;; *) INITRD=$PWD/$INITRD ;; esac
case $IMAGE in '' | /*) ;; *) IMAGE=$PWD/$IMAGE ;; esac
case $HASH_KEY in '' | /*) ;; *) HASH_KEY=$PWD/$HASH_KEY ;; esac
JOURNAL=$STATE/journal

level_number() {
  case $1 in markers) echo 0 ;; events) echo 1 ;; probes) echo 2 ;; *) echo 3 ;; esac
}
# at_least LEVEL: whether that much is requested.
at_least() { [ "$LEVEL_NUMBER" -ge "$(level_number "$1")" ]; }
LEVEL_NUMBER=$(level_number "$LEVEL")
with() { case ,$WITH, in *,"$1",*) true ;; *) false ;; esac; }

# For trees that only look like tracefs: a folder with the mkdir and rmdir that make and remove an instance's files.
# busybox would not look on the PATH for them.
TOOLS=${BLACKOUT_TOOLS:+$BLACKOUT_TOOLS/}

# --- the host --------------------------------------------------------------------------------------------------------

TRACING=''
for folder in "$ROOT/sys/kernel/tracing" "$ROOT/sys/kernel/debug/tracing"; do
  [ -e "$folder/trace_marker" ] && { TRACING=$folder; break; }
done

# first_line FILE: its first line in $LINE, without a fork; fails if there is none to read.
first_line() {
  LINE=''
  [ -r "$1" ] || return 1
  { IFS= read -r LINE < "$1"; } 2> /dev/null || [ -n "$LINE" ]
}
# The same of an event's filter, which gives all or nothing at once, and the shell reads byte by byte
# (event_filter_read, kernel/trace/trace_events.c).
whole_line() { LINE=$(head -n 1 "$1" 2> /dev/null); }
first_line "$ROOT/proc/sys/kernel/random/boot_id" || true
BOOT_ID=${LINE:-unknown}
first_line "$ROOT/proc/sys/kernel/osrelease" || LINE=$(uname -r)
RELEASE=$LINE
first_line "$ROOT/proc/cmdline" || true
CMDLINE=$LINE

# chosen FILE: the bracketed word of a list like trace_clock, in $LINE.
chosen() {
  first_line "$1" || return 1
  LINE=${LINE#*\[}
  LINE=${LINE%%\]*}
}
# A ring that outlives the kexec has this file (kernel/trace/trace.c, since 6.12).
is_persistent() { [ -e "$TRACING/instances/$1/last_boot_info" ]; }
# Of the previous boot until tracing is first started; then its first line is `# Current`.
holds_previous_boot() {
  first_line "$TRACING/instances/$1/last_boot_info" || return 1
  case $LINE in '' | '# Current'*) return 1 ;; esac
}
# The kernel's copy of a ring as the previous boot left it (trace_instance=COPY=RING), if it has made one: the ring
# itself may be recording again.
previous_ring() { # RING: the instance that holds the previous boot's, in $PREVIOUS
  PREVIOUS=$1
  if is_persistent "$1_backup"; then PREVIOUS=$1_backup; fi
}
find_ring() {
  RING=${INSTANCE:-blackout}
  PERSISTENT=no
  if is_persistent "$RING"; then PERSISTENT=yes
  elif [ -z "$INSTANCE" ]; then
    set +f
    for folder in "$TRACING"/instances/*; do
      case $folder in *_marks | *_luo | *_vcpus | *_backup) continue ;; esac
      [ -e "$folder/last_boot_info" ] && { RING=${folder##*/} PERSISTENT=yes; break; }
    done
    set -f
  fi
  MARKS=$RING
  if is_persistent "${RING}_marks"; then MARKS=${RING}_marks; fi
}
# find_side_rings: beside RING, which holds all that has no ring of its own: $LUO_RING, of LUO's calls, and $VCPU_RING,
# of KVM's events. $RINGS are all that there are, the marks' last.
find_side_rings() {
  LUO_RING=$RING VCPU_RING=$RING RINGS=$RING
  if is_persistent "${RING}_luo"; then LUO_RING=${RING}_luo RINGS="$RINGS ${RING}_luo"; fi
  if is_persistent "${RING}_vcpus"; then VCPU_RING=${RING}_vcpus RINGS="$RINGS ${RING}_vcpus"; fi
  [ "$MARKS" = "$RING" ] || RINGS="$RINGS $MARKS"
}

# BTF, the kernel's own description of its types (Documentation/bpf/btf.rst), if it has one.
BTF=$ROOT/sys/kernel/btf/vmlinux

# members_in_btf STRUCT.MEMBER...: lines of STRUCT.MEMBER and its offset in bytes. Takes a second.
members_in_btf() {
  [ -r "$BTF" ] || return 0
  # shellcheck disable=SC2046 # words are meant: magic with version and flags, then five lengths and offsets
  set -- "$*" $(od -An -v -tu4 -N 24 "$BTF" 2> /dev/null)
  # 0xeb9f, version 1.
  [ "${2-0}" = 125855 ] || return 0
  tail -c +$(($3 + $6 + 1)) "$BTF" | head -c "$7" | tr '\n\000' ' \n' | awk -v wanted="$1" '
    BEGIN { n = split(wanted, each, /[ .]/); for (i = 1; i <= n; i++) is_wanted[each[i]] = 1 }
    { if ($0 in is_wanted) printf "%d %s ", at, $0; at += length($0) + 1 }
    END { print "" }' | {
    IFS= read -r names
    od -An -v -tu4 -j $(($3 + $4)) -N "$5" "$BTF" 2> /dev/null | awk -v wanted="$1" -v names="$names" '
      BEGIN {
        n = split(names, word, " ")
        for (i = 1; i < n; i += 2) name_at[word[i]] = word[i + 1]
        n = split(wanted, word, " ")
        for (i = 1; i <= n; i++) is_wanted[word[i]] = 1
        # Words behind a type of each kind, and per element of it (include/uapi/linux/btf.h).
        more[1] = 1; more[3] = 3; more[14] = 1; more[17] = 1
        each[4] = 3; each[5] = 3; each[6] = 2; each[13] = 2; each[15] = 3; each[19] = 3
      }
      {
        for (i = 1; i <= NF; i++) {
          if (left > 0) {
            left--
            if (!inside) continue
            part = ++member % 3
            if (part == 1) name = $i
            else if (part == 0) {
              # With bit fields the upper byte is the width.
              bits = flagged ? $i % 16777216 : $i
              key = inside "." name_at[name]
              if (key in is_wanted) print key, bits / 8
            }
            continue
          }
          part = ++heads % 3
          if (part == 1) type = $i
          else if (part == 2) info = $i
          else {
            kind = int(info / 16777216) % 32
            flagged = info >= 2147483648
            left = more[kind] + each[kind] * (info % 65536)
            inside = kind == 4 && (type in name_at) ? name_at[type] : ""
            member = 0
          }
        }
      }'
  }
}

# others_in_btf STRUCT FUNCTION...: those of the functions whose first argument is, by the kernel's BTF, something else
# than a pointer to this struct; a function that BTF does not have (a module's) is not among them.
others_in_btf() {
  [ -r "$BTF" ] || return 0
  # shellcheck disable=SC2046 # words are meant, see members_in_btf
  set -- "$*" $(od -An -v -tu4 -N 24 "$BTF" 2> /dev/null)
  [ "${2-0}" = 125855 ] || return 0
  tail -c +$(($3 + $6 + 1)) "$BTF" | head -c "$7" | tr '\n\000' ' \n' | awk -v wanted="$1" '
    BEGIN { n = split(wanted, each, / /); for (i = 1; i <= n; i++) is_wanted[each[i]] = 1 }
    { if ($0 in is_wanted) printf "%d %s ", at, $0; at += length($0) + 1 }
    END { print "" }' | {
    IFS= read -r names
    od -An -v -tu4 -j $(($3 + $4)) -N "$5" "$BTF" 2> /dev/null | awk -v wanted="${1%% *}" -v names="$names" '
      BEGIN {
        n = split(names, word, " ")
        for (i = 1; i < n; i += 2) name_at[word[i]] = word[i + 1]
        more[1] = 1; more[3] = 3; more[14] = 1; more[17] = 1
        each[4] = 3; each[5] = 3; each[6] = 2; each[13] = 2; each[15] = 3; each[19] = 3
      }
      {
        for (i = 1; i <= NF; i++) {
          if (left > 0) {
            left--
            # A prototype is followed by pairs of a name and a type, one for each argument.
            if (kind == 13 && ++member == 2) first[id] = $i
            continue
          }
          part = ++heads % 3
          if (part == 1) { type = $i; id++ }
          else if (part == 2) info = $i
          else {
            kind = int(info / 16777216) % 32
            left = more[kind] + each[kind] * (info % 65536)
            member = 0
            if (kind == 2) points_to[id] = $i
            else if (!(type in name_at)) continue
            else if (kind == 4 && name_at[type] == wanted) is_struct[id] = 1
            else if (kind == 12) of[name_at[type]] = $i
          }
        }
      }
      END { for (name in of) if (!(points_to[first[of[name]]] in is_struct)) printf "%s ", name }'
  }
}

# Of Linux 7.2 and 7.3 (kernel/liveupdate/luo_internal.h, include/linux/liveupdate.h). Of another kernel nothing is
# known, and a wrong offset would record any memory.
members_in_table() {
  case $RELEASE in 7.2.* | 7.3.* | 7.2-* | 7.3-* | 7.2 | 7.3) cat <<'EOF' ;;
luo_session.name 0
luo_session.file_set 88
liveupdate_file_op_args.handler 0
liveupdate_file_op_args.serialized_data 24
liveupdate_file_handler.compatible 8
kexec_buf.bufsz 16
kexec_buf.mem 24
kexec_buf.memsz 32
EOF
  esac
}

# know_layout FROM-BTF: where the kernel keeps what probes read, in $LAYOUT, and $LAYOUT_FROM: btf, table or nothing.
# Inside the blackout there is no time for BTF: what the old kernel, if it was the same build, has read of it is kept.
know_layout() {
  first_line "$ROOT/proc/version" || LINE=$RELEASE
  build=$LINE
  LAYOUT='' LAYOUT_FROM=nothing
  if first_line "$STATE/layout" && [ "$LINE" = "$build" ] && layout_is_sane "$STATE/layout"; then LAYOUT=$(sed 1d "$STATE/layout")
  elif [ "$1" = yes ]; then
    LAYOUT=$(members_in_btf luo_session.name luo_session.file_set liveupdate_file_op_args.handler \
      liveupdate_file_op_args.serialized_data liveupdate_file_handler.compatible kexec_buf.bufsz kexec_buf.mem kexec_buf.memsz)
    if [ -n "$LAYOUT" ] && [ -d "$STATE" ] && [ "$DRY" = no ] && [ "$VERB" = arm ]; then
      put "$STATE/layout" "$build$NEWLINE$LAYOUT"
    fi
  fi
  [ -z "$LAYOUT" ] || LAYOUT_FROM=btf
  if [ -z "$LAYOUT" ]; then
    LAYOUT=$(members_in_table)
    [ -z "$LAYOUT" ] || LAYOUT_FROM=table
  fi
}

# Puts offsets for what the table of probes names with an @; what is not known stays as it is.
with_offsets() {
  name='' set_at='' script=''
  while read -r member offset; do
    case $member in
      luo_session.name) name=$offset script="${script}s/@session_name/+$offset/;" ;;
      luo_session.file_set) set_at=$offset ;;
      liveupdate_file_op_args.handler) script="${script}s/@handler/+$offset/;" ;;
      liveupdate_file_op_args.serialized_data) script="${script}s/@data/+$offset/;" ;;
      liveupdate_file_handler.compatible) script="${script}s/@compatible/+$offset/;" ;;
      kexec_buf.bufsz) script="${script}s/@bufsz/+$offset/;" ;;
      kexec_buf.mem) script="${script}s/@mem(/+$offset(/;" ;;
      kexec_buf.memsz) script="${script}s/@memsz/+$offset/;" ;;
    esac
  done <<EOF
$LAYOUT
EOF
  if [ -n "$name" ] && [ -n "$set_at" ]; then
    offset=$((name - set_at))
    case $offset in -*) ;; *) offset=+$offset ;; esac
    script="${script}s/@name/$offset/;"
  fi
  sed "$script"
}

# half, function, whether its return is worth a probe (two never return), arguments of the call; @: see with_offsets.
probe_table() {
  cat <<'EOF'
old luo_session_create ret session=+0($arg1):string
old luo_preserve_file ret session=@name($arg1):string token=$arg2:x64 fd=$arg3:s32
old luo_file_unpreserve_files void session=@name($arg1):string
old kexec_add_buffer ret bufsz=@bufsz($arg1):u64 mem=@mem($arg1):x64 memsz=@memsz($arg1):u64
old kernel_kexec -
old liveupdate_reboot ret
old luo_session_serialize ret
old luo_file_freeze ret session=@name($arg1):string
old luo_flb_serialize ret
old kernel_restart_prepare void cmd=+0($arg1):string
old device_shutdown void
old pci_device_shutdown void dev=+0(+0($arg1)):string
old migrate_to_reboot_cpu void
old syscore_shutdown void
old native_machine_shutdown void
old native_stop_other_cpus void
old machine_kexec -
new luo_open ret
new luo_session_deserialize ret
new luo_session_retrieve ret session=+0($arg1):string
new luo_retrieve_file ret session=@name($arg1):string token=$arg2:x64
new luo_session_finish ret session=@session_name($arg1):string
new luo_file_finish void session=@name($arg1):string
EOF
}

# half, function: those whose own time is worth a span, and which are called seldom enough.
graph_table() {
  cat <<'EOF'
old kernel_kexec
old liveupdate_reboot
old luo_session_serialize
old luo_file_freeze
old luo_flb_serialize
old luo_preserve_file
old kernel_restart_prepare
old device_shutdown
old pci_device_shutdown
old migrate_to_reboot_cpu
old syscore_shutdown
old native_machine_shutdown
old native_stop_other_cpus
old machine_kexec
new populate_rootfs
new do_populate_rootfs
new pci_device_probe
new virtio_dev_probe
new async_synchronize_full
new wait_for_device_probe
new wait_for_initramfs
new luo_open
new luo_session_deserialize
new luo_session_retrieve
new luo_retrieve_file
new luo_file_finish
EOF
}

# The same of the callbacks of each file handler, whatever its name: all take a struct liveupdate_file_op_args
# (struct liveupdate_file_ops, include/linux/liveupdate.h). `freeze` is optional.
# shellcheck disable=SC2016 # $arg1 is the kernel's
HANDLER_TEMPLATE='old %s_preserve ret compat=@compatible(@handler($arg1)):string
old %s_freeze ret compat=@compatible(@handler($arg1)):string data=@data($arg1):x64
new %s_retrieve ret compat=@compatible(@handler($arg1)):string data=@data($arg1):x64
new %s_finish void compat=@compatible(@handler($arg1)):string
'
# The handler of mainline, if nothing shows which there are.
HANDLERS=memfd_luo
handler_rows() { # of each of $HANDLERS, without a fork
  for handler in $HANDLERS; do
    # shellcheck disable=SC2059 # a template
    printf "$HANDLER_TEMPLATE" "$handler" "$handler" "$handler" "$handler"
  done
}
probe_rows() { probe_table; handler_rows; }
graph_rows() {
  graph_table
  handler_rows | while read -r half function _; do printf '%s %s\n' "$half" "$function"; done
}

# find_handlers: $HANDLERS, prefixes X for which the kernel has X_preserve and X_retrieve, as every file handler has.
# Left out are LUO's own functions, those of file-lifecycle-bound data (flb) and the PCI core's, which end alike and
# take other arguments, as BTF shows of others. Looks through all functions: not for inside the blackout.
find_handlers() {
  functions_list
  found=$(awk -v column="$LIST_COLUMN" '
    {
      name = $column
      if (name ~ /_preserve$/) old[substr(name, 1, length(name) - 9)] = 1
      else if (name ~ /_retrieve$/) fresh[substr(name, 1, length(name) - 9)] = 1
    }
    END { for (x in old) if ((x in fresh) && x !~ /^(luo|liveupdate|kho)(_|$)|(^|_)flb(_|$)|^pci_liveupdate$/ && x ~ /^[A-Za-z0-9_]+$/) print x }' "$LIST" 2> /dev/null | sort)
  [ -n "$found" ] || return 0
  if [ "$found" != memfd_luo ]; then
    # shellcheck disable=SC2046 # words are meant
    others=$(others_in_btf liveupdate_file_op_args $(for prefix in $found; do echo "${prefix}_preserve"; done))
    HANDLERS=''
    for prefix in $found; do
      case " $others " in *" ${prefix}_preserve "*) ;; *) HANDLERS=$HANDLERS${HANDLERS:+ }$prefix ;; esac
    done
  else HANDLERS=$found; fi
}
# saved_handlers: those that the old kernel's probes were of, in $HANDLERS; without a fork.
saved_handlers() {
  [ -r "$STATE/traceable" ] || return 0
  found=''
  while IFS= read -r function; do
    case $function in *_preserve) found=$found${found:+ }${function%_preserve} ;; esac
  done < "$STATE/traceable"
  HANDLERS=${found:-$HANDLERS}
}

# half, ring (luo: what LUO does, seldom; vcpus; noise: the rest), event or subsystem/, filter. No event goes to the
# ring for marks, so that nothing can overwrite them.
# A timer's interrupt runs KVM's notifier at each tick: notifiers count outside hard interrupts (TRACE_FLAG_HARDIRQ, 8).
# The exit of an ioctl does not name its command, and each KVM_RUN has one: threads that VMMs name as vCPUs are left out
# (QEMU's `CPU 0/KVM`; `vcpu0`, `fc_vcpu 0`, `crosvm_vcpu0`, `kvm-vcpu-0`).
event_table() {
  cat <<'EOF'
both noise printk/console
EOF
  at_least events || return 0
  cat <<'EOF'
old luo notifier/notifier_run !(common_flags & 8)
both luo syscalls/sys_enter_ioctl cmd >= 0xba00 && cmd <= 0xba44
both noise syscalls/sys_exit_ioctl !(COMM ~ "CPU */KVM") && !(COMM ~ "*vcpu*")
old luo syscalls/sys_enter_reboot
old luo syscalls/sys_exit_reboot
old luo syscalls/sys_enter_kexec_file_load
old luo syscalls/sys_exit_kexec_file_load
new noise syscalls/sys_enter_openat
new noise syscalls/sys_exit_openat
both noise cpuhp/
new noise initcall/
EOF
  if with sched; then
    echo both noise sched/sched_switch
    echo both noise sched/sched_waking
  fi
  if with irq; then echo both noise irq/; fi
  if with kvm; then
    echo both vcpus kvm/kvm_entry
    echo both vcpus kvm/kvm_exit
  fi
}

# functions_list: the kernel's list of functions that can be traced, in $LIST; without it, of those that it has.
functions_list() {
  LIST=$TRACING/available_filter_functions LIST_COLUMN=1
  { [ -r "$LIST" ] && head -n 1 "$LIST" > /dev/null 2>&1; } || LIST=$ROOT/proc/kallsyms LIST_COLUMN=3
}
# Of the functions on standard input, those that can be traced.
traceable() {
  functions_list
  awk -v list="$LIST" -v column="$LIST_COLUMN" '
    { wanted[$1] = 1; order[++n] = $1 }
    END {
      while ((getline line < list) > 0) { split(line, word, /[ \t]+/); if (word[column] in wanted) found[word[column]] = 1 }
      for (i = 1; i <= n; i++) if (order[i] in found) print order[i]
    }'
}

# --- changes, each in the journal before it is made ------------------------------------------------------------------

DEFECTS=''
defect() { # CODE TEXT: something is not recorded; the capture reports it.
  [ "$DRY" = yes ] && { printf 'left out: %s\n' "$2"; return; }
  DEFECTS=$DEFECTS$1$TAB$2$NEWLINE
  say "$2"
  [ -d "$STATE" ] && printf '%s\t%s\n' "$1" "$2" >> "$STATE/defects"
  return 0
}

journal() { # LINE, once
  case $NEWLINE$JOURNALED in *"$NEWLINE$1$NEWLINE"*) return 0 ;; esac
  JOURNALED=$JOURNALED$1$NEWLINE
  { printf '%s\n' "$1" >> "$JOURNAL"; } 2> /dev/null ||
    die "$JOURNAL cannot be written (is the disk full?): nothing is changed that could not be taken back"
}
JOURNALED=''
load_journal() {
  JOURNALED=''
  if [ -r "$JOURNAL" ]; then JOURNALED=$(cat "$JOURNAL")$NEWLINE; fi
}

# put FILE TEXT: one write; its failure is the caller's to report.
put() { { printf '%s\n' "$2" > "$1"; } 2> /dev/null; }

put_more() { { printf '%s\n' "$2" >> "$1"; } 2> /dev/null; }

# set_value FILE VALUE WHY: file under tracefs. What it held is put back by disarm.
set_value() {
  file=$TRACING/$1
  if [ "$DRY" = yes ] && ! [ -e "$file" ]; then printf 'write  %s  %s  # %s\n' "$1" "$2" "$3"; return 0; fi
  [ -e "$file" ] || { defect not-in-this-kernel "$1: this kernel has no such file ($3)"; return 1; }
  case $1 in
    *trace_clock) chosen "$file" || LINE=local ;;
    */filter) whole_line "$file" ;;
    *) first_line "$file" || LINE='' ;;
  esac
  before=${LINE%\*}
  case $1 in */filter) [ "$before" = none ] && before=0 ;; esac
  [ "$before" = "$2" ] && return 0
  [ "$DRY" = yes ] && { printf 'write  %s  %s  # %s; was %s\n' "$1" "$2" "$3" "$before"; return 0; }
  journal "write$TAB$1$TAB$before"
  put "$file" "$2" || { defect refused "$1: the kernel refused '$2' ($3)"; return 1; }
}

make_instance() { # NAME WHY
  [ -d "$TRACING/instances/$1" ] && return 0
  [ "$DRY" = yes ] && { printf 'mkdir  instances/%s  # %s\n' "$1" "$2"; return 0; }
  journal "instance$TAB$1"
  "${TOOLS}mkdir" "$TRACING/instances/$1" 2> /dev/null || { defect refused "instances/$1 could not be made ($2)"; return 1; }
}

# Fprobes (Linux 6.5, CONFIG_FPROBE_EVENTS) hook a function through ftrace, without a kprobe's full registers, and a
# return through the function graph's shadow stack: Documentation/trace/fprobetrace.rst. tracefs' README lists what
# there is.
has_fprobes() { [ -e "$TRACING/dynamic_events" ] && grep -q '^[[:space:]]*f\[:' "$TRACING/README" 2> /dev/null; }
# dynamic_events (since 5.0) is also there for other kinds of probes alone.
PROBES_FILE=''
if [ -n "$TRACING" ] && [ -e "$TRACING/kprobe_events" ]; then
  PROBES_FILE=kprobe_events
  [ -e "$TRACING/dynamic_events" ] && PROBES_FILE=dynamic_events
elif [ -n "$TRACING" ] && has_fprobes; then PROBES_FILE=dynamic_events; fi

# choose_probes: $KIND, and $KIND_WHY. $CHEAPER is what measure_costs has found, if it could. In instructions of an
# emulated 7.3.4 both cost the same at a call (870), fprobes a sixth more at a return (1,500): without a measurement,
# kprobes.
CHEAPER=''
choose_probes() {
  KIND=kprobe
  if ! has_fprobes; then
    KIND_WHY='this kernel has no fprobe events (Linux 6.5, CONFIG_FPROBE_EVENTS)'
    if [ "$PROBES" = fprobe ]; then defect no-fprobes "$KIND_WHY: kprobes are used"; fi
  elif [ "$PROBES" = kprobe ]; then KIND_WHY='asked for'
  # A kprobe finds a function that ftrace cannot hook.
  elif ! head -n 1 "$TRACING/available_filter_functions" > /dev/null 2>&1; then
    KIND_WHY='which functions ftrace can hook is not known (available_filter_functions)'
  elif [ "$PROBES" = fprobe ]; then KIND=fprobe KIND_WHY='asked for'
  elif ! [ -e "$TRACING/kprobe_events" ]; then KIND=fprobe KIND_WHY='this kernel has no kprobe events'
  elif [ -z "$CHEAPER" ]; then
    if [ "$DRY" = yes ] || [ "$VERB" = doctor ]; then KIND_WHY='arm takes fprobes instead if it measures that they cost less here'
    else KIND_WHY='this kernel has fprobes, too; which cost less here cannot be measured'; fi
  else KIND=$CHEAPER KIND_WHY="measured here: $CHEAPER_WHY"; fi
}
# probe_lines FUNCTION RETURNS ARGUMENTS: the definitions of one row of the table, as KIND has it, added to
# $definitions; without a fork, since the new kernel does it inside the blackout.
probe_lines() {
  call=p return=r suffix=''
  if [ $KIND = fprobe ]; then call=f return=f suffix=%return; fi
  definitions=$definitions$call:$GROUP/$1\ $1${3:+ $3}$NEWLINE
  case $2 in
    ret) definitions=$definitions$return:$GROUP/${1}_ret\ $1$suffix\ ret=\$retval:s32$NEWLINE ;;
    void) definitions=$definitions$return:$GROUP/${1}_ret\ $1$suffix$NEWLINE ;;
  esac
}
# as_kprobe LINE: what is defined where the kernel refuses an fprobe.
as_kprobe() {
  case $1 in
    f:*%return*) printf 'r%s\n' "${1#f}" | sed 's/%return//' ;;
    f:*) printf 'p%s\n' "${1#f}" ;;
    *) printf '%s\n' "$1" ;;
  esac
}
# The group's name is the recorder's own: whatever is in it may be removed, and nothing else.
GROUP=blackout

# known_traceable HALF: functions of the table that can be traced. Inside the blackout there is no time to look through
# all functions: the new kernel believes the old one if it is the same build, and else tries them all.
known_traceable() {
  if [ "$1" = old ]; then
    list=$(probe_rows | while read -r _ function _; do printf '%s\n' "$function"; done | traceable)
    if [ "$DRY" = no ]; then put "$STATE/traceable" "$build$NEWLINE$list"; fi
    printf '%s\n' "$list"
  elif first_line "$STATE/traceable" && [ "$LINE" = "$build" ]; then sed 1d "$STATE/traceable"
  else probe_rows | while read -r _ function _; do printf '%s\n' "$function"; done; fi
}

define_probes() { # HALF: all in one write where the kernel takes them so, else one by one
  [ -n "$PROBES_FILE" ] || { defect no-probes 'this kernel has no kprobe events (CONFIG_KPROBE_EVENTS)'; return 1; }
  choose_probes
  from_btf=no
  if [ "$1" = old ]; then
    from_btf=yes
    find_handlers
  else saved_handlers; fi
  know_layout $from_btf
  known=$NEWLINE$(known_traceable "$1")$NEWLINE
  definitions=''
  unknown=''
  unplaced=''
  while read -r half function returns arguments; do
    [ "$half" = "$1" ] || continue
    case $known in *"$NEWLINE$function$NEWLINE"*) ;; *)
      # What a handler need not have.
      case " $HANDLERS " in *" ${function%_freeze} "*) ;; *) unknown="$unknown $function" ;; esac
      continue ;;
    esac
    case $arguments in
      *@*)
        arguments=$(printf '%s' "$arguments" | sed 's/[a-z]*=[^ ]*@[^ ]*//g; s/  */ /g; s/^ //')
        unplaced="$unplaced $function" ;;
    esac
    probe_lines "$function" "$returns" "$arguments"
  done <<EOF
$(probe_rows | with_offsets)
EOF
  [ -z "$unplaced" ] || defect offset-unknown "where Linux $RELEASE keeps what these read is not known; they are recorded without:$unplaced"
  [ -z "$unknown" ] || defect not-traceable "not in this kernel, or not traceable:$unknown"
  [ -n "$definitions" ] || return 1
  if [ "$DRY" = yes ]; then
    printf '# probes: %ss: %s\n' "$KIND" "$KIND_WHY"
    printf '%s' "$definitions" | while IFS= read -r line; do printf 'append %s  %s\n' "$PROBES_FILE" "$line"; done
    return 0
  fi
  journal "probes$TAB$PROBES_FILE"
  { printf '%s' "$definitions" >> "$TRACING/$PROBES_FILE"; } 2> /dev/null && return 0
  # One line was refused, and those after it were not read: define what is not there yet, each by itself.
  refused=''
  while IFS= read -r line; do
    probe=${line#*/}
    probe=${probe%% *}
    [ -z "$line" ] || [ -d "$TRACING/events/$GROUP/$probe" ] && continue
    put_more "$TRACING/$PROBES_FILE" "$line" || put_more "$TRACING/$PROBES_FILE" "$(as_kprobe "$line")" || refused="$refused $probe"
  done <<EOF
$definitions
EOF
  [ -z "$refused" ] || defect refused "the kernel refused these probes:$refused"
}

# in_instance NAME PATH: relative to tracefs; the top-level buffer's name is empty.
in_instance() { if [ -n "$1" ]; then INSIDE=instances/$1/$2; else INSIDE=$2; fi; }

enable_event() { # INSTANCE EVENT FILTER
  in_instance "$1" "events/$2"
  if [ "$DRY" = yes ]; then
    [ -d "$TRACING/events/$2" ] || { defect not-in-this-kernel "$2: this kernel has no such event"; return 0; }
  elif ! [ -d "$TRACING/$INSIDE" ]; then
    defect not-in-this-kernel "$2: this kernel has no such event"
    return 0
  fi
  [ -z "$3" ] || set_value "$INSIDE/filter" "$3" "the quiet ones only"
  set_value "$INSIDE/enable" 1 "level $LEVEL"
}

enable_events() { # HALF LUO VCPUS NOISE: instances
  while read -r half ring event filter; do
    case $half in both | "$1") ;; *) continue ;; esac
    case $ring in
      luo) instance=$2 ;;
      vcpus) instance=$3 ;;
      *) instance=$4 ;;
    esac
    case $event in
      */)
        any=no
        set +f
        for folder in "$TRACING/events/$event"*/; do
          set -f
          [ -d "$folder" ] || continue
          any=yes
          folder=${folder%/}
          enable_event "$instance" "$event${folder##*/}" "$filter"
        done
        [ $any = yes ] || defect not-in-this-kernel "$event: this kernel has no such events" ;;
      *) enable_event "$instance" "$event" "$filter" ;;
    esac
  done <<EOF
$(event_table)
EOF
}

arm_graph() { # HALF INSTANCE
  case " $(cat "$TRACING/available_tracers" 2> /dev/null) " in *' function_graph '*) ;; *)
    defect no-graph 'this kernel has no function_graph tracer (CONFIG_FUNCTION_GRAPH_TRACER)'
    return 0 ;;
  esac
  in_instance "$2" set_ftrace_filter
  filter=$INSIDE
  functions=$(graph_rows | while read -r half function; do
    [ "$half" = "$1" ] && printf '%s\n' "$function"; done | traceable)
  [ -n "$functions" ] || { defect not-traceable 'none of the functions for level graph can be traced'; return 0; }
  if [ "$DRY" = yes ]; then
    printf 'write  %s  %s  # their time only\n' "$filter" "$(printf '%s' "$functions" | tr '\n' ' ')"
  else
    if [ -e "$TRACING/$filter" ] && ! [ -e "$STATE/filter.$2" ]; then
      grep -v '^#' "$TRACING/$filter" > "$STATE/filter.$2" 2> /dev/null
    fi
    journal "filter$TAB$filter$TAB$STATE/filter.$2"
    { printf '%s\n' "$functions" > "$TRACING/$filter"; } 2> /dev/null ||
      { defect refused "$filter: the kernel refused the functions of level graph"; return 0; }
  fi
  in_instance "$2" current_tracer
  set_value "$INSIDE" function_graph 'level graph'
}

# --- the state folder ------------------------------------------------------------------------------------------------

# type_of_state: the file system of the longest mount point that the state folder lies under.
type_of_state() {
  awk -v at="$STATE/" -v root="$ROOT" '{ m = root $2; if (m !~ /\/$/) m = m "/"; if (index(at, m) == 1 && length(m) >= best) { best = length(m); type = $3 } } END { print type }' "$ROOT/proc/mounts" 2> /dev/null
}
# A state folder that others can change decides what root reads and writes: refused. The owner is the caller, or the one
# that the file system gives to what the caller makes (9p and NFS may map owners). No folder above may let others rename
# it.
own_state() {
  case $STATE in *"$NEWLINE"* | */../* | */..) die "$STATE: give the state folder without .. and line breaks" ;; esac
  set -- /proc/self/ "$STATE/."
  for path in "$STATE" "$(cd -P "$STATE" 2> /dev/null && pwd -P)"; do
    while [ -n "$path" ]; do path=${path%/*}; set -- "$@" "$path/."; done
  done
  me='' mode='' owner='' above=''
  # ls puts them in an order of its own.
  while read -r found _ uid _ _ _ _ _ path; do
    case $path in
      /proc/self/) me=$uid ;;
      "$STATE/.") mode=$found owner=$uid ;;
      *) above="$above$found $uid " ;;
    esac
  done <<EOF
$(ls -ldn "$@" 2> /dev/null)
EOF
  if [ -z "$me" ] || [ -z "$owner" ]; then die "$STATE: its owner cannot be read"; fi
  if [ "$owner" != "$me" ]; then
    made=''
    case $(type_of_state) in 9p | nfs* | cifs | smb* | virtiofs | fuse*)
      # shellcheck disable=SC2012
      if mkdir "$STATE/owner" 2> /dev/null; then made=$(ls -ldn "$STATE/owner" | while read -r _ _ uid _; do printf '%s' "$uid"; done); fi
      rmdir "$STATE/owner" 2> /dev/null ;;
    esac
    [ "$owner" = "$made" ] ||
      die "$STATE belongs to user $owner, not to the caller ($me): what is in it is not trusted. Give another folder with --state, or remove it"
  fi
  case $mode in ?????w* | ????????w*)
    die "$STATE can be written by others than its owner: what is in it is not trusted. chmod go-w $STATE, once you have looked at it" ;;
  esac
  # shellcheck disable=SC2086 # words are meant
  set -- $above
  while [ $# -ge 2 ]; do
    case $1 in
      ????????w[tT]*) ;;
      ????????w*) die "$STATE lies in a folder that everybody can write, so that it can be replaced: give another with --state" ;;
    esac
    case $2 in 0 | "$me" | "$owner") ;; *) die "$STATE lies in a folder of user $2, who can replace it: give another with --state" ;; esac
    shift 2
  done
}

lock() {
  mkdir -p "$STATE" 2> /dev/null || die "$STATE cannot be made: give a folder that outlives the kexec with --state"
  own_state
  tries=0
  until mkdir "$STATE/lock" 2> /dev/null; do
    first_line "$STATE/lock/pid" || LINE=''
    # Killed between making the folder and writing its pid, it leaves none: wait a little, then take it.
    if { [ -n "$LINE" ] && ! kill -0 "$LINE" 2> /dev/null; } || { [ -z "$LINE" ] && [ $tries -ge 2 ]; }; then
      rm -f "$STATE/lock/pid"
      rmdir "$STATE/lock" 2> /dev/null
    elif [ $tries -ge 10 ]; then die "another recorder (process $LINE) is at work in $STATE"
    elif [ $tries -ge 2 ] && ! [ -d "$STATE/lock" ]; then die "$STATE cannot be written (is the disk full?)"
    else sleep 1; fi
    tries=$((tries + 1))
  done
  # `disarm` must be possible on a full disk.
  { printf '%s\n' $$ > "$STATE/lock/pid"; } 2> /dev/null || [ "$VERB" = disarm ] || {
    unlock
    die "$STATE cannot be written (is the disk full?): nothing has been changed"
  }
  trap unlock EXIT
  trap 'exit 3' HUP INT TERM
  # Killed between the two renames of `save`: both are whole.
  if ! [ -e "$STATE/old" ] && [ -d "$STATE/old.before" ]; then mv "$STATE/old.before" "$STATE/old"; fi
}
unlock() {
  rm -f "$STATE/lock/pid"
  rmdir "$STATE/lock" 2> /dev/null
}

# KEY=VALUE lines of the boot that is armed, in ARMED_*. A value that this recorder would not write is not taken.
read_armed() {
  ARMED_BOOT='' ARMED_HALF='' ARMED_LEVEL='' ARMED_RING='' ARMED_MARKS='' ARMED_MARKER='' ARMED_PERSISTENT=no
  ARMED_WITH='' ARMED_HASH='' ARMED_PROBES='' ARMED_UPDATE='' ARMED_OLD_BOOT='' COLLECTED='' COLLECTED_SUM=''
  [ -r "$STATE/armed" ] || return 1
  while IFS='=' read -r key value; do
    armed_value "$key" "$value" || continue
    case $key in
      boot) ARMED_BOOT=$value ;;
      half) ARMED_HALF=$value ;;
      level) ARMED_LEVEL=$value ;;
      ring) ARMED_RING=$value ;;
      marks) ARMED_MARKS=$value ;;
      marker) ARMED_MARKER=$value ;;
      persistent) ARMED_PERSISTENT=$value ;;
      with) ARMED_WITH=$value ;;
      hash) ARMED_HASH=$value ;;
      probes) ARMED_PROBES=$value ;;
      update) ARMED_UPDATE=$value ;;
      old_boot) ARMED_OLD_BOOT=$value ;;
      collected) COLLECTED=$value ;;
      sum) COLLECTED_SUM=$value ;;
    esac
  done < "$STATE/armed"
  [ -n "$ARMED_BOOT" ]
}
# armed_value KEY VALUE: whether it is one that `arm` or `collect` writes.
armed_value() {
  case $1=$2 in
    boot=*[!A-Za-z0-9_-]* | old_boot=*[!A-Za-z0-9_-]* | update=*[!0-9a-f]* | sum=*[!0-9a-f]*) false ;;
    boot=* | old_boot=* | update=* | sum=*) true ;;
    half=old | half=new | persistent=yes | persistent=no | probes= | probes=kprobe | probes=fprobe) true ;;
    level=markers | level=events | level=probes | level=graph) true ;;
    ring=*/* | ring=.* | ring= | marks=*/* | marks=.* | marks=) false ;;
    ring=* | marks=*) true ;;
    with=*[!a-z,]*) false ;;
    marker=*/../*) false ;;
    marker="$TRACING"/trace_marker | marker="$TRACING"/instances/*/trace_marker) [ -n "$TRACING" ] ;;
    with=* | hash= | hash=/* | collected=/*) true ;;
    *) false ;;
  esac
}
write_armed() { # HALF MARKER
  {
    printf 'boot=%s\nhalf=%s\nlevel=%s\nring=%s\n' "$BOOT_ID" "$1" "$LEVEL" "$RING"
    printf 'marks=%s\nmarker=%s\npersistent=%s\nwith=%s\nhash=%s\nprobes=%s\n' "$MARKS" "$2" "$PERSISTENT" "$WITH" "$HASH_KEY" "${CHEAPER:-$PROBES}"
    printf 'update=%s\nold_boot=%s\n' "$UPDATE" "$OLD_BOOT"
  } | write_whole "$STATE/armed" || die "$STATE/armed cannot be written (is the disk full?)"
}
# write_whole FILE: standard input, whole or not at all.
write_whole() {
  if { cat > "$1.new"; } 2> /dev/null && mv -f "$1.new" "$1" 2> /dev/null; then return 0; fi
  rm -f "$1.new"
  return 1
}
# make_id: 32 hexadecimal digits that no other update has, in $UPDATE.
make_id() {
  first_line "$ROOT/proc/sys/kernel/random/uuid" || first_line /proc/sys/kernel/random/uuid ||
    LINE=$(od -An -tx1 -N 16 /dev/urandom | tr -d ' \n')
  IFS=-
  # shellcheck disable=SC2086 # a UUID's five parts
  set -- $LINE
  unset IFS
  UPDATE=$1${2-}${3-}${4-}${5-}
}
UPDATE='' OLD_BOOT=''

# --- what is read beside the events ----------------------------------------------------------------------------------

# What looks like a secret's key, in any case of letters: these words anywhere, these at its end, these alone. The same
# table is in src/base/text/secrets.ts; a test compares them.
SECRET_PARTS='pass|secret|token|credential|auth|apikey|accesskey|privkey|signature|bearer|cookie'
SECRET_ENDS='key|pw|pwd|psk|[._-]pin|[._-]sig|[._-]sas|[._-]otp|[._-]hmac|[._-]creds?'
SECRET_WORDS='pin|sig|sas|otp|hmac|creds?|systemd[.]run|proctitle|cmdline|a[0-9]+'

# Values of such keys, credentials in addresses, what follows `Bearer` or `--password`: as functions of awk.
# secrets(LINE) sets HIDDEN, AT[] and LENGTH[], in order. A key is found wherever it stands, also within another key's
# value (`systemd.setenv=DB_PASSWORD=…`, `…?sig=…`), whichever line of the log repeats a command line.
# shellcheck disable=SC2016 # awk's, not the shell's
FIND_SECRETS='
  function is_secret(key, line,   i) {
    key = tolower(key)
    sub(/^-+/, "", key)
    if (key ~ ("^(" words ")$")) return key !~ /^(proctitle|cmdline|a[0-9]+)$/ || line ~ /audit/
    if (key ~ parts || key ~ ("(" ends ")$")) return 1
    for (i = 1; i <= more_keys; i++) if (key == more_key[i]) return 1
    return 0
  }
  function hide(at, size) {
    if (size < 1 || at < LAST) return
    AT[++HIDDEN] = at; LENGTH[HIDDEN] = size; LAST = at + size
  }
  # Up to where the value at FROM reaches: to its closing quote, to the end of the line, or to a blank.
  function value_length(line, from, to_end,   rest, quote) {
    rest = substr(line, from)
    if (to_end) return match(rest, /[\001\r]/) ? RSTART - 1 : length(rest)
    quote = substr(rest, 1, 1)
    if (quote == "\"" || quote == "\047") {
      rest = substr(rest, 2)
      return (index(rest, quote) ? index(rest, quote) : length(rest)) + 1
    }
    return match(rest, /[ \t"\047\001-\037]/) ? RSTART - 1 : length(rest)
  }
  function secrets(line,   at, rest, key, before, value, from, size, word) {
    HIDDEN = 0; LAST = 0
    if (line !~ /[=@]|-[A-Za-z]|[Bb]earer/ && !NEXT_IS_SECRET) return
    # `with arguments:` prints each word on a line of its own.
    if (NEXT_IS_SECRET && match(line, /    +[^ ]/)) hide(RSTART + RLENGTH - 1, value_length(line, RSTART + RLENGTH - 1, 1))
    NEXT_IS_SECRET = line ~ /    +--[A-Za-z]/ && line !~ /=/ && match(line, /--[A-Za-z0-9_.-]+[\001\r]?$/) && is_secret(substr(line, RSTART, RLENGTH - (line ~ /[\001\r]$/)), line)
    at = 1
    while (match(rest = substr(line, at), /[A-Za-z0-9_.-]+"?=|--[A-Za-z0-9_.-]+[ \t]+|[Bb]earer +|:\/\/[^\/@ ]*@|=[^ ]*@/)) {
      word = substr(rest, RSTART, RLENGTH)
      from = at + RSTART - 1 + RLENGTH
      if (word ~ /^[Bb]earer/) hide(from, value_length(line, from, 0))
      else if (word ~ /^:\/\//) hide(from - RLENGTH + 3, RLENGTH - 4)
      else if (word ~ /^=/) {
        # user:password@host, after a scheme like iscsi: or none.
        if (match(word, /[^\/:@, =]*:[^\/@ ]*@/)) hide(from - length(word) + RSTART - 1, RLENGTH - 1)
        at = from - length(word) + 1
        continue
      }
      else {
        key = word
        sub(/"?=$|[ \t]+$/, "", key)
        # LUO prints the number of a file as its token.
        if (!(key == "token" && match(substr(line, from), /^(0x)?[0-9a-f]+/) && RLENGTH < 19 && line ~ /luo/) && is_secret(key, line)) {
          before = substr(line, 1, from - length(word) - 1)
          size = value_length(line, from, before ~ /    $/ && word ~ /=$/)
          # A quote that began before the key ends the value.
          if (before ~ /(^|[ =])"$/ && index(substr(line, from), "\"")) size = index(substr(line, from), "\"") - 1
          hide(from, size)
          from += size
        }
        else if (word ~ /=$/) from--
      }
      at = from > at ? from : at + 1
    }
  }
  function without_secrets(line,   i, out, from) {
    secrets(line)
    if (!HIDDEN) return line
    from = 1
    for (i = 1; i <= HIDDEN; i++) {
      out = out substr(line, from, AT[i] - from) "REDACTED"
      from = AT[i] + LENGTH[i]
    }
    return out substr(line, from)
  }
  function know_secrets(more) { more_keys = split(tolower(more), more_key, ",") }'
secrets_awk() { # PROGRAM [AWK-OPTION...]
  program=$1
  shift
  awk -v parts="$SECRET_PARTS" -v ends="$SECRET_ENDS" -v words="$SECRET_WORDS" -v more="$REDACT" "$@" \
    "$FIND_SECRETS BEGIN { know_secrets(more) } $program"
}
# redact: standard input without secrets, a command line or a log.
redact() {
  [ "$REDACT" = none ] && { cat; return; }
  secrets_awk '{ print without_secrets($0) }'
}

# Readings of each clock between two of the TSC, back to back in one process: see docs/capture-format.md.
CLOCK_ROUNDS=16
clock_pairs() { # FILE
  case " $(cat "$TRACING/trace_clock" 2> /dev/null) " in *x86-tsc*) ;; *)
    defect no-tsc-clock 'this kernel has no trace clock x86-tsc: the two kernels can be placed on one axis by the wall clock only'
    return 0 ;;
  esac
  pairs=$1
  stats=per_cpu/cpu0/stats
  for clock in x86-tsc local mono boot tai; do
    make_instance "blackout_$clock" 'to read its clock; removed at once' || return 0
    put "$TRACING/instances/blackout_$clock/trace_clock" "$clock"
    put "$TRACING/instances/blackout_$clock/buffer_size_kb" 4
  done
  inst=$TRACING/instances/blackout_
  set --
  round=0
  while [ $round -lt $CLOCK_ROUNDS ]; do
    set -- "$@" "${inst}x86-tsc/$stats" "${inst}local/$stats" "${inst}x86-tsc/$stats" "${inst}mono/$stats" \
      "${inst}x86-tsc/$stats" "${inst}boot/$stats" "${inst}x86-tsc/$stats" "${inst}tai/$stats" "${inst}x86-tsc/$stats"
    round=$((round + 1))
  done
  cat "$@" 2> /dev/null | grep '^now ts' | into "$pairs"
  written=$?
  for clock in x86-tsc local mono boot tai; do "${TOOLS}rmdir" "${inst}$clock" 2> /dev/null; done
  return $written
}

kernel_log() {
  if [ -n "$ROOT" ]; then cat "$ROOT/var/log/dmesg" 2> /dev/null; else dmesg 2> /dev/null; fi
}

# A file that could not be written whole, in $FAILED; the first one counts.
FAILED=''
failed() { FAILED=${FAILED:-$1}; return 1; }
# is_full FOLDER: whether 64 KiB can not be written there.
is_full() {
  full=yes
  if dd if=/dev/zero of="$1/probe" bs=65536 count=1 2> /dev/null; then full=no; fi
  rm -f "$1/probe"
  [ $full = yes ]
}
# copy_if FILE TO: if it can be read. What cannot be read is left out; what cannot be written is a failure.
copy_if() {
  [ -r "$1" ] || return 0
  { cat "$1" > "$2"; } 2> /dev/null && return 0
  rm -f "$2"
  if is_full "${2%/*}"; then failed "$2"; fi
}
# into FILE: standard input; awk alone would not report a full disk.
into() { { cat > "$1"; } 2> /dev/null; }

# What formats and symbols depend on: events there are, probes by their definitions, modules by their addresses.
# Nothing if they cannot be summed up: Debian's busybox has no cksum.
kernel_contents() {
  {
    set +f
    ls "$TRACING"/events/*
    set -f
    cat "$TRACING/dynamic_events" || cat "$TRACING/kprobe_events"
    awk '{ print $1, $6 }' "$ROOT/proc/modules"
  } 2> /dev/null | if command -v cksum > /dev/null 2>&1; then cksum; elif command -v sha256sum > /dev/null 2>&1; then sha256sum; fi
}

# release_of IMAGE: the release that a kernel image names. x86's header points to it (kernel_version at 0x20e,
# Documentation/arch/x86/boot.rst); of other images it is the kernel's own first line, packed by gzip or not at all.
release_of() {
  # shellcheck disable=SC2046 # words are meant: 14 bytes from the magic HdrS at 0x202 on
  set -- "$1" $(od -An -v -tu1 -j 514 -N 14 "$1" 2> /dev/null)
  if [ "${2-} ${3-} ${4-} ${5-}" = '72 100 114 83' ]; then
    tail -c +$((512 + ${14:-0} + ${15:-0} * 256 + 1)) "$1" | head -c 128 | tr -c '!-~' '\n' | head -n 1
  else
    { gzip -dc < "$1" 2> /dev/null || cat "$1"; } | tr -c ' -~' '\n' | sed -n 's/^Linux version \([0-9][^ ]*\) .*/\1/p' | head -n 1
  fi 2> /dev/null
}
# name_image: notes what --kernel names. The capture of an update that died has nothing else that names its kernel.
name_image() {
  [ -n "$IMAGE" ] || return 0
  [ "$DRY" = no ] || { echo "note   the release of $IMAGE"; return 0; }
  release=''
  if [ -f "$IMAGE" ] && [ -r "$IMAGE" ]; then release=$(release_of "$IMAGE"); fi
  case $release in
    [0-9]*.[0-9]*) ;;
    *) defect image-unknown "$IMAGE: not a kernel image that names its release, or not readable: the loaded kernel is not named"; return 0 ;;
  esac
  {
    printf 'image_release %.64s\nimage_bytes %s\n' "$release" "$(($(wc -c < "$IMAGE")))"
    if look_at_image; then printf 'stamped %s\n%s' "$STAMPED" "${COMPRESSION:+compression $COMPRESSION$NEWLINE}"; fi
    if [ -n "$INITRD" ] && [ -r "$INITRD" ]; then printf 'initrd_bytes %s\n' "$(($(wc -c < "$INITRD")))"; fi
  } | write_whole "$STATE/image" || die "$STATE cannot be written (is the disk full?)"
}

# number_at OFFSET BYTES: an integer of $IMAGE, least byte first, in $NUMBER; fails without it.
number_at() {
  NUMBER=$(od -An -v -tu1 -j "$1" -N "$2" "$IMAGE" 2> /dev/null | awk '
    BEGIN { unit = 1 }
    { for (i = 1; i <= NF; i++) { sum += $i * unit; unit *= 256 } }
    END { if (unit > 1) printf "%.0f", sum }')
  [ -n "$NUMBER" ]
}
hex_at() { od -An -v -tx1 -j "$1" -N "$2" "$IMAGE" 2> /dev/null | tr -d ' \n'; }
# look_at_image: of $IMAGE, an x86 bzImage (Documentation/arch/x86/boot.rst), $COMPRESSION and $STAMPED, yes or no;
# fails for anything else.
look_at_image() {
  COMPRESSION='' STAMPED=no
  [ -f "$IMAGE" ] && [ -r "$IMAGE" ] && [ "$(hex_at 514 4)" = 48647253 ] && number_at 497 1 || return 1
  [ "$NUMBER" -gt 0 ] || NUMBER=4
  body=$((NUMBER * 512 + 512))
  number_at 584 4 || return 1
  case $(hex_at $((body + NUMBER)) 4) in
    1f8b*) COMPRESSION=gzip ;;
    02214c18) COMPRESSION=lz4 ;;
    fd377a58) COMPRESSION=xz ;;
    28b52ffd) COMPRESSION=zstd ;;
    425a68*) COMPRESSION=bzip2 ;;
    5d0000*) COMPRESSION=lzma ;;
    894c5a4f) COMPRESSION=lzo ;;
  esac
  # The jump to stamp 1, at the 64-bit entry: docs/image-stamp.md.
  if [ "$(hex_at $((body + 512)) 6)" = ebde0f1f4000 ]; then STAMPED=yes; fi
}
# is_this_build: whether $IMAGE is of this kernel's build. Its header points to the release and, from # on, the number
# and the time of the build; /proc/version has both.
is_this_build() {
  first_line "$ROOT/proc/version" && [ -f "$IMAGE" ] && [ "$(hex_at 514 4)" = 48647253 ] && number_at 526 2 || return 1
  version=$(tail -c +$((512 + NUMBER + 1)) "$IMAGE" | head -c 256 | tr -c ' -~' '\n' | head -n 1)
  case $version in "$RELEASE "*'#'?*) [ "${version#*\#}" = "${LINE#*\#}" ] ;; *) false ;; esac
}
# know_build: $SAME_BUILD, if an image is given.
know_build() { if [ -n "$IMAGE" ] && is_this_build; then SAME_BUILD=yes; fi; }

# save_config FOLDER [EARLIER-FOLDER]: the kernel's configuration, which does not change while it runs.
save_config() {
  if [ -n "$2" ] && [ -e "$2/config.gz" ]; then
    ln "$2/config.gz" "$1/config.gz" 2> /dev/null || copy_if "$2/config.gz" "$1/config.gz"
    return 0
  fi
  if ! [ -r "$ROOT/proc/config.gz" ] && ! [ -r "$ROOT/boot/config-$RELEASE" ]; then return 0; fi
  {
    if [ -r "$ROOT/proc/config.gz" ]; then gzip -dc < "$ROOT/proc/config.gz"; else cat "$ROOT/boot/config-$RELEASE"; fi |
      if [ "$REDACT" = none ]; then cat; else sed 's/^\(CONFIG_CMDLINE="\)..*"$/\1REDACTED"/'; fi | gzip -1 > "$1/config.gz"
  } 2> /dev/null || failed "$1/config.gz"
}

BOOT_PARAMS=$ROOT/sys/kernel/boot_params/data
# facts PART: lines of KEY VALUE about this host, and in the old kernel about the next one's image.
facts() {
  if first_line "$ROOT/sys/devices/system/cpu/online"; then
    printf '%s\n' "$LINE" | awk -F, '
      { for (i = 1; i <= NF; i++) { n = split($i, ends, "-"); sum += n > 1 ? ends[2] - ends[1] + 1 : 1 } print "cpus", sum }'
  fi
  case $1 in
    new.new)
      # KASLR_FLAG of loadflags.
      loadflags=$(od -An -v -tu1 -j 529 -N 1 "$BOOT_PARAMS" 2> /dev/null | tr -d ' ')
      case $loadflags in '' | *[!0-9]*) ;; *) if [ $((loadflags & 2)) = 0 ]; then echo 'kaslr off'; else echo 'kaslr on'; fi ;; esac ;;
    old.new) if [ -r "$STATE/image" ]; then cat "$STATE/image"; fi ;;
  esac
}

# threads: lines of a thread and its process, as tracefs' saved_tgids has them: those that it recorded, and those that
# run now, which a kernel records only from when it was asked to.
threads() {
  [ ! -r "$TRACING/saved_tgids" ] || cat "$TRACING/saved_tgids" 2> /dev/null
  set +f
  for thread in "$ROOT"/proc/[0-9]*/task/[0-9]*; do
    process=${thread%/task/*}
    case $thread in *'*') ;; *) printf '%s %s\n' "${thread##*/}" "${process##*/}" ;; esac
  done
  set -f
}

# save_boot FOLDER [EARLIER-FOLDER]: what takes long is not read again if it cannot have changed. Fails, with $FAILED,
# if a file could not be written whole.
save_boot() {
  FAILED=''
  mkdir -p "$1" || { failed "$1"; return 1; }
  printf 'boot_id=%s\n%s' "$BOOT_ID" "${UPDATE:+update=$UPDATE$NEWLINE}" | into "$1/ids" || failed "$1/ids"
  clock_pairs "$1/clock_pairs" || failed "$1/clock_pairs"
  if [ -n "$ROOT" ]; then printf 'Linux host %s #1 x86_64 GNU/Linux\n' "$RELEASE"; else uname -a; fi | into "$1/uname" || failed "$1/uname"
  copy_if "$ROOT/sys/devices/system/clocksource/clocksource0/current_clocksource" "$1/clocksource"
  for file in header_page header_event; do copy_if "$TRACING/events/$file" "$1/$file"; done
  copy_if "$STATE/costs" "$1/costs"
  for file in printk_formats saved_cmdlines; do copy_if "$TRACING/$file" "$1/$file"; done
  threads | into "$1/saved_tgids" || failed "$1/saved_tgids"
  contents=$(kernel_contents)
  first_line "$STATE/contents" || LINE=''
  if [ -n "${2-}" ] && [ -n "$contents" ] && [ "$LINE" = "$contents" ]; then
    for file in formats.gz kallsyms.gz; do
      if [ -e "$2/$file" ]; then ln "$2/$file" "$1/$file" 2> /dev/null || copy_if "$2/$file" "$1/$file"; fi
    done
  else
    (
      cd "$TRACING/events" || exit
      set +f
      for folder in */; do grep -H '' "$folder"*/format /dev/null; done 2> /dev/null | gzip -1 2> /dev/null > "$1/formats.gz"
    ) || failed "$1/formats.gz"
    if [ -r "$ROOT/proc/kallsyms" ]; then gzip -1 < "$ROOT/proc/kallsyms" 2> /dev/null > "$1/kallsyms.gz" || failed "$1/kallsyms.gz"; fi
    put "$STATE/contents" "$contents" || rm -f "$STATE/contents"
  fi
  # shellcheck disable=SC2012 # a listing is wanted
  ls -l "$ROOT/sys/kernel/debug/kho" "$ROOT/sys/kernel/debug/kho/out" "$ROOT/sys/kernel/debug/kho/in" 2> /dev/null | into "$1/kho" || failed "$1/kho"
  save_config "$1" "${2-}"
  # The page of the loader that started this kernel has its image's stamps: docs/image-stamp.md.
  if [ "${1##*/}" = new.new ]; then copy_if "$BOOT_PARAMS" "$1/boot_params"; fi
  known=$(facts "${1##*/}")
  [ -z "$known" ] || put "$1/facts" "$known" || failed "$1/facts"
  printf '%s\n' "$CMDLINE" | redact | into "$1/cmdline" || failed "$1/cmdline"
  kernel_log | redact | into "$1/dmesg" || failed "$1/dmesg"
  [ -z "$FAILED" ]
}

# What the next kernel needs of the state folder, as one archive in a file that outlives the kexec: a memfd that the
# owner of /dev/liveupdate preserves in a session, as /proc/PID/fd/N. To be written before it is preserved, for a
# preserved memfd does not grow (shmem_freeze, mm/shmem.c).
to_carrier() {
  [ -n "$CARRIER" ] || return 0
  # shellcheck disable=SC2046 # words are meant
  if tar -C "$STATE" -cf - $(cd "$STATE" && for file in old armed defects layout traceable costs; do [ ! -e "$file" ] || echo "$file"; done) 2> /dev/null > "$CARRIER"; then
    say "saved in $STATE, and in $CARRIER ($(wc -c < "$CARRIER") bytes)"
  else say "$CARRIER could not be written: what is saved is in $STATE alone"; fi
}
# What a carrier may hold, and nothing else. It belongs to the owner of the memfd, and the recorder runs as root: plain
# files of these names are taken, each at most so large, and what they say is checked.
CARRIED='old/ids old/clock_pairs old/uname old/clocksource old/header_page old/header_event old/costs old/printk_formats
  old/saved_cmdlines old/saved_tgids old/formats.gz old/kallsyms.gz old/config.gz old/facts old/kho old/cmdline old/dmesg armed defects layout traceable costs'
CARRIED_BYTES=67108864
# from_carrier: used if the state folder has no files of the old kernel's.
from_carrier() {
  [ -n "$CARRIER" ] || return 0
  [ -d "$STATE/old" ] && { say "$STATE has what the old kernel saved: $CARRIER is not needed"; return 0; }
  rm -rf "$STATE/carried"
  # Not unpacked: each file's contents are read by its name, so that no path and no link of the archive is followed.
  list=$(tar -tvf - < "$CARRIER" 2> /dev/null | head -n 100)
  members=$(tar -tf - < "$CARRIER" 2> /dev/null | head -n 100)
  # busybox lists a hard link as a plain file with its target.
  odd=$(printf '%s\n' "$list" | grep -e '^[^-d]' -e ' -> ' -e ' link to ' | head -n 1)
  [ -z "$odd" ] || odd='links or special files'
  [ "$(printf '%s\n' "$members" | wc -l)" -lt 100 ] || odd='too many members'
  twice=$(printf '%s\n' "$members" | sort | uniq -d | head -n 1)
  for member in $members; do
    case " old/ old $(printf '%s' "$CARRIED" | tr -s '\n ' '  ') " in *" $member "*) ;; *) odd=${odd:-$(printf '%s' "$member" | tr -cd ' -~' | cut -c 1-60)} ;; esac
  done
  if [ -n "$odd$twice" ]; then
    defect carrier-refused "$CARRIER is not what a recorder saved (${odd:-$twice twice}): nothing is taken from it"
    return 0
  fi
  case $NEWLINE$members$NEWLINE in *"${NEWLINE}old/uname$NEWLINE"*) ;; *)
    defect carrier-empty "$CARRIER holds nothing that the old kernel saved"
    return 0 ;;
  esac
  mkdir -p "$STATE/carried/old" || die "$STATE cannot be written (is the disk full?)"
  for member in $members; do
    case $member in old | old/) continue ;; esac
    tar -xOf - "$member" < "$CARRIER" 2> /dev/null | head -c $CARRIED_BYTES | into "$STATE/carried/$member" ||
      { rm -rf "$STATE/carried"; die "$STATE cannot be written (is the disk full?): $CARRIER is as it was"; }
  done
  for file in costs traceable defects; do
    [ ! -e "$STATE/carried/$file" ] || carried_lines "$file" < "$STATE/carried/$file" | write_whole "$STATE/$file"
  done
  if [ -e "$STATE/carried/layout" ] && layout_is_sane "$STATE/carried/layout"; then mv "$STATE/carried/layout" "$STATE/layout"; fi
  rm -f "$STATE/carried/old/costs"
  copy_if "$STATE/costs" "$STATE/carried/old/costs"
  if [ -e "$STATE/carried/old/facts" ]; then
    carried_lines facts < "$STATE/carried/old/facts" | write_whole "$STATE/carried/facts"
    mv "$STATE/carried/facts" "$STATE/carried/old/facts" 2> /dev/null || rm -f "$STATE/carried/old/facts"
  fi
  # Which rings those were, where the new kernel armed itself without knowing. Never where to write, nor which key to
  # use.
  if [ -r "$STATE/carried/armed" ]; then
    while IFS='=' read -r key value; do
      case $key in ring | marks | persistent | level | with | update) armed_value "$key" "$value" && printf '%s=%s\n' "$key" "$value" ;;
        boot) armed_value boot "$value" && printf 'old_boot=%s\n' "$value" ;;
        hash) [ -z "$value" ] || echo hash=/ ;;
      esac
    done < "$STATE/carried/armed" > "$STATE/carried/known"
    # It was armed in an earlier boot, and in none of the state folder's.
    {
      if [ -e "$STATE/armed" ]; then cat "$STATE/armed"; else printf 'boot=carried\nhalf=old\nmarker=%s\n' "$TRACING/trace_marker"; fi
      cat "$STATE/carried/known"
    } | write_whole "$STATE/armed" || die "$STATE cannot be written (is the disk full?)"
  fi
  mv "$STATE/carried/old" "$STATE/old" || die "$STATE cannot be written (is the disk full?)"
  rm -rf "$STATE/carried"
  say "what the old kernel saved comes of $CARRIER"
}
# carried_lines FILE: those lines of standard input that a recorder writes into it, at most 1,000.
carried_lines() {
  case $1 in
    costs) grep '^\(event\|call\|return\|copy\) [0-9]\{1,9\}$' ;;
    facts) grep '^[a-z_]\{1,20\} [!-~]\{1,64\}$' ;;
    traceable) sed -n '1p; 2,$ { /^[A-Za-z0-9_.]*$/p; }' ;;
    *) grep "^[a-z-]*$TAB" | tr -cd '\n\t -~' ;;
  esac | cut -c 1-4000 | head -n 1000
}
# layout_is_sane FILE: offsets within a structure, of the members that are requested; others would record any memory.
layout_is_sane() {
  sed 1d "$1" | awk '
    !/^(kexec_buf\.(bufsz|mem|memsz)|luo_session\.name|luo_session\.file_set|liveupdate_file_op_args\.handler|liveupdate_file_op_args\.serialized_data|liveupdate_file_handler\.compatible) [0-9]+$/ || $2 > 4095 { bad = 1 }
    END { exit bad }'
}

# reboot(2) writes nothing back: what the new kernel is to find must be on the disk before.
to_disk() {
  set +f
  sync "$1"/* 2> /dev/null || sync
  set -f
}

# --- session names as hashes -----------------------------------------------------------------------------------------

# A hash is as long as its name, so that pages keep their layout: HMAC-SHA256 (RFC 2104) of
# "session\0NAME", hexadecimal, after `session-` if 12 digits of it fit. The first 20 characters of
# that are what `blackout archive export --anonymise` makes of the name with the same key.

# A short key could be tried out, and with it the names.
SHORTEST_KEY=16

# know_key FILE: $INNER and $OUTER, the key's two pads as escapes for printf. A file that is not there yet is made.
know_key() {
  command -v sha256sum > /dev/null 2>&1 || die '--hash-sessions needs sha256sum (coreutils, busybox)'
  if ! [ -e "$1" ]; then
    make_key "$1" || die "$1: there is no such key, and it cannot be made"
    say "$1 is a new key: anyone who has it can try names out; keep it, so that captures fit together"
  fi
  size=$(wc -c < "$1" 2> /dev/null) || die "$1: the key cannot be read"
  [ "$((size))" -ge $SHORTEST_KEY ] || die "$1: has $((size)) bytes; a key needs $SHORTEST_KEY or more (head -c 32 /dev/urandom > $1)"
  # SHA-256's block is 64 bytes; a longer key is hashed first.
  # shellcheck disable=SC2059 # escapes, all of it
  pads=$(if [ "$((size))" -gt 64 ]; then printf "$(escapes_of_hex "$(sha256sum < "$1")")"; else cat "$1"; fi |
    od -An -v -tu1 | awk '
      function exclusive(a, b,   bit, sum) {
        for (bit = 1; bit < 256; bit *= 2) if (int(a / bit) % 2 != int(b / bit) % 2) sum += bit
        return sum
      }
      { for (i = 1; i <= NF; i++) key[n++] = $i }
      END {
        for (i = 0; i < 64; i++) { inner = inner sprintf("\\%03o", exclusive(key[i], 54)); outer = outer sprintf("\\%03o", exclusive(key[i], 92)) }
        print inner, outer
      }')
  INNER=${pads% *} OUTER=${pads#* }
}
# make_key FILE: through a private folder beside it, so that no link is followed.
make_key() {
  [ ! -L "$1" ] || return 1
  (
    private_folder "$1" || exit 1
    dd if=/dev/urandom of=key bs=32 count=1 2> /dev/null && [ "$(wc -c < key)" -eq 32 ] && publish key "${1##*/}"
    made=$?
    leave_private_folder
    exit $made
  )
}
# private_folder FILE: a new folder beside FILE that only the caller can enter becomes the current one, so that a later
# swap of its name changes nothing; in $PRIVATE. Names in it are ours.
private_folder() {
  beside=${1%/*}
  cd "${beside:-/}" 2> /dev/null || return 1
  if command -v mktemp > /dev/null 2>&1; then PRIVATE=$(mktemp -d ./.blackout.XXXXXX 2> /dev/null) || return 1
  else
    PRIVATE=./.blackout.$$
    mkdir "$PRIVATE" 2> /dev/null || return 1
  fi
  PRIVATE=${PRIVATE#./}
  cd -P "$PRIVATE" 2> /dev/null || return 1
  case $(ls -ld .) in drwx--[-S]---*) ;; *) return 1 ;; esac
}
leave_private_folder() {
  # Only what this recorder made is in it.
  rm -rf ./archive ./capture ./key ./initrd ./text ./tar-failed ./of-blackout
  cd .. && rmdir "$PRIVATE" 2> /dev/null
}
# publish FILE NAME: FILE of the private folder becomes NAME beside it, unless there is something of that name.
publish() {
  if [ -e "../$2" ] || [ -L "../$2" ]; then return 1; fi
  if [ -d "$1" ]; then
    mv "$1" "../$2" 2> /dev/null || return 1
    # A folder of that name came about meanwhile, and took ours in.
    if [ -L "../$2" ] || [ -d "../$2/$1" ]; then mv "../$2/$1" . 2> /dev/null; return 1; fi
  elif ln "$1" "../$2" 2> /dev/null; then
    if [ -L "../$2" ] || [ -d "../$2" ]; then rm -f "../$2/$1"; return 1; fi
    rm -f "$1"
  else
    # A file system without hard links.
    if [ -e "../$2" ] || [ -L "../$2" ]; then return 1; fi
    mv "$1" "../$2" 2> /dev/null || return 1
  fi
}
# escapes_of_hex DIGITS: `\ooo` for each two of the first word's.
escapes_of_hex() {
  printf '%s\n' "$1" | awk '{
    for (i = 1; i < length($1); i += 2)
      printf "\\%03o", (index("0123456789abcdef", substr($1, i, 1)) - 1) * 16 + index("0123456789abcdef", substr($1, i + 1, 1)) - 1
    print ""
  }'
}
# hash_of ESCAPED-NAME [ROUND]: 64 hexadecimal digits in $HASH.
# shellcheck disable=SC2059 # the formats are escapes, all of them
hash_of() {
  HASH=$({ printf "$INNER"; printf 'session\000'; printf "$1"; [ -z "${2-}" ] || printf '\000%s' "$2"; } | sha256sum)
  HASH=$({ printf "$OUTER"; printf "$(escapes_of_hex "$HASH")"; } | sha256sum)
  HASH=${HASH%% *}
}
# Names, escaped, on standard input, into lines of NAME PSEUDONYM. A short name has few digits: where two names of one
# capture would be the same, the later one is hashed again.
pseudonyms() {
  taken=' '
  while IFS= read -r name; do
    length=$((${#name} / 4))
    round=''
    while :; do
      hash_of "$name" $round
      if [ $length -ge 20 ]; then short=session-$HASH; else short=$HASH; fi
      short=$(printf '%s' "$short" | head -c $length)
      case $taken in
        *" $short "*) [ "${round:-0}" -lt 64 ] || { short=$(printf '%*s' $length '' | tr ' ' x); break; } ;;
        *) break ;;
      esac
      round=$((${round:-0} + 1))
    done
    taken="$taken$short "
    printf '%s %s\n' "$name" "$short"
  done
}

# What finds names in text, as functions of awk: names(LINE) sets HITS, AT[] and LENGTH[], in order.
# `known`: a file of escaped names, each with its pseudonym or without.
# A name is found if it is called a session's, and if it has eight bytes, one of them a digit, wherever it stands:
# shorter or plainer ones are also words of the kernel's.
# shellcheck disable=SC2016 # awk's, not the shell's
FIND_NAMES='
  function unescaped(text,   i, plain) {
    for (i = 2; i <= length(text); i += 4)
      plain = plain CHARACTER[substr(text, i, 1) * 64 + substr(text, i + 1, 1) * 8 + substr(text, i + 2, 1)]
    return plain
  }
  function escaped(text,   i, result) {
    for (i = 1; i <= length(text); i++) result = result sprintf("\\%03o", CODE[substr(text, i, 1)])
    return result
  }
  function know(file,   i, line, word, name) {
    for (i = 1; i < 256; i++) { CHARACTER[i] = sprintf("%c", i); CODE[CHARACTER[i]] = i }
    while ((getline line < file) > 0) {
      split(line, word, " ")
      name = unescaped(word[1])
      PSEUDONYM[name] = word[2]
      if (length(name) >= 8 && name ~ /[0-9]/) BEGINS[substr(name, 1, 8)] = BEGINS[substr(name, 1, 8)] SUBSEP name
      if (name ~ /[] \t,;)"\047\001]/) ODD[++odds] = name
    }
  }
  function found(at, length_) {
    if (length_ < 1 || length_ > 63 || at <= LAST) return
    AT[++HITS] = at; LENGTH[HITS] = length_; LAST = at + length_ - 1
  }
  # The name at the beginning of text: one that holds what else ends it, or all up to `end`.
  function length_of_name(text, end,   i, best) {
    for (i = 1; i <= odds; i++) if (length(ODD[i]) > best && substr(text, 1, length(ODD[i])) == ODD[i]) best = length(ODD[i])
    if (best) return best
    if (match(text, end)) return RSTART - 1
    return end ~ /^\[ / ? length(text) : 0
  }
  # At `session` in LINE: where its name begins, and what ends it.
  function context(line, at,   rest) {
    rest = substr(line, at + 7, 12)
    UNTIL = "[ \t,;)\001\"]"
    if (match(rest, /^(_name|Name|_id)?"?(=|: ?)["\047]/)) UNTIL = substr(rest, RLENGTH, 1) == "\"" ? "\"" : "\047"
    else if (match(rest, /^:? ?\[/)) UNTIL = "]"
    else if (match(rest, /^:? \047/)) UNTIL = "\047"
    else if (match(rest, /^:? "/)) UNTIL = "\""
    else if (match(rest, /^(_name|Name|_id)?=/)) ;
    else if (!(substr(line, at - 5, 5) == "[luo_" && match(rest, /^\] /))) return 0
    return at + 7 + RLENGTH
  }
  function names(line,   i, n, at, from, list, best, where, size) {
    HITS = 0; LAST = 0
    n = length(line)
    for (at = 1; at <= n - 7; at++) {
      from = substr(line, at, 8)
      if (substr(from, 1, 7) == "session" && (where = context(line, at))) {
        size = length_of_name(substr(line, where, 64), UNTIL)
        if (size) { found(where, size); at = where + size - 1; continue }
      }
      if (!(from in BEGINS)) continue
      best = 0
      for (i = split(BEGINS[from], list, SUBSEP); i > 1; i--) {
        size = length(list[i])
        if (size > best && substr(line, at, size) == list[i] && substr(line, at + size, 1) !~ /[A-Za-z0-9]/) best = size
      }
      if (!best || (at > 1 && substr(line, at - 1, 1) ~ /[A-Za-z0-9]/)) continue
      found(at, best)
      at += best - 1
    }
  }'

# Lines of a sub-buffer file on standard input (od -tu4): where a probe that names a session has its name, `name AT
# NAME`; and what lies behind a page's data, or in a record that was given up, and may be anything: `rest AT BYTES`. The
# layout: include/linux/ring_buffer.h, kernel/trace/ring_buffer.c (rb_event_length, RB_MISSED_STORED).
# shellcheck disable=SC2016 # awk's
FIND_PROBES='
  function rest(at, end,   i) {
    for (i = int((at + 3) / 4); i < end / 4; i++) if (WORD[i]) { print "rest", base + at, end - at; return }
  }
  function text(at, size,   i, byte, result) {
    for (i = at; i < at + size && i < bytes; i++) {
      byte = int(WORD[int(i / 4)] / POWER[i % 4]) % 256
      if (!byte) break
      result = result sprintf("\\%03o", byte)
    }
    return result
  }
  function page(   at, end, type, delta, size, body, id, i, n, field, where, name) {
    size = WORD[2] % 134217728
    if (size > bytes - head) size = bytes - head
    end = head + size
    for (at = head; at + 4 <= end; at += size) {
      type = WORD[at / 4] % 32
      delta = int(WORD[at / 4] / 32)
      body = at + 4
      if (type == 29) {
        if (!delta) { end = body; break }
        size = WORD[body / 4] + 4
        rest(body + 4, at + size > end ? end : at + size)
        if (size < 8 || size % 4) break
        continue
      }
      if (type > 29) { size = 8; continue }
      if (type) size = type * 4 + 4
      else { size = WORD[body / 4] + 4; body += 4 }
      if (size < 8 || size % 4 || at + size > end) break
      id = WORD[body / 4] % 65536
      if (!(id in FIELD)) continue
      n = split(FIELD[id], field, ",")
      for (i = 1; i <= n; i++) {
        where = WORD[int((body + field[i]) / 4)]
        name = text(body + where % 65536, int(where / 65536))
        if (name != "") print "name", base + body + where % 65536, name
      }
    }
    # A count of lost records may follow the data.
    rest(end + (int(WORD[2] / 1073741824) % 2 ? 8 : 0), bytes)
  }
  BEGIN {
    POWER[0] = 1; POWER[1] = 256; POWER[2] = 65536; POWER[3] = 16777216
    n = split(fields, each, " ")
    for (i = 1; i <= n; i++) { split(each[i], pair, "@"); FIELD[pair[1]] = FIELD[pair[1]] (FIELD[pair[1]] == "" ? "" : ",") pair[2] }
    words = bytes / 4
  }
  { for (i = 1; i <= NF; i++) { WORD[n_words++] = $i; if (n_words == words) { page(); base += bytes; n_words = 0 } } }'

# session_fields FORMATS: ID@OFFSET of each event field that holds a session's name.
session_fields() {
  gzip -dc < "$1" 2> /dev/null | awk '
    match($0, /format:ID: [0-9]+/) { id = substr($0, RSTART + 11, RLENGTH - 11) }
    /field:__data_loc char\[\] sess(ion)?(_name)?;/ { match($0, /offset:[0-9]+/); printf "%d@%d ", id, substr($0, RSTART + 7, RLENGTH - 7) }'
}

# Each sub-buffer file of the capture: FILE, the boot that wrote it, the bytes of its sub-buffers.
page_files() {
  set +f
  for part in ring:old luo:old vcpus:old marks:old new:new; do
    boot=${part#*:}
    part=${part%:*}
    first_line "$PARTS/$part.bytes" || LINE=4096
    for file in "$1/$part"/per_cpu/cpu*/trace_pipe_raw; do
      if [ -s "$file" ]; then printf '%s\t%s\t%s\n' "$file" "$boot" "$LINE"; fi
    done
  done
  set -f
}
# The capture's text, in which a session may be named: all that is neither pages nor packed.
text_files() {
  set +f
  for file in "$1"/* "$1"/old/* "$1"/new/* "$1"/ring/* "$1"/luo/* "$1"/vcpus/* "$1"/marks/* "$1"/pstore/*; do
    case $file in *.gz | */boot_params) continue ;; esac
    if [ -f "$file" ] && [ -s "$file" ]; then printf '%s\n' "$file"; fi
  done
  set -f
}
# Pages as lines for names(): what ends a text in them ends a line.
as_lines() { tr '\n\000' '\001\n' < "$1"; }

# rewrite_pages FILE HITS BYTES KNOWN: whole pages are written again, those in which there is something. HITS: lines of
# `name AT NAME`, which becomes its pseudonym; `rest AT SIZE`, which becomes zeros; `secret AT SIZE`, which becomes x.
rewrite_pages() {
  od -An -v -to1 "$1" | awk -v known="$4" -v hits="$2" -v bytes="$3" "$FIND_NAMES"'
    BEGIN {
      know(known)
      while ((getline line < hits) > 0) {
        split(line, word, " ")
        if (word[1] == "rest") { for (i = 0; i < word[3]; i++) { put(word[2] + i, "000"); GONE[word[2] + i] = 1 } }
        else if (word[1] == "secret") { for (i = 0; i < word[3]; i++) put(word[2] + i, "170") }
        else {
          pseudonym = PSEUDONYM[unescaped(word[3])]
          for (i = 1; i <= length(word[3]) / 4; i++) put(word[2] + i - 1, sprintf("%03o", CODE[substr(pseudonym, i, 1)]))
        }
      }
    }
    function put(at, octal) { if (!(at in GONE)) NEW[at] = octal; WANTED[int(at / bytes)] = 1 }
    {
      if (!(int(at / bytes) in WANTED)) { at += NF; next }
      for (i = 1; i <= NF; i++) { out = out "\\" (at in NEW ? NEW[at] : $i); at++ }
      if (at % bytes == 0) { print at / bytes - 1, out; out = "" }
    }' | while read -r page escapes; do
      # shellcheck disable=SC2059 # escapes, all of it
      printf "$escapes" | dd of="$1" bs="$3" seek="$page" conv=notrunc 2> /dev/null || exit 1
    done
}

# hide_secrets FOLDER: what the kernel log's events in pages repeat of command lines, and text of the rings. Values keep
# their length in pages.
hide_secrets() {
  [ "$REDACT" != none ] || return 0
  work=$STATE/hashing
  rm -rf "$work"
  mkdir "$work" || return 1
  page_files "$1" > "$work/pages" || return 1
  while IFS=$TAB read -r file boot bytes; do
    # Most pages hold none, and are not looked at twice.
    [ -n "$REDACT" ] || as_lines "$file" | sed 's/[ ,]token=0x[0-9a-f]*//g' |
      grep -q -i -E "($SECRET_PARTS|$SECRET_ENDS|(^|[^a-z])($SECRET_WORDS))\"?=|--[a-z]|bearer |://[^/@ ]*@|=[^ ]*@" || continue
    as_lines "$file" | secrets_awk '
      { secrets($0); for (i = 1; i <= HIDDEN; i++) print "secret", base + AT[i] - 1, LENGTH[i]; base += length($0) + 1 }' > "$work/hits" || return 1
    [ -s "$work/hits" ] || continue
    own_copy "$file" || return 1
    rewrite_pages "$file" "$work/hits" "$bytes" /dev/null || return 1
  done < "$work/pages"
  set +f
  for file in "$1"/ring/trace "$1"/luo/trace "$1"/vcpus/trace "$1"/marks/trace "$1"/new/trace; do
    set -f
    [ -s "$file" ] || continue
    redact < "$file" | into "$work/text" || return 1
    own_copy "$file" && cat "$work/text" > "$file" || return 1
  done
  set -f
  rm -rf "$work"
}
# own_copy FILE: no longer the same file as the one that was read.
own_copy() { cat "$1" > "$1.own" && mv "$1.own" "$1"; }

# hash_names: text on standard input, with the names that $work/known has as their pseudonyms.
hash_names() {
  awk -v known="$work/known" "$FIND_NAMES"'
    BEGIN { know(known) }
    {
      names($0)
      out = ""
      from = 1
      for (i = 1; i <= HITS; i++) {
        name = substr($0, AT[i], LENGTH[i])
        out = out substr($0, from, AT[i] - from) (name in PSEUDONYM && PSEUDONYM[name] != "" ? PSEUDONYM[name] : "REDACTED")
        from = AT[i] + LENGTH[i]
      }
      print out substr($0, from)
    }'
}
# hash_sessions FOLDER KEY: in all that it holds.
hash_sessions() {
  work=$STATE/hashing
  rm -rf "$work"
  mkdir "$work" || not_hashed "$1"
  : > "$work/found"
  page_files "$1" > "$work/pages"
  text_files "$1" > "$work/texts"
  n=0
  while IFS=$TAB read -r file boot bytes; do
    n=$((n + 1))
    # An event's fields, and where a page's data begins, in the boot that wrote it.
    head=$(awk -F'[:;]' '/field: *char data/ { print $4 }' "$1/$boot/header_page" 2> /dev/null)
    if [ "${head:-0}" != 16 ] || ! [ -s "$1/$boot/formats.gz" ]; then
      defect sessions-not-found "without the $boot kernel's formats no session's name can be found in its pages: they are left out"
      rm -f "$file"
      : > "$work/probes.$n"
      continue
    fi
    od -An -v -tu4 "$file" | awk -v fields="$(session_fields "$1/$boot/formats.gz")" -v bytes="$bytes" -v head=16 "$FIND_PROBES" > "$work/probes.$n"
    # Bytes of an incomplete page cannot be looked through.
    whole=$(($(wc -c < "$file") / bytes * bytes))
    { head -c $whole "$file" > "$work/page" && cat "$work/page" > "$file"; } || not_hashed "$1"
    sed -n 's/^name [0-9]* //p' "$work/probes.$n" >> "$work/found"
  done < "$work/pages"
  sort -u "$work/found" > "$work/known"
  {
    while IFS=$TAB read -r file _; do [ ! -e "$file" ] || as_lines "$file"; echo; done < "$work/pages"
    while IFS= read -r file; do cat "$file"; echo; done < "$work/texts"
  } | awk -v known="$work/known" "$FIND_NAMES"'
    BEGIN { know(known) }
    /session/ { names($0); for (i = 1; i <= HITS; i++) print escaped(substr($0, AT[i], LENGTH[i])) }' >> "$work/found"
  sort -u "$work/found" | pseudonyms > "$work/known"
  n=0
  while IFS=$TAB read -r file boot bytes; do
    n=$((n + 1))
    [ -e "$file" ] || continue
    as_lines "$file" | awk -v known="$work/known" "$FIND_NAMES"'
      BEGIN { know(known) }
      {
        if (length($0) > 7) { names($0); for (i = 1; i <= HITS; i++) print "name", base + AT[i] - 1, escaped(substr($0, AT[i], LENGTH[i])) }
        base += length($0) + 1
      }' >> "$work/probes.$n"
    [ -s "$work/probes.$n" ] || continue
    rewrite_pages "$file" "$work/probes.$n" "$bytes" "$work/known" || not_hashed "$1"
  done < "$work/pages"
  while IFS= read -r file; do
    { hash_names < "$file" > "$work/text" && cat "$work/text" > "$file"; } || not_hashed "$1"
  done < "$work/texts"
  # And in what the capture and its parts are called.
  NAME=$(printf '%s\n' "$NAME" | hash_names)
  LABELS=$(printf '%s' "$LABELS" | hash_names)$NEWLINE
  BASE=$(printf '%s\n' "$BASE" | hash_names)
  # Nothing is handed out on trust.
  awk -v known="$work/known" "$FIND_NAMES"'
    BEGIN { know(known); for (name in PSEUDONYM) if (length(name) > 7 && name ~ /[0-9]/ && name !~ /\001/) print name }' > "$work/names"
  if [ -s "$work/names" ]; then
    { cut -f 1 "$work/pages"; cat "$work/texts"; } | while IFS= read -r file; do
      if [ -e "$file" ] && grep -qwF -f "$work/names" "$file"; then exit 1; fi
    done || not_hashed "$1"
  fi
  rm -rf "$work"
}
not_hashed() {
  rm -rf "$1" "$STATE/hashing"
  die "the names of sessions could not be hashed (is the disk full?): nothing is collected, and nothing is lost; collect again"
}

# --- verbs -----------------------------------------------------------------------------------------------------------

# What the kernels before this one left of their logs: their consoles, and their last words where one panicked.
# systemd-pstore takes them out of pstore early in a boot; what it took in earlier ones is nobody's news.
save_pstore() { # FOLDER
  archive=$ROOT/var/lib/systemd/pstore
  booted=$(awk '$1 == "btime" { print $2 }' "$ROOT/proc/stat" 2> /dev/null)
  set +f
  for file in "$ROOT"/sys/fs/pstore/console-* "$ROOT"/sys/fs/pstore/dmesg-* \
    "$archive"/console-* "$archive"/dmesg-* "$archive"/*/dmesg-*; do
    set -f
    if ! [ -f "$file" ] || ! [ -r "$file" ]; then continue; fi
    case $file in "$archive"/*)
      taken=$(date -r "$file" +%s 2> /dev/null)
      if [ "${taken:-0}" -lt "${booted:-0}" ] || [ -e "$ROOT/sys/fs/pstore/${file##*/}" ]; then continue; fi ;;
    esac
    case $REDACT:$file in
      none:*) ;;
      *.enc.z) defect pstore-packed "${file##*/} is packed: what it must not show cannot be left out"; continue ;;
    esac
    # A ring that was full begins anywhere, so perhaps in a command line.
    mkdir -p "$1" || failed "$1"
    awk -v all="$REDACT" '
      NR == 1 && all != "none" && !/^(<[0-9]+>)?\[ *[0-9]/ && !/^([A-Z][A-Za-z ]*#[0-9]|====)/ { $0 = "..." }
      { print }' "$file" | redact | into "$1/${file##*/}" || failed "$1/${file##*/}"
  done
  set -f
  [ -z "$FAILED" ]
}

need_tracing() {
  [ -n "$TRACING" ] || die "tracefs is not mounted, or not yours to read: run as root, after mount -t tracefs tracefs /sys/kernel/tracing"
  [ -w "$TRACING/trace_marker" ] || die "$TRACING cannot be written: run as root"
}

came_by_kexec() {
  holds_previous_boot "$RING" || holds_previous_boot "$MARKS" || holds_previous_boot "${RING}_backup" ||
    kernel_log | grep -q 'KHO: found kexec handover data\|KHO: exec from'
}

# The new kernel's part follows an old one that was armed in another boot, as the ring or KHO shows.
which_half() {
  [ -n "$HALF" ] && return
  HALF=old
  if read_armed && [ "$ARMED_HALF" = old ] && [ "$ARMED_BOOT" != "$BOOT_ID" ]; then
    if came_by_kexec; then HALF=new; fi
  fi
}

# Nanoseconds of the kernel's clock, from its list of timers; nothing if that cannot be read.
now_ns() {
  [ -r "$ROOT/proc/timer_list" ] || return 0
  while read -r word at now unit; do
    [ "$word $at $unit" = 'now at nsecs' ] || continue
    echo "$now"
    break
  done < "$ROOT/proc/timer_list"
}
# Nanoseconds of one `read` of a byte, by the quickest of a dozen rounds, each so short that on a busy host, too, some
# are not interrupted. dd prints its own time; busybox's does not, and is timed with its start, the same in all rounds,
# among five times as many reads.
READS=1000
ns_of_read() {
  for round in 1 2 3 4 5 6 7 8 9 10 11 12; do dd if="$ROOT/dev/zero" of=/dev/null bs=1 count=$READS 2>&1; done |
    awk -v n=$READS '
      { for (i = 2; i <= NF; i++) if ($i == "s," || $i == "seconds,") if (!best || $(i - 1) < best) best = $(i - 1) }
      END { if (!best) exit 1; printf "%d", best * 1e9 / n }' && return
  for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
    from=$(now_ns)
    dd if="$ROOT/dev/zero" of=/dev/null bs=1 count=$((5 * READS)) 2> /dev/null
    to=$(now_ns)
    [ -z "$from" ] || [ -z "$to" ] || echo $(((to - from) / 5 / READS))
  done | sort -n | head -n 1 | grep . || echo 0
}
# Nanoseconds to copy 1 MiB of memory, added to $STATE/costs: from the page cache to a reader, by the quickest of five
# reads of COPY_MIB. Not if the state folder's file system has no pages of its own, or little room.
COPY_MIB=16
measure_copy() {
  [ "$DRY" = yes ] && { echo "measure how fast memory is copied here, by reads of $STATE/copy.new ($COPY_MIB MiB), removed at once"; return 0; }
  case $(type_of_state) in '' | 9p | nfs* | cifs | smb* | virtiofs | fuse* | ceph*) return 0 ;; esac
  free_kib "$STATE"
  [ "${KIB:-0}" -gt $((COPY_MIB * 8 * 1024)) ] || return 0
  if dd if=/dev/zero of="$STATE/copy.new" bs=1048576 count=$COPY_MIB 2> /dev/null; then
    copy=$(for round in 1 2 3 4 5; do
      from=$(now_ns)
      dd if="$STATE/copy.new" of=/dev/null bs=1048576 2>&1
      to=$(now_ns)
      [ -z "$from" ] || [ -z "$to" ] || echo "$((to - from)) ns"
    done | awk -v mib=$COPY_MIB '
      $2 == "ns" { if (!coarse || $1 < coarse) coarse = $1 }
      { for (i = 2; i <= NF; i++) if ($i == "s," || $i == "seconds,") if (!best || $(i - 1) < best) best = $(i - 1) }
      END { ns = best ? best * 1e9 : coarse; if (ns > 0) printf "copy %d\n", ns / mib }')
    if [ -n "$copy" ]; then { [ ! -r "$STATE/costs" ] || cat "$STATE/costs"; printf '%s\n' "$copy"; } | write_whole "$STATE/costs" || true; fi
  fi
  rm -f "$STATE/copy.new"
}
# What one event, one probe and one return probe cost, into $STATE/costs: by a read of a byte with and without them, in
# an instance of their own that is removed at once.
measure_costs() {
  [ "$DRY" = yes ] && { echo 'measure what an event and a probe cost here, in instances/blackout_cost, removed at once'; return 0; }
  cost=$TRACING/instances/blackout_cost
  [ -d "$TRACING/events/syscalls/sys_exit_read" ] && make_instance blackout_cost 'to measure; removed at once' || return 0
  put "$cost/buffer_size_kb" 64
  plain=$(ns_of_read)
  measured=''
  # of_one WHAT ENABLE: what is enabled costs this much more.
  of_one() {
    # On a busy host the quickest read without it may have been a slow one: that is measured again.
    for attempt in 1 2 3; do
      put "$cost/$2" 1 || return 0
      more=$(($(ns_of_read) - plain))
      put "$cost/$2" 0
      [ "$more" -gt 0 ] && break
      [ "$attempt" = 3 ] || plain=$(ns_of_read)
    done
    [ "$more" -gt 0 ] && measured="$measured$1 $more$NEWLINE"
    return 0
  }
  of_one event events/syscalls/sys_exit_read/enable
  if at_least probes && [ -n "$PROBES_FILE" ] && [ -n "$(echo ksys_read | traceable)" ]; then
    journal "probes$TAB$PROBES_FILE"
    choose_probes
    event=$measured
    of_kind
    if [ -z "$PROBES" ] && [ $KIND = kprobe ] && has_fprobes; then
      kprobes=$measured sum=$SUM
      measured=$event KIND=fprobe
      of_kind
      if [ "$sum" -gt 0 ] && [ "$SUM" -gt 0 ]; then
        CHEAPER_WHY="a call and its return cost $sum ns by kprobes, $SUM ns by fprobes"
        # Less than a tenth may be noise.
        if [ $((SUM * 10)) -lt $((sum * 9)) ]; then CHEAPER=fprobe; else CHEAPER=kprobe; fi
      fi
      [ "$CHEAPER" = fprobe ] || measured=$kprobes
    fi
  fi
  "${TOOLS}rmdir" "$cost" 2> /dev/null
  [ -z "$measured" ] || printf '%s' "$measured" | write_whole "$STATE/costs" || true
}
# of_kind: what a call's and a return's probe of $KIND cost, and $SUM of them, 0 if it cannot be measured.
of_kind() {
  SUM=0
  for what in call return; do
    case $KIND-$what in
      fprobe-call) line="f:$GROUP/cost_call ksys_read" ;;
      fprobe-return) line="f:$GROUP/cost_return ksys_read%return" ;;
      kprobe-call) line="p:$GROUP/cost_call ksys_read" ;;
      *) line="r:$GROUP/cost_return ksys_read" ;;
    esac
    put_more "$TRACING/$PROBES_FILE" "$line" || { SUM=0; return 0; }
    more=0
    of_one $what "events/$GROUP/cost_$what/enable"
    put_more "$TRACING/$PROBES_FILE" "-:$GROUP/cost_$what"
    [ $more -gt 0 ] || { SUM=0; return 0; }
    SUM=$((SUM + more))
  done
}

arm_old() {
  if [ $PERSISTENT = no ]; then
    defect ring-not-persistent "no trace instance outlives the kexec: what is recorded in this kernel is lost by it (recorder.sh kernel-cmdline --for old)"
    make_instance "$RING" 'the ring'
  fi
  find_side_rings
  for ring in $RINGS; do
    # On any other clock the next kernel empties its boot CPU's buffer, the one that runs the kexec.
    set_value "instances/$ring/trace_clock" local 'any other clock loses CPU 0 at the next boot'
    if [ "$DRY" = yes ]; then echo "clear  instances/$ring/trace  # an earlier update's events"
    else
      journal "clear${TAB}instances/$ring/trace"
      { printf '' > "$TRACING/instances/$ring/trace"; } 2> /dev/null
    fi
    # It distinguishes the vCPUs of several VMMs (Linux 4.13).
    if at_least events && [ "$ring" != "$MARKS" ] && [ -e "$TRACING/instances/$ring/options/record-tgid" ]; then
      set_value "instances/$ring/options/record-tgid" 1 'which process each thread is of'
    fi
  done
  if at_least probes && define_probes old; then
    set_value "instances/$LUO_RING/events/$GROUP/enable" 1 "level $LEVEL"
  fi
  enable_events old "$LUO_RING" "$VCPU_RING" "$RING"
  if at_least graph; then arm_graph old "$RING"; fi
  for ring in $RINGS; do set_value "instances/$ring/tracing_on" 1 'from here on'; done
}

# Inside the blackout: nothing that the command line has already done, and no more than must be.
arm_new() {
  case " $CMDLINE " in
    *' trace_event='*) ;;
    *)
      defect not-armed-at-boot "the kernel was started without trace_event=: its boot is not recorded (recorder.sh kernel-cmdline)"
      case " $(cat "$TRACING/trace_clock") " in *x86-tsc*) set_value trace_clock x86-tsc 'it runs on through a kexec' ;; esac
      enable_events new '' '' '' ;;
  esac
  if at_least probes; then
    # A bootconfig has defined them already.
    if [ -d "$TRACING/events/kprobes/luo_open" ] && grep -q '^ftrace\.event\.kprobes\.luo_open\.' "$ROOT/proc/bootconfig" 2> /dev/null; then :
    elif define_probes new; then set_value "events/$GROUP/enable" 1 "level $LEVEL"; fi
  fi
  set_value tracing_on 1 'from here on'
}

# The state becomes that of this boot; what the old kernel's journal says is no more.
enter_new() {
  if [ "$ARMED_HALF" = new ] && [ "$ARMED_BOOT" = "$BOOT_ID" ]; then load_journal; return; fi
  UPDATE=$ARMED_UPDATE OLD_BOOT=${ARMED_OLD_BOOT:-$ARMED_BOOT}
  rm -f "$JOURNAL"
  load_journal
  write_armed new "$TRACING/trace_marker"
}

mark_arming() { # EDGE
  { printf 'luo: recorder_arm %s' "$1" >> "$TRACING/trace_marker"; } 2> /dev/null || return 0
}

arm() {
  need_tracing
  # In another boot than it was armed in it is the new kernel's half, most likely, and what it takes there is blackout.
  if [ "$DRY" = no ] && read_armed && [ "$ARMED_BOOT" != "$BOOT_ID" ]; then mark_arming begin; fi
  find_ring
  lock
  if [ -n "$CARRIER" ] && { [ "$HALF" = new ] || { [ -z "$HALF" ] && came_by_kexec; }; }; then from_carrier; fi
  which_half
  if [ "$HALF" = new ]; then
    if read_armed; then
      [ $LEVEL_GIVEN = yes ] || { LEVEL=$ARMED_LEVEL; LEVEL_NUMBER=$(level_number "$LEVEL"); }
      RING=$ARMED_RING MARKS=$ARMED_MARKS PERSISTENT=$ARMED_PERSISTENT WITH=$ARMED_WITH
      HASH_KEY=${HASH_KEY:-$ARMED_HASH} PROBES=${PROBES:-$ARMED_PROBES}
    fi
    enter_new
    arm_new
    mark_arming end
    return
  fi
  restore_earlier
  if read_armed; then
    if [ "$ARMED_BOOT" = "$BOOT_ID" ]; then
      die "already armed at level $ARMED_LEVEL in this boot ($STATE): disarm first"
    fi
    if [ -d "$PARTS" ] && [ -z "$COLLECTED" ]; then
      die "what was read of an earlier update is in $STATE, and in no capture yet: collect it (or disarm --discard)"
    fi
  elif [ -e "$JOURNAL" ]; then die "something is left of an earlier run: recorder.sh disarm --state $STATE"; fi
  if first_line "$TRACING/instances/$RING/tracing_on" && [ "$LINE" = 1 ]; then
    die "instances/$RING is recording for someone else: stop it (echo 0 > $TRACING/instances/$RING/tracing_on), or give another with --instance"
  fi
  # A key that cannot be used is better known before the update.
  [ -z "$HASH_KEY" ] || know_key "$HASH_KEY"
  earlier=''
  [ -z "$ARMED_BOOT" ] || earlier=$ARMED_BOOT
  set_earlier_aside
  load_journal
  make_id
  OLD_BOOT=$BOOT_ID
  trap give_up_arming EXIT
  write_armed old "$TRACING/instances/$MARKS/trace_marker"
  if at_least events; then
    measure_costs
    measure_copy
  fi
  # With the kind of probes that it found.
  [ -z "$CHEAPER" ] || write_armed old "$TRACING/instances/$MARKS/trace_marker"
  arm_old
  name_image
  save_boot "$STATE/old.new" || die "$FAILED could not be written (is the disk full?)"
  to_disk "$STATE/old.new"
  mv "$STATE/old.new" "$STATE/old" || die "$STATE/old could not be written"
  for ring in $RINGS; do mark_update "$TRACING/instances/$ring/trace_marker"; done
  # From here on it is armed.
  trap unlock EXIT
  rm -rf "$STATE/earlier"
  [ -z "$earlier" ] || say "dropped what was saved for an update that did not happen (boot $earlier)"
  say "armed at level $LEVEL: ring $RING$([ "$MARKS" = "$RING" ] || echo ", marks $MARKS"), saved in $STATE"
}
# mark_update MARKER: by which a ring shows whose it is.
mark_update() { { printf 'blackout: update=%s' "$UPDATE" >> "$1"; } 2> /dev/null || return 0; }

# What belongs to one update in the state folder. `armed` is first in coming back, and last in going.
OF_UPDATE='old parts sums publishing defects contents layout costs traceable image armed'
# The earlier update's files make room by renaming, and come back if the new one cannot be armed.
set_earlier_aside() {
  mkdir -p "$STATE/earlier" || die "$STATE cannot be written (is the disk full?)"
  for file in $OF_UPDATE; do
    if [ -e "$STATE/$file" ]; then mv "$STATE/$file" "$STATE/earlier/$file" || die "$STATE cannot be written"; fi
  done
  # Of another boot's tracefs nothing can be taken back.
  rm -rf "$JOURNAL" "$STATE/old.new" "$STATE/old.before"
  set +f
  rm -f "$STATE"/filter.*
  set -f
}
# restore_earlier: after a kill while arming.
restore_earlier() {
  [ -d "$STATE/earlier" ] || return 0
  if [ -s "$JOURNAL" ] && read_armed && [ "$ARMED_BOOT" = "$BOOT_ID" ]; then
    die "an earlier run was killed while it armed: recorder.sh disarm --state $STATE"
  fi
  bring_earlier_back
}
bring_earlier_back() {
  [ -d "$STATE/earlier" ] || return 0
  # Where `armed` has gone, all else has, too; what the run that failed made of them is dropped, once.
  if ! [ -e "$STATE/earlier/dropped" ] &&
    { [ -e "$STATE/earlier/armed" ] || ! [ -e "$STATE/armed" ] || { read_armed && [ "$ARMED_BOOT" = "$BOOT_ID" ]; }; }; then
    for file in $OF_UPDATE; do rm -rf "${STATE:?}/$file"; done
    : > "$STATE/earlier/dropped"
  fi
  for file in $OF_UPDATE; do
    if [ -e "$STATE/earlier/$file" ]; then mv "$STATE/earlier/$file" "$STATE/$file"; fi
  done
  rm -f "$STATE/earlier/dropped"
  rmdir "$STATE/earlier"
}
# Arming failed, or was interrupted: everything is taken back.
give_up_arming() {
  trap - EXIT
  trap '' HUP INT TERM
  if take_back; then
    rm -rf "$JOURNAL" "$STATE/old.new"
    bring_earlier_back
    say 'nothing is armed: all changes of tracefs have been taken back'
  fi
  unlock
  rmdir "$STATE" 2> /dev/null
}

plan() {
  need_tracing
  find_ring
  DRY=yes
  [ -n "$HALF" ] || HALF=old
  echo "# level $LEVEL, $HALF kernel, under $TRACING; state in $STATE"
  if [ "$HALF" = old ]; then
    if at_least events; then
      measure_costs
      measure_copy
    fi
    arm_old
    name_image
    echo "save   $STATE/old: clock pairs (five instances, made and removed), formats, symbols, task names, log, command line"
  else arm_new; fi
  echo "# the next kernel's command line: $(kernel_cmdline 2> /dev/null)"
}

# What the next kernel reads before it looks for a bootconfig (early_param of kernel/liveupdate); the rest may stand
# there.
EARLY_WORDS='kho=on liveupdate=on'
# possible_cpus: how many CPUs the kernel makes buffers for (nr_cpu_ids: the highest possible one and those below), in
# $CPUS; 1 if the host does not show it.
possible_cpus() {
  first_line "$ROOT/sys/devices/system/cpu/possible" || LINE=0
  CPUS=${LINE##*[-,]}
  case $CPUS in '' | *[!0-9]* | ??????*) CPUS=0 ;; esac
  CPUS=$((CPUS + 1))
}
# kib_of SIZE: a number and K, M or G, or bytes, in $KIB.
kib_of() {
  number=${1%[KMGkmg]}
  case $number in '' | *[!0-9]* | ??????????*) KIB=0; return ;; esac
  case $1 in *[Kk]) KIB=$number ;; *[Mm]) KIB=$((number * 1024)) ;; *[Gg]) KIB=$((number * 1048576)) ;; *) KIB=$((number / 1024)) ;; esac
}
# size_of KIB: the same the other way, in $SIZE.
size_of() { if [ $(($1 % 1024)) = 0 ]; then SIZE=$(($1 / 1024))M; else SIZE=${1}K; fi; }

# A persistent ring is divided among the possible CPUs. One with less than three sub-buffers and a table for a CPU is
# refused with ENOMEM (-12; alloc_buffer, kernel/trace/ring_buffer.c); with 32 KiB, five sub-buffers hold events.
SMALLEST_KIB=16 LEAST_KIB=32
# What the rings may take of the host's memory for good, together; and of each: KiB for a CPU, KiB at least. All marks
# of a host may be written by one thread, so on one CPU: 128 KiB are the pauses and resumes of 1,000 VMs.
MAX_RINGS_KIB=262144
RING_SHARES='ring 256 8192
luo 256 4096
vcpus 64 1024
marks 128 1024'
# wanted_rings: which rings the level and `--with` want, in $WANTED. Each costs the next kernel time: what LUO does gets
# its own only if something else fills the ring.
wanted_rings() {
  WANTED='ring marks'
  case $LEVEL,$WITH in
    markers,) WANTED=marks ;;
    markers,*) ;;
    graph,* | *,*sched* | *,*irq*) WANTED='ring luo marks' ;;
  esac
  if with kvm && at_least events; then WANTED="${WANTED%marks}vcpus marks"; fi
}
# choose_ring_sizes: $WANTED, and $SIZES, lines of ring and KiB: what each wants, all halved until they fit.
choose_ring_sizes() {
  possible_cpus
  wanted_rings
  divisor=1
  while :; do
    SIZES='' total=0
    while read -r name share least; do
      case " $WANTED " in *" $name "*) ;; *) continue ;; esac
      given=''
      case $name in ring) given=$RING_SIZE ;; marks) given=$MARKS_SIZE ;; esac
      if [ -n "$given" ]; then
        kib_of "$given"
        kib=$KIB
      else
        kib=$((share * CPUS / divisor))
        [ $kib -ge "$least" ] || kib=$least
        [ "$kib" -ge $((LEAST_KIB * CPUS)) ] || kib=$((LEAST_KIB * CPUS))
      fi
      SIZES=$SIZES$name\ $kib$NEWLINE
      total=$((total + kib))
    done <<EOF
$RING_SHARES
EOF
    if [ $total -le $MAX_RINGS_KIB ] || [ $divisor -ge 16 ]; then break; fi
    divisor=$((divisor * 2))
  done
  RINGS_KIB=$total
}
# unquoted WORD: in $WORD; older kernels quote what comes of a bootconfig.
unquoted() {
  WORD=$1
  case $1 in *\"*) WORD=$(printf '%s' "$1" | tr -d '"') ;; esac
}
# reserved_of INSTANCE: KiB that this kernel's command line reserves for it, in $KIB; 0 if nothing.
reserved_of() {
  area='' KIB=0
  for word in $CMDLINE; do
    unquoted "$word"
    case $WORD in trace_instance="$1"^*@* | trace_instance="$1"@*) area=${WORD#*@}; area=${area%%,*} ;; esac
  done
  [ -n "$area" ] || return 0
  for word in $CMDLINE; do
    unquoted "$word"
    case $WORD in
      reserve_mem=*:*:"$area")
        WORD=${WORD#reserve_mem=}
        kib_of "${WORD%%:*}"
        return 0 ;;
    esac
  done
}
# asked_rings: the instances in reserved memory that this kernel's command line asks for, in $ASKED; in $REFUSED those
# that the kernel has not made, with their sizes.
asked_rings() {
  ASKED='' REFUSED=''
  for given in $CMDLINE; do
    unquoted "$given"
    case $WORD in trace_instance=*@*) ;; *) continue ;; esac
    WORD=${WORD#trace_instance=}
    instance=${WORD%%[\^@]*}
    ASKED="$ASKED $instance"
    if [ -n "$TRACING" ] && ! is_persistent "$instance"; then
      reserved_of "$instance"
      size_of "$KIB"
      REFUSED="$REFUSED${REFUSED:+, }$instance ($SIZE)"
    fi
  done
}
# ring_words: those that reserve the rings, in $WORDS.
ring_words() {
  # What this kernel was started with goes on: the next one finds the rings only by the same words.
  kept=''
  for word in $CMDLINE; do
    case $word in
      trace_instance=*=*) [ $BACKUP = yes ] || kept="$kept $word" ;;
      reserve_mem=* | trace_instance=* | kho_scratch=*) kept="$kept $word" ;;
    esac
  done
  # Older kernels quote what comes of a bootconfig.
  case $kept in *\"*) kept=$(printf '%s' "$kept" | tr -d '"') ;; esac
  # A first boot takes nothing over: if the kernel refused a ring, new ones are made, as large as they must be.
  asked_rings
  if [ "$FOR" = old ] && [ -n "$REFUSED" ]; then
    others=''
    for word in $kept; do
      case $word in
        trace_instance=blackout^* | trace_instance=blackout@* | trace_instance=blackout_*@* | reserve_mem=*:*:blackout | reserve_mem=*:*:blackout_*) ;;
        *) others="$others $word" ;;
      esac
    done
    kept=$others
  fi
  case $kept in
    *trace_instance=*@*) WORDS=${kept# } ;;
    *)
      choose_ring_sizes
      WORDS=''
      while read -r name kib; do
        [ -n "$name" ] || continue
        if [ "$kib" -lt $((SMALLEST_KIB * CPUS + 8)) ]; then
          size_of $((LEAST_KIB * CPUS))
          die "--$name-size: $kib KiB for $CPUS possible CPUs; the kernel refuses a ring with less than $SMALLEST_KIB KiB for each (-12). Give $SIZE or more, or leave it out"
        fi
        # A single ring is the marks'.
        case $name,$WANTED in ring,* | marks,marks) instance=blackout ;; *) instance=blackout_$name ;; esac
        size_of "$kib"
        WORDS="$WORDS${WORDS:+ }reserve_mem=$SIZE:4096:$instance trace_instance=$instance^traceoff@$instance"
      done <<EOF
$SIZES
EOF
      WORDS=$WORDS$kept ;;
  esac
  # Behind the rings that they copy.
  if [ $BACKUP = yes ] && [ "$FOR" = next ]; then
    for word in $WORDS; do
      case $word in
        trace_instance=*@*)
          word=${word#trace_instance=}
          word=${word%%[\^@]*}
          WORDS="$WORDS trace_instance=${word}_backup=$word" ;;
      esac
    done
  fi
}
# $BUFFER_SIZE: of each CPU's buffer in the next kernel, which clears all of them before anything else runs: 16 MiB on
# each of two CPUs took 2 % of a blackout's instructions (bench/README.md). MAX_BUFFERS_KIB on all CPUs together.
MAX_BUFFERS_KIB=262144
choose_buffer_size() {
  [ -z "$BUFFER_SIZE" ] || return 0
  case $LEVEL,$WITH in
    markers,) kib=512 ;;
    events, | probes,) kib=4096 ;;
    *) kib=16384 ;;
  esac
  possible_cpus
  while [ $((kib * CPUS)) -gt $MAX_BUFFERS_KIB ] && [ $kib -gt 512 ]; do kib=$((kib / 2)); done
  BUFFER_SIZE=${kib}K
}
# What the next kernel records from its beginning.
recording_words() {
  choose_buffer_size
  WORDS="trace_clock=x86-tsc trace_buf_size=$BUFFER_SIZE trace_event="
  events=$(event_table | while read -r half _ event _; do
    case $half in both | new) printf '%s\n' "$event" ;; esac
  done | sed 's,/$,/*,; s,/,:,' | tr '\n' ,)
  WORDS=$WORDS${events%,}
  if at_least graph; then
    find_handlers
    boot_filter
    WORDS="$WORDS ftrace=function_graph ftrace_filter=$FILTER"
  fi
}
# boot_filter: the new kernel's functions of level graph, in $FILTER. It looks each name up among all functions, inside
# the blackout: ten names took 606 ms of an emulated boot, indexes of the same functions 3.5 ms. They are the lines of
# available_filter_functions, the same in a kernel of the same build. Code of start-up alone has none: it is gone.
boot_filter() {
  names=$(graph_rows | while read -r half function; do [ "$half" = new ] && printf '%s,' "$function"; done)
  FILTER=${names%,}
  functions_list
  if [ $SAME_BUILD = no ] || [ "$LIST_COLUMN" != 1 ]; then return 0; fi
  indexes=$(printf '%s' "$FILTER" | tr , '\n' | awk -v list="$LIST" '
    { wanted[$1] = 1 }
    END {
      while ((getline line < list) > 0) {
        n++
        split(line, word, /[ \t]+/)
        if ((word[1] in wanted) && word[2] !~ /^\[/) { at = at comma n; comma = ","; delete wanted[word[1]] }
      }
      for (name in wanted) without = without " " name
      print at without
    }')
  case $indexes in [0-9]*) FILTER=${indexes%% *} ;; *) return 0 ;; esac
  case $indexes in *' '*) say "recorded without these, which this kernel no longer lists, so that they have no index: ${indexes#* }" ;; esac
}

kernel_cmdline() {
  know_build
  find_ring
  ring_words
  line="$EARLY_WORDS $WORDS"
  if [ "$FOR" = next ]; then
    recording_words
    line="$line $WORDS"
  fi
  own='' behind=''
  for word in $CMDLINE; do
    # What follows `--` is for the first process alone.
    if [ -n "$behind" ] || [ "$word" = -- ]; then behind="$behind $word"; continue; fi
    case $word in
      kho=* | liveupdate=* | reserve_mem=* | trace_instance=* | kho_scratch=*) ;;
      trace_clock=* | trace_buf_size=* | trace_event=* | ftrace=* | ftrace_filter=* | bootconfig | BOOT_IMAGE=*) ;;
      *) own="$own$word " ;;
    esac
  done
  own=$own$behind
  if [ $REUSE = yes ]; then line=${own%"$behind"}$line$behind own=''; fi
  # COMMAND_LINE_SIZE of x86 is 2,048 with its NUL (arch/x86/include/asm/setup.h).
  [ $((${#line} + ${#own})) -le 2047 ] ||
    say "with this kernel's own words the command line is longer than x86's 2,047: leave some out, or see recorder.sh bootconfig"
  printf '%s\n' "$line"
}

# XBC_DATA_MAX (include/linux/bootconfig.h).
BOOTCONFIG_MAX=32767

# The next kernel armed by a bootconfig (Documentation/admin-guide/bootconfig.rst): kernel.* are words of the command
# line, which so is not limited to x86's 2,047; ftrace.* (Documentation/trace/boottime-trace.rst) defines LUO's probes
# at the core initcalls, so that nobody need arm them inside the blackout.
bootconfig_text() {
  ring_words
  words=$WORDS
  recording_words
  words="$words $WORDS"
  # A key that is given twice is a list of values.
  for key in reserve_mem trace_instance trace_clock trace_buf_size trace_event ftrace ftrace_filter; do
    values=''
    for word in $words; do
      case $word in "$key"=*) values="$values${values:+, }\"${word#*=}\"" ;; esac
    done
    [ -z "$values" ] || printf 'kernel.%s = %s\n' "$key" "$values"
  done
  at_least probes || return 0
  # Where another build keeps what probes read is not known here, and a wrong offset would record any memory.
  LAYOUT=''
  [ $SAME_BUILD = no ] || know_layout yes
  find_handlers
  probe_rows | with_offsets | while read -r half function returns arguments; do
    [ "$half" = new ] || continue
    case $arguments in *@*) arguments=$(printf '%s' "$arguments" | sed 's/[a-z]*=[^ ]*@[^ ]*//g; s/  */ /g; s/^ //; s/ $//') ;; esac
    printf 'ftrace.event.kprobes.%s { probes = "%s"; enable }\n' "$function" "$function${arguments:+ $arguments}"
    case $returns in
      ret) printf 'ftrace.event.kprobes.%s { probes = "%s%%return ret=%s:s32"; enable }\n' "${function}_ret" "$function" "\$retval" ;;
      void) printf 'ftrace.event.kprobes.%s { probes = "%s%%return"; enable }\n' "${function}_ret" "$function" ;;
    esac
  done
}

# little_endian NUMBER: its four bytes, as escapes for printf.
little_endian() {
  printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

# Prints it; or with --initrd appends it to a copy, as tools/bootconfig of the kernel's source does: the text, a NUL and
# more of them to a multiple of four bytes, the size and the sum of these bytes, and the magic.
bootconfig() {
  know_build
  find_ring
  if [ -z "$INITRD$OUT" ]; then bootconfig_text; return; fi
  if [ -z "$INITRD" ] || [ -z "$OUT" ]; then misused 'an initrd takes both --initrd FILE and -o FILE'; fi
  [ -r "$INITRD" ] || die "$INITRD cannot be read"
  if tail -c 12 "$INITRD" | grep -q '^#BOOTCONFIG$'; then die "$INITRD has a bootconfig already: bootconfig -d $INITRD takes it off"; fi
  if [ -e "$OUT" ] || [ -L "$OUT" ]; then
    if [ -L "$OUT" ] || ! [ -f "$OUT" ] || ! tail -c 12 "$OUT" | grep -q '^#BOOTCONFIG$'; then
      die "$OUT exists already, and is not an initrd with a bootconfig: it is left as it is"
    fi
  fi
  (
    private_folder "$OUT" || exit 1
    with_bootconfig > initrd && tail -c 12 initrd | grep -q '^#BOOTCONFIG$' && mv -f initrd "../${OUT##*/}"
    made=$?
    leave_private_folder
    exit $made
  ) || die "$OUT could not be written"
  say "$OUT: the next kernel's command line needs: bootconfig $EARLY_WORDS$(for word in $CMDLINE; do case $word in kho_scratch=*) printf ' %s' "$word" ;; esac; done)"
}
with_bootconfig() {
  bootconfig_text | into text || return
  size=$(wc -c < text)
  [ "$((size))" -le $BOOTCONFIG_MAX ] || { say "a bootconfig has $BOOTCONFIG_MAX bytes at most, this one $((size))"; return 1; }
  length=$(wc -c < "$INITRD")
  head -c $((4 - (length + size) % 4)) /dev/zero >> text
  size=$(wc -c < text)
  sum=$(od -An -v -tu1 text | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%d", sum }')
  cat "$INITRD" text || return
  # shellcheck disable=SC2059 # escapes
  printf "$(little_endian "$((size))")$(little_endian "$sum")"
  printf '#BOOTCONFIG\n'
}

# One write; if it fails, a caller that must not wait gets no error, only a word on standard error. If nothing is armed
# and no recording came from an earlier kernel, nothing would keep the mark: nothing is touched.
mark() {
  [ -n "$MARK" ] || misused 'mark needs a text'
  if read_armed && [ "$ARMED_BOOT" = "$BOOT_ID" ]; then target=$ARMED_MARKER
  elif [ -z "$TRACING" ]; then say 'no tracefs: the mark is lost'; return 0
  else
    find_ring
    [ -e "$STATE/armed" ] || came_by_kexec || die "nothing is armed in $STATE: the mark is not written"
    target=$TRACING/trace_marker
  fi
  { printf '%s' "$MARK" >> "$target"; } 2> /dev/null || say "$target cannot be written: the mark is lost"
  return 0
}

# A mark of the wall clock, which a VMM's log is stamped with; busybox' date knows no nanoseconds, and leaves none.
mark_clock() {
  now=$(date +%s.%N 2> /dev/null)
  case $now in *[!0-9.]* | '') return 0 ;; esac
  { printf 'clock: realtime=%s' "$now" >> "$1"; } 2> /dev/null || return 0
}

save() {
  need_tracing
  read_armed || die "nothing is armed in $STATE"
  if [ "$ARMED_BOOT" != "$BOOT_ID" ] || [ "$ARMED_HALF" != old ]; then die 'save belongs before the kexec'; fi
  lock
  if [ -d "$STATE/earlier" ]; then die "an earlier run was killed while it armed: recorder.sh disarm --state $STATE"; fi
  load_journal
  UPDATE=$ARMED_UPDATE
  mark_clock "$ARMED_MARKER"
  name_image
  # Whole or not at all: a kexec in the middle finds the earlier ones.
  rm -rf "$STATE/old.new"
  if ! save_boot "$STATE/old.new" "$STATE/old"; then
    rm -rf "$STATE/old.new"
    die "$FAILED could not be written (is the disk full?): what was saved before is kept"
  fi
  to_disk "$STATE/old.new"
  rm -rf "$STATE/old.before"
  if [ -d "$STATE/old" ]; then mv "$STATE/old" "$STATE/old.before"; fi
  mv "$STATE/old.new" "$STATE/old" || die "$STATE/old could not be written: what was saved before is in $STATE/old.before"
  rm -rf "$STATE/old.before"
  sync "$STATE" 2> /dev/null || true
  to_carrier
}

# --- reading the rings, which empties them ---------------------------------------------------------------------------

# Pages are read into the state folder, and a capture is made of that as often as it takes: nothing depends on the place
# where the capture is to be. Space is taken before the first page is read: what reading has taken out of a ring is
# nowhere else.
PARTS=$STATE/parts

# Most dd cannot open without blocking, and a blocking reader of pages never ends: it is stopped once the kernel has
# nothing left and the reader has not moved between two looks.
dd_can_skip_waiting() { dd if=/dev/null of=/dev/null count=0 iflag=nonblock 2> /dev/null; }

# A file with a size is only made up to look like a ring (--root): reading does not empty it. tracefs' files have none.
is_made_up() { [ -f "$1" ] && [ -s "$1" ]; }

# pages_needed STATS CPU-FOLDER BYTES: in $PAGES, at most this many sub-buffers hold something. A sub-buffer is left
# when the next record does not fit, so that two neighbours hold more than one's size.
pages_needed() {
  entries=1 held=''
  if [ -r "$1" ]; then
    while read -r key value _; do
      case $key in entries:) entries=$value ;; bytes:) held=$value ;; esac
    done < "$1"
  fi
  size=$(($3 - 16))
  whole=''
  if first_line "$2/buffer_size_kb"; then
    LINE=${LINE%% *}
    case $LINE in '' | *[!0-9]*) ;; *) whole=$((LINE * 1024 / size + 2)) ;; esac
  fi
  case $held in
    '' | *[!0-9]*) PAGES=${whole:-1} ;;
    *) PAGES=$((held * 2 / size + 2)) ;;
  esac
  if [ "$entries" = 0 ]; then PAGES=1; fi
  if [ -n "$whole" ] && [ "$PAGES" -gt "$whole" ]; then PAGES=$whole; fi
}
# written_pages FILE BYTES: in $PAGES, sub-buffers up to the last that is not all zeros, as space that was only taken
# is.
written_pages() {
  PAGES=$(od -An -v -tu4 "$1" | awk -v words=$(($2 / 4)) '
    BEGIN { last = -1 }
    { for (i = 1; i <= NF; i++) { if ($i) last = n; n++ } }
    END { printf "%d", last < 0 ? 0 : int(last / words) + 1 }')
}
# records_of LOG: $CAME and $WENT, what a dd that has ended counts; fails for one that was killed.
records_of() {
  CAME='' WENT=''
  [ -s "$1" ] || return 1
  while read -r count what which _; do
    case "$what $which" in
      'records in') CAME=$count ;;
      'records out') WENT=$count ;;
    esac
  done < "$1"
  [ -n "$WENT" ]
}

# drain RING FOLDER BYTES STATS: what RING holds becomes FOLDER/trace_pipe_raw, behind what an earlier, killed run has
# read.
drain() {
  to=$2/trace_pipe_raw
  [ ! -e "$to" ] || return 0
  if is_made_up "$1"; then
    if { cat "$1" > "$to.reading"; } 2> /dev/null && mv "$to.reading" "$to"; then return 0; fi
    rm -f "$to.reading"
    failed "$to"
    return 1
  fi
  done_before=0
  if [ -e "$2/reader.log" ]; then
    # The process that started it was killed; it itself goes on to its end.
    await_reader "$2" "$4"
    written_pages "$to.reading" "$3"
    done_before=$PAGES
  fi
  flags=''
  [ "$NONBLOCK" = no ] || flags=iflag=nonblock
  rm -f "$2/reader"
  if [ -e "$1" ]; then
    # In a session of its own, deaf to signals: a page that it has taken out of the ring gets into the file.
    # shellcheck disable=SC2086 # a word or none
    (
      trap '' HUP INT TERM
      exec $APART dd if="$1" of="$to.reading" bs="$3" seek="$done_before" conv=notrunc $flags 2> "$2/reader.log"
    ) &
    reader=$!
    { printf '%s\n' "$reader" > "$2/reader"; } 2> /dev/null
    if [ "$NONBLOCK" = no ]; then stop_when_quiet "$reader" "$4" "$2"; fi
    wait "$reader" 2> /dev/null
  fi
  if [ ! -e "$1" ]; then PAGES=$done_before
  elif records_of "$2/reader.log"; then
    PAGES=$((done_before + ${WENT%+*}))
    [ "${WENT#*+}" = 0 ] || written_pages "$to.reading" "$3"
    if [ "$CAME" != "$WENT" ]; then
      defect page-lost "$2: the disk took no more while a ring was read: $(($(sum_of "$CAME") - $(sum_of "$WENT"))) page of it is lost"
      failed "$to"
    fi
  else written_pages "$to.reading" "$3"; fi
  dd if=/dev/null of="$to.reading" bs="$3" seek="$PAGES" 2> /dev/null
  [ -z "$FAILED" ] || return 1
  mv "$to.reading" "$to" && rm -f "$2/reader.log" "$2/reader"
}
sum_of() { echo $((${1%+*} + ${1#*+})); }
# stop_when_quiet PID STATS FOLDER
stop_when_quiet() {
  at=-1
  quiet=0
  # 30 looks without a move end the wait, too.
  while kill -0 "$1" 2> /dev/null && [ $quiet -lt 30 ]; do
    now=0
    if [ -r "/proc/$1/fdinfo/1" ]; then read -r _ now < "/proc/$1/fdinfo/1" || now=0; fi
    left=$(sed -n 's/^entries: *//p' "$2" 2> /dev/null)
    if [ "$now" = "$at" ]; then quiet=$((quiet + 1)); else quiet=0; fi
    [ "${left:-0}" = 0 ] && [ $quiet -ge 2 ] && break
    at=$now
    sleep 0.1 2> /dev/null || sleep 1
  done
  kill -9 "$1" 2> /dev/null
}
# await_reader FOLDER STATS: one that an earlier run has started ends by itself if it does not wait.
await_reader() {
  if ! first_line "$1/reader"; then sleep 1; return 0; fi
  other=$LINE
  case $other in '' | *[!0-9]*) return 0 ;; esac
  first_line "/proc/$other/comm" || return 0
  case $LINE in dd | busybox | setsid | sh | dash | ash | bash) ;; *) return 0 ;; esac
  grep -q trace_pipe_raw "/proc/$other/cmdline" 2> /dev/null || return 0
  if [ "$NONBLOCK" = no ]; then stop_when_quiet "$other" "$2" "$1"; return 0; fi
  looks=0
  while kill -0 "$other" 2> /dev/null && [ $looks -lt 300 ]; do sleep 0.1 2> /dev/null || sleep 1; looks=$((looks + 1)); done
}

# Sub-buffer size in bytes: the instance's own where the kernel has it (6.8), else the header page's.
subbuf_bytes() {
  if first_line "$1/buffer_subbuf_size_kb"; then echo $((LINE * 1024)); return; fi
  awk -F'[:;]' '/field: *char data/ { print $4 + $6; found = 1 } END { if (!found) print 4096 }' "$TRACING/events/header_page"
}

# describe_buffer INSTANCE-FOLDER TO TEXT: all of it that can be read without emptying it.
describe_buffer() {
  mkdir -p "$2/per_cpu" || failed "$2"
  copy_if "$1/trace_clock" "$2/trace_clock"
  copy_if "$1/last_boot_info" "$2/last_boot_info"
  set +f
  for cpu_folder in "$1"/per_cpu/cpu*; do
    set -f
    [ -d "$cpu_folder" ] || continue
    mkdir "$2/per_cpu/${cpu_folder##*/}" || failed "$2"
    for file in stats buffer_size_kb; do copy_if "$cpu_folder/$file" "$2/per_cpu/${cpu_folder##*/}/$file"; done
  done
  set -f
  [ "$3" = no ] || copy_if "$1/trace" "$2/trace"
  [ -z "$FAILED" ]
}

# buffers HALF: lines of PART and the instance whose pages it gets; the top-level buffer's is empty.
buffers() {
  find_side_rings
  for ring in $RINGS; do
    case $ring in
      "$RING") part=ring ;;
      "$MARKS") part=marks ;;
      *) part=${ring##*_} ;;
    esac
    PREVIOUS=$ring
    [ "$1" = old ] || previous_ring "$ring"
    printf '%s %s\n' "$part" "$PREVIOUS"
  done
  [ "$1" = old ] || echo 'new '
}

# free_kib FOLDER: what is free there for the caller, in $KIB; empty if that cannot be read.
free_kib() { KIB=$(df -Pk "$1" 2> /dev/null | awk 'NR == 2 && $4 ~ /^[0-9]+$/ { print $4 }'); }

# finish_part PART: whole from here on.
finish_part() {
  if [ -z "$FAILED" ] && mv "$PARTS/$1.new" "$PARTS/$1"; then return 0; fi
  rm -rf "$PARTS/$1.new"
  die "${FAILED:-$PARTS/$1} could not be written (is the disk full?): no ring has been read, so nothing is lost. Free space under $STATE, and collect again"
}

# read_parts HALF TEXT: everything that a capture of this boot is made of, into $PARTS. It can be killed anywhere and
# called
# again: parts that are whole are kept, and pages that were read stay.
read_parts() {
  mkdir -p "$PARTS" || die "$STATE cannot be written (is the disk full?)"
  printf 'boot=%s\nhalf=%s\n' "$BOOT_ID" "$1" | write_whole "$PARTS/boot" || die "$STATE cannot be written (is the disk full?)"
  FAILED=''
  case $1 in
    old) find_side_rings; for ring in $RINGS; do set_value "instances/$ring/tracing_on" 0 'pages are read when nothing is written'; done ;;
    new) set_value tracing_on 0 'pages are read when nothing is written' ;;
  esac
  # A copy of a ring is gone once it has been read.
  if ! [ -e "$PARTS/buffers" ]; then
    { [ "$1" = lost ] || buffers "$1"; } | write_whole "$PARTS/buffers" || die "$STATE cannot be written (is the disk full?)"
  fi
  buffers=$(cat "$PARTS/buffers")
  if [ "$1" = old ] && ! [ -d "$PARTS/old" ]; then
    rm -rf "$PARTS/old.new"
    save_boot "$PARTS/old.new"
    finish_part old
  fi
  # Text only where pages cannot be decoded: the new kernel prints the old ring with its own event ids and symbols.
  text=$2
  [ -s "$STATE/old/formats.gz" ] || [ -s "$PARTS/old/formats.gz" ] || text=yes
  while read -r part instance; do
    if [ -z "$part" ] || [ -d "$PARTS/$part" ]; then continue; fi
    in_instance "$instance" .
    rm -rf "$PARTS/$part.new"
    if [ "$part" = new ]; then
      save_boot "$PARTS/new.new"
      describe_buffer "$TRACING" "$PARTS/new.new" "$2"
    elif [ -d "$TRACING/$INSIDE" ]; then describe_buffer "$TRACING/$INSIDE" "$PARTS/$part.new" "$text"
    else continue; fi
    printf '%s\n' "$(subbuf_bytes "$TRACING/$INSIDE")" | write_whole "$PARTS/$part.bytes" || failed "$PARTS/$part.bytes"
    finish_part "$part"
  done <<EOF
$buffers
EOF
  if [ "$1" != old ] && ! [ -d "$PARTS/pstore" ]; then
    rm -rf "$PARTS/pstore.new"
    mkdir "$PARTS/pstore.new" || failed "$PARTS/pstore.new"
    save_pstore "$PARTS/pstore.new"
    finish_part pstore
  fi
  take_space
  NONBLOCK=no
  dd_can_skip_waiting && NONBLOCK=yes
  APART=''
  if command -v setsid > /dev/null 2>&1; then APART=setsid; fi
  each_cpu drain_cpu
  sync -f "$PARTS" 2> /dev/null || sync
  printf 'whole\n' | write_whole "$PARTS/whole" || die "$STATE cannot be written (is the disk full?): what was read is in $PARTS. Free space, and collect again"
}

# each_cpu STEP: calls STEP for each CPU of each ring in $buffers: $folder of its part, $cpu_folder in tracefs, and
# $bytes, a page's size.
each_cpu() {
  while read -r part instance; do
    [ -d "$PARTS/$part/per_cpu" ] || continue
    in_instance "$instance" .
    first_line "$PARTS/$part.bytes" || LINE=4096
    bytes=$LINE
    set +f
    for folder in "$PARTS/$part"/per_cpu/cpu*; do
      set -f
      cpu_folder=$TRACING/$INSIDE/per_cpu/${folder##*/}
      "$1"
    done
    set -f
  done <<EOF
$buffers
EOF
}

drain_cpu() {
  drain "$cpu_folder/trace_pipe_raw" "$folder" "$bytes" "$cpu_folder/stats" ||
    die "$FAILED could not be written (is the disk full?): what was read is in $PARTS. Free space, and collect again"
}

# count_cpu: what the pages of a CPU need, if they are still to be read: a line in $taken.
count_cpu() {
  if [ -e "$folder/trace_pipe_raw" ] || [ -e "$folder/reader.log" ] || is_made_up "$cpu_folder/trace_pipe_raw"; then
    return 0
  fi
  pages_needed "$folder/stats" "$cpu_folder" "$bytes"
  needed=$((needed + PAGES * bytes / 1024))
  taken=$taken$PAGES$TAB$bytes$TAB$folder/trace_pipe_raw.reading$NEWLINE
}

# take_space: for all pages that are still to be read. Blocks that a file has are its own: the disk cannot fill up
# between the check and the reading.
take_space() {
  needed=0
  taken=''
  each_cpu count_cpu
  free_kib "$PARTS"
  if [ -n "$KIB" ] && [ "$KIB" -lt $((needed + 64)) ]; then
    die "$STATE has $KIB KiB free, and the pages of the rings need $((needed + 64)): no ring has been read, so nothing is lost. Free space there, and collect again"
  fi
  while IFS=$TAB read -r pages bytes file; do
    [ -n "$file" ] || continue
    dd if=/dev/zero of="$file" bs="$bytes" count="$pages" 2> /dev/null && continue
    printf '%s' "$taken" | while IFS=$TAB read -r _ _ file; do rm -f "$file"; done
    die "$STATE has no room for the $needed KiB that the pages of the rings may need: no ring has been read, so nothing is lost. Free space there, and collect again"
  done <<EOF
$taken
EOF
}

# close_parts: those of an earlier boot, whose collect was killed: its rings are gone, what was read of them is not.
close_parts() {
  defect reading-cut-short "collecting was interrupted in an earlier boot: the parts hold what had been read by then"
  set +f
  rm -rf "$PARTS"/*.new
  for file in "$PARTS"/*/per_cpu/cpu*/trace_pipe_raw.reading; do
    set -f
    [ -f "$file" ] || continue
    part=${file#"$PARTS"/}
    first_line "$PARTS/${part%%/*}.bytes" || LINE=4096
    bytes=$LINE
    PAGES=0
    [ ! -e "${file%/*}/reader.log" ] || written_pages "$file" "$bytes"
    dd if=/dev/null of="$file" bs="$bytes" seek="$PAGES" 2> /dev/null
    mv "$file" "${file%.reading}"
    rm -f "${file%/*}/reader.log" "${file%/*}/reader"
  done
  set -f
  printf 'whole\n' | write_whole "$PARTS/whole" || die "$STATE cannot be written (is the disk full?)"
}

# --- the capture -----------------------------------------------------------------------------------------------------

json_text() { # TEXT: quoted
  printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

# boot_of IDS: `boot_id` and `update` of a part, as $PART_BOOT and $PART_UPDATE.
boot_of() {
  PART_BOOT='' PART_UPDATE=''
  [ -r "$1" ] || return 0
  while IFS='=' read -r key value; do
    case $key=$value in
      boot_id=*[!A-Za-z0-9_-]* | update=*[!0-9a-f]*) ;;
      boot_id=*) PART_BOOT=$value ;;
      update=*) PART_UPDATE=$value ;;
    esac
  done < "$1"
}

write_manifest() { # FOLDER READ-IN
  {
    printf '{\n "format": "blackout-capture",\n "version": 1,\n "name": %s,\n' "$(json_text "$NAME")"
    printf ' "recorder": %s,\n' "$VERSION"
    [ -z "$UPDATE" ] || printf ' "update": "%s",\n' "$UPDATE"
    [ -z "$HASH_KEY" ] || printf ' "session_names": "hashed",\n'
    boot_of "$1/old/ids"
    old_boot=${PART_BOOT:-$OLD_BOOT}
    boot_of "$1/new/ids"
    printf ' "boots": {'
    comma=''
    if [ -d "$1/old" ]; then
      printf '\n  "old": { "files": "old"'
      [ -d "$1/ring" ] && printf ', "ring": "ring"'
      [ -d "$1/marks" ] && printf ', "marks": "marks"'
      if [ -d "$1/luo" ] && [ -d "$1/vcpus" ]; then printf ', "rings": ["luo", "vcpus"]'
      elif [ -d "$1/luo" ]; then printf ', "rings": ["luo"]'
      elif [ -d "$1/vcpus" ]; then printf ', "rings": ["vcpus"]'; fi
      [ -z "$old_boot" ] || printf ', "boot_id": "%s"' "$old_boot"
      printf ' }'
      comma=,
    fi
    if [ -d "$1/new" ]; then
      printf '%s\n  "new": { "files": "new"' "$comma"
      [ -z "$PART_BOOT" ] || printf ', "boot_id": "%s"' "$PART_BOOT"
      printf ' }'
    fi
    printf '\n },\n "parts": {'
    comma=''
    for part in old ring luo vcpus marks new pstore; do
      [ -d "$1/$part" ] || continue
      boot_of "$1/$part/ids"
      read_in=$2
      case $part in
        old) read_in=$PART_BOOT ;;
        ring | luo | vcpus | marks) PART_BOOT=$old_boot ;;
      esac
      printf '%s\n  "%s": { ' "$comma" "$part"
      [ -z "$PART_BOOT" ] || printf '"boot_id": "%s", ' "$PART_BOOT"
      [ -z "$PART_UPDATE" ] || printf '"update": "%s", ' "$PART_UPDATE"
      printf '"read_in": "%s" }' "${read_in:-$BOOT_ID}"
      comma=,
    done
    printf '\n },\n'
    if [ -s "$STATE/sums" ]; then
      printf ' "sha256": {'
      comma=''
      while read -r sum path; do
        printf '%s\n  "%s": "%s"' "$comma" "$path" "$sum"
        comma=,
      done < "$STATE/sums"
      printf '\n },\n'
    fi
    printf ' "labels": { "probe_level": %s' "$(json_text "$LEVEL")"
    [ -z "$WITH" ] || printf ', "with": %s' "$(json_text "$WITH")"
    printf '%s' "$LABELS" | while IFS='=' read -r key value; do
      [ -n "$key" ] && printf ', %s: %s' "$(json_text "$key")" "$(json_text "$value")"
    done
    printf ' },\n "not_recorded": ['
    comma=''
    if [ -r "$STATE/defects" ]; then
      sort -u "$STATE/defects" | while IFS=$TAB read -r code what; do
        printf '%s\n  { "code": %s, "message": %s }' "$comma" "$(json_text "$code")" "$(json_text "$what")"
        comma=,
      done
    fi
    printf ']\n}\n'
  } | into "$1/capture.json"
}

# A capture is made of the parts in the state folder, privately, and gets its name when it is whole and has been read
# back.
BUILD=$STATE/build
build_failed() {
  rm -rf "$BUILD"
  die "$1 (is the disk full?): nothing is collected, and nothing is lost; collect again"
}
# as_one FOLDER TO: the same files by another name, or copies if they are going to be changed.
as_one() {
  if [ -z "$HASH_KEY" ] && cp -Rl "$1" "$2" 2> /dev/null; then return 0; fi
  rm -rf "$2"
  cp -R "$1" "$2" 2> /dev/null
}
build() {
  rm -rf "$BUILD" "$STATE/sums"
  mkdir "$BUILD" || build_failed "$BUILD cannot be made"
  BASE=${OUT##*/}
  case $BASE in *.tar.gz) BASE=${BASE%.tar.gz} ;; *.tgz) BASE=${BASE%.tgz} ;; esac
  case $BASE in -*) BASE=capture$BASE ;; esac
  capture=$BUILD/capture
  mkdir "$capture" || build_failed "$BUILD cannot be written"
  set +f
  for folder in "$PARTS"/*; do
    set -f
    [ -d "$folder" ] || continue
    case $folder in *.new) continue ;; esac
    # Of pstore there may be nothing.
    rmdir "$folder" 2> /dev/null && continue
    as_one "$folder" "$capture/${folder##*/}" || build_failed "$BUILD could not be written"
  done
  set -f
  if [ -d "$STATE/old" ] && ! [ -d "$capture/old" ]; then
    as_one "$STATE/old" "$capture/old" || build_failed "$BUILD could not be written"
  fi
  # A ring alone does not make a boot: its kernel's part is needed.
  if [ -d "$capture/ring" ] && ! [ -d "$capture/old" ]; then mkdir "$capture/old" || build_failed "$BUILD could not be written"; fi
  hide_secrets "$capture" || build_failed 'secrets could not be left out'
  [ -z "$HASH_KEY" ] || hash_sessions "$capture"
  if command -v sha256sum > /dev/null 2>&1; then
    (cd "$capture" && capture_files | while IFS= read -r file; do sha256sum "$file" || exit 1; done) | into "$STATE/sums" || build_failed 'checksums could not be written'
  fi
  first_line "$PARTS/boot" || LINE=''
  write_manifest "$capture" "${LINE#boot=}" || build_failed "$BUILD could not be written"
  [ "$(tail -c 2 "$capture/capture.json")" = '}' ] || build_failed "$BUILD could not be written"
}
# capture_files: those of the current folder, the manifest aside, by name.
capture_files() {
  set +f
  for file in old/* ring/* luo/* vcpus/* marks/* new/* pstore/* ring/per_cpu/*/* luo/per_cpu/*/* vcpus/per_cpu/*/* \
    marks/per_cpu/*/* new/per_cpu/*/*; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
  done
  set -f
}
# sum_of_file FILE: its digest, in $SUM; without sha256sum its size.
sum_of_file() {
  if command -v sha256sum > /dev/null 2>&1; then SUM=$(sha256sum < "$1" 2> /dev/null) || SUM=''
  else SUM=$(wc -c < "$1" 2> /dev/null) || SUM=''; fi
  SUM=${SUM%% *}
}
digest() { if command -v sha256sum > /dev/null 2>&1; then sha256sum; else wc -c; fi; }

# is_intact PATH SUM: whether the capture there is the one that was written: an archive by its digest, a folder by its
# manifest's and by each of the sums in $STATE/sums.
is_intact() {
  [ ! -L "$1" ] || return 1
  if [ -d "$1" ]; then
    sum_of_file "$1/capture.json"
    [ -n "$2" ] && [ "$SUM" = "$2" ] || return 1
    [ ! -s "$STATE/sums" ] || (cd "$1" && sha256sum -c "$STATE/sums" > /dev/null 2>&1)
  else
    sum_of_file "$1"
    [ -n "$2" ] && [ "$SUM" = "$2" ]
  fi
}

# What an earlier, killed run has left beside its output: only a folder that holds the word it was made with.
remove_leftover() {
  first_line "$STATE/publishing" || return 0
  case $LINE in /*/.blackout.*) ;; *) return 0 ;; esac
  leftover=$LINE
  word=$(sed -n 2p "$STATE/publishing")
  if [ -n "$word" ] && ! [ -L "$leftover" ] && first_line "$leftover/of-blackout" && [ "$LINE" = "$word" ]; then rm -rf "$leftover"; fi
  rm -f "$STATE/publishing"
}
# publish_capture: $BUILD/capture becomes $OUT. Fails with a sentence in $WHY; then none of it is left.
publish_capture() {
  WHY="no file can be made beside $OUT"
  mkdir -p "${OUT%/*}/" 2> /dev/null
  private_folder "$OUT" || return 1
  publish_privately
  published=$?
  leave_private_folder
  return $published
}
publish_privately() {
  at=$(pwd -P)
  WHY="$STATE/publishing could not be written"
  printf '%s\n%s\n' "$at" "$UPDATE.$$" | write_whole "$STATE/publishing" || return 1
  WHY="$OUT could not be written (is the disk full?)"
  printf '%s\n' "$UPDATE.$$" | into of-blackout || return 1
  case $OUT in
    *.tar.gz | *.tgz)
      mv "$BUILD/capture" "$BUILD/$BASE" 2> /dev/null || [ "$BASE" = capture ] || return 1
      { tar -C "$BUILD" -cf - "$BASE" 2> /dev/null || : > tar-failed; } | gzip 2> /dev/null > archive || return 1
      [ ! -e tar-failed ] || return 1
      # The archive is read back whole, from the disk if it can be.
      sync archive 2> /dev/null
      WHY="$OUT, read back, is not what was written"
      # shellcheck disable=SC2094 # it is only read
      read_back=$({ gzip -dc < archive && echo end; } 2> /dev/null | digest)
      written=$({ tar -C "$BUILD" -cf - "$BASE" && echo end; } 2> /dev/null | digest)
      [ "$read_back" = "$written" ] || return 1
      members=$(gzip -dc < archive | tar -tf - 2> /dev/null | grep -c -v '/$')
      files=$(cd "$BUILD/$BASE" && { capture_files; echo capture.json; } | grep -c .)
      [ "$members" = "$files" ] || return 1
      result=archive ;;
    *)
      cp -R "$BUILD/capture" capture 2> /dev/null || return 1
      # shellcheck disable=SC2046 # the recorder's own names
      (cd capture && sync $(capture_files) capture.json) 2> /dev/null
      WHY="$OUT, read back, is not what was written"
      (cd capture && [ -s capture.json ] && { [ ! -s "$STATE/sums" ] || sha256sum -c "$STATE/sums" > /dev/null 2>&1; }) || return 1
      cmp -s "$BUILD/capture/capture.json" capture/capture.json || return 1
      result=capture ;;
  esac
  if [ $result = archive ]; then sum_of_file archive; else sum_of_file capture/capture.json; fi
  WHY="$STATE/publishing could not be written"
  printf '%s\n%s\n%s\n%s\n' "$at" "$UPDATE.$$" "$SUM" "$OUT" | write_whole "$STATE/publishing" || return 1
  WHY="$OUT has come about meanwhile, or cannot be made"
  publish $result "${OUT##*/}" || return 1
  sync .. 2> /dev/null
  return 0
}

# note_collected SUM: in $STATE/armed, which `disarm` reads.
note_collected() {
  { if [ -e "$STATE/armed" ]; then grep -v '^\(collected\|sum\)=' "$STATE/armed"; fi
    printf 'collected=%s\nsum=%s\n' "$OUT" "$1"; } | write_whole "$STATE/armed"
}

collect() {
  [ -n "$OUT" ] || misused 'collect needs -o DIR or -o FILE.tar.gz'
  need_tracing
  find_ring
  OUT=${OUT%/}
  case ${OUT##*/} in '' | . | .. | *"$NEWLINE"*) misused "-o: '$OUT' is not a name for a capture" ;; esac
  if ! [ -d "$STATE" ] && [ -z "$CARRIER" ] && ! came_by_kexec; then
    die "nothing is armed in $STATE, and no ring holds an earlier boot: there is nothing to collect"
  fi
  lock
  if [ -d "$STATE/earlier" ] && read_armed && [ "$ARMED_BOOT" = "$BOOT_ID" ] && [ "$ARMED_HALF" = old ]; then
    die "an earlier run was killed while it armed: recorder.sh disarm --state $STATE"
  fi
  # Killed after the last step but one: the capture is there, whole.
  if [ -e "$OUT" ] && [ "$(sed -n 4p "$STATE/publishing" 2> /dev/null)" = "$OUT" ] && is_intact "$OUT" "$(sed -n 3p "$STATE/publishing")"; then
    note_collected "$(sed -n 3p "$STATE/publishing")" || die "$STATE cannot be written (is the disk full?); the capture is whole: $OUT"
    remove_leftover
    say "collected: $OUT (an earlier run had written it)"
    return 0
  fi
  if [ -e "$OUT" ] || [ -L "$OUT" ]; then die "$OUT exists already: it is left as it is; give another name with -o"; fi
  remove_leftover
  if ! read_armed || [ "$ARMED_BOOT" != "$BOOT_ID" ] || [ "$ARMED_HALF" = new ]; then from_carrier; fi
  load_journal
  half=new
  if read_armed; then
    LEVEL=${ARMED_LEVEL:-$LEVEL} WITH=$ARMED_WITH RING=${ARMED_RING:-$RING} MARKS=${ARMED_MARKS:-$MARKS} PERSISTENT=$ARMED_PERSISTENT
    HASH_KEY=${HASH_KEY:-$ARMED_HASH}
    UPDATE=$ARMED_UPDATE OLD_BOOT=${ARMED_OLD_BOOT:-$ARMED_BOOT}
    # In the kernel that was armed for the update: it did not come about, or was refused.
    [ "$ARMED_BOOT" = "$BOOT_ID" ] && half=$ARMED_HALF
    if [ "$ARMED_BOOT" != "$BOOT_ID" ] && ! came_by_kexec; then half=lost; fi
  elif ! [ -d "$STATE/old" ] && ! [ -d "$PARTS" ] && ! came_by_kexec; then
    die "nothing is armed in $STATE, and no ring holds an earlier boot: there is nothing to collect"
  else
    defect not-armed "nothing was saved in the old kernel ($STATE): its events cannot be decoded"
  fi
  [ "$HASH_KEY" != / ] || die "names of sessions were to be hashed: give the key with --hash-sessions"
  [ -z "$HASH_KEY" ] || know_key "$HASH_KEY"
  read_of='' read_half=''
  if first_line "$PARTS/boot"; then
    read_of=${LINE#boot=}
    read_half=$(sed -n 's/^half=//p' "$PARTS/boot")
  fi
  # What is in a capture already makes room for what a later boot has.
  if [ -n "$read_of" ] && [ "$read_of" != "$BOOT_ID" ] && [ -n "$COLLECTED" ]; then rm -rf "$PARTS"; read_of=''; fi
  if [ -n "$read_of" ] && [ "$read_of" != "$BOOT_ID" ]; then
    half=$read_half
    [ -e "$PARTS/whole" ] || close_parts
  elif [ -e "$PARTS/whole" ]; then half=${read_half:-$half}
  else
    if [ "$half" = new ] && [ -n "$ARMED_BOOT" ]; then
      enter_new
      mark_update "$TRACING/trace_marker"
      mark_clock "$TRACING/trace_marker"
    fi
    read_parts "$half" "$TEXT"
  fi
  [ "$half" != lost ] || say 'this kernel did not come of the update: what was saved before it is all there is'
  [ -n "$NAME" ] || NAME=$(uname -n)-$(date -u +%Y%m%dT%H%M%SZ)
  build
  if ! WHY=$(publish_capture || { printf '%s' "$WHY"; exit 1; }); then
    remove_leftover
    build_failed "${WHY:-$OUT could not be written}"
  fi
  SUM=$(sed -n 3p "$STATE/publishing")
  note_collected "$SUM" || die "$STATE cannot be written (is the disk full?); the capture is whole: $OUT"
  remove_leftover
  rm -rf "$BUILD"
  say "collected: $OUT"
}

# is_own_change KIND WHAT VALUE: whether it stays within tracefs, and is one that this recorder makes.
is_own_change() {
  case /$2/ in */../* | */./* | *//*) return 1 ;; esac
  inside=$2
  case $inside in instances/?*/?*) inside=${inside#instances/*/} ;; esac
  case $1:$inside in
    write:trace_clock | write:tracing_on | write:current_tracer | write:options/record-tgid | write:events/*/enable | write:events/*/filter) ;;
    clear:trace | filter:set_ftrace_filter | probes:kprobe_events | probes:dynamic_events) ;;
    instance:*/* | instance:.*) return 1 ;;
    instance:?*) ;;
    *) return 1 ;;
  esac
  case $1 in
    filter) case $3 in "$STATE"/filter.*/*) return 1 ;; "$STATE"/filter.*) ;; *) return 1 ;; esac ;;
  esac
}
# undo LINE: true if none of it is left.
undo() {
  kind=${1%%"$TAB"*}
  rest=${1#*"$TAB"}
  what=${rest%%"$TAB"*}
  value=${rest#*"$TAB"}
  if ! is_own_change "$kind" "$what" "$value"; then
    say "ignored: '$(printf '%s' "$1" | tr -cd ' -~' | cut -c 1-200)' in $JOURNAL is not a change that this recorder makes"
    return 0
  fi
  case $kind in
    write)
      [ -e "$TRACING/$what" ] || return 0
      case $what in
        *trace_clock) chosen "$TRACING/$what" || LINE='' ;;
        */filter) whole_line "$TRACING/$what" ;;
        *) first_line "$TRACING/$what" || LINE='' ;;
      esac
      LINE=${LINE%\*}
      case $what in */filter) [ "$LINE" = none ] && LINE=0 ;; esac
      [ "$LINE" = "$value" ] || put "$TRACING/$what" "$value" ;;
    clear)
      [ -e "$TRACING/$what" ] || return 0
      { printf '' > "$TRACING/$what"; } 2> /dev/null ;;
    filter)
      [ -e "$TRACING/$what" ] || return 0
      if [ -s "$value" ]; then { cat "$value" > "$TRACING/$what"; } 2> /dev/null
      else { printf '' > "$TRACING/$what"; } 2> /dev/null; fi ;;
    instance)
      [ -d "$TRACING/instances/$what" ] || return 0
      "${TOOLS}rmdir" "$TRACING/instances/$what" 2> /dev/null ;;
    probes)
      [ -d "$TRACING/events/$GROUP" ] || grep -q "^[fpr][0-9]*:$GROUP/" "$TRACING/$what" 2> /dev/null || return 0
      put "$TRACING/events/$GROUP/enable" 0
      { printf -- '-:%s/\n' "$GROUP" >> "$TRACING/$what"; } 2> /dev/null && ! [ -d "$TRACING/events/$GROUP" ] && return 0
      set +f
      for folder in "$TRACING/events/$GROUP"/*/; do
        set -f
        [ -d "$folder" ] || continue
        folder=${folder%/}
        { printf -- '-:%s/%s\n' "$GROUP" "${folder##*/}" >> "$TRACING/$what"; } 2> /dev/null
      done
      ! [ -d "$TRACING/events/$GROUP" ] ;;
    *) false ;;
  esac
}

# What the command line turned on in the top-level buffer at boot, for the update's sake: it has served.
stop_boot_tracing() {
  for word in $CMDLINE; do
    case $word in
      trace_event=*)
        # Older kernels quote what comes of a bootconfig.
        for event in $(printf '%s' "${word#trace_event=}" | tr -d '"' | tr ',' ' '); do
          system=${event%%:*}
          name=${event#*:}
          case $name in
            '*') put "$TRACING/events/$system/enable" 0 ;;
            *) put "$TRACING/events/$system/$name/enable" 0 ;;
          esac
        done ;;
      ftrace=*) put "$TRACING/current_tracer" nop && { printf '' > "$TRACING/set_ftrace_filter"; } 2> /dev/null ;;
      trace_clock=*) put "$TRACING/trace_clock" local ;;
    esac
  done
  # A copy of a ring that is cleared removes itself.
  set +f
  for folder in "$TRACING"/instances/*_backup; do
    if [ -e "$folder/last_boot_info" ]; then { printf '' > "$folder/trace"; } 2> /dev/null; fi
  done
  set -f
  # And the probes that a bootconfig has defined, those of this recorder's.
  find_handlers
  sed -n 's/^ftrace\.event\.kprobes\.\([a-z0-9_]*\)\.probes.*/\1/p' "$ROOT/proc/bootconfig" 2> /dev/null | while IFS= read -r probe; do
    probe_rows | grep -q " ${probe%_ret} " || continue
    put "$TRACING/events/kprobes/$probe/enable" 0
    put_more "$TRACING/$PROBES_FILE" "-:kprobes/$probe"
  done
  { printf '' > "$TRACING/trace"; } 2> /dev/null
}

# take_back: what the journal has, from its end. Fails if something is left, which stays in the journal.
take_back() {
  [ -e "$JOURNAL" ] || return 0
  left=''
  # A last line without an end was cut by a full disk or a kill: that change was not made.
  while IFS= read -r line; do
    [ -n "$line" ] || continue
    undo "$line" || left=$left$line$NEWLINE
  done <<EOF
$({ cat "$JOURNAL"; printf '\n'; } | sed "$([ -z "$(tail -c 1 "$JOURNAL")" ] || echo "\$d")" | sed '1!G;h;$!d')
EOF
  [ -n "$left" ] || return 0
  printf '%s' "$left" | sed '1!G;h;$!d' | write_whole "$JOURNAL" || true
  say "some of it could not be taken back (is a file of it open?); try again:"
  printf '%s' "$left" | sed 's/^/  /' >&2
  return 1
}

# What `disarm` may delete: everything of an update that never began to be read, and what is in a capture that is still
# what was written.
may_be_deleted() {
  [ "$DISCARD" = no ] || return 0
  if [ -n "$COLLECTED" ]; then
    is_intact "$COLLECTED" "$COLLECTED_SUM" && return 0
    if [ -e "$COLLECTED" ]; then KEPT="$COLLECTED is not what was collected"; else KEPT="$COLLECTED is not there any more"; fi
    return 1
  fi
  KEPT='not collected yet'
  [ ! -d "$PARTS" ] || return 1
  [ -d "$STATE/old" ] || return 0
  [ -n "$ARMED_BOOT" ] && [ "$ARMED_BOOT" = "$BOOT_ID" ] && [ "$ARMED_HALF" = old ]
}

disarm() {
  [ -d "$STATE" ] || { say 'nothing is armed'; return 0; }
  need_tracing
  lock
  armed=no
  read_armed && armed=yes
  # In another boot than the journal's, tracefs is new: none of it is left there.
  if [ $armed = no ] || [ "$ARMED_BOOT" = "$BOOT_ID" ]; then take_back || return 1; fi
  rm -f "$JOURNAL" "$JOURNAL.new"
  [ "$ARMED_HALF" = new ] && [ "$ARMED_BOOT" = "$BOOT_ID" ] && stop_boot_tracing
  if [ -d "$STATE/earlier" ] && { [ $armed = no ] || { [ "$ARMED_BOOT" = "$BOOT_ID" ] && [ "$ARMED_HALF" = old ]; }; }; then
    bring_earlier_back
    read_armed || true
  fi
  if ! may_be_deleted; then
    say "$KEPT: what was saved is kept in $STATE (collect, or disarm --discard)"
    return 0
  fi
  remove_leftover
  # Nothing but what this recorder makes in its state folder.
  set +f
  rm -rf "$STATE/old" "$STATE/old.new" "$STATE/old.before" "$PARTS" "$BUILD" "$STATE/hashing" "$STATE/carried" "$STATE/sums" \
    "$STATE/armed" "$STATE/armed.new" "$STATE/defects" "$STATE/contents" "$STATE/layout" "$STATE/costs" "$STATE/traceable" \
    "$STATE/publishing" "$STATE/image" "$STATE/earlier" "$STATE"/filter.* "$STATE"/*.new
  set -f
  unlock
  rmdir "$STATE" 2> /dev/null
  say 'disarmed: the recorder has left nothing in tracefs'
}

status() {
  if read_armed; then
    echo "armed: level $ARMED_LEVEL, $ARMED_HALF kernel, $([ "$ARMED_BOOT" = "$BOOT_ID" ] && echo this || echo 'an earlier') boot"
    echo "ring: $ARMED_RING$([ "$ARMED_PERSISTENT" = yes ] || echo ' (does not outlive a kexec)'); marks go to $ARMED_MARKER"
    [ -d "$STATE/old" ] && echo "saved: $STATE/old"
    [ -z "$COLLECTED" ] || echo "collected: $COLLECTED"
  else echo 'armed: no'; fi
  [ -r "$STATE/defects" ] && sort -u "$STATE/defects" | sed "s/^[^$TAB]*$TAB/not recorded: /"
  if [ -s "$JOURNAL" ]; then
    if [ -z "$ARMED_BOOT" ] || [ "$ARMED_BOOT" = "$BOOT_ID" ]; then
      echo "to be taken back by \`recorder.sh disarm --state $STATE\`:"
      sed 's/^/  /' "$JOURNAL"
    fi
  else echo 'left in tracefs: nothing'; fi
}

# --- doctor ----------------------------------------------------------------------------------------------------------

# check STATUS CODE LEVEL FOUND ADVICE: STATUS is ok, note, or fail (the level, and those above it, cannot be recorded).
CHECKS=''
READY=3
check() {
  CHECKS=$CHECKS$1$TAB$2$TAB$3$TAB$4$TAB$5$NEWLINE
  [ "$1" = fail ] || return 0
  limit=$(($(level_number "$3") - 1))
  [ $limit -lt $READY ] && READY=$limit
  return 0
}
# config OPTION: y, m, n, or ? where the kernel does not show it.
config() {
  if [ -z "$CONFIG" ]; then echo '?'; return; fi
  case $NEWLINE$CONFIG$NEWLINE in *"$NEWLINE$1=y$NEWLINE"*) echo y ;; *"$NEWLINE$1=m$NEWLINE"*) echo m ;; *) echo n ;; esac
}
missing() { # OPTION...: " (CONFIG_X is not set)" for the first that is known to be off
  for option in "$@"; do [ "$(config "$option")" = n ] && { printf ' (%s is not set)' "$option"; return; }; done
}

# examine_rings: what the rings take of memory, whether the kernel has made them, and each CPU's share.
examine_rings() {
  asked_rings
  choose_ring_sizes
  if [ -n "$REFUSED" ]; then
    size_of $((LEAST_KIB * CPUS))
    check fail rings markers "this kernel has not made these rings of its command line: $REFUSED; it refuses (-12) what has less than $SMALLEST_KIB KiB for each of $CPUS possible CPUs" \
      "start this kernel with what recorder.sh kernel-cmdline --for old prints; at least $SIZE for a ring"
    return
  fi
  size_of "$RINGS_KIB"
  if [ -z "$ASKED" ]; then
    [ $PERSISTENT = yes ] || check note rings markers "the rings of level $LEVEL would take $SIZE of memory for good, for $CPUS possible CPUs" ''
    return
  fi
  total=0 shares='' small=''
  for instance in $ASKED; do
    reserved_of "$instance"
    total=$((total + KIB))
    shares="$shares${shares:+, }$instance $((KIB / CPUS)) KiB"
    [ "$KIB" -ge $((LEAST_KIB * CPUS)) ] || small="$small${small:+, }$instance"
  done
  [ $total -gt 0 ] || return 0
  size_of $total
  shares="the rings take $SIZE of memory; of each of $CPUS possible CPUs: $shares"
  if [ -n "$small" ]; then
    check note rings markers "$shares; $small keeps less than $LEAST_KIB KiB for a CPU" 'leave these words out of the command line, and add what recorder.sh kernel-cmdline --for old prints then'
  else check ok rings markers "$shares" ''; fi
}

examine() {
  CONFIG=''
  if [ -r "$ROOT/proc/config.gz" ]; then CONFIG=$(gzip -dc < "$ROOT/proc/config.gz" | grep '^CONFIG_\(KEXEC\|LIVEUPDATE\|KPROBE\|FTRACE\|FUNCTION_GRAPH\|FPROBE\|BOOT_CONFIG\|PERSIST\|DEBUG_FS\|DEBUG_INFO_BTF\|PSTORE\)')
  elif [ -r "$ROOT/boot/config-$RELEASE" ]; then CONFIG=$(grep '^CONFIG_' "$ROOT/boot/config-$RELEASE"); fi
  if [ -z "$TRACING" ]; then
    check fail tracefs markers 'tracefs is not mounted, or not readable' 'run as root; mount -t tracefs tracefs /sys/kernel/tracing'
    return
  fi
  if [ -w "$TRACING/trace_marker" ]; then check ok tracefs markers "$TRACING can be written" ''
  else check fail tracefs markers "$TRACING cannot be written" 'run as root, or give yourself CAP_DAC_OVERRIDE for tracefs'; fi
  find_ring
  if [ $PERSISTENT = yes ]; then
    chosen "$TRACING/instances/$RING/trace_clock" || LINE='?'
    if [ "$LINE" = local ]; then check ok ring markers "instances/$RING outlives a kexec, on the local clock" ''
    else check note ring markers "instances/$RING is on the clock $LINE: the next kernel would empty its boot CPU's buffer" 'arm sets it to local'; fi
    if [ "$MARKS" = "$RING" ]; then
      check note marks markers 'marks share the ring with all other events' 'a second one keeps the pause when the ring wraps: recorder.sh kernel-cmdline --for old'
    else check ok marks markers "instances/$MARKS keeps marks apart from noise" ''; fi
  else
    advice='start this kernel with what recorder.sh kernel-cmdline --for old prints'
    case $RELEASE in
      [1-5].* | 6.[0-9].* | 6.10.* | 6.11.*) advice='Linux 6.12 or later is needed for a trace buffer that outlives a kexec' ;;
    esac
    check fail ring markers 'no trace instance outlives a kexec: the events of the old kernel would be lost' "$advice"
  fi
  examine_rings
  # Of the kernel's code for it, the one function that no compiler inlines (kernel/trace/trace.c of Linux 7.2 and 7.3).
  if grep -q ' trace_array_autoremove$' "$ROOT/proc/kallsyms" 2> /dev/null; then
    check ok backup markers 'this kernel can copy a ring at boot (trace_instance=COPY=RING), so that the ring records at once' ''
  else check note backup markers 'this kernel cannot copy a ring at boot' 'it matters only where the rings are to record before they are collected (--backup)'; fi
  examine_stamps
  if [ -e "$ROOT/proc/bootconfig" ]; then check ok bootconfig markers 'this kernel reads a bootconfig' ''
  else check note bootconfig markers "this kernel reads no bootconfig$(missing CONFIG_BOOT_CONFIG)" 'the next one is armed by its command line'; fi
  if [ -e "$ROOT/dev/liveupdate" ]; then check ok liveupdate markers '/dev/liveupdate is there' ''
  else
    advice="start the kernel with liveupdate=on$(missing CONFIG_LIVEUPDATE)"
    case $RELEASE in [1-5].* | 6.[0-9].* | 6.1[0-8].*) advice='Linux 6.19 or later has LUO' ;; esac
    check note liveupdate markers 'there is no /dev/liveupdate: no live update under LUO' "$advice"
  fi
  if [ -d "$ROOT/sys/kernel/debug/kho" ]; then check ok kho markers 'KHO is on' ''
  else
    case " $CMDLINE " in
      *' kho=off '*) check note kho markers 'KHO is off on the command line: nothing is handed over' 'start the kernel with kho=on' ;;
      *' kho=on '*) check ok kho markers 'KHO is requested on the command line' '' ;;
      *) check note kho markers "whether KHO is on is not known$(missing CONFIG_KEXEC_HANDOVER)" 'start the kernel with kho=on; CONFIG_KEXEC_HANDOVER_DEBUGFS shows it' ;;
    esac
  fi
  case $(cat "$TRACING/trace_clock" 2> /dev/null) in
    *x86-tsc*) check ok clock markers 'the TSC can be read beside the other clocks: both kernels go on one axis' '' ;;
    *) check note clock markers 'no trace clock x86-tsc: only the wall clock ties the two kernels' 'mark the realtime in both kernels, set by NTP or PTP' ;;
  esac
  if first_line "$ROOT/sys/devices/system/clocksource/clocksource0/current_clocksource"; then
    case $LINE in
      tsc | kvm-clock) check ok clocksource markers "the clocksource is $LINE" '' ;;
      *) check note clocksource markers "the clocksource is $LINE: the TSC may not be steady" 'see the kernel log for why it was passed over' ;;
    esac
  fi
  first_line "$ROOT/proc/sys/kernel/kptr_restrict" || LINE=0
  [ "$LINE" = 2 ] && check note symbols markers 'kernel.kptr_restrict is 2: addresses in pages stay numbers' 'sysctl kernel.kptr_restrict=1'
  missing_events=''
  for event in printk/console syscalls/sys_enter_ioctl syscalls/sys_enter_reboot notifier/notifier_run cpuhp/cpuhp_enter initcall/initcall_start; do
    [ -d "$TRACING/events/$event" ] || missing_events="$missing_events $event"
  done
  case $missing_events in
    '') check ok events events 'syscall, initcall, cpuhp, notifier and printk events are there' '' ;;
    *sys_enter_reboot*) check fail events events "these events are missing:$missing_events" "a kernel with CONFIG_FTRACE_SYSCALLS=y$(missing CONFIG_FTRACE_SYSCALLS)" ;;
    *) check note events events "these events are missing:$missing_events" 'phases are found without them, with less detail' ;;
  esac
  if [ -n "$PROBES_FILE" ]; then
    find_handlers
    wanted=$(probe_rows | while read -r _ function _; do echo "$function"; done)
    found=$(printf '%s\n' "$wanted" | traceable | wc -l)
    total=$(printf '%s\n' "$wanted" | wc -l)
    # Their number varies with the compiler; these have no stand-in.
    core=$(printf '%s\n' luo_preserve_file liveupdate_reboot luo_retrieve_file | traceable | wc -l)
    if [ "$core" -eq 3 ]; then
      choose_probes
      check ok probes probes "$((found)) of $((total)) functions can be probed, by ${KIND}s: $KIND_WHY" ''
    else check fail probes probes "$((found)) of $((total)) functions can be probed, LUO's own not among them" 'a kernel with CONFIG_LIVEUPDATE=y; without it there is nothing to probe'; fi
    know_layout yes
    case $LAYOUT_FROM in
      btf) check ok session-names probes "where this kernel keeps a session's name is in its BTF" '' ;;
      table) ;;
      *) check note session-names probes "where Linux $RELEASE keeps a session's name is not known" "files are recorded without their session; marks may name it; BTF would show it$(missing CONFIG_DEBUG_INFO_BTF)" ;;
    esac
  else check fail probes probes 'this kernel has no kprobe events' "a kernel with CONFIG_KPROBE_EVENTS=y$(missing CONFIG_KPROBES CONFIG_KPROBE_EVENTS)"; fi
  case " $(cat "$TRACING/available_tracers" 2> /dev/null) " in
    *' function_graph '*) check ok graph graph 'the function_graph tracer is there' '' ;;
    *) check fail graph graph 'there is no function_graph tracer' "a kernel with CONFIG_FUNCTION_GRAPH_TRACER=y$(missing CONFIG_FUNCTION_GRAPH_TRACER)" ;;
  esac
  type=$(type_of_state)
  if [ -n "$CARRIER" ]; then type=carrier; fi
  case $type in
    carrier) check ok carrier markers "what is saved goes to $CARRIER, too" '' ;;
    tmpfs | ramfs | rootfs | devtmpfs) check fail carrier markers "$STATE is on $type, which a kexec empties" 'give a folder on a disk, 9p or NFS with --state, or a memfd in a LUO session with --carrier' ;;
    '') check note carrier markers "what $STATE lies on is not known" 'it must outlive the kexec' ;;
    *) check ok carrier markers "$STATE is on $type, which outlives a kexec" '' ;;
  esac
  if [ -n "$(ls "$ROOT/sys/fs/pstore" 2> /dev/null)" ] || [ -d "$ROOT/sys/module/ramoops" ]; then
    check ok pstore markers 'pstore keeps the log of a kernel that panics' ''
  else check note pstore markers 'no pstore: a new kernel that panics leaves its last words on the console only' 'reserve_mem=2M:4096:oops ramoops.mem_name=oops, with CONFIG_PSTORE_RAM'; fi
}

# examine_stamps: whether the images that were started and are going to be are stamped (docs/image-stamp.md).
examine_stamps() {
  advice='blackout record stamp BZIMAGE -o OUT: a stamped image shows what the time between the two kernels was spent on'
  if [ -n "$IMAGE" ]; then
    if ! look_at_image; then check note next-stamp markers "$IMAGE cannot be read as an x86 kernel image" 'give the bzImage that kexec loads'
    elif [ $STAMPED = yes ]; then check ok next-stamp markers "$IMAGE is stamped" ''
    else check note next-stamp markers "$IMAGE is not stamped" "$advice"; fi
  elif first_line "$ROOT/sys/kernel/kexec_loaded" && [ "$LINE" = 1 ]; then
    check note next-stamp markers 'a kernel is loaded; whether its image is stamped cannot be read from memory' 'doctor --kernel BZIMAGE looks at its file'
  fi
  [ -r "$BOOT_PARAMS" ] || return 0
  case $(od -An -v -tx1 -j 208 -N 16 "$BOOT_PARAMS" 2> /dev/null | tr -d ' 0\n') in
    '') check note stamp markers 'this kernel was not started from a stamped image' "$advice" ;;
    *) check ok stamp markers 'this kernel was started from a stamped image' '' ;;
  esac
}

doctor() {
  examine
  case $READY in -1) ready='' ;; 0) ready=markers ;; 1) ready=events ;; 2) ready=probes ;; *) ready=graph ;; esac
  if [ $JSON = yes ]; then
    printf '{"format":"blackout-doctor","version":1,"kernel":%s,"level":"%s","ready":%s,"checks":[' \
      "$(json_text "$RELEASE")" "$LEVEL" "$([ -n "$ready" ] && json_text "$ready" || echo null)"
    comma=''
    printf '%s' "$CHECKS" | while IFS=$TAB read -r state code level found advice; do
      printf '%s{"status":"%s","code":"%s","level":"%s","found":%s,"advice":%s}' "$comma" "$state" "$code" "$level" \
        "$(json_text "$found")" "$(json_text "$advice")"
      comma=,
    done
    printf ']}\n'
  else
    printf '%s' "$CHECKS" | while IFS=$TAB read -r state code level found advice; do
      printf '%-4s  %-13s %s\n' "$state" "$code" "$found"
      [ -z "$advice" ] || printf '%-20s-> %s\n' '' "$advice"
    done
    echo "Linux $RELEASE can record: ${ready:-nothing that outlives a kexec}"
  fi
  [ "$READY" -ge "$LEVEL_NUMBER" ]
}

case $VERB in
  doctor) doctor ;;
  plan) plan ;;
  bootconfig) bootconfig ;;
  kernel-cmdline) kernel_cmdline ;;
  arm) arm ;;
  save) save ;;
  mark) mark ;;
  collect) collect ;;
  disarm) disarm ;;
  status) status ;;
esac
