#!/usr/bin/env bats
# What becomes "/": read-only, volatile and ephemeral trees, the host's own tree, locks.

load helpers

mount_options() { inside "$@" awk '$5 == "/" { print $6 } ' /proc/self/mountinfo; }

@test "--read-only: the tree refuses writes, the API file systems do not" {
    run inside --read-only sh -c 'touch /x; touch /tmp/t /run/r /dev/shm/s && echo others'
    assert_line --partial 'Read-only'
    assert_line others
    run mount_options --read-only
    assert_output --regexp '(^|,)ro(,|$)'
}

@test "--read-only reaches the mounts below the tree" {
    mkdir "$TREE/sub"
    mount -t tmpfs sub "$TREE/sub"
    run inside --read-only touch /sub/x
    umount "$TREE/sub"
    assert_failure
    assert_output --partial 'Read-only'
}

@test "--volatile=yes: an empty root with the tree's /usr read-only" {
    run inside --volatile sh -c 'ls /etc | wc -l; cat /usr/lib/os-release; touch /usr/x; touch /x /etc/y /var/z && echo wrote'
    assert_line ID=tiny
    assert_line --partial 'Read-only'
    assert_line wrote
    refute [ -e "$TREE/x" ]
    refute [ -e "$TREE/etc/y" ]
    run inside --volatile=yes sh -c 'awk "\$5 == \"/\" || \$5 == \"/usr\" { print \$5, \$6, \$(NF-2) }" /proc/self/mountinfo'
    assert_line --regexp '^/ rw.* tmpfs'
    assert_line --regexp '^/usr ro'
}

@test "--volatile=yes needs merged /usr" {
    rm "$TREE/bin"
    mkdir "$TREE/bin"
    run --separate-stderr inside --volatile=yes true
    assert_failure 1
    assert_one_error_line 'bin|usr'
}

@test "--volatile=state: read-only root, fresh /var" {
    touch "$TREE/var/old"
    run inside --volatile=state sh -c 'touch /x; ls /var; touch /var/new && echo wrote'
    assert_line --partial 'Read-only'
    refute_line old
    assert_line wrote
    refute [ -e "$TREE/var/new" ]
}

@test "--volatile=overlay: everything can be written and nothing is kept" {
    run inside --volatile=overlay sh -c 'echo changed >/etc/os-release; rm /etc/group; touch /x; ls /x; cat /etc/passwd | head -n 1'
    assert_success
    assert_line /x
    assert_line --partial root
    refute [ -e "$TREE/x" ]
    assert [ -e "$TREE/etc/group" ]
    assert_equal "$(grep -c tiny "$TREE/usr/lib/os-release")" 1
}

@test "--volatile=no is a plain start" {
    run inside --volatile=no touch /kept
    assert_success
    assert [ -e "$TREE/kept" ]
}

@test "-x: writes are seen inside and gone afterwards; the tree is untouched" {
    touch "$TREE/old"
    run inside -x sh -c 'rm /old; echo new >/file; cat /file; ls /old; mkdir -p /a/b; ln /file /a/b/hard; chown anna /file'
    assert_line new
    assert [ -e "$TREE/old" ]
    refute [ -e "$TREE/file" ]
    refute [ -e "$TREE/a" ]
}

@test "-x: the machine's name has a random suffix, unless one is given" {
    run inside -x hostname
    assert_output --regexp '^tree-[0-9a-f]{16}$'
    run inside -x -M named hostname
    assert_output named
}

@test "-x survives a reboot inside and is gone afterwards" {
    cat >"$TREE/usr/bin/twice" <<'END'
#!/bin/sh
if [ -e /rebooted ]; then echo second; exit 0; fi
touch /rebooted
probe reboot restart
END
    chmod +x "$TREE/usr/bin/twice"
    run inside -x twice
    assert_success
    assert_output second
    refute [ -e "$TREE/rebooted" ]
}

@test "-x is never a full copy: a big tree costs neither space nor time" {
    head -c 300M /dev/zero >"$TREE/big"
    local before after used
    in_background -q -P -x -D "$TREE" sh -c 'ls -l /big >/dev/null && echo up; sleep 1000'
    before=$(df --output=used -B1 "$PLACE" | tail -n 1)
    await_output up
    after=$(df --output=used -B1 "$PLACE" | tail -n 1)
    kill -TERM "$SUPERVISOR"
    run await_exit
    used=$((after - before))
    ((used < 100 * 1024 * 1024)) || fail "$used more bytes in use"
}

