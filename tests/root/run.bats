#!/usr/bin/env bats
# Running a command: exit statuses, arguments, streams, signals to the supervisor, reboot and power off from inside.

load helpers

@test "exit: 0 when the command succeeds" {
    run inside true
    assert_success
    refute_output
}

@test "exit: the command's own status is passed on" {
    for status in 1 3 77 200 255; do
        run inside sh -c "exit $status"
        assert_failure "$status"
    done
}

@test "exit: 133 becomes 1, since 133 asks a service manager for a restart" {
    run inside sh -c 'exit 133'
    assert_failure 1
}

@test "exit: a payload that dies of a signal gives 1 and says so" {
    run --separate-stderr inside probe die SIGSEGV
    assert_failure 1
    assert_one_error_line 'SEGV|signal'
}

@test "power off from inside: status 0" {
    run inside probe reboot poweroff
    assert_success
    run inside probe reboot halt
    assert_success
}

@test "reboot from inside: the payload starts again in the same tree, with one supervisor" {
    cat >"$TREE/usr/bin/twice" <<'END'
#!/bin/sh
echo "start $$"
if [ -e /rebooted ]; then exit 7; fi
touch /rebooted
probe reboot restart
END
    chmod +x "$TREE/usr/bin/twice"
    run inside twice
    assert_failure 7
    assert_output $'start 1\nstart 1'
}

@test "reboot from inside with --keep-unit: status 133, for the service manager" {
    run inside --keep-unit probe reboot restart
    assert_failure 133
}

@test "many reboots leave nothing that grows" {
    cat >"$TREE/usr/bin/count" <<'END'
#!/bin/sh
n=$(cat /count 2>/dev/null || echo 0)
[ "$n" = 20 ] && exit 0
echo $((n + 1)) >/count
probe reboot restart
END
    chmod +x "$TREE/usr/bin/count"
    run inside count
    assert_success
    assert_equal "$(cat "$TREE/count")" 20
}

@test "arguments reach the command as they are" {
    run inside printf '<%s>' '' 'a b' '*' $'line\nbreak' --quiet -x
    assert_success
    assert_output $'<><a b><*><line\nbreak><--quiet><-x>'
}

@test "options after the command belong to the command, without --" {
    run inside echo -D /nowhere --help
    assert_output '-D /nowhere --help'
}

@test "without a command a shell is started, as a login shell in root's home" {
    run nspawn -q -P -D "$TREE" <<<'echo "$0 $PWD $$"'
    assert_success
    assert_output '-sh /root 1'
}

@test "the shell is bash where the tree has one" {
    cat >"$TREE/usr/bin/bash" <<'END'
#!/bin/sh
echo "bash is $0"
END
    chmod +x "$TREE/usr/bin/bash"
    run nspawn -q -P -D "$TREE" </dev/null
    assert_success
    assert_output --partial 'bash'
}

@test "without -D the current directory is the tree" {
    cd "$TREE"
    run nspawn -q -P true
    assert_success
}

@test "a relative tree, a link to a tree and a path with dots work" {
    cd "$PLACE"
    ln -s tree link
    accept_host_state
    for path in tree ./tree/ link ../place/tree tree/usr/..; do
        run nspawn -q -P -D "$path" cat /usr/lib/os-release
        assert_success
        assert_line ID=tiny
    done
}

@test "stdin, stdout and stderr are the caller's own, byte by byte" {
    head -c 10485760 /dev/urandom >"$BATS_TEST_TMPDIR/data"
    nspawn -q -P -D "$TREE" cat <"$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/back"
    cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/back"
    nspawn -q -P -D "$TREE" sh -c 'cat >&2' <"$BATS_TEST_TMPDIR/data" 2>"$BATS_TEST_TMPDIR/back" >/dev/null
    cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/back"
}

@test "10 MB through pipes both ways come back the same" {
    head -c 10485760 /dev/urandom >"$BATS_TEST_TMPDIR/data"
    nspawn -q -P -D "$TREE" cat < <(cat "$BATS_TEST_TMPDIR/data") | cmp - "$BATS_TEST_TMPDIR/data"
}

@test "closed stdin: the command sees an end of file" {
    # Closed right at the start: a shell's own pipes would take the free number otherwise.
    run bash -c 'exec timeout 20 "$NSPAWN" -q -P -D "$1" sh -c "cat; echo done" <&-' _ "$TREE"
    assert_success
    assert_output done
}

