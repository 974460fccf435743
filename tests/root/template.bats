#!/usr/bin/env bats
# Trees made from others (--template=), and directories of a tree as its root (--pivot-root=). What a copy holds is
# tried in tests/root/image/copy_tree_test.cpp.

load helpers

prepare() { NEW=$PLACE/new; }

from_template() { nspawn --console=read-only -D "$NEW" --template="$TREE" "$@" </dev/null; }

@test "--template: a missing tree is made, kept, and used from then on" {
    ln "$TREE/etc/passwd" "$TREE/etc/passwd2"
    run from_template sh -c 'echo inside >/mark; cat /proc/sys/kernel/hostname'
    assert_success
    assert_output --partial "Made $NEW from template $TREE (copy"
    assert_line --regexp "^new"
    assert [ "$(cat "$NEW/mark")" = inside ]
    refute [ -e "$TREE/mark" ]
    assert [ "$NEW/etc/passwd" -ef "$NEW/etc/passwd2" ]
    run from_template cat /mark
    assert_success
    assert_line --partial "$NEW exists already; the template $TREE is not used."
    assert_line --regexp "^inside"
    run nspawn -q -P -D "$NEW" --template="$TREE" cat /mark
    assert_output inside
    rm -r "$NEW"
}

@test "--template with --machine alone: in the pool" {
    local name=template-test-$$ existed=yes made=no
    [ -d /var/lib/machines ] || existed=no
    if [ $existed = no ] || rmdir /var/lib/machines 2>/dev/null; then made=yes; fi # where it is missing
    run nspawn -q -P -M "$name" --template="$TREE" cat /proc/sys/kernel/hostname </dev/null
    assert_success
    assert_output "$name"
    assert [ -d "/var/lib/machines/$name/usr" ]
    [ $made = no ] || assert_equal "$(stat -c %a /var/lib/machines)" 700
    rm -r "/var/lib/machines/$name"
    [ "$existed" = yes ] || rmdir /var/lib/machines
}

@test "--template and --ephemeral: the template itself, thrown away; not with a place" {
    run nspawn -q -P -x --template="$TREE" sh -c 'touch /x; ls /x' </dev/null
    assert_success
    assert_output /x
    refute [ -e "$TREE/x" ]
    run --separate-stderr nspawn -q -P -x -D "$NEW" --template="$TREE" true
    assert_failure 1
    assert_one_error_line 'cannot be combined'
    refute [ -e "$NEW" ]
}

@test "--template with a settings file that says Ephemeral=yes: refused before anything is made" {
    printf '[Exec]\nEphemeral=yes\n' >"$PLACE/new.nspawn"
    run --separate-stderr nspawn -q -P --settings=trusted -D "$NEW" --template="$TREE" true
    assert_failure 1
    assert_one_error_line 'cannot be combined'
    refute [ -e "$NEW" ]
    rm "$PLACE/new.nspawn"
}

@test "--template: bad places and templates are one line, and nothing is made" {
    touch "$PLACE/file"
    mkdir "$PLACE/empty"
    ln -s nowhere "$PLACE/dangling"
    accept_host_state
    local -a bad=(
        "-D $NEW --template=$PLACE/missing"
        "-D $NEW --template=$PLACE/file"
        "-D $NEW --template=$PLACE/empty"
        "-D $NEW/sub --template=$TREE"
        "-D $TREE/home/copy --template=$TREE"
        "-D $PLACE/file/x --template=$TREE"
        "-D $PLACE/dangling --template=$TREE"
        "-D $PLACE/$(printf 'x%.0s' {1..300}) --template=$TREE"
        "-D $NEW --template=/$(printf 'x/%.0s' {1..3000})"
        "--template=$TREE"
    )
    local words
    for words in "${bad[@]}"; do
        # shellcheck disable=SC2086
        run --separate-stderr nspawn -q -P $words true
        [[ $status == 1 ]] || fail "status $status with ${words:0:200}"
        assert_one_error_line
    done
    assert_nothing_left_behind
}

@test "--template: a look makes nothing" {
    run nspawn --dry-run -D "$NEW" --template="$TREE" true
    assert_success
    assert_output --partial "$NEW"
    run nspawn --show-config -D "$NEW" --template="$TREE" true
    assert_success
    assert_line --partial "$TREE"
    refute [ -e "$NEW" ]
}

@test "--template: interrupted at any time, it leaves nothing or all" {
    local number signal
    for number in {1..600}; do echo "$number" >"$TREE/etc/file$number"; done
    accept_host_state
    for signal in INT TERM KILL KILL KILL; do
        in_background -q -P -D "$NEW" --template="$TREE" sleep 1000
        sleep "0.0$((RANDOM % 9))"
        kill -"$signal" "$SUPERVISOR"
        await_exit >/dev/null || true
        if [ -e "$NEW" ]; then
            assert [ -e "$NEW/etc/file600" ]
            rm -r "$NEW"
        fi
        inside true # clears away what a killed one left
        await 5 no_scratch || fail "left after SIG$signal: $(ls -a "$PLACE")"
    done
}

