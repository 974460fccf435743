#!/usr/bin/env bats
# .nspawn files: where they are found, whom they are trusted from, how they merge, drop-ins, specifiers, --show-config.
# /etc/systemd/nspawn and /run/systemd/nspawn are covered by empty tmpfs mounts of the test's own mount namespace.

load helpers

# Run a function of this file where /etc/systemd/nspawn is a directory of the test's own.
prepare() {
    TRUSTED=$BATS_TEST_TMPDIR/trusted
    mkdir "$TRUSTED"
}

with_trusted() {
    mkdir -p /etc/systemd/nspawn
    TRUSTED=$TRUSTED timeout --foreground 60 unshare --mount bash -c '
        mount --bind "$TRUSTED" /etc/systemd/nspawn && exec "$NSPAWN" -q -P "$@"' _ "$@" </dev/null
}

@test "a trusted file sets what the command line leaves open" {
    printf '[Exec]\nEnvironment=FROM=file "B=two words"\nHostname=named\nParameters=\nUser=anna\n' >"$TRUSTED/tree.nspawn"
    run with_trusted -D "$TREE" sh -c 'echo $FROM, $B, $(hostname), $(probe ids | head -n 1)'
    assert_success
    assert_output 'file, two words, named, uid 1000 1000 1000'
}

@test "the command line wins, option by option; --settings=override turns that round" {
    printf '[Exec]\nHostname=file\nWorkingDirectory=/usr\n' >"$TRUSTED/tree.nspawn"
    run with_trusted --hostname=line -D "$TREE" sh -c 'echo $(hostname) $PWD'
    assert_output 'line /usr'
    run with_trusted --hostname=line --settings=override -D "$TREE" sh -c 'echo $(hostname) $PWD'
    assert_output 'file /usr'
    run with_trusted --settings=no -D "$TREE" sh -c 'echo $(hostname) $PWD'
    assert_output 'tree /'
}

