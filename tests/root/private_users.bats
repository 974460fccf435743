#!/usr/bin/env bats
# Private users and the private network: ids and owners as seen from inside, what the container's root can no longer do, how a
# range is found, and every other way of starting combined with them.

load helpers

prepare_file() {
    export SHIFT=700000
}

owner() { stat -c %u:%g "$1"; }

@test "ids: a map of 65536 in a container range, every process root inside and nobody outside" {
    run inside -U sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g; cat /proc/self/setgroups'
    assert_success
    assert_line --index 0 --regexp '^ +0 +[0-9]+ +65536$'
    assert_equal "${lines[0]}" "${lines[1]}"
    assert_line --index 2 0
    assert_line --index 4 allow
    local base
    base=$(awk '{ print $2 }' <<<"${lines[0]}")
    ((base >= 524288 && base <= 1878982656 && base % 65536 == 0)) || fail "base $base"
    in_background -q -P -U -D "$TREE" sleep 1000
    await 10 leader_of "$SUPERVISOR"
    run awk '/^Uid:/ { print $2 }' "/proc/$(leader_of "$SUPERVISOR")/status"
    assert_output "$base"
    kill "$SUPERVISOR"
    await_exit || true
}

@test "ids: BASE, BASE:COUNT, identity, a map of several ranges, yes, no" {
    map() { inside "$@" sh -c 'tr -s " " </proc/self/uid_map | tr "\n" ","'; }
    assert_equal "$(map --private-users=$SHIFT)" " 0 700000 65536,"
    assert_equal "$(map --private-users=$SHIFT:1000)" " 0 700000 1000,"
    assert_equal "$(map --private-users=identity)" " 0 0 65536,"
    assert_equal "$(map --private-users=1)" " 0 1 65536,"
    assert_equal "$(map --private-users=0:100000:1000,1000:1000:1,1001:101001:64535)" \
        " 0 100000 1000, 1000 1000 1, 1001 101001 64535,"
    assert_equal "$(map -U --private-users=no)" " 0 0 4294967295,"
    chown 1310720:1310720 "$TREE"
    assert_equal "$(map --private-users)" " 0 1310720 65536,"
    chown 1310720:0 "$TREE"
    run --separate-stderr inside --private-users true
    assert_failure 1
    assert_one_error_line 'not of the same range'
}

@test "owners: an id-mapped tree keeps its owners on disk and is root's inside" {
    run inside -U sh -c 'stat -c "%n %u" / /usr /etc/passwd /home/anna; touch /new; mkdir /dir; stat -c "%n %u" /new /dir
        awk "\$5 == \"/\"" /proc/self/mountinfo'
    assert_success
    assert_line '/ 0'
    assert_line '/etc/passwd 0'
    assert_line '/home/anna 1000'
    assert_line '/new 0'
    assert_line --partial idmapped
    assert_equal "$(owner "$TREE/new")" 0:0
    assert_equal "$(owner "$TREE/dir")" 0:0
    assert_equal "$(owner "$TREE/home/anna")" 1000:1000
}

@test "owners: a map of several ranges maps the tree alike" {
    run inside --private-users=0:100000:1000,1000:1000:1,1001:101001:64535 --private-users-ownership=map \
        sh -c 'stat -c %u /etc/passwd /home/anna; chown 1001 /etc/group; stat -c %u /etc/group'
    assert_output "$(printf '0\n1000\n1001')"
    assert_equal "$(owner "$TREE/etc/group")" 1001:0
}

@test "owners: chown gives every file away, once, and BASE 0 takes it back" {
    run inside --private-users=1310720 --private-users-chown sh -c 'stat -c %u / /etc/passwd /home/anna; touch /new'
    assert_success
    assert_output "$(printf '0\n0\n1000')"
    assert_equal "$(owner "$TREE/etc/passwd")" 1310720:1310720
    assert_equal "$(owner "$TREE/home/anna")" 1311720:1311720
    assert_equal "$(owner "$TREE/new")" 1310720:1310720
    # Where it fits, automatic has nothing to do, and pick takes the tree's own range.
    run inside -U sh -c 'cat /proc/self/uid_map; stat -c %u /etc/passwd'
    assert_line --index 0 --regexp '^ +0 +1310720 +65536$'
    assert_line --index 1 0
    run --separate-stderr inside --private-users=pick --private-users-ownership=map true
    assert_failure 1
    assert_one_error_line 'cannot be mapped to others'
    run inside --private-users=0 --private-users-chown stat -c %u /new
    assert_output 0
    assert_equal "$(owner "$TREE/etc/passwd")" 0:0
    assert_equal "$(owner "$TREE/home/anna")" 1000:1000
}

