#!/usr/bin/env bats
# What the container takes over from the host: name servers, time zone, journal. The tree may be as hostile as it likes.

load helpers

SHOW='for f in /etc/resolv.conf /etc/localtime; do ls -ldn $f 2>/dev/null; done; true'
ID=0123456789abcdef0123456789abcdef

# The host of the test: a mount namespace in which /etc/resolv.conf, /etc/localtime and /var/log/journal are what the test
# says. on_host SCRIPT ARGUMENT...: the script makes them, then the program runs with the arguments.
on_host() {
    local script=$1
    shift
    SCRIPT=$script timeout --kill-after=5 60 unshare --mount bash -euc '
        mount -t tmpfs -o mode=0755 host "$BATS_TEST_TMPDIR/host"
        mkdir "$BATS_TEST_TMPDIR"/host/{upper,work}
        mount -t overlay -o "lowerdir=/etc,upperdir=$BATS_TEST_TMPDIR/host/upper,workdir=$BATS_TEST_TMPDIR/host/work" etc /etc
        mount -t tmpfs -o mode=0755 journal /var/log/journal
        rm -f /etc/resolv.conf /etc/localtime
        echo "nameserver 192.0.2.1" >/etc/resolv.conf
        ln -s /usr/share/zoneinfo/Europe/Berlin /etc/localtime
        eval "$SCRIPT"
        "$@"
        ls -A /var/log/journal >"$BATS_TEST_TMPDIR/journal"' bash "$@" </dev/null
}

prepare() {
    mkdir "$BATS_TEST_TMPDIR/host"
    if [[ ! -d /var/log/journal ]]; then skip "no /var/log/journal to mount on"; fi
}

zone_in_tree() {
    mkdir -p "$TREE/usr/share/zoneinfo/Europe"
    echo zone >"$TREE/usr/share/zoneinfo/Europe/Berlin"
}

# on_host with the plain case of most tests.
plain() {
    local script=$1
    shift
    on_host "$script" "$NSPAWN" -q -P -D "$TREE" "$@"
}

@test "resolv.conf: the default brings in the host's, and again when it has changed" {
    plain 'touch -d @1000000000 /etc/resolv.conf' true
    run cat "$TREE/etc/resolv.conf"
    assert_output 'nameserver 192.0.2.1'
    assert_equal "$(stat -c '%a %u:%g %Y' "$TREE/etc/resolv.conf")" '644 0:0 1000000000'
    plain 'echo "nameserver 192.0.2.2" >/etc/resolv.conf' true
    assert_equal "$(<"$TREE/etc/resolv.conf")" 'nameserver 192.0.2.2'
    # What the container changed is the host's again, too.
    echo mine >"$TREE/etc/resolv.conf"
    plain '' true
    assert_equal "$(<"$TREE/etc/resolv.conf")" 'nameserver 192.0.2.1'
}

@test "resolv.conf: what is up to date is not written" {
    plain 'touch -d @1000000000 /etc/resolv.conf' true
    local before
    before=$(stat -c '%i %z' "$TREE/etc/resolv.conf")
    plain 'touch -d @1000000000 /etc/resolv.conf' true
    assert_equal "$(stat -c '%i %z' "$TREE/etc/resolv.conf")" "$before"
}

@test "resolv.conf: off and no leave the tree alone" {
    local mode
    for mode in off no; do
        plain '' --resolv-conf=$mode true
        refute [ -e "$TREE/etc/resolv.conf" ]
    done
}

@test "resolv.conf: the default deletes it where the host has none, delete always" {
    echo old >"$TREE/etc/resolv.conf"
    plain 'rm /etc/resolv.conf' true
    refute [ -e "$TREE/etc/resolv.conf" ]
    ln -s nowhere "$TREE/etc/resolv.conf"
    plain '' --resolv-conf=delete true
    refute [ -L "$TREE/etc/resolv.conf" ]
    plain '' --resolv-conf=delete true
}

