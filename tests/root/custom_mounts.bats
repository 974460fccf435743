#!/usr/bin/env bats
# --bind, --tmpfs, --overlay, --inaccessible: what is seen inside, where it is made, and what is refused.

load helpers

prepare() {
    SHARED=$BATS_TEST_TMPDIR/shared
    mkdir -p "$SHARED/sub"
    echo content >"$SHARED/file"
}

# The mountinfo fields of a mount point inside: "ROOT FLAGS TYPE".
mount_at() { # PATH OPTION...
    local path=$1
    shift
    inside "$@" cat /proc/self/mountinfo |
        awk -v path="$path" '$5 == path { for (i = 7; $i != "-"; i++); print $4, $6, $(i + 1) }'
}

@test "bind: a directory and a file, with missing mount points made" {
    run inside --bind="$SHARED:/mnt/a/b" --bind-ro="$SHARED/file:/etc/new/file" \
        sh -c 'cat /mnt/a/b/file /etc/new/file; stat -c "%n %a %u" /mnt/a; echo x >/mnt/a/b/made; echo x >/etc/new/file'
    assert_failure
    assert_line --index 0 content
    assert_line --index 1 content
    assert_line '/mnt/a 755 0'
    assert_output --partial 'Read-only file system'
    assert [ -f "$SHARED/made" ]
    assert [ -d "$TREE/mnt/a/b" ]
    assert [ -f "$TREE/etc/new/file" ]
}

@test "bind: without a destination at its own path, relative from the working directory" {
    run inside --bind="$SHARED" cat "$SHARED/file"
    assert_output content
    cd "$SHARED"
    run inside --bind=sub/../file:/data cat /data
    assert_output content
    run --separate-stderr inside --bind=sub true
    assert_failure
    assert_one_error_line 'relative source needs a destination'
}

@test "bind: a colon in a path" {
    mkdir "$BATS_TEST_TMPDIR/a:b"
    echo colon >"$BATS_TEST_TMPDIR/a:b/x"
    run inside --bind="${BATS_TEST_TMPDIR}/a\\:b:/c\\:d" cat /c:d/x
    assert_output colon
}

@test "bind: + is below the tree, whatever its links say" {
    echo inner >"$TREE/etc/inner"
    ln -s /../../../etc "$TREE/link"
    run inside --bind=+/link/inner:/seen cat /seen
    assert_output inner
    run --separate-stderr inside --bind=+/nothing:/seen true
    assert_failure
    assert_one_error_line '/nothing in the tree: No such file'
}

@test "bind: an empty source is a fresh directory that is gone afterwards" {
    run inside --bind=:/fresh sh -c 'ls -A /fresh; stat -c "%a %u" /fresh; echo x >/fresh/y'
    assert_success
    assert_output '755 0'
}

@test "bind: mounts below the source come along, or not with norbind; read-only holds for all of them" {
    mount -t tmpfs tmpfs "$SHARED/sub"
    touch "$SHARED/sub/below"
    run inside --bind="$SHARED:/data" ls /data/sub
    local with=$output
    run inside --bind="$SHARED:/data:norbind" ls /data/sub
    local without=$output
    run inside --bind-ro="$SHARED:/data" touch /data/sub/new
    umount "$SHARED/sub"
    assert_equal "$with" below
    assert_equal "$without" ''
    assert_output --partial 'Read-only file system'
}

@test "bind: what the host mounts below the source later shows up" {
    mount --bind "$SHARED" "$SHARED"
    mount --make-shared "$SHARED"
    in_background -q -P -D "$TREE" --bind="$SHARED:/data" sh -c \
        'echo ready; until [ -e /data/sub/below ]; do usleep 20000; done; echo seen'
    await_output ready
    mount -t tmpfs tmpfs "$SHARED/sub"
    touch "$SHARED/sub/below"
    run await_exit
    umount "$SHARED/sub"
    umount "$SHARED"
    assert_success
    assert_line seen
}

@test "bind: links on the way to the mount point stay in the tree, dangling ones too" {
    mkdir -p "$BATS_TEST_TMPDIR/outside"
    ln -s "../../../../../../../..$BATS_TEST_TMPDIR/outside" "$TREE/escape"
    ln -s /elsewhere/deep "$TREE/dangling"
    run inside --bind="$SHARED:/escape/x" --bind="$SHARED:/dangling/y" sh -c "cat /escape/x/file $BATS_TEST_TMPDIR/outside/x/file /elsewhere/deep/y/file"
    assert_success
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR/outside")" ''
}

