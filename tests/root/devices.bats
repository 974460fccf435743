#!/usr/bin/env bats
# The device policy: nodes of other devices can be made, but not used; the documented ones work.

load helpers

# Whether a device policy can be had here: a writable devices controller (v1), or a device program (v2).
device_policy_is_possible() {
    case $(cgroup_mode) in
        v2) return 0 ;;
        *) [[ -w /sys/fs/cgroup/devices/devices.deny ]] || [[ -d /sys/fs/cgroup/unified ]] ;;
    esac
}

@test "nodes of other devices cannot be opened" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    local root major minor
    root=$(stat -c '%d' "$TREE")
    major=$((root >> 8 & 0xfff)) minor=$((root & 0xff | root >> 12 & 0xfff00))
    run inside sh -c "probe mknod /tmp/disk b $major $minor r; probe mknod /tmp/mem c 1 1 r; probe mknod /tmp/kmsg c 1 11 r; probe mknod /tmp/vc c 4 0 r; probe mknod /tmp/loopctl c 10 237 r"
    assert_success
    refute_output --partial ': ok
/'
    local line
    for line in "${lines[@]}"; do
        [[ $line == mknod:* || $line == *EPERM || $line == *ENODEV ]] || fail "$line"
    done
    assert_line '/tmp/kmsg: EPERM'
}

@test "nodes outside of the policy's file systems: a node in the tree itself" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    mknod "$TREE/kmsg" c 1 11
    run inside probe open /kmsg r
    assert_output '/kmsg: EPERM'
}

@test "the documented devices can be made anew and used" {
    run inside sh -c 'probe mknod /tmp/n c 1 3 w; probe mknod /tmp/z c 1 5 rg; probe mknod /tmp/u c 1 9 rg'
    assert_line '/tmp/n: ok'
    assert_line '/tmp/z: ok'
    assert_line '/tmp/u: ok'
    refute_line 'mknod: EPERM'
}

@test "pseudo terminals of the container work under the policy" {
    run inside sh -c 'exec 5<>/dev/ptmx && echo opened'
    assert_line opened
}

@test "the policy also binds a payload that has every capability" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    run inside --capability=all probe mknod /tmp/kmsg c 1 11 r
    assert_line '/tmp/kmsg: EPERM'
}
