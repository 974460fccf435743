#!/usr/bin/env bats
# How the payload is dressed: environment, resource limits, capabilities, user, directory, names, credentials.

load helpers

@test "environment: the documented variables in order, nothing of the caller's" {
    SECRET=1 TERM=vt220 LANG=xx_YY run inside probe env
    assert_success
    assert_line --index 0 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    assert_line --index 1 'container=systemd-nspawn'
    assert_line --index 2 'TERM=vt220'
    assert_line --index 3 'HOME=/root'
    assert_line --index 4 'USER=root'
    assert_line --index 5 'LOGNAME=root'
    assert_line --index 6 --regexp '^container_uuid=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    assert_line --index 7 'NOTIFY_SOCKET=/run/host/notify'
    assert_line --index 8 'LANG=C.UTF-8'
    assert_line "container_host_id=$(. /etc/os-release && echo "$ID")"
    refute_line --partial SECRET
    refute_line --partial xx_YY
}

@test "environment: no TERM inside when the caller has none" {
    run env -u TERM "$NSPAWN" -q -P -D "$TREE" probe env </dev/null
    assert_success
    refute_line --partial TERM=
}

@test "-E: sets, overrides in place, copies and removes" {
    COPIED='from caller' run inside -E A=1 -E B= -E A=2 -E HOME=/elsewhere -E COPIED -E container=mine -E NOT_SET_ANYWHERE probe env
    assert_success
    assert_line A=2
    assert_line B=
    assert_line 'COPIED=from caller'
    assert_line --index 1 container=mine
    assert_line --index 3 HOME=/elsewhere
    refute_line A=1
    refute_line --partial NOT_SET_ANYWHERE
    run inside --setenv='WITH=a=b  c' --setenv='EMOJI=ü€😀' probe env
    assert_line 'WITH=a=b  c'
    assert_line 'EMOJI=ü€😀'
}

@test "-E with a bare name that the caller has not set removes the built-in variable" {
    run env -u LANG "$NSPAWN" -q -P -E LANG -D "$TREE" probe env </dev/null
    assert_success
    refute_line --partial LANG=
}

@test "SYSTEMD_NSPAWN_CONTAINER_SERVICE names the manager" {
    SYSTEMD_NSPAWN_CONTAINER_SERVICE=lxc run inside sh -c 'echo "$container"'
    assert_output lxc
}

@test "limits: what the kernel gives PID 1, not what the caller has" {
    run bash -c 'ulimit -n 512; ulimit -c 0; ulimit -s 1024; ulimit -v 4000000; "$NSPAWN" -q -P -D "$1" probe limits </dev/null' _ "$TREE"
    assert_success
    assert_line 'CPU infinity:infinity'
    assert_line 'FSIZE infinity:infinity'
    assert_line 'DATA infinity:infinity'
    assert_line 'RSS infinity:infinity'
    assert_line 'LOCKS infinity:infinity'
    assert_line 'MSGQUEUE 819200:819200'
    assert_line 'NICE 0:0'
    assert_line 'RTPRIO 0:0'
    assert_line 'RTTIME infinity:infinity'
}

@test "limits: --rlimit with every kind of unit, one value for both, infinity" {
    run inside --rlimit=NOFILE=100:200 --rlimit=RLIMIT_CORE=1M --rlimit=CPU=2min --rlimit=RTTIME=5ms --rlimit=FSIZE=1G:infinity \
        --rlimit=NPROC=50 --rlimit=STACK=16K:32K --rlimit=NICE=-5 probe limits
    assert_success
    assert_line 'NOFILE 100:200'
    assert_line 'CORE 1048576:1048576'
    assert_line 'CPU 120:120'
    assert_line 'RTTIME 5000:5000'
    assert_line 'FSIZE 1073741824:infinity'
    assert_line 'NPROC 50:50'
    assert_line 'STACK 16384:32768'
    if may_raise_limits; then assert_line 'NICE 25:25'; else assert_line 'NICE 0:0'; fi
}

@test "limits: the last of one type wins" {
    run inside --rlimit=NOFILE=100 --rlimit=NOFILE=300:400 probe limits
    assert_line 'NOFILE 300:400'
}

# The capability lines of a plain run, as name=value words.
capability_lines() { inside "$@" grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; }