@test "resolv.conf: copies follow no link, replacing puts a file in its place" {
    echo mine >"$TREE/etc/mine"
    local mode
    for mode in auto copy-host; do
        ln -sf mine "$TREE/etc/resolv.conf"
        run plain '' --resolv-conf=$mode true
        assert_success
        assert_output ''
        assert_equal "$(readlink "$TREE/etc/resolv.conf")" mine
        assert_equal "$(<"$TREE/etc/mine")" mine
    done
    plain '' --resolv-conf=replace-host true
    refute [ -L "$TREE/etc/resolv.conf" ]
    assert_equal "$(<"$TREE/etc/resolv.conf")" 'nameserver 192.0.2.1'
    assert_equal "$(<"$TREE/etc/mine")" mine
    assert_equal "$(stat -c '%a %u:%g' "$TREE/etc/resolv.conf")" '644 0:0'
}

@test "resolv.conf: a copy leaves a hard link's other name alone" {
    echo mine >"$TREE/etc/mine"
    ln "$TREE/etc/mine" "$TREE/etc/resolv.conf"
    plain '' true
    assert_equal "$(<"$TREE/etc/resolv.conf")" 'nameserver 192.0.2.1'
    assert_equal "$(<"$TREE/etc/mine")" mine
}

@test "resolv.conf: bind mounts it read-only, also behind a link within the tree" {
    run plain '' --resolv-conf=bind-host sh -c 'cat /etc/resolv.conf; echo x >/etc/resolv.conf; grep " /etc/resolv.conf " /proc/self/mountinfo'
    assert_line 'nameserver 192.0.2.1'
    assert_line --regexp ' /etc/resolv.conf ro,nosuid,nodev'
    assert_output --partial 'Read-only file system'
    assert_equal "$(stat -c %s "$TREE/etc/resolv.conf")" 0
    rm "$TREE/etc/resolv.conf"
    ln -s /usr/lib/there "$TREE/etc/resolv.conf"
    run plain '' --resolv-conf=bind-host cat /usr/lib/there
    assert_output 'nameserver 192.0.2.1'
}