@test "owners: chown needs a whole range and a tree that may change" {
    local options
    for options in --private-users=700000 --private-users=655360:1000; do
        run --separate-stderr inside $options --private-users-chown true
        assert_failure 1
        assert_one_error_line 'one range of 65536'
    done
    run --separate-stderr inside --private-users=655360 --private-users-chown --read-only true
    assert_failure 1
    assert_one_error_line 'changes the tree'
    assert_equal "$(owner "$TREE/etc/passwd")" 0:0
}

@test "owners: a change of owner needs no room on the disk" {
    local place=$BATS_TEST_TMPDIR/full number
    mkdir "$place"
    truncate -s 24M "$BATS_TEST_TMPDIR/full.raw"
    mkfs.ext4 -q "$BATS_TEST_TMPDIR/full.raw"
    mount -o loop "$BATS_TEST_TMPDIR/full.raw" "$place"
    cp -a "$TREE" "$place/tree"
    mkdir "$place/tree/many" "$place/tree/var/log" "$place/tree/var/log/journal"
    for number in {1..200}; do
        echo x >"$place/tree/many/$number"
        chmod 6755 "$place/tree/many/$number"
    done
    cat /dev/zero >"$place/fill" 2>/dev/null || true
    run nspawn -q -P -D "$place/tree" --private-users=1310720 --private-users-ownership=chown \
        sh -c 'stat -c "%u %g %a" /many/* | uniq' </dev/null
    local status=$status output=$output on_disk
    on_disk=$(stat -c '%u %g %a' "$place"/tree/many/* | uniq)
    umount "$place"
    assert_success
    assert_output '0 0 6755'
    assert_equal "$on_disk" '1310720 1310720 6755'
}

@test "owners: missing top directories are the container root's" {
    rm -r "${TREE:?}/var"
    inside -U stat -c %u /var | grep -qx 0
    assert_equal "$(owner "$TREE/var")" 0:0
    rm -r "${TREE:?}/var"
    inside --private-users=1310720 --private-users-chown true
    assert_equal "$(owner "$TREE/var")" 1310720:1310720
    rm -r "${TREE:?}/var"
    chmod 0555 "$TREE"
    inside --private-users=1310720 true
    assert_equal "$(owner "$TREE/var")" 1310720:1310720
}

@test "what is mounted belongs to the container's root: /dev, /run, /run/host, credentials, control group" {
    run inside -U --set-credential=a:b --console=read-only sh -c 'cd /
        find /dev /run ! -path "/dev/pts/*" ! -path "/run/host/incoming" ! -path /run/host/os-release ! -user 0 -print
        find /dev /run ! -path "/dev/pts/*" ! -path "/run/host/incoming" ! -path /run/host/os-release ! -group 0 -print
        stat -c "%n %u:%g" /dev/pts /dev/pts/0 /dev/pts/ptmx /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /run/host/credentials/a
        cat /run/host/credentials/a; mkdir /sys/fs/cgroup/own && echo own group; mknod /dev/mine c 1 3; echo x >/dev/null'
    assert_success
    assert_output --partial '/dev/pts 0:0'
    assert_output --partial '/dev/pts/0 0:5'
    assert_output --partial '/dev/pts/ptmx 0:0'
    assert_output --partial '/sys/fs/cgroup 0:0'
    assert_output --partial '/sys/fs/cgroup/cgroup.procs 0:0'
    assert_output --partial '/run/host/credentials/a 0:0'
    assert_output --partial 'own group'
    assert_output --partial "mknod: /dev/mine: Operation not permitted"
    assert_line --regexp '^/dev/mqueue' # of the kernel's own root, as everywhere
    refute_line '/dev/null'
    refute_line --regexp '^/run[^ ]*$'
}

@test "every way of starting: -a, -u, consoles, -x, volatile, read-only; owners are right and nothing is left" {
    local way
    for way in '-P' '-P -a' '-P -u anna' '-P -a -u anna' '--console=read-only' '-P -x' '-P --read-only' '-P --volatile=yes' \
        '-P --volatile=state' '-P --volatile=overlay' '-P -x --volatile=overlay' '-P -x --read-only' '-P --private-network'; do
        # shellcheck disable=SC2086
        run nspawn -q -U $way -D "$TREE" sh -c 'stat -c %u /usr /usr/bin; touch /tmp/x; cat /proc/1/uid_map' </dev/null
        [[ $status == 0 ]] || fail "$way: $output"
        output=${output//$'\r'/} # of a terminal
        mapfile -t lines <<<"$output"
        assert_line --index 0 0
        assert_line --index 1 0
        assert_line --index 2 --regexp ' 65536.?$'
        assert_nothing_left_behind || fail "$way leaves something"
    done
    assert_equal "$(owner "$TREE/usr/bin")" 0:0
}

@test "files made in throw-away layers are the container root's, seen from inside" {
    local way
    for way in '-x' '--volatile=overlay' '--volatile=yes' '-x --volatile=overlay'; do
        # shellcheck disable=SC2086
        run inside -U $way sh -c 'touch /file && mkdir -p /home/new && stat -c %u / /file /home/new && rm -rf /home'
        [[ $status == 0 && $output == $'0\n0\n0' ]] || fail "$way: $output"
    done
    assert [ -d "$TREE/home/anna" ]
}

@test "a user of the container: ids, home and streams are theirs" {
    run inside -U -u anna sh -c 'id -u; stat -c %u ~; touch ~/file; stat -c %u ~/file; echo through >/dev/stdout'
    assert_success
    assert_output "$(printf '1000\n1000\n1000\nthrough')"
    assert_equal "$(owner "$TREE/home/anna/file")" 1000:1000
}

@test "the container's root cannot undo what was mounted: a read-only tree, /sys, /run/host" {
    run inside -U --read-only sh -c 'mount -o remount,bind,rw / ; touch /etc/written; umount /sys; umount /run/host
        mount -o remount,bind,rw /run/host; umount /proc; true'
    refute [ -e "$TREE/etc/written" ]
    run inside -U sh -c 'umount /sys && echo gone; mount -o remount,bind,rw /sys && echo writable; umount /dev && echo gone; true'
    refute_line gone
    refute_line writable
}

@test "the container's root is nobody on the host: devices, kernel settings, other users' files" {
    echo secret >"$BATS_TEST_TMPDIR/secret"
    chmod 0600 "$BATS_TEST_TMPDIR/secret"
    run inside -U sh -c 'mknod /d b 8 0; echo 1 >/proc/sys/kernel/panic; echo b >/proc/sysrq-trigger; dmesg; cat /proc/kcore; true' 3>&-
    assert_output --partial 'mknod: /d: Operation not permitted'
    refute_output --partial 'written'
}

@test "containers inside: a new /proc can be mounted, and a user namespace be made" {
    run inside -U unshare -m -p -f sh -c 'mount -t proc proc /proc && ls -d /proc/[0-9]* | wc -l'
    assert_success
    assert [ "$output" -le 4 ]
    run inside -U unshare -U -r -m sh -c 'mount -t tmpfs none /mnt 2>/dev/null || mount -t tmpfs none /home && echo mounted'
    assert_output mounted
}

@test "inside another container with part of the ids: works, or says which ids are missing" {
    mkdir "$TREE/srv"
    cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE/srv/inner"
    cp "$NSPAWN" "$TREE/usr/bin/nspawn-inside"
    run inside -U sh -c 'nspawn-inside -q -P -D /srv/inner sh -c "id -u; touch /plain"'
    assert_success
    assert_output 0
    run inside -U sh -c 'nspawn-inside -q -P --private-users=20000:1000 -D /srv/inner sh -c "cat /proc/self/uid_map; stat -c %u /dev /run"'
    assert_success
    assert_line --index 0 --regexp '^ +0 +20000 +1000$'
    assert_line --index 1 0
    run inside -U sh -c 'nspawn-inside -q -P --private-users=600000 -D /srv/inner true'
    assert_failure 1
    assert_output --partial 'ids 600000 to 665535 do not exist here'
    run inside -U sh -c 'nspawn-inside -q -P -U -D /srv/inner true'
    assert_failure 1
    assert_output --partial 'no range of 65536 ids is free'
    run inside -U sh -c 'nspawn-inside -q -P --private-users=20000:1000 --private-users-ownership=map -D /srv/inner true'
    assert_failure 1
    assert_output --partial 'private-users-ownership=chown'
}

@test "overlays inside another container: -x, --volatile=overlay and --overlay" {
    mkdir "$TREE/srv" "$TREE/srv/changes"
    cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE/srv/inner"
    cp "$NSPAWN" "$TREE/usr/bin/nspawn-inside"
    local option script='grep -q userxattr /proc/self/mountinfo && touch /new && rm /etc/passwd && rm -r /home && mkdir /home && ls -A /home && echo changed'
    for option in -x --volatile=overlay "-x --volatile=overlay"; do
        run inside -U sh -c "nspawn-inside -q -P $option -D /srv/inner sh -c '$script'"
        assert_success
        assert_output changed
        assert [ -e "$TREE/srv/inner/etc/passwd" ]
        refute [ -e "$TREE/srv/inner/new" ]
    done
    run inside -U sh -c "nspawn-inside -q -P --overlay=+/etc:/srv/changes:/etc -D /srv/inner sh -c 'rm /etc/passwd; touch /etc/new'"
    assert_success
    assert [ -e "$TREE/srv/changes/new" ]
    assert [ -e "$TREE/srv/inner/etc/passwd" ]
}

@test "a covered /proc inside: one clear line with what to do" {
    mkdir "$TREE/srv"
    cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE/srv/inner"
    cp "$NSPAWN" "$TREE/usr/bin/nspawn-inside"
    # In a user namespace of its own the covers are locked.
    run inside -U unshare -U -r -m nspawn-inside -q -P -D /srv/inner true
    assert_failure 1
    assert_output --partial 'prepare kernel file systems: proc: Operation not permitted'
    assert_output --partial 'parts of the one here are covered'
}

@test "no new user namespaces allowed: one clear line that names the settings" {
    # In a user namespace of our own, which has a limit of its own.
    run --separate-stderr unshare -U -r -m sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' _ \
        "$NSPAWN" -q -P --private-users=0:1 -D "$TREE" true
    assert_failure 1
    assert_one_error_line 'user namespace: No space left on device'
    [[ $stderr == *max_user_namespaces* ]] || fail "$stderr"
}

# --- picking -------------------------------------------------------------------------------------------------------

@test "pick: the name's range each time, and another where that one is taken" {
    local first
    first=$(inside -U -M fixed awk '{ print $2 }' /proc/self/uid_map)
    assert_equal "$(inside -U -M fixed awk '{ print $2 }' /proc/self/uid_map)" "$first"
    mkdir -p /run/systemd/nspawn-uid
    exec 8>"/run/systemd/nspawn-uid/$first"
    flock 8
    run inside -U -M fixed awk '{ print $2 }' /proc/self/uid_map
    exec 8>&-
    assert_success
    [[ $output != "$first" ]] || fail "a locked range was taken"
    # What a killed run left is no obstacle.
    touch "/run/systemd/nspawn-uid/$first"
    assert_equal "$(inside -U -M fixed awk '{ print $2 }' /proc/self/uid_map)" "$first"
    refute [ -e "/run/systemd/nspawn-uid/$first" ]
}

@test "pick: many at once never share a range" {
    local n
    # Each lives until all do: the pipe has an end when the last writer closes it.
    mkfifo "$BATS_TEST_TMPDIR/until"
    exec 7<>"$BATS_TEST_TMPDIR/until"
    for n in {1..40}; do
        nspawn -q -P -U --read-only -M many -D "$TREE" sh -c 'cat /proc/self/uid_map; exec cat' \
            <"$BATS_TEST_TMPDIR/until" >"$BATS_TEST_TMPDIR/map.$n" 2>&1 3>&- 7>&- &
    done
    all_have_started() { [[ $(cat "$BATS_TEST_TMPDIR"/map.* | wc -l) -ge 40 ]]; }
    await 60 all_have_started
    exec 7>&-
    wait
    run sort -u "$BATS_TEST_TMPDIR"/map.*
    assert_equal "${#lines[@]}" 40
    refute_output --partial nspawn:
}

@test "pick: the user database is locked meanwhile, and not while the payload runs" {
    python3 - "$BATS_TEST_TMPDIR/locked" <<'END' 3>&- &
import fcntl, os, sys, time
with open("/etc/.pwd.lock", "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    open(sys.argv[1], "w").close()
    time.sleep(1)
END
    await 5 test -e "$BATS_TEST_TMPDIR/locked"
    local start=$EPOCHREALTIME
    inside -U true
    python3 -c 'import sys; sys.exit(float(sys.argv[2]) - float(sys.argv[1]) < 0.5)' "$start" "$EPOCHREALTIME" ||
        fail "did not wait for the lock"
    wait
    run inside -U true
    assert_success
    in_background -q -P -U -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    timeout 5 python3 -c 'import fcntl; fcntl.lockf(open("/etc/.pwd.lock", "w"), fcntl.LOCK_EX)' || fail "still locked"
    kill "$SUPERVISOR"
    await_exit || true
}

# --- privileges and limits -------------------------------------------------------------------------------------------

@test "capabilities: all of the default set over itself, low ports only with a network of its own" {
    bounding() { inside "$@" sed -n 's/^CapBnd:\t//p' /proc/self/status; }
    assert_equal "$(bounding -U)" 00000000fdecabff
    assert_equal "$(bounding --private-users=identity)" 00000000fdecafff
    assert_equal "$(bounding -U --private-network)" 00000000fdecbfff
    assert_equal "$(bounding -U --drop-capability=CAP_SYS_ADMIN)" 00000000fdccabff
}

@test "limits and scores are set from outside" {
    run inside -U --rlimit=NOFILE=1000:2000 --oom-score-adjust=500 sh -c 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
    assert_output "$(printf '1000\n2000\n500')"
    # The default hard limit of open files is above ours here.
    run bash -c 'ulimit -Sn 256; "$NSPAWN" -q -P -U -D "$1" sh -c "ulimit -Hn" </dev/null' _ "$TREE"
    assert_output "$(inside sh -c 'ulimit -Hn')"
}

# --- network ---------------------------------------------------------------------------------------------------------

@test "private network: a loopback interface that works, and nothing of the host" {
    local users
    for users in '' '-U'; do
        # shellcheck disable=SC2086
        run inside --private-network $users sh -c 'ls /sys/class/net; ip addr show lo | grep -c "inet 127.0.0.1/8"; cat /sys/class/net/lo/flags
            ping -c 1 -W 2 127.0.0.1 >/dev/null && echo answers; echo 1 >/proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward
            ls /sys; echo 1 >/proc/sys/kernel/panic; true'
        assert_line --index 0 lo
        assert_line --index 1 1
        assert_line --index 2 0x9
        assert_line answers
        refute_line firmware
        refute_line module
        assert_output --partial 'panic: Read-only file system'
    done
    assert_equal "$(readlink /proc/self/ns/net)" "$(inside -U readlink /proc/self/ns/net)"
    [[ $(readlink /proc/self/ns/net) != "$(inside --private-network readlink /proc/self/ns/net)" ]] || fail 'shared'
}

# --- life ------------------------------------------------------------------------------------------------------------

@test "a reboot inside keeps range and tree" {
    run inside -U sh -c 'cat /proc/self/uid_map >>/maps; [ $(wc -l </maps) = 3 ] && exit 7; probe reboot restart'
    assert_failure 7
    run sort -u "$TREE/maps"
    assert_equal "${#lines[@]}" 1
    run inside -U -x sh -c 'cat /proc/self/uid_map >>/again; [ $(wc -l </again) = 3 ] && exit 7; probe reboot restart'
    assert_failure 7
}

@test "the payload dies with its supervisor" {
    in_background -q -P -U -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    kill -KILL "$SUPERVISOR"
    await 5 no_process_is_left || fail "$(processes_of_test)"
    run inside -U true
    assert_success
}
no_process_is_left() { [[ -z $(processes_of_test) ]]; }

@test "messages and status: exit codes, a missing command, a signal" {
    run inside -U sh -c 'exit 9'
    assert_failure 9
    run --separate-stderr inside -U no-such-command
    assert_failure 1
    assert_one_error_line 'command not found'
    run inside -U probe reboot poweroff
    assert_success
}

@test "the plan shows the map" {
    run nspawn --dry-run --private-users=0:100000:1000,1000:1000:1 --private-users-ownership=map -D "$TREE" true
    assert_success
    assert_line --regexp 'users +0:100000:1000,1000:1000:1, tree id-mapped'
    nspawn --dry-run --json -U -D "$TREE" true | python3 -c '
import json, sys
plan = json.load(sys.stdin)
assert plan["id_map"]["users"][0]["count"] == 65536, plan["id_map"]
assert "user" in plan["namespaces"]
assert "map users" in plan["stages"]'
}