@test "a file beside the tree is read, but its privileged keys are not" {
    printf '[Exec]\nHostname=beside\nCapability=CAP_SYS_TIME\nDropCapability=CAP_CHOWN\nOOMScoreAdjust=17\n' >"$PLACE/tree.nspawn"
    accept_host_state
    run --separate-stderr inside sh -c 'hostname; grep CapEff /proc/self/status; cat /proc/self/oom_score_adj'
    assert_success
    assert_line beside
    refute_line 17
    local effective
    effective=$((16#$(sed -n 's/CapEff:\t//p' <<<"$output")))
    ((!(effective & 1))) || fail "DropCapability= was not taken"
    ((!(effective >> 25 & 1))) || fail "Capability= of an untrusted file was taken"
    [[ $stderr == *Capability* && $stderr == *OOMScoreAdjust* ]] || fail "no word about what was ignored: $stderr"
    run --separate-stderr inside --settings=trusted sh -c 'grep CapEff /proc/self/status; cat /proc/self/oom_score_adj'
    assert_line 17
    effective=$((16#$(sed -n 's/CapEff:\t//p' <<<"$output")))
    ((effective >> 25 & 1)) || fail "--settings=trusted did not trust"
}

@test "every privileged key in an untrusted file is ignored" {
    local key value
    while read -r key value; do
        printf '[Exec]\n%s=%s\n' "$key" "$value" >"$PLACE/tree.nspawn"
        [[ -n ${first-} ]] || { accept_host_state; local first=1; }
        run --separate-stderr nspawn -q -P -D "$TREE" sh -c 'touch /kept; probe limits; grep Cap /proc/self/status; echo $container_uuid; probe affinity' </dev/null
        assert_success
        [[ $stderr == *"$key"* ]] || fail "$key was taken or passed over in silence: $stderr"
        assert [ -e "$TREE/kept" ]
        refute_line --partial 01234567-89ab
        refute_line --partial '4:4'
    done <<'END'
Ephemeral yes
Capability CAP_SYS_TIME
AmbientCapability CAP_NET_RAW
MachineID 0123456789abcdef0123456789abcdef
LimitNOFILE 4
LimitCORE 4
OOMScoreAdjust 5
CPUAffinity 0
SystemCallFilter keyctl
END
}

@test "Boot=, ProcessTwo= and Parameters=" {
    printf '#!/bin/sh\necho "init $*"\n' >"$TREE/usr/sbin/own-init"
    chmod +x "$TREE/usr/sbin/own-init"
    ln -sf own-init "$TREE/usr/sbin/init"
    printf '[Exec]\nBoot=yes\nParameters=one "two three"\n' >"$TRUSTED/tree.nspawn"
    run with_trusted -D "$TREE"
    assert_output 'init one two three'
    printf '[Exec]\nProcessTwo=yes\nParameters=probe ids\n' >"$TRUSTED/tree.nspawn"
    run with_trusted -D "$TREE"
    assert_line 'pid 2'
    run with_trusted -D "$TREE" echo words
    assert_output words
}

@test "continuation lines, comments, unknown keys and sections, broken lines: warned about, the rest is used" {
    cat >"$TRUSTED/tree.nspawn" <<'END'
# comment
; comment
[Exec]
Environment=A=1 \
  B=2
NoSuchKey=1
this is no assignment
OOMScoreAdjust=not-a-number
[NoSuchSection]
Key=value
[Exec]
Hostname=still
END
    run --separate-stderr with_trusted -D "$TREE" sh -c 'echo $A $B $(hostname)'
    assert_success
    assert_output '1 2 still'
    [[ $stderr == *NoSuchKey* && $stderr == *NoSuchSection* && $stderr == *OOMScoreAdjust* ]] || fail "$stderr"
    [[ $stderr == *"tree.nspawn:6"* ]] || fail "no line number: $stderr"
}

@test "an empty assignment resets a list" {
    printf '[Exec]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n' >"$TRUSTED/tree.nspawn"
    run with_trusted -D "$TREE" sh -c 'echo "<$A><$B>"'
    assert_output '<><2>'
}

@test "drop-ins are read after the file, in the order of their names" {
    mkdir "$TRUSTED/tree.nspawn.d"
    printf '[Exec]\nHostname=main\nEnvironment=A=main\n' >"$TRUSTED/tree.nspawn"
    printf '[Exec]\nHostname=ten\n' >"$TRUSTED/tree.nspawn.d/10-first.conf"
    printf '[Exec]\nHostname=twenty\n' >"$TRUSTED/tree.nspawn.d/20-second.conf"
    printf '[Exec]\nHostname=never\n' >"$TRUSTED/tree.nspawn.d/30-not.txt"
    run with_trusted -D "$TREE" sh -c 'echo $(hostname) $A'
    assert_output 'twenty main'
}

@test "drop-ins alone, without a file" {
    mkdir "$TRUSTED/tree.nspawn.d"
    printf '[Exec]\nHostname=alone\n' >"$TRUSTED/tree.nspawn.d/a.conf"
    run with_trusted -D "$TREE" hostname
    assert_output alone
}

@test "drop-ins beside the tree are no more trusted than a file there" {
    mkdir "$PLACE/tree.nspawn.d"
    accept_host_state
    printf '[Exec]\nOOMScoreAdjust=17\nHostname=dropped\n' >"$PLACE/tree.nspawn.d/a.conf"
    run --separate-stderr inside sh -c 'hostname; cat /proc/self/oom_score_adj'
    assert_line dropped
    refute_line 17
}

@test "specifiers: the machine's name" {
    printf '[Exec]\nEnvironment=NAME=%%i- PERCENT=100%%%%\n' >"$TRUSTED/tree.nspawn"
    run with_trusted -D "$TREE" sh -c 'echo $NAME $PERCENT'
    assert_output 'tree- 100%'
}

@test "--show-config: every final value and where it came from; nothing is started" {
    printf '[Exec]\nHostname=file\nUser=anna\n' >"$TRUSTED/tree.nspawn"
    run with_trusted --show-config --user=bert -D "$TREE" touch /ran
    assert_success
    assert_line --regexp 'file.*tree\.nspawn:2'
    assert_line --regexp 'bert.*command line'
    refute [ -e "$TREE/ran" ]
}

@test "a file that cannot be read is an error, a missing one is not" {
    ln -s tree.nspawn "$TRUSTED/tree.nspawn"
    run --separate-stderr with_trusted -D "$TREE" true
    assert_failure 1
    assert_one_error_line 'tree.nspawn'
}

@test "hostile files beside the tree: junk, a FIFO, a directory, a device, a link loop, a link to the host" {
    accept() { accept_host_state; }
    head -c 10485760 /dev/urandom >"$PLACE/tree.nspawn"
    accept
    run timeout 20 "$NSPAWN" -q -P -D "$TREE" echo ran </dev/null
    refute [ "$status" = 124 ]
    rm "$PLACE/tree.nspawn"
    mkfifo "$PLACE/tree.nspawn"
    run timeout 20 "$NSPAWN" -q -P -D "$TREE" echo ran </dev/null
    refute [ "$status" = 124 ]
    rm "$PLACE/tree.nspawn"
    mkdir "$PLACE/tree.nspawn"
    run timeout 20 "$NSPAWN" -q -P -D "$TREE" echo ran </dev/null
    refute [ "$status" = 124 ]
    rmdir "$PLACE/tree.nspawn"
    ln -s tree.nspawn "$PLACE/tree.nspawn"
    run timeout 20 "$NSPAWN" -q -P -D "$TREE" echo ran </dev/null
    refute [ "$status" = 124 ]
    rm "$PLACE/tree.nspawn"
    mknod "$PLACE/tree.nspawn" c 1 5
    run timeout 20 "$NSPAWN" -q -P -D "$TREE" echo ran </dev/null
    refute [ "$status" = 124 ]
}

@test "an untrusted file cannot widen its own trust" {
    printf '[Exec]\nSettings=trusted\nOOMScoreAdjust=17\n[Files]\nSettings=trusted\nTrusted=yes\n' >"$PLACE/tree.nspawn"
    accept_host_state
    run inside cat /proc/self/oom_score_adj
    assert_success
    refute_line 17
}

@test "the name before the ephemeral suffix finds the file; -M names another" {
    printf '[Exec]\nEnvironment=WHICH=tree\n' >"$TRUSTED/tree.nspawn"
    printf '[Exec]\nEnvironment=WHICH=other\n' >"$TRUSTED/other.nspawn"
    run with_trusted -x -D "$TREE" sh -c 'echo $WHICH'
    assert_output tree
    run with_trusted -M other -D "$TREE" sh -c 'echo $WHICH'
    assert_output other
}
