#!/bin/busybox sh
# shellcheck shell=dash
# The guest's whole user space. First boot: arm, preserve, kexec. Second boot: restore, collect, disarm. What it leaves
# for the host lies on the 9p share: state/ (the recorder's), capture/, verified, tested, left, failed.
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /out /tmp
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t pstore pstore /sys/fs/pstore
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /out

word() { # NAME DEFAULT: of the kernel's command line
  # shellcheck disable=SC2013 # words are meant
  for given in $(cat /proc/cmdline); do
    case $given in "$1"=*) echo "${given#*=}"; return ;; esac
  done
  echo "$2"
}
# shellcheck source=/dev/null
. /tracefs-state.sh
STATE=/out/state
recorder() { sh /recorder.sh "$@" --state $STATE; }

WORKLOAD=$(word lab.workload memfd)
SESSIONS=$(word lab.sessions 2) FILES=$(word lab.files 2) MIB=$(word lab.mib 4)
LEVEL=$(word lab.level events) FAULT=$(word lab.fault none)
BY=$(word lab.by cmdline) CARRIER=$(word lab.carrier folder) BACKUP=$(word lab.backup no)
collect='collect -o /out/capture'
[ "$BACKUP" = no ] || backup=--backup
PROBES=$(word lab.probes '')
[ -z "$PROBES" ] || export BLACKOUT_PROBES="$PROBES"
if [ "$(word lab.hash no)" = yes ]; then
  printf 0123456789abcdef0123456789abcdef > /key
  export BLACKOUT_HASH_SESSIONS=/key
fi
# Kept only in memory that survives the kexec: this folder is the guest's own.
if [ "$CARRIER" = memfd ]; then
  STATE=/state
  verb=save
  [ "$(word lab.boot 1)" = 1 ] || verb=$collect
  export LAB_CARRIER="sh /recorder.sh $verb --state $STATE --carrier"
fi
# inject_at FUNCTION: the host's debugger sets its trap there (live-update.ts), before this returns.
inject_at() {
  awk -v of="$1" '$3 == of { print $1; exit }' /proc/kallsyms > /out/inject.new
  mv /out/inject.new /out/inject
  waited=0
  until [ -e /out/inject.set ] || [ $waited -ge 600 ]; do usleep 100000; waited=$((waited + 1)); done
}
marker=-
# Without a recorder: the same update, only for the clock outside.
if [ "$LEVEL" = none ]; then
  : > /out/unrecorded
  recorder() {
    # shellcheck disable=SC2013 # words are meant
    [ "$1" != kernel-cmdline ] || for given in $(cat /proc/cmdline); do
      case $given in kho=* | liveupdate=* | kho_scratch=*) printf '%s ' "$given" ;; esac
    done
  }
