#!/usr/bin/env bats
# Bad input: one clear line, the documented exit status, nothing left behind, nothing started.

load helpers

# refused PATTERN ARG...: fails with 1 and one line that matches.
refused() {
    local pattern=$1
    shift
    run --separate-stderr nspawn -q -P "$@" </dev/null
    [[ $status == 1 ]] || fail "status $status for: $* (stderr: $stderr, output: $output)"
    assert_one_error_line "$pattern"
    refute_output
}

@test "a root that is missing, no directory, empty or unreadable" {
    refused 'nowhere.*No such file' -D /nowhere true
    touch "$BATS_TEST_TMPDIR/file"
    refused 'file' -D "$BATS_TEST_TMPDIR/file" true
    refused '' -D /dev/null true
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    refused '' -D "$BATS_TEST_TMPDIR/fifo" true
    refused '' -D '' true
    ln -s loop "$BATS_TEST_TMPDIR/loop"
    refused 'loop' -D "$BATS_TEST_TMPDIR/loop" true
    refused '' -D "$(printf '/%0.s' {1..5000})x" true
    refused '' -D "/$(head -c 5000 /dev/zero | tr '\0' a)" true
}

@test "a tree that is no OS: without -b it needs /usr" {
    mkdir "$BATS_TEST_TMPDIR/empty"
    refused '/usr|OS' -D "$BATS_TEST_TMPDIR/empty" true
    [[ -z $(ls -A "$BATS_TEST_TMPDIR/empty") ]] || fail "the directory was written to"
}

@test "a command that is not found, not executable, a directory, broken, of another machine" {
    refused 'no-such-command' -D "$TREE" no-such-command
    refused '/no/such' -D "$TREE" /no/such
    refused 'usr' -D "$TREE" /usr
    echo data >"$TREE/usr/bin/plain"
    refused 'plain' -D "$TREE" /usr/bin/plain
    printf '#!/no/such/interpreter\n' >"$TREE/usr/bin/script"
    chmod +x "$TREE/usr/bin/script"
    refused 'script' -D "$TREE" script
    # An ELF file of a machine type that no one here runs.
    head -c 4096 "$PROBE" >"$TREE/usr/bin/foreign"
    printf '\x16\x00' | dd of="$TREE/usr/bin/foreign" bs=1 seek=18 conv=notrunc status=none
    chmod +x "$TREE/usr/bin/foreign"
    refused 'foreign' -D "$TREE" foreign
    refused '' -D "$TREE" ''
}

@test "a tree without a shell" {
    rm "$TREE/usr/bin/sh" "$TREE/usr/bin/ash"
    refused 'sh' -D "$TREE"
}

@test "unknown, ambiguous and incomplete options" {
    refused 'no-such-option' --no-such-option -D "$TREE" true
    refused "y" -y -D "$TREE" true
    refused 'no' --no -D "$TREE" true
    refused 'directory' --directory
    refused 'D' -D
    refused 'boot' --boot=maybe -D "$TREE" true
    run nspawn -q -P --direct="$TREE" --chd=/usr pwd </dev/null
    assert_output /usr
}