@test "bind: a device node can be used, and no other" {
    mknod "$BATS_TEST_TMPDIR/full" c 1 7
    run inside --bind=/dev/loop-control:/dev/loop-control sh -c 'exec 3<>/dev/loop-control && echo opened'
    if [[ -e /dev/loop-control ]]; then
        assert_line opened
        run inside --bind-ro=/dev/loop-control:/dev/loop-control sh -c ': <>/dev/loop-control && echo opened'
        refute_line opened
    else
        assert_failure
    fi
}

@test "bind on /: another directory takes the place of the tree" {
    cp -a -- "$TREE" "$BATS_TEST_TMPDIR/other"
    touch "$BATS_TEST_TMPDIR/other/mark"
    rm -r "${TREE:?}/usr"
    run inside --bind="$BATS_TEST_TMPDIR/other:/" sh -c 'ls -d /mark; touch /new'
    assert_success
    assert_line /mark
    assert [ -e "$BATS_TEST_TMPDIR/other/new" ]
    run inside --bind-ro="$BATS_TEST_TMPDIR/other:/" touch /newer
    assert_failure
    assert_output --partial 'Read-only file system'
    rm -r "$BATS_TEST_TMPDIR/other"
}

@test "bind on / with private users: the other directory is the one that is mapped" {
    local other=$BATS_TEST_TMPDIR/other
    cp -a "$BATS_FILE_TMPDIR/tiny" "$other"
    run inside -U --bind="$other:/" sh -c 'stat -c %u /etc/passwd; touch /made'
    assert_success
    assert_output 0
    assert_equal "$(stat -c %u "$other/made")" 0
    run inside --private-users=1310720 --private-users-ownership=chown --bind="$other:/" stat -c %u /etc/passwd
    assert_output 0
    assert_equal "$(stat -c %u "$other/etc/passwd" "$TREE/etc/passwd" | tr '\n' ' ')" '1310720 0 '
}

