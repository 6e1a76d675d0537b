#!/bin/sh
# What the units of the systemd workload run in the guest, whose root is on the host: before, vm, update, end. What it
# leaves for the host lies in /out: capture/, before, left, verified, failed, journal.
# shellcheck source=/dev/null
. /lab/options
# shellcheck source=/dev/null
. /lab/tracefs-state.sh
NEXT=lab.boot=2

# A unit of the recorder's may not fail, although none would keep the update from being made.
check() { # UNIT
  status=$(systemctl show -p ExecMainStatus --value "$1")
  [ "$status" = 0 ] || echo "$1: $status: $(journalctl -u "$1" -o cat -n 8 | tr '\n' '|')" >> /out/failed
}

case $1 in
  before) tracefs_state > /out/before 2> /dev/null ;;
  vm)
    # shellcheck disable=SC2154 # of the options
    exec /lab/workload vm "$SESSIONS" "$FILES" "$MIB" "$(sed -n 's/^marker=//p' /var/lib/blackout/armed)" > /out/verified 2> "/out/workload.$(date +%s)" ;;
  update)
    check blackout-arm.service
    # The first kernel's words for the machine, the lab and systemd; the recorder adds the rest.
    # shellcheck disable=SC2013 # words are meant
    kept=$(for word in $(cat /proc/cmdline); do
      case $word in console=* | panic=* | root=* | rootfstype=* | rootflags=* | rw | kho_scratch=* | init=* | systemd.*) printf '%s ' "$word" ;; esac
    done)
    # shellcheck disable=SC2154
    words="$kept$(/usr/local/sbin/blackout-recorder kernel-cmdline --level "$LEVEL" --for next) $CMDLINE $NEXT"
    kexec -s -l /lab/kernel --command-line="$words" || echo "kexec -s -l: $?" >> /out/failed
    systemctl --no-block kexec ;;
  end)
    check blackout-arm.service
    systemctl start blackout-collect.service || echo "blackout-collect.service: $?" >> /out/failed
    mkdir /out/unpacked
    tar -xzf /var/lib/blackout-captures/*.tar.gz -C /out/unpacked && mv /out/unpacked/* /out/capture
    tracefs_state > /out/left 2> /dev/null
    journalctl --no-pager -o short-monotonic > /out/journal
    sync
    systemctl poweroff --force --force ;;
esac
