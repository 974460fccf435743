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

# Whether the node could be made and opened: refused at either step is refused.
assert_unusable() { # TYPE MAJOR MINOR [OPTION...]
    local type=$1 major=$2 minor=$3
    shift 3
    run inside "$@" probe mknod /dev/other "$type" "$major" "$minor" r
    assert_success
    [[ $output == *EPERM ]] || fail "$type $major:$minor: $output"
}

@test "nodes of other devices can be made or opened by nobody inside" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    local root
    root=$(stat -c '%d' "$TREE")
    assert_unusable b $((root >> 8 & 0xfff)) $((root & 0xff | root >> 12 & 0xfff00))
    assert_unusable c 1 1
    assert_unusable c 1 11
    assert_unusable c 10 237
    assert_unusable b 7 0
}

@test "nodes outside of the policy's file systems: a node in the tree itself" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    mknod "$TREE/kmsg" c 1 11
    run inside probe open /kmsg r
    assert_output '/kmsg: EPERM'
}

@test "the documented devices can be made anew and used" {
    run inside sh -c 'probe mknod /dev/n c 1 3 w; probe mknod /dev/z c 1 5 rg; probe mknod /dev/u c 1 9 rg'
    assert_line '/dev/n: ok'
    assert_line '/dev/z: ok'
    assert_line '/dev/u: ok'
    refute_line 'mknod: EPERM'
}

@test "pseudo terminals of the container work under the policy" {
    run inside sh -c 'exec 5<>/dev/ptmx && echo opened'
    assert_line opened
}

@test "the policy also binds a payload that has every capability" {
    device_policy_is_possible || skip "neither a devices controller nor a unified hierarchy here"
    assert_unusable c 1 11 --capability=all
}
