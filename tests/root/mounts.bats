#!/usr/bin/env bats
# What the payload sees of the kernel's file systems: namespaces, the mount table with its flags, /dev, /run/host, masks.

load helpers

# fields PATH: "options|type|super options" of the topmost mount on PATH, from a mountinfo in $table.
mount_of() {
    awk -v path="$1" '$5 == path { for (i = 7; $i != "-"; i++); found = $6 "|" $(i + 1) "|" $(i + 3) } END { print found }' <<<"$table"
}

assert_mount() { # PATH TYPE FLAG...: a flag that starts with ! must not be there
    local path=$1 type=$2 entry flag
    shift 2
    entry=$(mount_of "$path")
    [[ -n $entry ]] || fail "$path is no mount"
    [[ $(cut -d'|' -f2 <<<"$entry") =~ ^($type)$ ]] || fail "$path: not of type $type: $entry"
    for flag; do
        if [[ $flag == !* ]]; then
            [[ ,${entry//|/,}, != *,${flag#!},* ]] || fail "$path: has ${flag#!}: $entry"
        else
            [[ ,${entry//|/,}, == *,$flag,* ]] || fail "$path: has no $flag: $entry"
        fi
    done
}

@test "namespaces: own mount, pid, ipc, uts and cgroup; shared net and user" {
    run inside sh -c 'for n in mnt pid ipc uts cgroup net user; do readlink /proc/self/ns/$n; done'
    assert_success
    local name
    for name in mnt pid ipc uts cgroup; do refute_line "$(readlink "/proc/self/ns/$name")"; done
    for name in net user; do assert_line "$(readlink "/proc/self/ns/$name")"; done
}

@test "process 1: own session, no other process of the host is visible" {
    run inside probe ids
    assert_success
    assert_line 'pid 1'
    assert_line 'ppid 0'
    assert_line 'sid 1'
    run inside sh -c 'ls -d /proc/[0-9]* | wc -l'
    assert [ "$output" -le 4 ]
}

@test "the mount table has the documented mounts and flags" {
    table=$(inside cat /proc/self/mountinfo)
    assert_mount / '.*' rw
    assert_mount /proc proc nosuid noexec nodev
    assert_mount /proc/sys proc ro nosuid noexec nodev
    assert_mount /proc/sys/kernel/random/boot_id tmpfs ro
    assert_mount /proc/kmsg tmpfs
    assert_mount /tmp tmpfs nosuid nodev '!noexec' '!relatime'
    assert_mount /sys sysfs ro nosuid noexec nodev
    assert_mount /dev tmpfs nosuid mode=755 '!nodev' '!noexec'
    assert_mount /dev/shm tmpfs nosuid nodev
    assert_mount /dev/pts devpts nosuid noexec ptmxmode=666 mode=620 gid=5
    assert_mount /dev/mqueue mqueue nosuid noexec nodev
    assert_mount /run tmpfs nosuid nodev mode=755
    assert_mount /run/host tmpfs ro nosuid noexec nodev
    local part
    for part in bus fs irq acpi asound scsi; do
        if [[ -d /proc/$part ]]; then assert_mount "/proc/$part" proc ro nosuid noexec nodev; fi
    done
}

@test "nothing of the host's mount table can be seen" {
    table=$(inside cat /proc/self/mountinfo)
    refute awk '$5 ~ /oldroot|put_old|\/\/deleted/ { found = 1 } END { exit !found }' <<<"$table"
    run inside sh -c 'awk "{ print \$5 }" /proc/self/mountinfo | while read -r p; do [ -e "$p" ] || echo "unreachable $p"; done'
    refute_output
}

@test "size and inode limits of the temporary file systems" {
    table=$(inside cat /proc/self/mountinfo)
    assert_mount /dev tmpfs nr_inodes=65536
    [[ $(mount_of /dev) == *size=4096k* ]] || fail "size of /dev: $(mount_of /dev)"
    local memory
    memory=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)
    local pair path percent size
    for pair in /tmp:10 /dev/shm:10 /run:20; do
        path=${pair%:*} percent=${pair#*:}
        size=$(mount_of "$path" | sed -n 's/.*size=\([0-9]*\)k.*/\1/p')
        [[ -n $size ]] || fail "$path has no size: $(mount_of "$path")"
        ((size >= memory * (percent - 1) / 100 && size <= memory * (percent + 1) / 100)) || fail "$path: $size of $memory"
        [[ $(mount_of "$path") == *nr_inodes=* ]] || fail "$path has no inode limit"
    done
}

@test "propagation: what is mounted inside stays inside; mounts below / are shared there" {
    run inside sh -c 'mount -t tmpfs inside /root && grep -c " /root " /proc/self/mountinfo'
    assert_success
    assert_output 1
    refute grep -q ' inside ' /proc/self/mountinfo
    table=$(inside cat /proc/self/mountinfo)
    awk '$5 == "/" { found = /shared:/ } END { exit !found }' <<<"$table" || fail "/ is not shared inside: $table"
}

@test "a mount made on the host after the start does not show inside" {
    mkdir "$TREE/later"
    in_background -q -P -D "$TREE" sh -c 'echo up; while [ ! -e /go ]; do sleep 0.05; done; ls /later'
    await_output up
    mount -t tmpfs later "$TREE/later"
    touch "$TREE/later/visible" "$TREE/go"
    run await_exit
    umount "$TREE/later"
    assert_success
    refute_output --partial visible
}

@test "/dev: exactly the documented nodes, with the host's mode and numbers" {
    run inside probe stat /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
    assert_success
    assert_line '/dev/null char 0666 0:0 1:3'
    assert_line '/dev/zero char 0666 0:0 1:5'
    assert_line '/dev/full char 0666 0:0 1:7'
    assert_line '/dev/random char 0666 0:0 1:8'
    assert_line '/dev/urandom char 0666 0:0 1:9'
    assert_line '/dev/tty char 0666 0:0 5:0'
    run inside find /dev -type b
    refute_output
    run inside sh -c 'find /dev -type c | sort'
    local node
    for node in "${lines[@]}"; do
        [[ $node =~ ^/dev/(null|zero|full|random|urandom|tty|fuse|net/tun|pts/ptmx)$ ]] || fail "unexpected $node"
    done
}

@test "/dev: links" {
    run inside probe stat /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/core /dev/ptmx
    if [[ -e /proc/kcore ]]; then assert_line '/dev/core link 0777 0:0 -> /proc/kcore'; fi
    assert_line '/dev/fd link 0777 0:0 -> /proc/self/fd'
    assert_line '/dev/stdin link 0777 0:0 -> /proc/self/fd/0'
    assert_line '/dev/stdout link 0777 0:0 -> /proc/self/fd/1'
    assert_line '/dev/stderr link 0777 0:0 -> /proc/self/fd/2'
    assert_line '/dev/ptmx link 0777 0:0 -> pts/ptmx'
    run inside readlink /dev/char/1:3
    assert_output ../null
}

@test "/dev: the nodes work" {
    run inside sh -c 'echo x >/dev/null && head -c 3 /dev/zero | od -An -tx1 && head -c 8 /dev/urandom | wc -c && (echo x >/dev/full) 2>&1; true'
    assert_line --partial '00 00 00'
    assert_line --regexp '^ *8$'
    assert_line --partial 'No space left'
    run inside sh -c 'exec 5<>/dev/ptmx && echo open && ls /dev/pts'
    assert_line open
}

@test "/dev/console: not there with pipes, a relative link to its own terminal else" {
    run inside ls /dev/console
    assert_failure
    run nspawn -q --console=read-only -D "$TREE" readlink /dev/console
    assert_success
    assert_output --regexp '^pts/[0-9]+.?$'
}

@test "/run/host: files, modes, nothing writable" {
    run inside probe stat /run/host /run/host/os-release /run/host/container-manager /run/host/container-uuid \
        /run/host/incoming /run/host/inaccessible /run/host/notify
    assert_success
    assert_line --regexp '^/run/host/container-manager file 0444 0:0$'
    assert_line --regexp '^/run/host/container-uuid file 0444 0:0$'
    assert_line --regexp '^/run/host/notify socket 0[27][05][05] 0:0$'
    assert_line --regexp '^/run/host/incoming dir '
    run inside sh -c 'cat /run/host/container-manager; cat /run/host/container-uuid; grep ^ID= /run/host/os-release'
    assert_line systemd-nspawn
    assert_line --regexp '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    assert_line "$(grep ^ID= /etc/os-release)"
    run inside sh -c 'touch /run/host/x; touch /run/host/incoming/x; echo x >>/run/host/os-release; echo x >>/run/host/container-uuid; true'
    assert_equal "$(grep -c 'Read-only' <<<"$output")" 4
}

@test "/run/host/incoming: machines of the same name share it, and the last one removes it" {
    local incoming=/run/systemd/nspawn/propagate/same round
    in_background -q -P --read-only -M same -D "$TREE" sh -c 'echo up; while [ ! -e /run/host/incoming/end ]; do sleep 0.05; done'
    await_output up
    run nspawn -q -P --read-only -M same -D "$TREE" true
    assert_success
    assert [ -d "$incoming" ]
    touch "$incoming/end"
    await_exit
    rm "$incoming/end" # which is why it could not be removed
    nspawn -q -P --read-only -M same -D "$TREE" true
    refute [ -e "$incoming" ]
}

@test "/run/host/incoming: machines of the same name that start and end all the time" {
    local n
    for n in 1 2 3 4; do
        for _ in {1..15}; do
            nspawn -q -P --read-only -M same -D "$TREE" test -d /run/host/incoming </dev/null || echo "failed: $?"
        done >"$BATS_TEST_TMPDIR/said.$n" 2>&1 3>&- &
    done
    wait
    run cat "$BATS_TEST_TMPDIR"/said.*
    refute_output
}

@test "/run/host/container-uuid is the one in the environment" {
    run inside sh -c '[ "$container_uuid" = "$(cat /run/host/container-uuid)" ] && echo same'
    assert_output same
}

@test "/proc/sys, /sys and the masked parts of /proc refuse writes" {
    run inside sh -c 'for f in /proc/sys/kernel/hostname /proc/sys/vm/swappiness /proc/sys/net/ipv4/ip_forward /sys/kernel/mm/ksm/run; do
        [ -e $f ] && probe open $f w; done; true'
    local line
    for line in "${lines[@]}"; do
        [[ $line == *": EROFS" || $line == *": EACCES" ]] || fail "$line"
    done
    run inside sh -c 'for f in /proc/sysrq-trigger; do probe open $f wx; done'
    refute_output --partial ': ok'
}

@test "masks: kallsyms, kcore, keys, sysrq-trigger, timer_list can be neither read nor written" {
    # Read without capabilities in the way: a mask of mode 000 stops even root only because it is another, empty file.
    local path
    for path in kallsyms kcore keys timer_list sysrq-trigger; do
        [[ -e /proc/$path ]] || continue
        run inside sh -c "head -c 1 /proc/$path 2>/dev/null | wc -c"
        assert_output --regexp '^ *0$'
        run inside probe open "/proc/$path" w
        refute_output --partial ': ok'
        table=$(inside cat /proc/self/mountinfo)
        assert_mount "/proc/$path" tmpfs ro
    done
}

@test "boot_id: not the host's, fresh for each run, but one value within a run" {
    run inside sh -c 'cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/boot_id'
    assert_equal "${lines[0]}" "${lines[1]}"
    [[ ${lines[0]} =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]] || fail "${lines[0]}"
    refute [ "${lines[0]}" = "$(cat /proc/sys/kernel/random/boot_id)" ]
    local first=${lines[0]}
    run inside cat /proc/sys/kernel/random/boot_id
    refute_output "$first"
}

@test "/proc/kmsg: a FIFO on which a read waits; there is no /dev/kmsg" {
    run inside probe stat /proc/kmsg /dev/kmsg
    assert_line '/proc/kmsg fifo 0600 0:0'
    assert_line '/dev/kmsg ENOENT'
    run inside sh -c 'timeout -s KILL 1 cat /proc/kmsg; echo $?'
    assert_line 137
}

@test "cgroups: the payload sees itself at the root of its own namespace" {
    run inside cat /proc/self/cgroup
    assert_success
    local line
    for line in "${lines[@]}"; do [[ $line == *:/ ]] || fail "not at the root: $line"; done
    table=$(inside cat /proc/self/mountinfo)
    case $(cgroup_mode) in
        v2) assert_mount /sys/fs/cgroup cgroup2 nosuid noexec nodev rw ;;
        *) [[ -n $(mount_of /sys/fs/cgroup) ]] || fail "no /sys/fs/cgroup" ;;
    esac
}

@test "existing mounts of the host below the tree come along" {
    mkdir "$TREE/data"
    mount -t tmpfs extra "$TREE/data"
    echo content >"$TREE/data/file"
    run inside cat /data/file
    umount "$TREE/data"
    assert_success
    assert_output content
}

@test "a tree that is itself a mount point works" {
    mkdir "$BATS_TEST_TMPDIR/mounted"
    mount --bind "$TREE" "$BATS_TEST_TMPDIR/mounted"
    run nspawn -q -P -D "$BATS_TEST_TMPDIR/mounted" cat /usr/lib/os-release
    umount "$BATS_TEST_TMPDIR/mounted"
    assert_success
    assert_line ID=tiny
}

@test "SYSTEMD_NSPAWN_TMPFS_TMP=0 leaves the tree's /tmp" {
    SYSTEMD_NSPAWN_TMPFS_TMP=0 run inside sh -c 'touch /tmp/kept'
    assert_success
    assert [ -e "$TREE/tmp/kept" ]
    run inside sh -c 'touch /tmp/lost'
    refute [ -e "$TREE/tmp/lost" ]
}

@test "SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes makes /proc/sys and /sys writable" {
    export SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes
    table=$(inside cat /proc/self/mountinfo)
    assert_mount /sys sysfs rw
    run inside probe open /proc/sys/vm/swappiness w
    assert_output '/proc/sys/vm/swappiness: ok'
}

@test "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network: /proc/sys/net can be written, /sys is small" {
    export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
    table=$(inside cat /proc/self/mountinfo)
    assert_mount /sys tmpfs ro,nosuid,nodev,noexec
    assert_mount /sys/devices sysfs ro,nosuid,nodev,noexec
    assert_mount /proc/sys proc ro
    assert_mount /proc/sys/net proc rw
    run inside sh -c 'ls /sys; ls /sys/fs; touch /sys/x /sys/kernel/x'
    assert_line --regexp '/sys/x.*Read-only'
    assert_line --regexp '/sys/kernel/x.*Read-only'
    assert_output --regexp "^block
bus
class
dev
devices
fs
kernel
cgroup
"
    run inside probe open /proc/sys/vm/swappiness w
    assert_output --partial EROFS
}

@test "a /sys that is a symbolic link is refused for the small /sys, too" {
    rmdir "$TREE/sys"
    ln -s /etc "$TREE/sys"
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=network run --separate-stderr inside true
    assert_failure 1
    assert_one_error_line '/sys in the tree is a symbolic link'
}

@test "missing top-level directories are made; an existing one is left as it is" {
    rmdir "$TREE"/{proc,sys,dev,run,tmp,root,var} 2>/dev/null || rm -rf "${TREE:?}"/{proc,sys,dev,run,root,var}
    chmod 0751 "$TREE/home"
    run inside true
    assert_success
    run stat -c '%a %n' "$TREE"/{proc,sys,dev,run,root,var,home}
    assert_line --regexp "^[57]55 $TREE/proc$"
    assert_line --regexp "^[57]55 $TREE/run$"
    assert_line "750 $TREE/root"
    assert_line "755 $TREE/var"
    assert_line "751 $TREE/home"
}

@test "the start leaves the tree's files as they were" {
    list() { (cd "$TREE" && find . -printf '%p %y %m %u %g %s %T@ %l\n' | sort); }
    inside true
    local before
    before=$(list)
    inside true
    diff <(echo "$before") <(list)
}