fi
if [ "$(word lab.boot 1)" = 1 ]; then
  tracefs_state > /out/before 2> /dev/null
  recorder doctor --level "$LEVEL" > /out/doctor
  recorder arm --level "$LEVEL" --kernel /next/kernel 2> /out/arm.log || echo "arm: $?" >> /out/failed
  kernel=/next/kernel initrd=/next/initrd
  same=$(word lab.same "")
  if [ "$BY" = bootconfig ]; then
    # shellcheck disable=SC2086 # a word or none
    recorder bootconfig --level "$LEVEL" $same ${backup-} --initrd $initrd -o $initrd.bootconfig 2>> /out/arm.log || echo "bootconfig: $?" >> /out/failed
    initrd=$initrd.bootconfig
    next="bootconfig kho=on liveupdate=on kho_scratch=$(word kho_scratch)"
  else
    # shellcheck disable=SC2086
    next="$(recorder kernel-cmdline --level "$LEVEL" --for next $same ${backup-} 2>> /out/arm.log)"
  fi
  next="$next $(word lab.console console=ttyS0) panic=-1 lab.boot=2 lab.workload=$WORKLOAD lab.sessions=$SESSIONS lab.files=$FILES lab.mib=$MIB lab.level=$LEVEL lab.fault=$FAULT lab.by=$BY lab.carrier=$CARRIER lab.probes=$PROBES lab.backup=$BACKUP lab.hash=$(word lab.hash no) $(cat /cmdline)"
  case $FAULT in
    refused) inject_at memfd_luo_freeze ;;
    # The next kernel's function is where this one's is: neither chooses its place at random.
    abi)
      next="$next nokaslr"
      inject_at fdt_node_check_compatible ;;
    agent-killed) /workload abandon "$SESSIONS" 1 "$MIB" "$(sed -n 's/^marker=//p' $STATE/armed)" 2>> /out/workload.old ;;
    not-loaded) kernel=- ;;
    panic) next="$next rdinit=/nowhere" ;;
    hang) next="$next rdinit=/nowhere root=/dev/nowhere rootwait" ;;
    kho-off) next="$(echo "$next" | sed 's/kho=on/kho=off/')" ;;
    cpus) next="$next nr_cpus=1" ;;
  esac
  [ "$CARRIER" = memfd ] || recorder save --kernel /next/kernel --initrd $initrd
  [ "$LEVEL" = none ] || marker=$(sed -n 's/^marker=//p' $STATE/armed)
  sync
  if [ "$WORKLOAD" = selftests ]; then
    /workload load $kernel $initrd "$next" 2> /out/workload.old
    # Each leaves a process behind that keeps its sessions open.
    for program in /selftests/*; do
      "$program" -s 1 > "/out/${program##*/}.old" 2>&1 || echo "${program##*/} -s 1: $?" >> /out/failed
    done
    /workload kexec "$marker" 2>> /out/workload.old
  else
    /workload update "$SESSIONS" "$FILES" "$MIB" "$marker" $kernel $initrd "$next" 2> /out/workload.old
  fi
else
  # Probes alone are not armed by the command line, which takes time inside the blackout; a bootconfig has them armed.
  # Without the old kernel's state, half and level are unknown.
  known=''
  [ "$CARRIER" = folder ] || known="--half new --level $LEVEL"
  # shellcheck disable=SC2086 # words are meant
  case $LEVEL/$BY in probes/cmdline | graph/cmdline) recorder arm $known 2> /out/arm.new.log ;; esac
  # While the copies are collected.
  if [ "$BACKUP" = yes ]; then
    echo 1 > /sys/kernel/tracing/instances/blackout/tracing_on
    echo 'recorded again' > /sys/kernel/tracing/instances/blackout/trace_marker
    grep -c 'recorded again' /sys/kernel/tracing/instances/blackout/trace > /out/recorded-again
  fi
  [ "$LEVEL" = none ] || marker=/sys/kernel/tracing/trace_marker
  [ "$FAULT" != retrieve ] || inject_at memfd_luo_retrieve
  if [ "$WORKLOAD" = selftests ]; then
    for program in /selftests/*; do
      "$program" -s 2 > "/out/${program##*/}.new" 2>&1
      echo "$? ${program##*/}" >> /out/tested
    done
    /workload resume "$marker"
  else
    /workload restore "$SESSIONS" "$FILES" "$MIB" "$marker" > /out/verified 2> /out/workload.new
  fi
fi
# For the clock outside, the update is over.
[ "$(word lab.collect 1)" = 1 ] || { umount /out; poweroff -f; }
# shellcheck disable=SC2086 # words are meant
[ -e /out/capture ] || recorder $collect 2> /out/collect.log || echo "collect: $?" >> /out/failed
[ "$BACKUP" = no ] || echo 0 > /sys/kernel/tracing/instances/blackout/tracing_on
recorder disarm 2> /out/disarm.log || echo "disarm: $?" >> /out/failed
tracefs_state > /out/left 2> /dev/null
sync
umount /out
poweroff -f