no_scratch() { ! compgen -G "$PLACE/.#*" >/dev/null; }

@test "--template: a full disk" {
    mkdir "$PLACE/small"
    mount -t tmpfs -o size=1M small "$PLACE/small"
    run --separate-stderr nspawn -q -P -D "$PLACE/small/new" --template="$TREE" true
    local left
    left=$(ls -A "$PLACE/small")
    umount "$PLACE/small"
    rmdir "$PLACE/small"
    assert_failure 1
    assert_one_error_line 'No space left on device'
    assert_equal "$left" ""
}

# ------------------------------------------------------------------------------------------------------- --pivot-root
make_deployment() {
    mkdir -p "$TREE/deploy"
    cp -a "$BATS_FILE_TMPDIR/tiny" "$TREE/deploy/1"
    mkdir "$TREE/deploy/1/sysroot"
    echo inner >"$TREE/deploy/1/mark"
    echo outer >"$TREE/mark"
    ln -s deploy/1 "$TREE/current"
    ln -s ../../../../../../deploy/1 "$TREE/upwards"
}

@test "--pivot-root: a directory of the tree is /, with the tree below it if wanted" {
    make_deployment
    run inside --pivot-root=/deploy/1 sh -c 'cat /mark; ls /deploy'
    assert_line inner
    refute_line 1
    run inside --pivot-root=/deploy/1:/sysroot cat /mark /sysroot/mark
    assert_success
    assert_output $'inner\nouter'
    run inside --pivot-root=/deploy/1:/new/place cat /new/place/mark
    assert_output outer
    assert [ -d "$TREE/deploy/1/new/place" ]
    run inside --pivot-root=/current cat /mark
    assert_output inner
    run inside --pivot-root=/upwards cat /mark
    assert_output inner
}

@test "--pivot-root: init, users and machine id are those below the new root" {
    make_deployment
    rm -r "$TREE/usr/lib"
    echo 0123456789abcdef0123456789abcdef >"$TREE/deploy/1/etc/machine-id"
    sed -i 's/^anna:[^:]*:[0-9]*/anna:x:4321/' "$TREE/deploy/1/etc/passwd"
    run inside --pivot-root=/deploy/1 -u anna sh -c 'id -u; echo $container_uuid'
    assert_output $'4321\n01234567-89ab-cdef-0123-456789abcdef'
}

@test "--pivot-root mixes with read-only, volatile and ephemeral trees" {
    make_deployment
    run inside --read-only --pivot-root=/deploy/1:/sysroot sh -c 'touch /x; touch /sysroot/x; cat /sysroot/mark'
    assert_line --partial '/x: Read-only'
    assert_line --partial '/sysroot/x: Read-only'
    assert_line outer
    local mode
    for mode in yes state overlay; do
        run inside --volatile=$mode --pivot-root=/deploy/1:/sysroot sh -c 'touch /sysroot/x; cat /sysroot/mark'
        assert_line outer
        assert_line --partial 'Read-only'
    done
    run inside -x --pivot-root=/deploy/1:/sysroot sh -c 'touch /x /sysroot/y; cat /mark /sysroot/mark'
    assert_output $'inner\nouter'
    refute [ -e "$TREE/deploy/1/x" ]
    refute [ -e "$TREE/y" ]
    run nspawn -q -P -D "$NEW" --template="$TREE" --pivot-root=/deploy/1 cat /mark
    assert_output inner
    rm -r "$NEW"
}

@test "--pivot-root: what cannot be is one line" {
    make_deployment
    ln -s / "$TREE/deploy/1/slash"
    local value
    for value in / /:/x /deploy/1:/ deploy/1 /deploy/../deploy/1 /missing /mark /deploy/1:/mark /deploy/1:/slash /deploy; do
        run --separate-stderr inside --pivot-root="$value" true
        [[ $status == 1 ]] || fail "status $status with $value"
        assert_one_error_line
    done
}

@test "--pivot-root: links of the tree do not lead out of it" {
    make_deployment
    mkdir "$PLACE/outside"
    cp -a "$BATS_FILE_TMPDIR/tiny/." "$PLACE/outside"
    ln -s "$PLACE/outside" "$TREE/out"
    ln -s "../../../..$PLACE/outside" "$TREE/up"
    accept_host_state
    run --separate-stderr inside --pivot-root=/out true
    assert_failure 1
    run --separate-stderr inside --pivot-root=/up true
    assert_failure 1
}

@test "PivotRoot= of a file beside the tree is not heard, of one in /etc it is" {
    make_deployment
    printf '[Exec]\nPivotRoot=/deploy/1\n' >"$PLACE/tree.nspawn"
    run --separate-stderr nspawn -q -P -D "$TREE" cat /mark
    assert_success
    assert_output outer
    assert_equal "${#stderr_lines[@]}" 1
    run nspawn -q -P --settings=trusted -D "$TREE" cat /mark
    assert_output inner
    rm "$PLACE/tree.nspawn"
}