@test "closed stdout and stderr: the command still runs, its status is passed on" {
    local status=0
    nspawn -q -P -D "$TREE" sh -c 'touch /ran; exit 5' </dev/null >&- 2>&- || status=$?
    assert_equal "$status" 5
    assert [ -e "$TREE/ran" ]
}

@test "a reader that goes away does not hang the start" {
    run bash -c '"$NSPAWN" -q -P -D "$1" sh -c "while echo y; do :; done" </dev/null 2>/dev/null | head -n 1' _ "$TREE"
    assert_success
    assert_output y
}

@test "the caller's file status flags and terminal settings are left alone" {
    exec 7<>"$BATS_TEST_TMPDIR/pipe-file"
    local before after
    before=$(grep flags "/proc/$$/fdinfo/7")
    nspawn -q -P -D "$TREE" true <&7 >&7
    after=$(grep flags "/proc/$$/fdinfo/7")
    exec 7>&-
    assert_equal "$after" "$before"
}

@test "SIGTERM without a kill signal ends the container: status 1" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    kill -TERM "$SUPERVISOR"
    run await_exit
    assert_failure 1
}

@test "SIGINT without a kill signal ends the container: status 1" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    kill -INT "$SUPERVISOR"
    run await_exit
    assert_failure 1
}

@test "SIGTERM with --kill-signal sends that signal to PID 1, which decides" {
    local name
    for name in USR1 RTMIN+4 SIGRTMAX-3 34; do
        in_background -q -P --kill-signal="$name" -D "$TREE" probe wait-signal 9
        await_output waiting
        kill -TERM "$SUPERVISOR"
        run await_exit
        assert_failure 9
        case $name in
            USR1) assert_line 'signal USR1' ;;
            RTMIN+4) assert_line 'signal RTMIN+4' ;;
            SIGRTMAX-3) assert_line "signal RTMIN+$(($(kill -l RTMAX) - 3 - $(kill -l RTMIN)))" ;;
            34) assert_line 'signal RTMIN+0' ;;
        esac
    done
}

@test "a caller that ignores SIGCHLD gets the exit status all the same" {
    run bash -c 'trap "" CHLD; exec "$@"' _ "$NSPAWN" -q -P -D "$TREE" sh -c 'exit 7'
    assert_failure 7
}

@test "a second SIGTERM kills at once, with a hint after the first" {
    in_background -q -P --kill-signal=USR1 -D "$TREE" sh -c 'trap "echo ignored" USR1; echo up; while :; do sleep 0.1; done'
    await_output up
    kill -TERM "$SUPERVISOR"
    await_output ignored
    assert [ -d "/proc/$SUPERVISOR" ]
    kill -TERM "$SUPERVISOR"
    run await_exit
    assert_failure 1
    assert_output --regexp 'SIGTERM (again|a second time|once more)|(again|second|once more)'
}

@test "SIGTERM and SIGINT are counted apart: TERM then INT sends the kill signal twice" {
    in_background -q -P --kill-signal=USR1 -D "$TREE" sh -c '
        n=0; trap "n=\$((n+1)); echo got \$n; [ \$n = 2 ] && exit 4" USR1; echo up; while :; do sleep 0.1; done'
    await_output up
    kill -TERM "$SUPERVISOR"
    await_output 'got 1'
    kill -INT "$SUPERVISOR"
    run await_exit
    assert_failure 4
}

@test "SIGKILL of the supervisor takes the payload with it" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000 & sleep 1000'
    await_output up
    local leader
    leader=$(leader_of "$SUPERVISOR")
    kill -KILL "$SUPERVISOR"
    await 10 has_ended "$leader" || fail "the payload lives on"
    run await_exit
    assert_failure 137
    run inside true
    assert_success
}

@test "children of the payload end with it" {
    run inside sh -c 'sleep 1000 & echo started'
    assert_success
    assert_output started
}

@test "quiet: not a word; otherwise what is started and how it ended, on stderr" {
    run --separate-stderr nspawn -P -q -D "$TREE" true </dev/null
    assert_success
    assert_equal "$stderr" ""
    run --separate-stderr nspawn --console=read-only -D "$TREE" true </dev/null
    assert_success
    [[ $stderr == *"tree"* ]] || fail "no status line: $stderr"
}

@test "twenty containers of one read-only tree at the same time" {
    local pids=() pid failures=0
    for _ in {1..20}; do
        "$NSPAWN" -q -P --read-only -D "$TREE" sh -c 'sleep 0.3' </dev/null 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failures=$((failures + 1)); done
    assert_equal "$failures" 0
}
