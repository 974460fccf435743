#!/usr/bin/env bats
# Process 1: our own stub (-a), an init of the tree (-b), and what each does with signals.

load helpers

@test "-a: the command is process 2 in a session of its own, under the stub" {
    run inside -a probe ids
    assert_success
    assert_line 'ppid 1'
    assert_line 'pid 2'
    assert_line 'sid 2'
    run inside -a cat /proc/1/comm
    assert_output --partial 'sd-stubini'
}

@test "-a: exit statuses; an abnormal death is 255" {
    run inside -a sh -c 'exit 42'
    assert_failure 42
    run inside -a true
    assert_success
    run inside -a sh -c 'kill -KILL $$'
    assert_failure 255
}

@test "-a: the stub reaps orphans" {
    run inside -a sh -c '(sh -c "sleep 0.2 & " &) ; sleep 0.6; for p in /proc/[0-9]*; do grep -q "^State:.Z" $p/status && echo "zombie $p"; done; true'
    assert_success
    refute_output --partial zombie
}

@test "-a: the stub's command line and environment tell nothing of the host" {
    SECRET_OF_THE_HOST=1 run inside -a sh -c 'tr "\0" "\n" </proc/1/environ; echo; tr "\0" " " </proc/1/cmdline'
    assert_success
    refute_output --partial SECRET_OF_THE_HOST
    refute_output --partial "$TREE"
    assert_line 'container=systemd-nspawn'
    assert_line --regexp '^container_uuid=[0-9a-f]{32}$'
    assert_output --partial '(sd-stubinit)'
}

@test "-a: the stub cannot be used to reach the program on the host" {
    run inside -a sh -c 'cat /proc/1/exe | wc -c; probe open /proc/1/exe w; ls -l /proc/1/exe /proc/1/cwd /proc/1/root'
    refute_output --partial "$NSPAWN"
    refute_line '/proc/1/exe: ok'
}

@test "-a: a host on which no program may be in memory (vm.memfd_noexec=2)" {
    [[ -e /proc/sys/vm/memfd_noexec ]] || skip "this kernel cannot forbid it"
    # The setting belongs to the process namespace.
    # shellcheck disable=SC2016
    run unshare --pid --fork --mount-proc sh -c 'echo 2 >/proc/sys/vm/memfd_noexec && exec "$@"' sh \
        "$NSPAWN" -q -P -a -D "$TREE" sh -c 'cat /proc/1/comm; probe open /proc/1/exe w; exit 7' </dev/null
    assert_failure 7
    assert_line --partial sd-stubini
    assert_line --regexp '^/proc/1/exe: E(ROFS|TXTBSY)$'
}

@test "-a: signals of shutdown end the container" {
    local signal
    for signal in RTMIN+4 RTMIN+3 RTMIN+13; do
        in_background -q -P -a --kill-signal="$signal" -D "$TREE" sh -c 'echo up; sleep 1000'
        await_output up
        kill -TERM "$SUPERVISOR"
        run await_exit
        assert_success
    done
}

@test "-a: signals of reboot start the container again" {
    cat >"$TREE/usr/bin/again" <<'END'
#!/bin/sh
echo "start"
if [ -e /rebooted ]; then exit 0; fi
touch /rebooted
sleep 1000
END
    chmod +x "$TREE/usr/bin/again"
    in_background -q -P -a --kill-signal=RTMIN+5 -D "$TREE" again
    await_output start
    await 5 test -e "$TREE/rebooted"
    kill -TERM "$SUPERVISOR"
    run await_exit
    assert_success
    assert_equal "$(grep -c start <<<"$output")" 2
}

@test "-a: the command gets SIGTERM first and may end in its own way" {
    in_background -q -P -a --kill-signal=RTMIN+4 -D "$TREE" sh -c 'trap "echo asked; exit 0" TERM; trap "" HUP; echo up; while :; do sleep 0.1; done'
    await_output up
    kill -TERM "$SUPERVISOR"
    run await_exit
    assert_line asked
}

@test "-b: the tree's init is found and gets the words as arguments" {
    cat >"$TREE/usr/sbin/init.sh" <<'END'
#!/bin/sh
echo "init $0 $* pid $$"
END
    chmod +x "$TREE/usr/sbin/init.sh"
    ln -sf init.sh "$TREE/usr/sbin/init"
    run nspawn -q -P -b -D "$TREE" one 'two three' </dev/null
    assert_success
    assert_output 'init /sbin/init one two three pid 1'
}

@test "-b: systemd's own place is searched first" {
    mkdir -p "$TREE/usr/lib/systemd"
    printf '#!/bin/sh\necho "systemd $0"\n' >"$TREE/usr/lib/systemd/systemd"
    chmod +x "$TREE/usr/lib/systemd/systemd"
    run nspawn -q -P -b -D "$TREE" </dev/null
    assert_output 'systemd /usr/lib/systemd/systemd'
}

@test "-b: no LANG, the kill signal is RTMIN+3" {
    ln -sf ../bin/probe "$TREE/usr/sbin/init"
    run nspawn -q -P -b -D "$TREE" env </dev/null
    refute_line --partial LANG=
    in_background -q -P -b -D "$TREE" wait-signal 6
    await_output waiting
    kill -TERM "$SUPERVISOR"
    run await_exit
    assert_failure 6
    assert_line 'signal RTMIN+3'
}

@test "-b: busybox init boots, runs its script and powers off" {
    mkdir -p "$TREE/etc/init.d"
    printf '::sysinit:/etc/init.d/rcS\n::shutdown:/bin/echo shutting-down\n' >"$TREE/etc/inittab"
    printf '#!/bin/sh\necho booted; poweroff\n' >"$TREE/etc/init.d/rcS"
    chmod +x "$TREE/etc/init.d/rcS"
    run nspawn -q --console=read-only -b -D "$TREE" </dev/null
    assert_success
    assert_line --partial booted
}

@test "-b: a tree without an init, and a tree that is no OS, are one clear line" {
    rm "$TREE/usr/sbin/init"
    run --separate-stderr nspawn -q -P -b -D "$TREE" </dev/null
    assert_failure 1
    assert_one_error_line '[Ii]nit'
    rm -f "$TREE"/etc/os-release "$TREE"/usr/lib/os-release
    run --separate-stderr nspawn -q -P -b -D "$TREE" </dev/null
    assert_failure 1
    assert_one_error_line 'os-release|OS'
}

@test "-b: SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 boots a tree without os-release" {
    ln -sf ../bin/probe "$TREE/usr/sbin/init"
    rm -f "$TREE"/etc/os-release "$TREE"/usr/lib/os-release
    SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 run nspawn -q -P -b -D "$TREE" env </dev/null
    assert_success
}
