#!/usr/bin/env bats
# A whole Debian, from debootstrap, booted on a terminal: login prompt, a command, reboot, login again, power off.
# The scenarios are in boot.py.

load helpers

prepare_file() { copy_debian_tree "$BATS_FILE_TMPDIR/debian"; }

booting() { timeout --kill-after=5 280 python3 "$TESTS/root/boot.py" "$1" "$BATS_FILE_TMPDIR/debian" 3>&-; }

@test "boot to the login prompt, log in, run a command, reboot, power off" { booting login_reboot_poweroff; }
@test "SIGTERM to the supervisor shuts the system down in order" { booting orderly_stop; }
@test "^] three times ends a booted system at once" { booting kill_keys; }
@test "an ephemeral boot changes nothing in the tree, also over a reboot" { booting ephemeral; }
@test "volatile boots: yes, state and overlay" { booting volatile; }
@test "--notify-ready waits for the whole boot" { booting notify_ready; }
@test "no unit fails for want of something the container should give" { booting no_failed_units; }
@test "a shell in the Debian tree without booting it: bash, getent, apt's own tools" { booting shell; }