@test "every option refuses an empty, malformed, out of range or over-long value" {
    local long option value
    long=$(head -c 100000 /dev/zero | tr '\0' a)
    while IFS=' ' read -r option value; do
        [[ -n $option ]] || continue
        value=${value//LONG/$long}
        run --separate-stderr nspawn -q -P -D "$TREE" "$option=$value" touch /started </dev/null
        [[ $status == 1 ]] || fail "status $status for $option=${value:0:60} ($stderr)"
        assert_one_error_line
        refute [ -e "$TREE/started" ]
    done <<'END'
--settings
--settings maybe
--machine _under_score
--machine -lead
--machine trail-
--machine a..b
--machine .a
--machine a.
--machine a/b
--machine ä
--machine LONG
--machine a-.b
--hostname _x
--hostname LONG
--hostname a..b
--uuid
--uuid 0
--uuid xyz
--uuid 00000000000000000000000000000000
--uuid 0123456789abcdef0123456789abcdefff
--uuid LONG
--chdir
--chdir relative
--chdir /proc/1
--chdir /sys
--chdir /dev/shm
--chdir /a/../b
--setenv =x
--setenv A-B=1
--setenv 1A=1
--user
--user a:b
--user a/b
--user 4294967295
--user 99999999999
--user -1
--user LONG
--kill-signal
--kill-signal 0
--kill-signal 65
--kill-signal -1
--kill-signal SIGNOPE
--kill-signal RTMIN+99
--kill-signal RTMAX-99
--kill-signal LONG
--notify-ready
--notify-ready perhaps
--suppress-sync
--suppress-sync 2
--no-new-privileges
--no-new-privileges x
--capability CAP_NOPE
--capability 99
--capability CHOWN
--drop-capability CAP_NOPE
--drop-capability -1
--ambient-capability all
--ambient-capability CAP_NOPE
--ambient-capability CAP_SYS_MODULE
--rlimit
--rlimit NOFILE
--rlimit NOFILE=
--rlimit NOFILE=x
--rlimit NOFILE=10:5
--rlimit NOFILE=-1
--rlimit NOFILE=1:2:3
--rlimit NOPE=1
--rlimit NOFILE=99999999999999999999999
--rlimit CPU=1potato
--oom-score-adjust
--oom-score-adjust 1001
--oom-score-adjust -1001
--oom-score-adjust x
--cpu-affinity x
--cpu-affinity 3-1
--cpu-affinity 99999
--cpu-affinity 0,,x
--personality
--personality pdp11
--set-credential
--set-credential novalue
--set-credential :x
--set-credential a/b:x
--set-credential ..:x
--set-credential a:\x
--load-credential
--load-credential a:/no/such/file
--load-credential a:relative/../path
--load-credential a:/
--volatile maybe
--console
--console holographic
--background red
--background 1;2x
--register
--register perhaps
--selinux-context LONG
END
}

@test "options that exclude each other" {
    refused '' -a -b -D "$TREE" true
    refused '' -b -a -D "$TREE" true
    refused '' -b --ambient-capability=CAP_NET_RAW -D "$TREE"
    refused '' --ambient-capability=CAP_NET_RAW --drop-capability=CAP_NET_RAW -D "$TREE" true
    SYSTEMD_NSPAWN_SHARE_NS_PID=1 refused '' -a -D "$TREE" true
    SYSTEMD_NSPAWN_SHARE_NS_UTS=1 refused '' -b -D "$TREE" true
}

@test "names that cannot be machine names are cleaned when they come from a path, refused when typed" {
    mv "$TREE" "$PLACE/odd_name..x-"
    run nspawn -q -P -D "$PLACE/odd_name..x-" hostname </dev/null
    mv "$PLACE/odd_name..x-" "$TREE"
    assert_success
    assert_output --regexp '^oddname\.?x$|^oddname\.x$'
    mv "$TREE" "$PLACE/___"
    run --separate-stderr nspawn -q -P -D "$PLACE/___" true </dev/null
    mv "$PLACE/___" "$TREE"
    assert_failure 1
    assert_one_error_line
}

@test "-M of a machine that is nowhere" {
    refused 'no-such-machine' -M no-such-machine true
}

@test "not root: one clear line" {
    run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$NSPAWN" -q -P -D /usr true
    assert_failure 1
    assert_one_error_line
}

@test "/etc/machine-id with other content" {
    echo 'not an id' >"$TREE/etc/machine-id"
    refused 'machine-id' -D "$TREE" true
}

@test "a full disk: one clear line or a clean run, and nothing is left" {
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o size=4m small "$BATS_TEST_TMPDIR/small"
    cp -a "$TREE" "$BATS_TEST_TMPDIR/small/tree"
    cat /dev/zero >"$BATS_TEST_TMPDIR/small/filler" 2>/dev/null || true
    run timeout 30 "$NSPAWN" -q -P -D "$BATS_TEST_TMPDIR/small/tree" true </dev/null
    local plain=$status
    run timeout 30 "$NSPAWN" -q -P -x -D "$BATS_TEST_TMPDIR/small/tree" sh -c 'echo x >/file' </dev/null
    local ephemeral=$status
    run ls -A "$BATS_TEST_TMPDIR/small"
    umount "$BATS_TEST_TMPDIR/small"
    assert_output $'filler\ntree'
    refute [ "$plain" = 124 ]
    refute [ "$ephemeral" = 124 ]
}

@test "fork fails: one clear line" {
    local group=
    if [[ -d /sys/fs/cgroup/pids ]]; then
        group=/sys/fs/cgroup/pids/nspawn-test-$$
    elif grep -qw pids /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
        group=/sys/fs/cgroup/nspawn-test-$$
    else
        skip "no pids controller to be had"
    fi
    mkdir "$group"
    # The shell and the program itself fit, a container's process does not.
    echo 1 >"$group/pids.max"
    run --separate-stderr bash -c 'echo $$ >"$1/cgroup.procs"; exec "$NSPAWN" -q -P -D "$2" true </dev/null' _ "$group" "$TREE"
    await 5 rmdir "$group"
    assert_failure 1
    assert_one_error_line
}

@test "fork fails within the payload's limit: its own business" {
    run inside --rlimit=NPROC=1 -u anna sh -c 'sleep 0 & wait; echo after'
    refute [ "$status" = 124 ]
}

@test "no descriptors left to the program: one clear line" {
    local limit
    for limit in 4 6 8 10 12 16 20; do
        run --separate-stderr bash -c 'ulimit -n "$1"; exec "$NSPAWN" -q -P -D "$2" true' _ "$limit" "$TREE" </dev/null 3>&-
        [[ $status == 0 || $status == 1 ]] || fail "status $status with $limit descriptors: $stderr"
        # That the run cannot be recorded for a later clean-up may be said before.
        if [[ $status == 1 ]]; then
            mapfile -t stderr_lines < <(grep -v 'cannot record' <<<"$stderr")
            assert_one_error_line
        fi
    done
}