@test "resolv.conf: static, uplink and stub are systemd-resolved's files" {
    local mode
    for mode in static:/usr/lib/systemd/resolv.conf uplink:/run/systemd/resolve/resolv.conf stub:/run/systemd/resolve/stub-resolv.conf; do
        for way in copy replace bind; do
            run plain "mount -t tmpfs none /run; mkdir -p /run/systemd/resolve; mount -t tmpfs none /usr/lib/systemd
                echo 'of $mode' >${mode#*:}" --resolv-conf=$way-${mode%:*} cat /etc/resolv.conf
            assert_success
            assert_output "of $mode"
        done
    done
}

@test "resolv.conf: the default takes the stub's file only where the stub answers" {
    local stub='mount -t tmpfs none /run; mkdir -p /run/systemd/resolve; echo stub >/run/systemd/resolve/stub-resolv.conf'
    run plain "$stub" cat /etc/resolv.conf
    assert_output 'nameserver 192.0.2.1'
    local listener="$stub"'
        python3 -c "
import os, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((\"127.0.0.53\", 53))
open(os.environ[\"BATS_TEST_TMPDIR\"] + \"/bound\", \"w\").close()
time.sleep(30)" 3>&- &
        trap "kill $!" EXIT
        until [ -e "$BATS_TEST_TMPDIR/bound" ]; do sleep 0.05; done'
    run plain "$listener" cat /etc/resolv.conf
    assert_output stub
}

@test "resolv.conf: a missing source is a warning for who asked, and nothing is changed" {
    echo mine >"$TREE/etc/resolv.conf"
    local mode
    for mode in copy-host replace-host bind-host; do
        run plain 'rm /etc/resolv.conf' --resolv-conf=$mode cat /etc/resolv.conf
        assert_success
        assert_line mine
        assert_output --partial '/etc/resolv.conf is left as it is'
    done
}

@test "a read-only tree gets them by mounts, where it has something to mount on" {
    echo mine >"$TREE/etc/resolv.conf"
    echo mine >"$TREE/etc/localtime"
    run plain '' --read-only sh -c 'cat /etc/resolv.conf; head -c 4 /etc/localtime'
    assert_success
    assert_output "$(printf 'nameserver 192.0.2.1\nTZif')"
    assert_equal "$(cat "$TREE/etc/resolv.conf" "$TREE/etc/localtime")" "$(printf 'mine\nmine')"
    rm "$TREE/etc/resolv.conf" "$TREE/etc/localtime"
    run plain '' --read-only true
    assert_success
    assert_output ''
}

@test "volatile trees get them in memory" {
    local mode
    for mode in yes overlay; do
        run plain '' --volatile=$mode sh -c 'cat /etc/resolv.conf; head -c 4 /etc/localtime'
        assert_success
        assert_output "$(printf 'nameserver 192.0.2.1\nTZif')"
        refute [ -e "$TREE/etc/resolv.conf" ]
        refute [ -e "$TREE/etc/localtime" ]
        refute [ -e "$TREE/var/log" ]
    done
}

@test "localtime: the default links to the same zone of the tree" {
    zone_in_tree
    run plain '' cat /etc/localtime
    assert_output zone
    assert_equal "$(readlink "$TREE/etc/localtime")" ../usr/share/zoneinfo/Europe/Berlin
    ln -sfn /usr/share/zoneinfo/Europe/Berlin "$TREE/etc/localtime"
    plain '' true
    assert_equal "$(readlink "$TREE/etc/localtime")" /usr/share/zoneinfo/Europe/Berlin
    ln -sfn ../usr/share/zoneinfo/UTC "$TREE/etc/localtime"
    plain '' true
    assert_equal "$(readlink "$TREE/etc/localtime")" ../usr/share/zoneinfo/Europe/Berlin
}

@test "localtime: a zone that the tree lacks is the host's, mounted" {
    run plain '' sh -c 'head -c 4 /etc/localtime; grep -c " /etc/localtime ro,nosuid,nodev" /proc/self/mountinfo'
    assert_output TZif1
}

@test "localtime: a host with a file of its own, with none, and with an odd link" {
    zone_in_tree
    echo old >"$TREE/etc/localtime"
    plain 'cp --remove-destination /usr/share/zoneinfo/UTC /etc/localtime' true
    cmp "$TREE/etc/localtime" /usr/share/zoneinfo/UTC
    assert_equal "$(stat -c '%a %u:%g' "$TREE/etc/localtime")" '644 0:0'
    run plain 'ln -sfn /etc/hostname /etc/localtime' true
    assert_success
    assert_output --partial '/etc/localtime is left as it is'
    cmp "$TREE/etc/localtime" /usr/share/zoneinfo/UTC
    plain 'rm /etc/localtime' true
    refute [ -e "$TREE/etc/localtime" ]
}

@test "localtime: off, copy, bind, symlink, delete" {
    zone_in_tree
    plain '' --timezone=off true
    refute [ -L "$TREE/etc/localtime" ]
    ln -s mine "$TREE/etc/localtime"
    plain '' --timezone=copy true
    cmp "$TREE/etc/localtime" /usr/share/zoneinfo/Europe/Berlin
    run plain '' --timezone=bind grep -c ' /etc/localtime ro,nosuid,nodev' /proc/self/mountinfo
    assert_output 1
    plain '' --timezone=symlink true
    assert_equal "$(readlink "$TREE/etc/localtime")" ../usr/share/zoneinfo/Europe/Berlin
    plain '' --timezone=delete true
    refute [ -L "$TREE/etc/localtime" ]
}

@test "hostile trees: links that lead to the host's files stay within the tree" {
    local victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim"
    echo untouched | tee "$victim/resolv.conf" >"$victim/localtime"
    mv "$TREE/etc" "$TREE/old"
    local mode
    for target in "$victim" "../../../../../../../../../../$victim" /proc/1/root/"$victim" /proc/self/fd/3; do
        ln -sfn "$target" "$TREE/etc"
        for mode in copy:copy replace:symlink bind:bind; do
            run plain '' --resolv-conf=${mode%:*}-host --timezone=${mode#*:} --link-journal=no true
        done
        run plain '' --resolv-conf=delete --timezone=delete --link-journal=no true
        assert_equal "$(cat "$victim/resolv.conf" "$victim/localtime")" "$(printf 'untouched\nuntouched')"
    done
    rm "$TREE/etc"
    mv "$TREE/old" "$TREE/etc"
    for mode in copy:copy replace:symlink bind:bind; do
        ln -sfn "$victim/resolv.conf" "$TREE/etc/resolv.conf"
        ln -sfn "$victim/localtime" "$TREE/etc/localtime"
        run plain '' --resolv-conf=${mode%:*}-host --timezone=${mode#*:} true
        assert_success
        assert_equal "$(cat "$victim/resolv.conf" "$victim/localtime")" "$(printf 'untouched\nuntouched')"
    done
}

@test "hostile trees: FIFOs, devices, sockets and directories are no obstacle and are not opened" {
    local kind mode
    for kind in fifo device directory; do
        rm -rf "$TREE/etc/resolv.conf" "$TREE/etc/localtime"
        for name in resolv.conf localtime; do
            case $kind in
                fifo) mkfifo "$TREE/etc/$name" ;;
                device) mknod "$TREE/etc/$name" c 1 7 ;;
                directory) mkdir "$TREE/etc/$name" ;;
            esac
        done
        for mode in --resolv-conf=auto --resolv-conf=copy-host --timezone=delete; do
            run plain '' --timezone=off "$mode" true
            assert_success
        done
        run plain '' --resolv-conf=copy-host --timezone=off true
        assert_line --partial '/etc/resolv.conf in the container is left as it is'
    done
}

@test "nothing of a replacement stays, also of one that was killed" {
    touch "$TREE/etc/.#nspawn-resolv.conf"
    plain '' --resolv-conf=replace-host true
    run ls -A "$TREE/etc"
    refute_output --partial '.#nspawn'
    mkdir "$TREE/etc/dir" && rm -rf "$TREE/etc/resolv.conf" && mkdir "$TREE/etc/resolv.conf"
    run plain '' --resolv-conf=replace-host true
    assert_success
    run ls -A "$TREE/etc"
    refute_output --partial '.#nspawn'
}

@test "journal: the default makes the directory in the tree, and links nothing" {
    echo $ID >"$TREE/etc/machine-id"
    plain '' true
    assert [ -d "$TREE/var/log/journal" ]
    assert_equal "$(<"$BATS_TEST_TMPDIR/journal")" ''
    rm -r "$TREE/var/log"
    plain '' --link-journal=no true
    refute [ -e "$TREE/var/log" ]
    on_host '' "$NSPAWN" -q -P -x -D "$TREE" true
    refute [ -e "$TREE/var/log" ]
}

@test "journal: host, and then the default, show the host's directory" {
    echo $ID >"$TREE/etc/machine-id"
    local mode
    for mode in host try-host; do
        run plain '' --link-journal=$mode sh -c "echo entry >/var/log/journal/$ID/file; grep -c ' /var/log/journal/$ID rw,nosuid,nodev,noexec' /proc/self/mountinfo"
        assert_output 1
        assert_equal "$(<"$BATS_TEST_TMPDIR/journal")" $ID
        refute [ -e "$TREE/var/log/journal/$ID/file" ]
    done
    run plain "mkdir /var/log/journal/$ID; echo entry >/var/log/journal/$ID/file" cat /var/log/journal/$ID/file
    assert_output entry
}

@test "journal: with private users the host's directory is the container root's to write, and root's on the host" {
    echo $ID >"$TREE/etc/machine-id"
    local mode
    for mode in host try-host auto; do
        run on_host "mkdir /var/log/journal/$ID; echo entry >/var/log/journal/$ID/before" \
            sh -ec '"$@"; stat -c "%u %n" /var/log/journal/*/new' sh "$NSPAWN" -q -P -U -D "$TREE" --link-journal=$mode \
            sh -c "cd /var/log/journal/$ID; echo entry >new; cat before; stat -c '%u %n' . before new"
        assert_success
        assert_output "$(printf 'entry\n0 .\n0 before\n0 new\n0 /var/log/journal/%s/new' $ID)"
    done
}

@test "journal: guest links the host to the tree, over an empty directory or another link" {
    echo $ID >"$TREE/etc/machine-id"
    local there mode
    for there in true "mkdir /var/log/journal/$ID" "ln -s /nowhere /var/log/journal/$ID"; do
        for mode in --link-journal=guest --link-journal=try-guest -j; do
            run on_host "$there" sh -ec '"$@"; readlink /var/log/journal/*' sh "$NSPAWN" -q -P -D "$TREE" "$mode" touch /var/log/journal/$ID/entry
            assert_output "$TREE/var/log/journal/$ID"
            assert [ -e "$TREE/var/log/journal/$ID/entry" ]
        done
    done
    run plain "ln -s $TREE/var/log/journal/$ID /var/log/journal/$ID" ls /var/log/journal/$ID
    assert_output entry
    assert_equal "$(<"$BATS_TEST_TMPDIR/journal")" $ID
    # Another link is in the way of nobody.
    plain "ln -s /nowhere /var/log/journal/$ID" true
    assert_equal "$(<"$BATS_TEST_TMPDIR/journal")" ''
}

@test "journal: what cannot be linked ends the start only of who insists" {
    echo $ID >"$TREE/etc/machine-id"
    local there mode
    for there in "umount /var/log/journal; mount -t tmpfs none /var/log" "touch /var/log/journal/$ID" \
        "mkdir /var/log/journal/$ID; mount -t tmpfs none /var/log/journal/$ID" "echo $ID >/etc/machine-id"; do
        for mode in guest host; do
            run plain "$there" --link-journal=$mode echo ran
            assert_failure 1
            refute_line ran
        done
        for mode in try-guest try-host auto; do
            run plain "$there; mkdir -p /var/log/journal" --link-journal=$mode echo ran
            assert_success
            assert_line ran
        done
    done
}

@test "journal: a tree that has something else in its place" {
    echo $ID >"$TREE/etc/machine-id"
    mkdir -p "$TREE/var/log/journal" "$TREE/elsewhere"
    ln -s /elsewhere "$TREE/var/log/journal/$ID"
    local mode
    for mode in guest host; do
        run plain '' --link-journal=$mode echo ran
        assert_failure 1
        assert_equal "$(on_host '' true && cat "$BATS_TEST_TMPDIR/journal")" ''
    done
    run plain '' --link-journal=try-host echo ran
    assert_success
    assert_line --partial 'the container'"'"'s journal is not linked'
    assert_equal "$(ls -A "$TREE/elsewhere")" ''
}

@test "journal: a start that fails leaves nothing on the host" {
    echo $ID >"$TREE/etc/machine-id"
    local mode
    for mode in guest host; do
        run on_host '' sh -c 'NSPAWN_FAULT="share mounts=EIO" "$@"; test $? = 1' sh "$NSPAWN" -q -P -D "$TREE" --link-journal=$mode true
        assert_success
        assert_equal "$(<"$BATS_TEST_TMPDIR/journal")" ''
    done
}

@test "journal: --ephemeral with guest or host is an error" {
    local mode
    for mode in guest host; do
        run --separate-stderr nspawn -q -P -x --link-journal=$mode -D "$TREE" true
        assert_failure 1
        assert_one_error_line 'cannot be combined'
        run nspawn -q -P -x --link-journal=try-$mode -D "$TREE" true
        assert_success
    done
}

@test "settings files can say all three" {
    printf '[Exec]\nResolvConf=off\nTimezone=off\nLinkJournal=no\n' >"$PLACE/tree.nspawn"
    accept_host_state
    plain '' --settings=trusted true
    refute [ -e "$TREE/etc/resolv.conf" ]
    refute [ -e "$TREE/etc/localtime" ]
    refute [ -e "$TREE/var/log/journal" ]
}