# The bit mask of those of the named capabilities that this test itself has.
mask() {
    local name value=0 bound
    bound=$((16#$(sed -n 's/^CapBnd:\t//p' /proc/self/status)))
    for name; do value=$((value | 1 << $(number_of "$name"))); done
    printf '%016x' $((value & bound))
}

number_of() {
    local names=(chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
        net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot
        sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
        wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore) number
    for number in "${!names[@]}"; do
        if [[ ${names[number]} == "$1" ]]; then
            echo "$number"
            return
        fi
    done
    return 1
}

DEFAULT_CAPABILITIES=(audit_control audit_write chown dac_override dac_read_search fowner fsetid ipc_owner kill lease
    linux_immutable mknod net_bind_service net_broadcast net_raw setfcap setgid setpcap setuid sys_admin sys_boot sys_chroot
    sys_nice sys_ptrace sys_resource sys_tty_config)

@test "capabilities: the documented set; nothing inheritable or ambient" {
    run capability_lines
    local default
    default=$(mask "${DEFAULT_CAPABILITIES[@]}")
    assert_line "CapBnd:	$default"
    assert_line "CapPrm:	$default"
    assert_line "CapEff:	$default"
    assert_line 'CapAmb:	0000000000000000'
    assert_line 'NoNewPrivs:	0'
}

@test "capabilities: --capability adds, --drop-capability takes away and wins" {
    run capability_lines --capability=CAP_SYS_TIME,cap_net_admin --drop-capability=CAP_SYS_CHROOT --drop-capability=CAP_NET_ADMIN
    local names=() name
    for name in "${DEFAULT_CAPABILITIES[@]}" sys_time; do [[ $name == sys_chroot ]] || names+=("$name"); done
    assert_line "CapBnd:	$(mask "${names[@]}")"
    assert_line "CapEff:	$(mask "${names[@]}")"
}

@test "capabilities: --drop-capability=all, --capability=all, numbers, empty" {
    run capability_lines --drop-capability=all
    assert_line 'CapBnd:	0000000000000000'
    assert_line 'CapEff:	0000000000000000'
    run capability_lines --capability=all
    assert_line "CapBnd:	$(sed -n 's/^CapBnd:\t//p' /proc/self/status)"
    run capability_lines --capability=25
    assert_line "CapBnd:	$(mask "${DEFAULT_CAPABILITIES[@]}" sys_time)"
    run capability_lines --capability=
    assert_line "CapBnd:	$(mask "${DEFAULT_CAPABILITIES[@]}")"
}

@test "capabilities: --ambient-capability reaches a program that is not root" {
    run capability_lines --user=anna --ambient-capability=CAP_NET_RAW
    local raw
    raw=$(mask net_raw)
    assert_line "CapAmb:	$raw"
    assert_line "CapEff:	$raw"
    assert_line "CapInh:	$raw"
    assert_line "CapPrm:	$raw"
}

@test "capabilities: a user other than root has none" {
    run capability_lines --user=anna
    assert_line 'CapEff:	0000000000000000'
    assert_line 'CapPrm:	0000000000000000'
    assert_line 'CapAmb:	0000000000000000'
    assert_line 'CapInh:	0000000000000000'
}

@test "--no-new-privileges" {
    run capability_lines --no-new-privileges=yes
    assert_line 'NoNewPrivs:	1'
    run capability_lines --no-new-privileges=no
    assert_line 'NoNewPrivs:	0'
}

@test "-u: a name from the tree's own passwd, its groups, home and variables" {
    run inside -u anna sh -c 'probe ids; probe env; pwd'
    assert_success
    assert_line 'uid 1000 1000 1000'
    assert_line 'gid 1000 1000 1000'
    assert_line --regexp '^groups (1000 )?29 44$|^groups 1000 29 44$'
    assert_line HOME=/home/anna
    assert_line USER=anna
    assert_line LOGNAME=anna
}

@test "-u: numbers work, known to the tree or not" {
    run inside -u 1001 sh -c 'probe ids; echo $HOME $USER'
    assert_success
    assert_line 'uid 1001 1001 1001'
    assert_line --regexp '^/home/bert (bert|1001)$'
    run inside -u 4242 probe ids
    assert_success
    assert_line 'uid 4242 4242 4242'
}

@test "-u: a name that only getent in the container knows" {
    cat >"$TREE/usr/bin/getent" <<'END'
#!/bin/sh
case "$1 $2" in
    "passwd carol") echo "carol:x:2000:2001:Carol:/home/carol:/bin/sh" ;;
    "initgroups carol") echo "carol 2001 2002" ;;
    *) exit 2 ;;
esac
END
    run inside -u carol probe ids
    assert_success
    assert_line 'uid 2000 2000 2000'
    assert_line 'gid 2001 2001 2001'
    assert_line --regexp '^groups .*2002'
}

@test "-u: a name nobody knows is one clear line" {
    run --separate-stderr inside -u nobody-knows-me true
    assert_failure 1
    assert_one_error_line 'nobody-knows-me'
}

@test "-u: a missing home directory is made and owned by the user" {
    rm -rf "$TREE/home/bert"
    run inside -u bert sh -c 'touch $HOME/file && echo made'
    assert_output made
    assert_equal "$(stat -c '%u %a' "$TREE/home/bert")" '1001 755'
}

@test "--chdir: where the command starts; the shell's home else" {
    run inside --chdir=/usr/lib pwd
    assert_output /usr/lib
    run inside pwd
    assert_output /
    run nspawn -q -P -u anna -D "$TREE" <<<pwd
    assert_output /home/anna
}