@test "-x with --read-only" {
    run inside -x --read-only touch /x
    assert_failure
    assert_output --partial 'Read-only'
}

@test "-x: several of one tree at once, also while it runs without" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    run inside -x sh -c 'echo one >/x; cat /x'
    assert_success
    assert_output one
    kill -TERM "$SUPERVISOR"
    run await_exit
}

@test "-x works for the host's own tree" {
    local mark=/var/tmp/nspawn-ephemeral-mark-$$
    run nspawn -q -P -x -D / sh -c "echo inside >$mark && cat $mark && echo \$\$" </dev/null
    assert_success
    assert_line inside
    assert_line 1
    refute [ -e "$mark" ]
}

@test "-x on btrfs takes a snapshot" {
    modprobe -q btrfs || true
    grep -qw btrfs /proc/filesystems || skip "this kernel has no btrfs"
    truncate -s 300M "$BATS_TEST_TMPDIR/image"
    mkfs.btrfs -q "$BATS_TEST_TMPDIR/image"
    mkdir "$BATS_TEST_TMPDIR/btrfs"
    mount -o loop "$BATS_TEST_TMPDIR/image" "$BATS_TEST_TMPDIR/btrfs" || skip "no loop device to be had"
    btrfs -q subvolume create "$BATS_TEST_TMPDIR/btrfs/tree"
    cp -a "$TREE/." "$BATS_TEST_TMPDIR/btrfs/tree/"
    run nspawn -q -P -x -D "$BATS_TEST_TMPDIR/btrfs/tree" sh -c 'touch /x; awk "\$5 == \"/\" { print \$(NF-2) }" /proc/self/mountinfo' </dev/null
    local listed
    listed=$(btrfs subvolume list "$BATS_TEST_TMPDIR/btrfs" | wc -l)
    local names
    names=$(ls -A "$BATS_TEST_TMPDIR/btrfs")
    umount "$BATS_TEST_TMPDIR/btrfs"
    assert_success
    assert_output btrfs
    assert_equal "$listed" 1
    assert_equal "$names" tree
}

@test "/ is refused without -x or --volatile" {
    run --separate-stderr nspawn -q -P -D / true
    assert_failure 1
    assert_one_error_line '/'
    run nspawn -q -P --volatile=yes -D / cat /proc/1/comm </dev/null
    assert_success
    assert_output cat
}

@test "locks: a writable tree has one user, a read-only tree many" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    run --separate-stderr inside true
    assert_failure 1
    assert_one_error_line '[Bb]usy'
    run --separate-stderr inside --read-only true
    assert_failure 1
    kill -TERM "$SUPERVISOR"
    run await_exit
    in_background -q -P --read-only -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    run inside --read-only true
    assert_success
    run inside true
    assert_failure 1
    kill -TERM "$SUPERVISOR"
    run await_exit
    run inside true
    assert_success
}

@test "locks: the same tree by another path is the same tree" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    ln -s "$TREE" "$BATS_TEST_TMPDIR/other"
    run nspawn -q -P -D "$BATS_TEST_TMPDIR/other" true
    assert_failure 1
    mkdir "$BATS_TEST_TMPDIR/bound"
    mount --bind "$TREE" "$BATS_TEST_TMPDIR/bound"
    run nspawn -q -P -D "$BATS_TEST_TMPDIR/bound" true
    umount "$BATS_TEST_TMPDIR/bound"
    assert_failure 1
    kill -TERM "$SUPERVISOR"
    run await_exit
}

@test "locks: SYSTEMD_NSPAWN_LOCK=0 turns them off" {
    in_background -q -P -D "$TREE" sh -c 'echo up; sleep 1000'
    await_output up
    SYSTEMD_NSPAWN_LOCK=0 run inside true
    assert_success
    kill -TERM "$SUPERVISOR"
    run await_exit
}

@test "locks: of many starts at the same moment exactly one gets a writable tree" {
    local pids=() pid won=0
    for _ in {1..8}; do
        "$NSPAWN" -q -P -D "$TREE" sleep 2 </dev/null 2>/dev/null 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do if wait "$pid"; then won=$((won + 1)); fi; done
    assert_equal "$won" 1
}

@test "-M finds a tree in the image pool and names the machine after it" {
    mkdir -p /run/machines
    mount -t tmpfs -o mode=700 pool /run/machines
    cp -a "$TREE" /run/machines/pooltree
    run nspawn -q -P -M pooltree hostname </dev/null
    umount /run/machines
    assert_success
    assert_output pooltree
}
