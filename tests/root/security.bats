#!/usr/bin/env bats
# The classes of container escapes this part touches, each with the attack itself. Those with a guard of ours to take out (the
# others watch over the kernel's) were seen red without it.

load helpers

MODES=('-P' '-P -a' '--console=read-only' '--console=passive' '-P --read-only' '-P -x' '-P --volatile=yes' '-P -u anna' '-P -U' '-P -U -a')

# --- the program's own binary (CVE-2019-5736) ---

@test "program binary: PID 1 in -a mode is not the host's file, and cannot be written" {
    local before
    before=$(sha256sum <"$NSPAWN")
    run inside -a sh -c 'ls -l /proc/1/exe; probe open /proc/1/exe w; probe open /proc/1/exe rw; probe open /proc/1/exe a; cp /bin/busybox /proc/1/exe; true'
    refute_output --partial "$NSPAWN"
    refute_output --partial '/proc/1/exe: ok'
    assert_equal "$(sha256sum <"$NSPAWN")" "$before"
}

@test "program binary: a payload that is a link to /proc/self/exe does not reach it" {
    ln -s /proc/self/exe "$TREE/usr/bin/trap"
    local before
    before=$(sha256sum <"$NSPAWN")
    run inside trap
    assert_equal "$(sha256sum <"$NSPAWN")" "$before"
    printf '#!/proc/self/exe\n' >"$TREE/usr/bin/trap2"
    chmod +x "$TREE/usr/bin/trap2"
    run inside trap2
    assert_equal "$(sha256sum <"$NSPAWN")" "$before"
    [[ $output != *"$NSPAWN"*--help* ]] || fail "the program ran again inside"
}

@test "program binary: no process inside shows it" {
    local mode
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run nspawn -q $mode -D "$TREE" sh -c 'readlink /proc/[0-9]*/exe' </dev/null
        refute_output --partial "$(basename "$NSPAWN")"
    done
}

# --- leaked descriptors and working directory (CVE-2024-21626) ---

@test "descriptors: nothing but stdio in the payload, in every mode, whatever the caller leaks" {
    local mode line
    for mode in "${MODES[@]}"; do
        rm -f "$TREE/fds"
        # shellcheck disable=SC2086
        bash -c 'exec 5</ 7</etc/passwd 9<>/dev/null 33</proc; tree=$1; shift; "$NSPAWN" -q "$@" -D "$tree" probe fds </dev/null >"$tree.fds" 2>&1' _ \
            "$TREE" $mode || fail "failed with $mode: $(cat "$TREE.fds")"
        while read -r line; do
            [[ $line =~ ^[012]\  ]] || fail "leaked with $mode: $line"
        done < <(tr -d '\r' <"$TREE.fds")
        rm -f "$TREE.fds"
    done
}

@test "descriptors: the stub init holds none either" {
    run bash -c 'exec 5</ 7</etc/passwd; exec "$NSPAWN" -q -P -a -D "$1" sh -c "ls -l /proc/1/fd" </dev/null' _ "$TREE"
    assert_success
    refute_output --partial '5 ->'
    refute_output --partial '7 ->'
    refute_output --regexp '[0-9]+ -> /($|etc)'
}

@test "working directory: inside the root, also when the caller stands elsewhere or in a deleted place" {
    local mode
    cd /etc
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run nspawn -q $mode -D "$TREE" sh -c 'readlink /proc/1/cwd; cat ../../../../../usr/lib/os-release | head -n 1' </dev/null
        refute_output --partial "$PLACE"
        refute_output --partial unreachable
        if [[ $mode != *passive* ]]; then assert_output --partial ID=tiny; fi
    done
    mkdir "$BATS_TEST_TMPDIR/gone"
    cd "$BATS_TEST_TMPDIR/gone"
    rmdir "$BATS_TEST_TMPDIR/gone"
    run nspawn -q -P -D "$TREE" pwd </dev/null
    assert_success
    assert_output /
}

