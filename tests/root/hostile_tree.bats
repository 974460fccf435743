#!/usr/bin/env bats
# Trees made to hurt: every entry that a start touches as a link out of the tree, a FIFO, a device, a file. The host must
# not be touched, nothing may hang, and there is either a working container or one clear line.

load helpers

# With -b the tree's init is the probe, which ends by itself.
prepare_file() { ln -sf ../bin/probe "$BATS_FILE_TMPDIR/tiny/usr/sbin/init"; }

prepare() {
    # A stand-in for the host's files: whatever a link points to would be changed here.
    VICTIM=$BATS_TEST_TMPDIR/victim
    mkdir -p "$VICTIM/sub"
    echo victim >"$VICTIM/file"
}

victim_state() { (cd "$VICTIM" && find . -printf '%p %y %m %u %s %T@\n' | sort; cat file); }

# attack: start in every mode; nothing hangs, the victim is as before, failures are one line.
attack() {
    local before mode
    before=$(victim_state)
    for mode in '' -a --read-only -x --volatile=overlay --volatile=state --volatile=yes '-u anna' -b; do
        # shellcheck disable=SC2086
        run --separate-stderr timeout --kill-after=5 20 "$NSPAWN" -q -P $mode -D "$TREE" true </dev/null
        [[ $status != 124 && $status != 137 ]] || fail "hangs with '$mode'"
        [[ $status -le 1 || $mode == -b ]] || fail "status $status with '$mode': $stderr"
        if [[ $status == 1 && $mode != -b ]]; then assert_one_error_line; fi
        diff <(echo "$before") <(victim_state) || fail "'$mode' changed what is outside of the tree"
    done
}

replace_with() { # KIND PATH
    rm -rf "${TREE:?}/$2"
    case $1 in
        root-link) ln -s / "$TREE/$2" ;;
        victim-link) ln -s "$VICTIM" "$TREE/$2" ;;
        dots-link) ln -s "../../../../../../../../../..$VICTIM" "$TREE/$2" ;;
        loop-link) ln -s "${2##*/}" "$TREE/$2" ;;
        fifo) mkfifo "$TREE/$2" ;;
        device) mknod "$TREE/$2" c 1 5 ;;
        disk) mknod "$TREE/$2" b 7 0 ;;
        file) echo content >"$TREE/$2" ;;
        socket) python3 -c 'import os,socket,sys; os.chdir(os.path.dirname(sys.argv[1])); socket.socket(socket.AF_UNIX).bind(os.path.basename(sys.argv[1]))' "$TREE/$2" ;;
    esac
}

every_path() {
    local path
    for path in proc sys dev run tmp etc root var home; do
        rm -rf "${TREE:?}"
        cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE"
        replace_with "$1" "$path"
        attack
    done
}

@test "top-level directories as links to /" { every_path root-link; }
@test "top-level directories as links to a directory outside" { every_path victim-link; }
@test "top-level directories as links with many dots" { every_path dots-link; }
@test "top-level directories as links to themselves" { every_path loop-link; }
@test "top-level directories as FIFOs" { every_path fifo; }
@test "top-level directories as devices" { every_path device; }
@test "top-level directories as files" { every_path file; }

every_file() {
    local path
    for path in etc/passwd etc/group etc/machine-id etc/os-release usr/lib/os-release etc/localtime etc/resolv.conf etc/hostname \
        usr/sbin/init usr/bin/sh usr/bin/getent; do
        rm -rf "${TREE:?}"
        cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE"
        replace_with "$1" "$path"
        attack
    done
}

@test "files that a start reads, as links to /" { every_file root-link; }
@test "files that a start reads, as links out of the tree" { every_file dots-link; }
@test "files that a start reads, as FIFOs: nothing waits" { every_file fifo; }
@test "files that a start reads, as endless devices" { every_file device; }
@test "files that a start reads, as disks" { every_file disk; }
@test "files that a start reads, as sockets" { every_file socket; }

@test "passwd and group of 100 MB without a line end" {
    truncate -s 100M "$TREE/etc/passwd" "$TREE/etc/group"
    attack
}

@test "absolute links inside the tree are the tree's own" {
    mkdir "$TREE/real"
    rm -rf "$TREE/var"
    ln -s /real "$TREE/var"
    rm -f "$TREE/etc/passwd"
    echo 'anna:x:1234:1234::/home/anna:/bin/sh' >"$TREE/usr/lib/passwd"
    ln -s /usr/lib/passwd "$TREE/etc/passwd"
    run inside -u anna probe ids
    assert_success
    assert_line 'uid 1234 1234 1234'
}

@test "the tree's /dev holds nodes of its own: they are covered" {
    mknod "$TREE/dev/null" b 7 0
    mknod "$TREE/dev/sda" b 8 0
    run inside sh -c 'probe stat /dev/null; ls /dev/sda'
    assert_line --regexp '^/dev/null char .* 1:3$'
    assert_line --partial 'No such file'
}

@test "names with newlines and escapes reach no terminal as they are" {
    local odd=$PLACE/$'odd\e[31mname\ntree'
    mv "$TREE" "$odd"
    run nspawn -P -D "$odd" true </dev/null
    mv "$odd" "$TREE"
    refute_output --partial $'\e[31mname'
}

@test "a running container that swaps its directories for links reaches nothing outside" {
    # The payload renames as fast as it can while other starts of the same (read-only, unlocked) tree go on.
    local before
    before=$(victim_state)
    mkdir "$TREE/other"
    ln -s "$VICTIM" "$TREE/link"
    (while [[ ! -e $BATS_TEST_TMPDIR/stop ]]; do
        for name in proc dev run tmp; do
            mv -T "$TREE/$name" "$TREE/$name.d" && ln -s "$VICTIM" "$TREE/$name"
            rm -f "$TREE/$name" && mv -T "$TREE/$name.d" "$TREE/$name"
        done
    done) 2>/dev/null 3>&- &
    local swapper=$! n
    for n in {1..60}; do
        timeout --kill-after=5 20 "$NSPAWN" -q -P --read-only -D "$TREE" true </dev/null >/dev/null 2>&1 || [[ $? == 1 ]] || {
            touch "$BATS_TEST_TMPDIR/stop"
            fail "start $n ended with another status"
        }
    done
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$swapper" || true
    diff <(echo "$before") <(victim_state)
}
