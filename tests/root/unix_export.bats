#!/usr/bin/env bats
# /run/host/unix-export: sockets of a booted container that the host can connect to.

load helpers

EXPORTED=/run/systemd/nspawn/unix-export

prepare() {
    # An "init" that is whatever the test names.
    rm "$TREE/usr/sbin/init"
    printf '#!/bin/sh\nexec "$@"\n' >"$TREE/usr/sbin/init"
    chmod +x "$TREE/usr/sbin/init"
}

booted() { nspawn -q -P -b -D "$TREE" "$@" </dev/null; }

greeting_at() {
    timeout 10 python3 -c '
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
print(connection.recv(1000).decode(), end="")' "$1"
}

mount_of() { awk -v at="$1" '$5 == at { print $6, $(NF-2) }' /proc/self/mountinfo; }

@test "the host connects to a socket of the container; at the end it is gone" {
    in_background -q -P -b -D "$TREE" probe listen /run/host/unix-export/greeter
    await_output listening
    run greeting_at "$EXPORTED/tree/greeter"
    assert_success
    assert_line --partial 'hello from process 1,'
    run await_exit
    assert_success
    refute [ -e "$EXPORTED/tree" ]
}

@test "the host cannot write there, and follows and executes nothing of it" {
    in_background -q -P -b -D "$TREE" sh -c 'ln -s /etc/passwd /run/host/unix-export/link; exec probe listen /run/host/unix-export/greeter'
    await_output listening
    run mount_of "$EXPORTED/tree"
    assert_output --regexp '^ro,nosuid,nodev,noexec,.*nosymfollow tmpfs$'
    run touch "$EXPORTED/tree/x"
    assert_failure
    run cat "$EXPORTED/tree/link"
    assert_failure
    kill -KILL "$(leader_of "$SUPERVISOR")"
    run await_exit
}

@test "in the container it can be written, and holds little" {
    run booted sh -c 'awk "\$5 == \"/run/host/unix-export\" { print \$6, \$(NF-2) }" /proc/self/mountinfo; cd /run/host/unix-export; stat -c "%a %u" .; i=0; while touch $i; do i=$((i+1)); done 2>/dev/null; ls | wc -l'
    assert_line --regexp '^rw,nosuid,nodev,noexec,.*nosymfollow tmpfs$'
    assert_line '755 0'
    assert_line --regexp '^6[0-9]$'
}

@test "it is there again after a reboot inside" {
    cat >"$TREE/usr/bin/twice" <<'END'
#!/bin/sh
: >/run/host/unix-export/mark
if [ -e /rebooted ]; then ls /run/host/unix-export; exit 0; fi
touch /rebooted /run/host/unix-export/first
probe reboot restart
END
    chmod +x "$TREE/usr/bin/twice"
    run booted twice
    assert_success
    assert_output mark
}

@test "only for a system that boots" {
    run inside ls /run/host
    assert_success
    refute_line unix-export
    run inside -a ls /run/host
    refute_line unix-export
}

@test "after SIGKILL the next run clears it away, whatever its name; one of the same name starts at once" {
    local next
    for next in "-M other" "-b -M tree"; do
        in_background -q -P -b -D "$TREE" probe listen /run/host/unix-export/greeter
        await_output listening
        kill -KILL "$SUPERVISOR"
        await 5 has_ended "$SUPERVISOR"
        [[ -n $(mount_of "$EXPORTED/tree") ]] || fail "the mount did not outlive the kill: the test shows nothing"
        await 5 no_process_is_left
        # shellcheck disable=SC2086
        run nspawn -q -P $next -D "$TREE" probe ids </dev/null
        assert_success
        refute [ -e "$EXPORTED/tree" ]
        assert_nothing_left_behind
    done
}

no_process_is_left() { [[ -z $(processes_of_test) ]]; }

@test "a second container of the same name is refused; the first one keeps its sockets" {
    cp -a "$TREE" "$BATS_TEST_TMPDIR/second"
    in_background -q -P -b -D "$TREE" probe listen /run/host/unix-export/greeter
    await_output listening
    run --separate-stderr nspawn -q -P -b -M tree -D "$BATS_TEST_TMPDIR/second" true </dev/null
    assert_failure 1
    assert_one_error_line 'unix-export/tree is mounted already'
    run nspawn -q -P -M other -D "$BATS_TEST_TMPDIR/second" true </dev/null
    assert_success
    run greeting_at "$EXPORTED/tree/greeter"
    assert_line --partial 'hello'
    run await_exit
    assert_success
}