@test "working directory: --chdir to a descriptor's directory is refused" {
    local fd
    echo secret-of-the-host >"$BATS_TEST_TMPDIR/secret"
    exec 19</ # one that our caller leaks, of the host's root
    for fd in 3 5 6 7 8 9 10 19; do
        ln -s "/proc/self/fd/$fd" "$TREE/way-out-$fd"
        run nspawn -q -P --chdir="/way-out-$fd" -D "$TREE" cat "../../..$BATS_TEST_TMPDIR/secret" </dev/null
        assert_failure 1
        refute_output --partial secret-of-the-host
        run nspawn -q -P --chdir="/proc/self/fd/$fd" -D "$TREE" true </dev/null
        assert_failure 1
    done
    exec 19<&-
}

@test "root: chroot tricks stay inside" {
    cat >"$TREE/usr/bin/breakout" <<'END'
#!/bin/sh
mkdir -p /jail && cd / && chroot /jail true 2>/dev/null
cat /../../../../../../usr/lib/os-release | head -n 1 # by the kernel's "..", which enters what is mounted on the root
ls /proc/1/root/
echo "roots: $(awk '$5 == "/"' /proc/self/mountinfo | wc -l)"
END
    chmod +x "$TREE/usr/bin/breakout"
    run inside breakout
    assert_line ID=tiny
    assert_line jail
    assert_line 'roots: 1'
}

# --- masks and read-only mounts ---

@test "masks hold: what may not be written refuses, from a payload with its default capabilities" {
    run inside sh -c 'for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /sys/kernel/uevent_helper \
        /proc/sys/fs/binfmt_misc/register /proc/irq/default_smp_affinity /sys/power/state /proc/sys/vm/panic_on_oom; do
        [ -e $f ] && probe open $f w; done; true'
    local line
    for line in "${lines[@]}"; do
        [[ $line == *": EROFS" || $line == *": EACCES" || $line == *": ENOENT" || $line == *": EPERM" ]] || fail "$line"
    done
    # At least the first must have been there, or the test says nothing.
    assert_line --partial core_pattern
    run inside sh -c 'cat /proc/kallsyms /proc/keys /proc/timer_list | wc -c'
    assert_line 0
}

@test "masks fail closed: a mask that does not take is an error, not a warning" {
    NSPAWN_FAULT='read mounts back=EPERM' run --separate-stderr inside true
    [[ $stderr != *"no such stage"* ]] || fail "there is no stage that reads the masks back"
    assert_failure 1
}

@test "masks fail closed: nothing of the tree runs before they were read back" {
    printf '#!/bin/sh\n: >/ran\n' >"$TREE/usr/bin/getent"
    chmod +x "$TREE/usr/bin/getent"
    inside true # the first start brings files of the host into the tree, and opens more
    # It is asked for the user, and the supervisor's look at the mounts is one of its opens; which one?
    run strace -o "$BATS_TEST_TMPDIR/opens" -e trace=openat "$NSPAWN" -q -P -u nobody-knows -D "$TREE" true
    assert [ -e "$TREE/ran" ]
    rm "$TREE/ran"
    local look
    look=$(grep '^openat(' "$BATS_TEST_TMPDIR/opens" | grep -n /mountinfo | tail -n 1 | cut -d: -f1)
    # That one comes late and fails: time enough to ask, for who does not wait.
    run strace -o /dev/null -e trace=openat -e inject=openat:delay_enter=500000:error=EACCES:when="$look" \
        "$NSPAWN" -q -P -u nobody-knows -D "$TREE" true
    assert_failure 1
    assert_output --partial 'mountinfo cannot be read'
    assert [ ! -e "$TREE/ran" ]
}

@test "/proc is a real procfs although the tree has a /proc of its own" {
    mkdir -p "$TREE/proc/self/attr" "$TREE/proc/sys"
    echo fake >"$TREE/proc/version"
    run inside sh -c 'cat /proc/version; stat -f -c %t /proc'
    refute_output --partial fake
    assert_line 9fa0
}

# --- terminal injection (CVE-2017-5226) ---