@test "a tree that gets its /usr from a bind needs none of its own" {
    mv "$TREE/usr" "$BATS_TEST_TMPDIR/usr"
    rm -rf "${TREE:?}"/*
    run inside --bind-ro="$BATS_TEST_TMPDIR/usr:/usr" /usr/bin/probe ids
    assert_success
    assert_line 'pid 1'
}

@test "tmpfs: options take the place of the default; flags and size hold" {
    run mount_at /data --tmpfs=/data
    assert_output --regexp '^/ rw,nodev tmpfs$'
    run inside --tmpfs=/data --tmpfs=/small:size=64k,mode=1770,noexec,uid=1000 \
        sh -c 'stat -c "%n %a %u" /data /small; head -c 1000000 /dev/zero >/small/x || echo full'
    assert_line '/data 755 0'
    assert_line '/small 1770 1000'
    assert_line full
    run --separate-stderr inside --tmpfs=/data:bogus true
    assert_failure
    assert_one_error_line "tmpfs on /data: tmpfs: Unknown parameter 'bogus'"
}

@test "tmpfs: parents first, whatever order was given" {
    run inside --tmpfs=/a/b --bind="$SHARED:/a/b/c" --tmpfs=/a sh -c 'cat /a/b/c/file; stat -f -c %T /a /a/b'
    assert_success
    assert_output - <<<$'content\ntmpfs\ntmpfs'
}

@test "overlay: layers in order, changes in the upper one, the work directory gone afterwards" {
    mkdir "$BATS_TEST_TMPDIR"/{low,mid}
    echo low >"$BATS_TEST_TMPDIR/low/a"
    echo low >"$BATS_TEST_TMPDIR/low/b"
    echo mid >"$BATS_TEST_TMPDIR/mid/b"
    run inside --overlay="$BATS_TEST_TMPDIR/low:$BATS_TEST_TMPDIR/mid:$BATS_TEST_TMPDIR/upper:/data" \
        sh -c 'cat /data/a /data/b; echo new >/data/c; rm /data/a'
    assert_success
    assert_output - <<<$'low\nmid'
    assert_equal "$(cat "$BATS_TEST_TMPDIR/upper/c")" new
    assert [ -e "$BATS_TEST_TMPDIR/low/a" ]
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR" | grep -c nspawn || true)" 0
}

@test "overlay: two paths, an empty upper, + layers, read-only" {
    mkdir "$BATS_TEST_TMPDIR/up"
    run inside --overlay="$SHARED:$BATS_TEST_TMPDIR/up" sh -c "echo x >$BATS_TEST_TMPDIR/up/y; cat $BATS_TEST_TMPDIR/up/file"
    assert_output content
    assert [ -e "$BATS_TEST_TMPDIR/up/y" ]
    run inside --overlay="+/etc:$SHARED::/etc" sh -c 'cat /etc/file; echo x >/etc/changed; ls /etc/passwd'
    assert_output - <<<$'content\n/etc/passwd'
    refute [ -e "$TREE/etc/changed" ]
    run inside --overlay-ro="+/etc:$SHARED:/etc" sh -c 'cat /etc/file; touch /etc/changed'
    assert_line content
    assert_output --partial 'Read-only file system'
}

@test "overlay: keeps its changes when the container reboots" {
    run nspawn -q -P -D "$TREE" --overlay="$SHARED::/data" --bind=:/fresh --kill-signal=SIGTERM \
        sh -c 'if [ -e /data/once ]; then cat /fresh/n; exit 7; fi; echo kept >/fresh/n; touch /data/once; probe reboot restart'
    assert_failure 7
    assert_output kept
}

@test "inaccessible: every kind of file" {
    mkfifo "$TREE/pipe"
    run inside --inaccessible=/etc/passwd --inaccessible=/home --inaccessible=/pipe --inaccessible=/dev/null \
        stat -c '%n %a %F' /etc/passwd /home /pipe /dev/null
    assert_success
    assert_line '/etc/passwd 0 regular empty file'
    assert_line '/home 0 directory'
    assert_line '/pipe 0 fifo'
    assert_line --partial '/dev/null 0 '
    run --separate-stderr inside --inaccessible=/nothing true
    assert_failure
    assert_one_error_line '/nothing in the tree: No such file'
}

@test "inaccessible: a mount that hides /run does not lend its nodes" {
    mkdir -p "$SHARED/host/inaccessible"
    echo readable >"$SHARED/host/inaccessible/reg"
    run inside --bind="$SHARED:/run" --inaccessible=/etc/passwd cat /etc/passwd
    refute_output --partial readable
    rm -r "$SHARED/host"
}

@test "mounts mix with --read-only, --volatile and --ephemeral" {
    mkdir "$TREE/data"
    run inside --read-only --bind="$SHARED:/data" sh -c 'echo x >/data/rw && touch /etc/x'
    assert_failure
    assert [ -e "$SHARED/rw" ]
    local mode
    for mode in yes overlay; do
        run inside --volatile=$mode --bind="$SHARED:/some/where" --bind-ro=+/usr:/again sh -c 'cat /some/where/file; ls -d /again/bin'
        assert_success
        assert_line content
    done
    run inside -x --bind="$SHARED:/other/place" --tmpfs=/var/x cat /other/place/file
    assert_output content
    refute [ -e "$TREE/other" ]
}

@test "settings file: Bind= and its like, and the command line wins as a whole" {
    cat >"$PLACE/tree.nspawn" <<END
[Files]
Bind=$SHARED:/from-file
TemporaryFileSystem=/scratch
END
    accept_host_state
    run inside --settings=trusted sh -c 'cat /from-file/file; stat -f -c %T /scratch'
    assert_output - <<<$'content\ntmpfs'
    run --separate-stderr inside cat /from-file/file
    assert_failure
    run inside --settings=trusted --tmpfs=/mine sh -c 'ls -d /mine; ls -A /from-file'
    assert_line /mine
    refute_line file
}

@test "bad input is one line, and nothing is left" {
    : >"$TREE/plain"
    local -A bad=(
        ["--bind=$BATS_TEST_TMPDIR/nothing:/x"]='No such file or directory'
        ["--bind=$SHARED:/plain"]='/plain in the tree: is no directory'
        ["--bind=$SHARED/file:/etc"]='/etc in the tree: is a directory'
        ["--tmpfs=/plain"]='/plain in the tree: is no directory'
        ["--bind=$SHARED:/plain/below"]='is no directory'
        ["--bind=$SHARED:/run/host/x"]='read-only'
        ["--overlay=$BATS_TEST_TMPDIR/nothing:/x"]='No such file or directory'
        ["--overlay=$SHARED:$SHARED:/x"]='Too many levels'
        ["--overlay=$SHARED:$SHARED/file:/x"]='Not a directory'
        ["--overlay=+/etc:+/etc:/x"]='Too many levels'
        ["--bind=$SHARED:/$(printf 'x%.0s' {1..300})"]='File name too long'
        ["--tmpfs=/$(printf 'x%.0s' {1..300})"]='File name too long'
        ["--bind=/$(printf 'x/%.0s' {1..2100})"]='a path has at most 4095 bytes'
        ["--bind=$SHARED:relative"]='is no absolute path'
        ["--bind=$SHARED:/a/../../b"]='has a ".." in it'
        ["--bind=+/../../etc:/x"]='has a ".." in it'
        ["--bind=$BATS_TEST_TMPDIR/cycle:/x"]='Too many levels of symbolic links'
        ["--bind=:/plain"]='/plain in the tree: is no directory'
        ["--overlay=$BATS_TEST_TMPDIR/fifo::/x"]='Not a directory'
        ["--inaccessible=/nothing"]='No such file or directory'
    )
    ln -s cycle "$BATS_TEST_TMPDIR/cycle"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    local option
    for option in "${!bad[@]}"; do
        run --separate-stderr inside "$option" true
        assert_failure 1
        assert_one_error_line "${bad[$option]}"
    done
    ln -s loop "$TREE/loop"
    run --separate-stderr inside --bind="$SHARED:/loop/x" true
    assert_failure
    assert_one_error_line 'Too many levels of symbolic links'
}

@test "the same destination twice: the later one is seen" {
    mkdir "$BATS_TEST_TMPDIR/second"
    echo later >"$BATS_TEST_TMPDIR/second/file"
    run inside --bind="$SHARED:/srv" --bind="$BATS_TEST_TMPDIR/second:/srv" cat /srv/file
    assert_success
    assert_output later
}

# A source that comes and goes: it is there or it is not, and what was opened stays what it is.
@test "a source that disappears during the start is one line, or was there" {
    local source=$BATS_TEST_TMPDIR/comes-and-goes i
    while :; do
        mkdir "$source"
        rmdir "$source"
    done 3>&- &
    local other=$!
    for i in {1..40}; do
        run --separate-stderr inside --bind="$source:/seen" ls /
        if ((status != 0)); then
            assert_one_error_line 'No such file or directory'
        else
            assert_line seen
        fi
    done
    kill "$other"
    wait "$other" || true
    rmdir "$source" 2>/dev/null || true
}

@test "a supervisor that is killed leaves no fresh directory behind for the next run" {
    in_background -q -P -D "$TREE" --bind=:/fresh --overlay="$SHARED::/data" sh -c 'echo up; sleep 60'
    await_output up
    kill -KILL "$SUPERVISOR"
    await 5 has_ended "$SUPERVISOR"
    assert [ "$(find /var/tmp -maxdepth 1 -name '.#nspawn.mount.*' | wc -l)" -ge 2 ]
    run inside true
    assert_success
    assert_equal "$(find /var/tmp -maxdepth 1 -name '.#nspawn.mount.*')" ''
}

# A process that exchanges the mount point for a link to the host while we mount: the mount may fail, but it may never
# arrive at the host's directory.
@test "mount points that are exchanged while we mount never reach a path of the host" {
    local victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim" "$TREE/real"
    mkdir "$TREE/swap"
    ln -s "$victim" "$TREE/link"
    "$PROBE" exchange "$TREE/swap" "$TREE/link" 3>&- &
    local swapper=$!
    local i wrong=0
    for i in {1..60}; do
        inside --bind="$SHARED:/swap/deep/er" --tmpfs=/swap/t sh -c true 2>/dev/null || true
        [[ -z $(ls -A "$victim") ]] || wrong=1
    done
    kill "$swapper"
    wait "$swapper" || true
    assert_equal "$wrong" 0
    assert_equal "$(ls -A "$victim")" ''
}

@test "bind: owners of files are mapped as asked for" {
    chown 1234:4321 "$SHARED"
    touch "$SHARED/other"
    chown 77 "$SHARED/other"
    run inside --bind="$SHARED:/data:rootidmap" sh -c 'stat -c "%u:%g" /data /data/other; touch /data/made'
    assert_success
    assert_output - <<<$'0:0\n65534:65534'
    assert_equal "$(stat -c %u:%g "$SHARED/made")" 1234:4321
    run inside --bind="$SHARED:/data:owner=1000:29" stat -c %u:%g /data
    assert_output 1000:29
    run inside --bind="$SHARED:/home/anna:owneridmap" stat -c %u:%g /home/anna
    assert_output "$(stat -c %u:%g "$TREE/home/anna")"
    run inside --bind="$SHARED:/data:norbind,map=5:1234:1,map=6:4321:1,map=7:77:1" stat -c %u:%g /data /data/other
    assert_output - <<<$'5:6\n7:65534'
}

@test "bind: owners on a file system without id-mapped mounts are an error that says so" {
    run --separate-stderr inside --bind=/proc:/data:norbind,owner=5 true
    assert_failure
    assert_one_error_line 'its owners cannot be mapped'
}

@test "private users: binds, overlays, tmpfs and fresh directories have the owners that were asked for" {
    chown 1000:1000 "$SHARED"
    run inside -U --bind="$SHARED:/none" --bind="$SHARED:/same:idmap" --bind="$SHARED:/root-s:rootidmap" \
        --bind="$SHARED:/web:owner=33" --tmpfs=/scratch --tmpfs=/other:uid=5,gid=6 --bind=:/fresh \
        --overlay="$SHARED:$BATS_TEST_TMPDIR/upper:/merged" --overlay=+/etc::/etc --bind=+/usr:/again \
        sh -c 'stat -c "%n %u:%g" /none /same /root-s /web /scratch /other /fresh /merged/file /etc/passwd /again
               touch /root-s/made /etc/made /fresh/made; touch /merged/made; chown 7:8 /merged/made; rm /merged/file'
    assert_success
    assert_output - <<'END'
/none 65534:65534
/same 1000:1000
/root-s 0:0
/web 33:33
/scratch 0:0
/other 5:6
/fresh 0:0
/merged/file 0:0
/etc/passwd 0:0
/again 0:0
END
    assert_equal "$(stat -c %u:%g "$SHARED/made")" 1000:1000
    assert_equal "$(stat -c %u:%g "$BATS_TEST_TMPDIR/upper/made")" 7:8
    assert [ -e "$SHARED/file" ]
    refute [ -e "$TREE/etc/made" ]
}

@test "private users: mounts below /proc come after ours" {
    run inside -U --tmpfs=/proc/fs --bind="$SHARED:/proc/irq" sh -c 'stat -f -c %T /proc/fs; cat /proc/irq/file'
    assert_output - <<<$'tmpfs\ncontent'
}

@test "bind-user: a user of the host with home and records" {
    { grep -q "^games:" /etc/passwd && grep -q "^games:" /etc/group; } || skip "the host has no user games"
    mkdir "$BATS_TEST_TMPDIR/home"
    chown "$(id -u games):$(id -g games)" "$BATS_TEST_TMPDIR/home"
    sed "s|^games:.*|games:x:$(id -u games):$(id -g games):Games:$BATS_TEST_TMPDIR/home:/bin/zsh|" /etc/passwd >"$BATS_TEST_TMPDIR/passwd"
    run unshare --mount sh -c 'mount --bind "$1" /etc/passwd; shift; exec "$@"' sh "$BATS_TEST_TMPDIR/passwd" \
        "$NSPAWN" -q -P -D "$TREE" -U --bind-user=games --bind-user-shell=yes --bind-user-group=audio \
        sh -c 'stat -c "%u:%g" /run/host/home/games; cat /run/host/userdb/games.user /run/host/userdb/60514.group
               stat -c %a /run/host/userdb/games.user-privileged'
    assert_success
    assert_line --index 0 60514:60514
    assert_line --partial '"userName":"games","uid":60514,"gid":60514'
    assert_line --partial '"shell":"/bin/zsh"'
    assert_line --partial '"memberOf":["audio"]'
    assert_line --partial '{"groupName":"games","gid":60514'
    assert_line 600
}

@test "bind-user: bad users are one line" {
    run --separate-stderr inside --bind-user=daemon true
    assert_failure
    assert_one_error_line 'needs private users'
    run --separate-stderr inside -U --bind-user=root true
    assert_failure
    assert_one_error_line 'bind-user=root'
    run --separate-stderr inside -U --bind-user=nobody-has-this-name true
    assert_failure
    assert_one_error_line 'the host has no such user'
    echo 'daemon:x:500:500::/:/bin/sh' >>"$TREE/etc/passwd"
    run --separate-stderr inside -U --bind-user=daemon true
    assert_failure
    assert_one_error_line 'the tree has a user or group of that name already'
}