@test "--hostname, --machine: names inside" {
    run inside hostname
    assert_output tree
    run inside -M some.name-1 hostname
    assert_output some.name-1
    run inside -M mach --hostname=other.example hostname
    assert_output other.example
    run inside --hostname=x --hostname= hostname
    assert_output tree
}

@test "machine id: the tree's own beats --uuid; --uuid fills an empty one; else random; never written" {
    local own=0123456789abcdef0123456789abcdef other=fedcba98-7654-3210-fedc-ba9876543210
    echo "$own" >"$TREE/etc/machine-id"
    run inside --uuid="$other" sh -c 'echo $container_uuid'
    assert_output 01234567-89ab-cdef-0123-456789abcdef
    local content
    for content in '' $'uninitialized\n'; do
        printf %s "$content" >"$TREE/etc/machine-id"
        run inside --uuid="${other//-/}" sh -c 'echo $container_uuid'
        assert_output "$other"
        assert_equal "$(stat -c %s "$TREE/etc/machine-id")" "${#content}"
    done
    rm "$TREE/etc/machine-id"
    run inside sh -c 'echo $container_uuid'
    local first=$output
    run inside sh -c 'echo $container_uuid'
    refute_output "$first"
    refute [ -e "$TREE/etc/machine-id" ]
}

@test "--personality=x86: 32-bit answers" {
    require_i386
    run inside --personality=x86 probe persona
    assert_line 'machine i686'
    run inside probe persona
    assert_line "machine $(uname -m)"
}

@test "--oom-score-adjust and --cpu-affinity" {
    run inside --oom-score-adjust=321 cat /proc/self/oom_score_adj
    assert_output 321
    run inside cat /proc/self/oom_score_adj
    assert_output "$(cat /proc/self/oom_score_adj)"
    run inside --cpu-affinity=0 probe affinity
    assert_output 'cpu 0'
}

@test "credentials: content byte by byte, C escapes, modes, read-only, the variable" {
    printf 'bin\0ary\377' >"$BATS_TEST_TMPDIR/secret"
    run inside --set-credential=one:plain --set-credential='two:a\tb\x41\n' --load-credential=three:"$BATS_TEST_TMPDIR/secret" \
        sh -c 'cd $CREDENTIALS_DIRECTORY; pwd; cat one; echo; od -An -c two; od -An -tx1 three; probe stat . one; touch new; echo x >one'
    assert_line /run/host/credentials
    assert_line plain
    assert_line --regexp 'a +\\t +b +A +\\n'
    assert_line --regexp '62 69 6e 00 61 72 79 ff'
    assert_line '. dir 0500 0:0'
    assert_line 'one file 0400 0:0'
    assert_equal "$(grep -c 'Read-only' <<<"$output")" 2
}

@test "credentials: from a socket, from the caller's own credentials, a duplicate is refused" {
    python3 - "$BATS_TEST_TMPDIR/socket" <<'END' 3>&- &
import socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(1); server.settimeout(20)
peer, _ = server.accept(); peer.sendall(b"over a socket"); peer.close()
END
    await 10 test -S "$BATS_TEST_TMPDIR/socket"
    mkdir "$BATS_TEST_TMPDIR/own"
    echo handed-down >"$BATS_TEST_TMPDIR/own/up"
    CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/own run inside --load-credential=s:"$BATS_TEST_TMPDIR/socket" --load-credential=u:up \
        sh -c 'cat /run/host/credentials/s; echo; cat /run/host/credentials/u'
    assert_line 'over a socket'
    assert_line handed-down
    run --separate-stderr inside --set-credential=a:1 --set-credential=a:2 true
    assert_failure 1
    assert_one_error_line
}

@test "no credentials: no directory, no variable" {
    run inside sh -c 'ls /run/host/credentials; echo "<$CREDENTIALS_DIRECTORY>"'
    assert_line '<>'
    refute_line --partial 'one'
    run inside ls /run/host/credentials
    assert_failure
}

@test "signals: nothing blocked or ignored, even if the caller ignores some" {
    run bash -c 'trap "" INT QUIT PIPE USR1; "$NSPAWN" -q -P -D "$1" cat /proc/self/status </dev/null' _ "$TREE"
    assert_line 'SigBlk:	0000000000000000'
    assert_line 'SigIgn:	0000000000000000'
}

@test "signals: a caller that used posix_spawn(3), which leaves 32 and 33 ignored" {
    run python3 -c 'import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$NSPAWN" -q -P -D "$TREE" cat /proc/self/status
    assert_success
    assert_line 'SigIgn:	0000000000000000'
}

@test "umask 0022 whatever the caller's is" {
    run bash -c 'umask 0777; "$NSPAWN" -q -P -D "$1" sh -c umask </dev/null' _ "$TREE"
    assert_output 0022
}

@test "the audit login id is reset" {
    [[ -e /proc/self/loginuid ]] || skip "this kernel has no login ids"
    run inside cat /proc/self/loginuid
    assert_output 4294967295
}