@test "terminal: nothing can be typed into the caller's terminal, interactive or piped" {
    timeout 60 python3 - "$NSPAWN" "$TREE" <<'END'
import os, pty, select, subprocess, sys, fcntl, termios, time
program, tree = sys.argv[1:]
for options in ([], ["-P"], ["-P", "-a"], ["--console=read-only"]):
    master, slave = pty.openpty()
    process = subprocess.Popen([program, "-q", *options, "-D", tree, "probe", "inject", "evil-command\n"], stdin=slave, stdout=slave,
                               stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    seen, end = b"", time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)
    assert process.poll() is not None, f"{options}: hangs: {seen}"
    # What was injected would now wait in the input of the caller's terminal.
    attributes = termios.tcgetattr(slave)
    attributes[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    os.set_blocking(slave, False)
    try:
        waiting = os.read(slave, 4096)
    except BlockingIOError:
        waiting = b""
    assert b"evil" not in waiting, f"{options}: typed into the caller's terminal: {waiting}"
    if "-P" in options:
        assert b"stdin: ok" not in seen and b"high bits: ok" not in seen, f"{options}: TIOCSTI was allowed: {seen}"
END
}

@test "terminal: names and messages bring no escape sequences of the payload's making" {
    run --separate-stderr nspawn -q -P -D "$TREE" $'/no/\e[31msuch\a' </dev/null
    assert_failure 1
    [[ $stderr != *$'\e'* && $stderr != *$'\a'* ]] || fail "control characters in the message"
}

# --- capabilities (CVE-2022-29162 and kin) ---

@test "capabilities: inheritable and ambient are empty unless asked for, in every mode" {
    local mode
    for mode in "${MODES[@]}"; do
        # shellcheck disable=SC2086
        run nspawn -q $mode -D "$TREE" sh -c 'grep -E "Cap(Inh|Amb)" /proc/self/status >/tmp/c; cat /tmp/c' </dev/null
        if [[ $mode == *passive* ]]; then continue; fi
        assert_output --partial 'CapInh:	0000000000000000'
        assert_output --partial 'CapAmb:	0000000000000000'
    done
}

@test "capabilities: a set-uid program gains no more than the bounding set" {
    chmod u+s "$TREE/usr/bin/busybox"
    cp "$TREE/usr/bin/busybox" "$TREE/usr/bin/rootgrep"
    chmod 4755 "$TREE/usr/bin/rootgrep"
    run inside -u anna sh -c 'grep CapBnd /proc/self/status'
    local bounding=$((16#${output#*	}))
    ((!(bounding >> 16 & 1) && !(bounding >> 17 & 1) && !(bounding >> 25 & 1))) || fail "modules, raw I/O or time in $output"
}

# --- keyring ---

@test "keyring: the payload has a new session keyring, not the caller's" {
    [[ $("$PROBE" keyring) == *keyring:* ]] || skip "this kernel or this user has no session keyring"
    local ours theirs
    ours=$("$PROBE" keyring | sed -n 's/.*keyring: \([0-9]*\).*/\1/p')
    run inside --system-call-filter=@keyring probe keyring
    assert_success
    theirs=$(sed -n 's/.*keyring: \([0-9]*\).*/\1/p' <<<"$output")
    [[ -n $theirs ]] || fail "no session keyring inside: $output"
    refute [ "$theirs" = "$ours" ]
}

# --- processes of the host ---

@test "the payload can signal or trace nothing outside" {
    sleep 1000 3>&- &
    local victim=$!
    run inside sh -c "kill -KILL $victim; for p in /proc/[0-9]*; do :; done; echo done"
    assert_line done
    assert [ -d "/proc/$victim" ]
    kill "$victim"
}

@test "the supervisor is not readable from inside: PID 0 is all there is of a parent" {
    run inside sh -c 'grep PPid /proc/1/status; grep NSpid /proc/1/status'
    assert_line 'PPid:	0'
}

@test "the notify socket takes messages of PID 1 only and survives garbage" {
    run inside sh -c 'head -c 60000 /dev/urandom | tr -d "\0" | head -c 4000 >/tmp/junk; probe notify "$(cat /tmp/junk)"; probe notify READY=1 READY=1; i=0; while [ $i -lt 200 ]; do probe notify X=$i >/dev/null; i=$((i+1)); done; echo alive'
    assert_success
    assert_line alive
}

@test "security.md names every class that is tested here" {
    local word
    for word in 'binary' 'descriptor' 'mask' 'terminal' 'capabilit' 'keyring' '/proc'; do
        grep -qi -- "$word" "$NSPAWN_SOURCE/docs/security.md" || fail "docs/security.md says nothing of '$word'"
    done
}
