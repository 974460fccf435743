#!/usr/bin/env bats
# Disk images: every file system and partition table, how they mix with the other options, bad ones, locks, versions.

load helpers

ROOT_TYPE=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
USR_TYPE=8484680c-9521-48c6-9c11-b0720656f69e
HOME_TYPE=933ac7e1-2eb4-4f13-b844-0e14e2aef915
SRV_TYPE=3b8f8425-20e0-4f3b-907f-1a25a76f98e8
VAR_TYPE=4d21b016-b534-45c2-a9fb-5c16e091fd2d
TMP_TYPE=7ec6f557-3bc5-4aca-b293-16ef5df639d1
XBOOTLDR_TYPE=bc13c2ff-59e6-4262-a352-b275fd6f7172
ESP_TYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b
GENERIC_TYPE=0fc63daf-8483-4772-8e79-3d69d8477de4

[[ $(uname -m) == x86_64 ]] || skip "the partition types here are those of x86-64"

# Images that several tests only read, made once.
prepare_file() {
    make_ext4 "$BATS_FILE_TMPDIR/ext4.raw" "$BATS_FILE_TMPDIR/tiny"
}

prepare() { IMAGES=$BATS_TEST_TMPDIR/images; mkdir "$IMAGES"; }

make_ext4() { # FILE [TREE] [SIZE]
    truncate -s "${3:-32M}" "$1"
    mkfs.ext4 -q -F ${2:+-d "$2"} "$1"
}

# make_gpt FILE SIZE LINE...: a partition for each "TYPE SIZE CONTENT [sfdisk fields]" line; CONTENT is a file or "-".
make_gpt() {
    local file=$1 size=$2 line table="label: gpt" type length content fields number=0
    shift 2
    truncate -s "$size" "$file"
    for line; do
        read -r type length content fields <<<"$line"
        table+=$'\n'"size=$length, type=$type${fields:+, $fields}"
    done
    sfdisk -q "$file" <<<"$table"
    for line; do
        number=$((number + 1))
        read -r type length content fields <<<"$line"
        if [[ $content != - ]]; then put "$file" "$number" "$content"; fi
    done
}

put() { # FILE PARTITION CONTENT
    local start
    start=$(sfdisk -d "$1" | sed -n "s|^$1$2 : start= *\([0-9]*\),.*|\1|p")
    dd if="$3" of="$1" bs=512 seek="$start" conv=notrunc status=none
}

# A tree on one partition and an empty file system on another, as $IMAGES/gpt.raw.
make_root_and() { # TYPE
    make_ext4 "$IMAGES/other" "" 16M
    make_gpt "$IMAGES/gpt.raw" 64M "$ROOT_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" "$1 16M $IMAGES/other"
}

in_image() { # IMAGE OPTION... COMMAND...
    local image=$1
    shift
    nspawn -q -P -i "$image" "$@" </dev/null
}

# Bad images: fails with one line that matches, and no loop device is left (teardown compares those too).
assert_refused() { # PATTERN IMAGE OPTION...
    local pattern=$1
    shift
    run --separate-stderr in_image "$@" true
    assert_failure 1
    assert_one_error_line "$pattern"
}

# --- whole-disk file systems --------------------------------------------------------------------------------------

check_writable() {
    run in_image "$1" sh -c 'cat /usr/lib/os-release; echo new >/file; awk "\$5 == \"/\" { print \$6, \$(NF-2) }" /proc/self/mountinfo'
    assert_success
    assert_line ID=tiny
    assert_line --regexp "^rw,nodev,relatime $2\$"
    run in_image "$1" cat /file
    assert_output new
}

@test "ext4: a file system and nothing else; changes are kept" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    check_writable "$IMAGES/web.raw" ext4
}

@test "xfs" {
    truncate -s 320M "$IMAGES/xfs"
    mkfs.xfs -q "$IMAGES/xfs"
    mkdir "$BATS_TEST_TMPDIR/mnt"
    mount -o loop "$IMAGES/xfs" "$BATS_TEST_TMPDIR/mnt"
    cp -a "$TREE/." "$BATS_TEST_TMPDIR/mnt"
    umount "$BATS_TEST_TMPDIR/mnt"
    check_writable "$IMAGES/xfs" xfs
}

@test "btrfs" {
    truncate -s 128M "$IMAGES/btrfs"
    mkfs.btrfs -q --rootdir "$TREE" "$IMAGES/btrfs"
    check_writable "$IMAGES/btrfs" btrfs
}

@test "f2fs, where the kernel has it" {
    command -v mkfs.f2fs >/dev/null || skip "no f2fs-tools"
    truncate -s 96M "$IMAGES/f2fs.raw"
    mkfs.f2fs -q "$IMAGES/f2fs.raw" >/dev/null
    sload.f2fs -f "$BATS_FILE_TMPDIR/tiny" "$IMAGES/f2fs.raw" >/dev/null
    if grep -qw f2fs /proc/filesystems; then
        check_writable "$IMAGES/f2fs.raw" f2fs
    else
        assert_refused 'this kernel has no f2fs' "$IMAGES/f2fs.raw"
    fi
}

@test "squashfs and erofs cannot be written, and several containers share them" {
    mksquashfs "$TREE" "$IMAGES/squashfs" -quiet -noappend >/dev/null
    mkfs.erofs --quiet "$IMAGES/erofs" "$TREE" >/dev/null
    for type in squashfs erofs; do
        in_background -q -P -i "$IMAGES/$type" sh -c 'echo up; sleep 1000'
        await_output up
        run in_image "$IMAGES/$type" sh -c 'cat /usr/lib/os-release; touch /x'
        assert_failure
        assert_line ID=tiny
        assert_line --partial 'Read-only'
        kill -TERM "$SUPERVISOR"
        run await_exit
    done
}

@test "a read-only image with an unfinished journal is not written to" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/dirty.raw"
    debugfs -w -R 'feature needs_recovery' "$IMAGES/dirty.raw" 2>/dev/null
    local before
    before=$(sha256sum <"$IMAGES/dirty.raw")
    run in_image "$IMAGES/dirty.raw" --read-only cat /usr/lib/os-release
    assert_success
    assert_equal "$(sha256sum <"$IMAGES/dirty.raw")" "$before"
}

@test "a file system that was left dirty is checked before it is written, or is not started" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/dirty.raw"
    debugfs -w -R 'set_super_value state 2' "$IMAGES/dirty.raw" 2>/dev/null
    run in_image "$IMAGES/dirty.raw" cat /usr/lib/os-release
    assert_success
    run dumpe2fs -h "$IMAGES/dirty.raw"
    assert_line --regexp '^Filesystem state: +clean$'
    debugfs -w -R 'set_super_value state 2' "$IMAGES/dirty.raw" 2>/dev/null
    debugfs -w -R 'clri /usr' "$IMAGES/dirty.raw" 2>/dev/null # nothing that is repaired without a question
    assert_refused 'finds errors' "$IMAGES/dirty.raw"
    run in_image "$BATS_FILE_TMPDIR/ext4.raw" --read-only true
    assert_success
}

@test "the machine is named after the image, without .raw" {
    run in_image "$BATS_FILE_TMPDIR/ext4.raw" --read-only hostname
    assert_output ext4
}

@test "a settings file beside the image counts" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    printf '[Exec]\nHostname=fromfile\n' >"$IMAGES/web.nspawn"
    run in_image "$IMAGES/web.raw" --settings=trusted hostname
    assert_output fromfile
}

@test "a block device" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    local device
    device=$(losetup --find --show "$IMAGES/web.raw")
    run in_image "$device" -M web sh -c 'echo there >/x; hostname'
    local output_inside=$output
    in_background -q -P -i "$device" -M web sh -c 'echo up; sleep 1000'
    await_output up
    run --separate-stderr in_image "$device" -M other true
    kill -TERM "$SUPERVISOR"
    await_exit >/dev/null || true
    losetup -d "$device"
    assert_failure
    assert_one_error_line busy
    assert_equal "$output_inside" web
    run in_image "$IMAGES/web.raw" cat /x
    assert_output there
}

# --- partitions -----------------------------------------------------------------------------------------------------

@test "GPT: every partition at its place" {
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/all.raw" 128M "$HOME_TYPE 8M $IMAGES/other" "$ROOT_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" \
        "$SRV_TYPE 8M $IMAGES/other" "$TMP_TYPE 8M $IMAGES/other" "$VAR_TYPE 8M $IMAGES/other" "$XBOOTLDR_TYPE 8M $IMAGES/other"
    run in_image "$IMAGES/all.raw" awk '$(NF-2) == "ext4" && $4 == "/" { print $5, $6 }' /proc/self/mountinfo
    assert_success
    assert_output "/ rw,nodev,relatime
/home rw,nodev,relatime
/srv rw,nodev,relatime
/var rw,nodev,relatime
/var/tmp rw,nodev,relatime
/boot rw,nosuid,nodev,noexec,relatime,nosymfollow"
}

@test "GPT: written where it should be" {
    make_root_and "$HOME_TYPE"
    run in_image "$IMAGES/gpt.raw" sh -c 'echo one >/home/x; echo two >/y'
    assert_success
    run in_image "$IMAGES/gpt.raw" sh -c 'cat /home/x /y'
    assert_output $'one\ntwo'
}

@test "GPT: of several roots the newest for this machine" {
    local n
    for n in 2 10 9; do
        echo "ID=v$n" >"$TREE/usr/lib/os-release"
        make_ext4 "$IMAGES/v$n" "$TREE"
    done
    make_gpt "$IMAGES/versions.raw" 160M "$ROOT_TYPE 32M $IMAGES/v2 name=root_2" "$ROOT_TYPE 32M $IMAGES/v10 name=root_10" \
        "$ROOT_TYPE 32M $IMAGES/v9 name=root_9" "b921b045-1df0-41c3-af44-4c6f280d3fae 16M - name=root_99"
    run in_image "$IMAGES/versions.raw" cat /usr/lib/os-release
    assert_output ID=v10
}

@test "GPT: partition flags: left alone, read-only" {
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/flags.raw" 64M "$ROOT_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" "$HOME_TYPE 8M $IMAGES/other attrs=\"GUID:63\"" \
        "$SRV_TYPE 8M $IMAGES/other attrs=\"GUID:60\""
    run in_image "$IMAGES/flags.raw" sh -c 'grep " /home " /proc/self/mountinfo; touch /srv/x; touch /x && echo wrote'
    refute_line --partial /home
    assert_line --partial Read-only
    assert_line wrote
}

@test "GPT: a partition that says so is grown to its size" {
    local type
    make_ext4 "$IMAGES/ext4" "" 8M
    truncate -s 300M "$IMAGES/xfs"
    mkfs.xfs -q "$IMAGES/xfs"
    truncate -s 128M "$IMAGES/btrfs"
    mkfs.btrfs -q "$IMAGES/btrfs"
    make_gpt "$IMAGES/grow.raw" 1600M "$ROOT_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" "$HOME_TYPE 64M $IMAGES/ext4 attrs=\"GUID:59\"" \
        "$SRV_TYPE 600M $IMAGES/xfs attrs=\"GUID:59\"" "$VAR_TYPE 400M $IMAGES/btrfs attrs=\"GUID:59\""
    run in_image "$IMAGES/grow.raw" sh -c 'for d in home srv var; do stat -f -c "%b %S" /$d; done'
    assert_success
    local sizes=() line
    for line in "${lines[@]}"; do
        [[ $line == nspawn:* ]] || sizes+=($((${line% *} * ${line#* } >> 20)))
    done
    # ext4 lets only those grow it who may use more than there is.
    if may_raise_limits; then ((sizes[0] > 40)) || fail "ext4: ${sizes[0]}M"; fi
    ((sizes[1] > 500)) || fail "xfs: ${sizes[1]}M"
    ((sizes[2] > 350)) || fail "btrfs: ${sizes[2]}M"
}

@test "GPT: the only generic partition is the root; of several nobody knows" {
    make_gpt "$IMAGES/one.raw" 64M "$GENERIC_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw"
    run in_image "$IMAGES/one.raw" cat /usr/lib/os-release
    assert_output --partial ID=tiny
    make_gpt "$IMAGES/two.raw" 96M "$GENERIC_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" "$GENERIC_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw"
    assert_refused '2 partitions that could be the root' "$IMAGES/two.raw"
}

@test "GPT with only /usr: an empty root in memory" {
    mksquashfs "$TREE/usr" "$IMAGES/usr" -quiet -noappend >/dev/null
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/usr.raw" 64M "$USR_TYPE 16M $IMAGES/usr" "$HOME_TYPE 8M $IMAGES/other"
    run in_image "$IMAGES/usr.raw" sh -c 'cat /usr/lib/os-release; ls /etc | wc -l; echo kept >/home/x; touch /x /etc/y && echo wrote; awk "\$5 == \"/\" { print \$(NF-2) }" /proc/self/mountinfo'
    assert_success
    assert_line ID=tiny
    assert_line wrote
    assert_line tmpfs
    run in_image "$IMAGES/usr.raw" --read-only sh -c 'cat /home/x; touch /x /home/y'
    assert_line kept
    assert_failure
}

@test "GPT: 4096-byte sectors" {
    local start
    truncate -s 64M "$IMAGES/4k.raw"
    local device
    device=$(losetup --find --show --sector-size 4096 "$IMAGES/4k.raw")
    sfdisk -q "$device" <<<$'label: gpt\nsize=32M, type='"$ROOT_TYPE" 2>/dev/null || true
    start=$(sfdisk -d "$device" | sed -n 's/.*start= *\([0-9]*\),.*/\1/p')
    losetup -d "$device"
    dd if="$BATS_FILE_TMPDIR/ext4.raw" of="$IMAGES/4k.raw" bs=4096 seek="$start" conv=notrunc status=none
    run in_image "$IMAGES/4k.raw" cat /usr/lib/os-release
    assert_success
    assert_output --partial ID=tiny
}

@test "MBR: the bootable Linux partition" {
    truncate -s 96M "$IMAGES/mbr.raw"
    sfdisk -q "$IMAGES/mbr.raw" <<<$'label: dos\nsize=16M, type=83\nsize=32M, type=83, bootable'
    put "$IMAGES/mbr.raw" 2 "$BATS_FILE_TMPDIR/ext4.raw"
    run in_image "$IMAGES/mbr.raw" cat /usr/lib/os-release
    assert_output --partial ID=tiny
    sfdisk -q -A "$IMAGES/mbr.raw" -
    assert_refused 'root' "$IMAGES/mbr.raw"
}

@test "the firmware's partition goes to /efi, or is left out by a kernel without vfat" {
    truncate -s 16M "$IMAGES/esp"
    mkfs.vfat "$IMAGES/esp" >/dev/null
    make_gpt "$IMAGES/esp.raw" 64M "$ROOT_TYPE 32M $BATS_FILE_TMPDIR/ext4.raw" "$ESP_TYPE 16M $IMAGES/esp"
    run nspawn --console=read-only -i "$IMAGES/esp.raw" grep -c ' /efi .* vfat' /proc/self/mountinfo
    if grep -qw vfat /proc/filesystems; then
        assert_line --partial 1
    else
        assert_output --partial 'left out: this kernel has no vfat'
    fi
}

# --- with other options ---------------------------------------------------------------------------------------------

@test "--read-only: no partition can be written, nor the device" {
    make_root_and "$HOME_TYPE"
    run in_image "$IMAGES/gpt.raw" --read-only sh -c 'touch /x; touch /home/y; cat /sys/class/block/loop*/ro | sort -u'
    assert_line --partial "/x: Read-only"
    assert_line --partial "/home/y: Read-only"
}

@test "--volatile: only the root becomes volatile, the other partitions are read-only" {
    make_root_and "$HOME_TYPE"
    local before mode
    before=$(sha256sum <"$IMAGES/gpt.raw")
    for mode in yes overlay; do
        run in_image "$IMAGES/gpt.raw" "--volatile=$mode" sh -c 'cat /usr/lib/os-release; touch /x && echo wrote; touch /home/y'
        assert_line ID=tiny
        assert_line wrote
        assert_line --partial "/home/y: Read-only"
    done
    run in_image "$IMAGES/gpt.raw" --volatile=state sh -c 'touch /x; touch /var/y && echo wrote'
    assert_line --partial "/x: Read-only"
    assert_line wrote
    assert_equal "$(sha256sum <"$IMAGES/gpt.raw")" "$before"
}

@test "--volatile=overlay shows a /usr of its own" {
    mv "$TREE/usr" "$BATS_TEST_TMPDIR/usr"
    mkdir "$TREE/usr"
    make_ext4 "$IMAGES/root" "$TREE"
    mksquashfs "$BATS_TEST_TMPDIR/usr" "$IMAGES/usr" -quiet -noappend >/dev/null
    make_gpt "$IMAGES/two.raw" 64M "$ROOT_TYPE 32M $IMAGES/root" "$USR_TYPE 16M $IMAGES/usr"
    for mode in no yes overlay; do
        run in_image "$IMAGES/two.raw" "--volatile=$mode" sh -c 'cat /usr/lib/os-release; touch /x && echo wrote'
        assert_line ID=tiny
        assert_line wrote
    done
}

@test "-x: every partition can be written and the image stays as it is" {
    make_root_and "$HOME_TYPE"
    local before
    before=$(sha256sum <"$IMAGES/gpt.raw")
    run in_image "$IMAGES/gpt.raw" -x sh -c 'echo one >/x; echo two >/home/y; cat /x /home/y; hostname'
    assert_success
    assert_line one
    assert_line two
    assert_line --regexp '^gpt-[0-9a-f]{16}$'
    assert_equal "$(sha256sum <"$IMAGES/gpt.raw")" "$before"
}

@test "-x of a squashfs can be written too" {
    mksquashfs "$TREE" "$IMAGES/squashfs" -quiet -noappend >/dev/null
    run in_image "$IMAGES/squashfs" -x sh -c 'echo new >/etc/file; cat /etc/file'
    assert_output new
}

@test "-x shares the image's blocks where the file system can" {
    truncate -s 400M "$BATS_TEST_TMPDIR/disk"
    mkfs.btrfs -q "$BATS_TEST_TMPDIR/disk"
    mkdir "$BATS_TEST_TMPDIR/mnt"
    mount -o loop "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_TMPDIR/mnt"
    cp "$BATS_FILE_TMPDIR/ext4.raw" "$BATS_TEST_TMPDIR/mnt/web.raw"
    run in_image "$BATS_TEST_TMPDIR/mnt/web.raw" -x sh -c 'echo new >/file; awk "\$5 == \"/\" { print \$(NF-2) }" /proc/self/mountinfo'
    local kept
    kept=$(ls -A "$BATS_TEST_TMPDIR/mnt")
    umount "$BATS_TEST_TMPDIR/mnt"
    assert_success
    assert_output ext4
    assert_equal "$kept" web.raw
}

@test "-x keeps what was written over a reboot inside" {
    cat >"$TREE/usr/bin/twice" <<'END'
#!/bin/sh
if [ -e /rebooted ]; then cat /home/x; exit 0; fi
touch /rebooted
echo second >/home/x
probe reboot restart
END
    chmod +x "$TREE/usr/bin/twice"
    make_ext4 "$IMAGES/root" "$TREE"
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/twice.raw" 64M "$ROOT_TYPE 32M $IMAGES/root" "$HOME_TYPE 8M $IMAGES/other"
    run in_image "$IMAGES/twice.raw" -x twice
    assert_output second
    run in_image "$IMAGES/twice.raw" twice
    assert_output second
}

@test "--image-policy: what is demanded is checked" {
    make_root_and "$HOME_TYPE"
    run in_image "$IMAGES/gpt.raw" --image-policy='root=unprotected:home=unprotected' true
    assert_success
    run in_image "$IMAGES/gpt.raw" --image-policy='root=unprotected' grep -c ' /home ' /proc/self/mountinfo
    assert_output 0
    assert_refused 'partition 1 \(root\) is unprotected' "$IMAGES/gpt.raw" --image-policy=root=verity
    assert_refused 'no srv partition' "$IMAGES/gpt.raw" --image-policy=root=unprotected:srv=unprotected
    assert_refused 'read-only flag not set' "$IMAGES/gpt.raw" --image-policy=root=read-only-on
    assert_refused 'partition 1 \(root\) is unprotected' "$IMAGES/gpt.raw" --image-policy=~
    assert_refused 'no flag of an image policy' "$IMAGES/gpt.raw" --image-policy=root=safe
}

@test "SYSTEMD_DISSECT_FILE_SYSTEMS says what is mounted" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    SYSTEMD_DISSECT_FILE_SYSTEMS=xfs:btrfs assert_refused 'of type ext4, which is not mounted' "$IMAGES/web.raw"
}

# --- protection: what can be tried without device-mapper; tests/vm has the rest ---------------------------------------

# True when the kernel can open what is encrypted or protected.
has_device_mapper() { grep -qw device-mapper /proc/misc; }

@test "an encrypted image without a passphrase, and one that cannot be opened here" {
    truncate -s 20M "$IMAGES/luks"
    printf secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$IMAGES/luks" -
    assert_refused 'encrypted, and there is no passphrase' "$IMAGES/luks"
    assert_refused 'encrypted, which the image policy does not allow' "$IMAGES/luks" --image-policy=root=unprotected
    has_device_mapper && return 0
    mkdir "$IMAGES/credentials"
    printf secret >"$IMAGES/credentials/dissect.passphrase"
    CREDENTIALS_DIRECTORY=$IMAGES/credentials assert_refused 'this kernel has no device-mapper' "$IMAGES/luks"
}

@test "an encrypted image on a terminal: asked for the passphrase, without an echo" {
    command -v cryptsetup >/dev/null || skip "no cryptsetup"
    truncate -s 32M "$IMAGES/luks.raw"
    printf secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$IMAGES/luks.raw" -
    run /usr/bin/python3 "$TESTS/root/passphrase.py" "$NSPAWN" -q -i "$IMAGES/luks.raw" true
    assert_success
}

@test "a signed root hash: the certificates of this machine count, one by one" {
    command -v openssl >/dev/null || skip "no openssl"
    local worker hash=1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef
    worker=$(find "$(dirname "$NSPAWN")" -name nspawn-dissect | head -n 1)
    cd "$BATS_TEST_TMPDIR"
    printf %s "$hash" >hash
    local who
    for who in mine other; do
        openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$who" -days 1 -keyout $who.key -out $who.crt 2>/dev/null
    done
    openssl smime -sign -binary -nocerts -noattr -in hash -signer mine.crt -inkey mine.key -outform der -out signature
    openssl smime -sign -binary -nodetach -in hash -signer mine.crt -inkey mine.key -outform der -out attached
    verify() { # HASH SIGNATURE CERTIFICATE...
        local certificate
        {
            echo "$(printf %s "$1" | base64 -w0) $(base64 -w0 "$2")"
            for certificate in "${@:3}"; do echo "$(printf %s "$certificate" | base64 -w0) $(base64 -w0 "$certificate")"; done
        } | "$worker" verify
    }
    echo nonsense >broken.crt
    assert_equal "$(verify "$hash" signature mine.crt)" "signed $(printf mine.crt | base64)"
    assert_equal "$(verify "$hash" signature broken.crt other.crt mine.crt)" "signed $(printf mine.crt | base64)"
    assert_equal "$(verify "$hash" signature other.crt broken.crt)" unsigned
    assert_equal "$(verify "$hash" signature)" unsigned
    assert_equal "$(verify "${hash/1234/1235}" signature mine.crt)" unsigned
    assert_equal "$(verify "$hash" hash mine.crt)" unsigned
    assert_equal "$(verify "$hash" attached mine.crt)" unsigned
    run "$worker" verify <<<'no question'
    assert_failure 1
}

@test "root hashes: from where they come, and what is none" {
    mksquashfs "$TREE" "$IMAGES/web.raw" -quiet -noappend >/dev/null
    local hash data=$IMAGES/web.verity
    veritysetup format "$IMAGES/web.raw" "$data" >"$IMAGES/log"
    hash=$(sed -n 's/^Root hash:[ \t]*//p' "$IMAGES/log")
    run in_image "$IMAGES/web.raw" cat /usr/lib/os-release # nothing speaks of a hash
    assert_success
    # Found is enough here: without device-mapper it goes no further.
    has_device_mapper && skip "tests/vm shows this"
    assert_refused 'no device-mapper' "$IMAGES/web.raw" "--root-hash=$hash"
    echo "$hash" >"$IMAGES/web.roothash"
    assert_refused 'no device-mapper' "$IMAGES/web.raw"
    SYSTEMD_DISSECT_VERITY_SIDECAR=0 run in_image "$IMAGES/web.raw" true
    assert_success
    mv "$data" "$IMAGES/elsewhere"
    assert_refused 'neither a partition table nor a file with the hash tree' "$IMAGES/web.raw"
    assert_refused 'no device-mapper' "$IMAGES/web.raw" "--verity-data=$IMAGES/elsewhere"
    echo "no hash" >"$IMAGES/web.roothash"
    assert_refused 'web.roothash holds no root hash' "$IMAGES/web.raw"
    rm "$IMAGES/web.roothash"
    mkfifo "$IMAGES/web.roothash"
    assert_refused 'web.roothash' "$IMAGES/web.raw"
    rm "$IMAGES/web.roothash"
    assert_refused 'of no use without a root hash' "$IMAGES/web.raw" "--verity-data=$IMAGES/elsewhere"
    if python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.verity.roothash", sys.argv[2].encode())' "$IMAGES/web.raw" "$hash"; then
        assert_refused 'no device-mapper' "$IMAGES/web.raw" "--verity-data=$IMAGES/elsewhere"
        assert_refused 'no device-mapper' "$IMAGES/web.raw" -x "--verity-data=$IMAGES/elsewhere"
    fi
}

# --- locks ----------------------------------------------------------------------------------------------------------

@test "an image in use is busy; two that only read share it" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    in_background -q -P -i "$IMAGES/web.raw" sh -c 'echo up; sleep 1000'
    await_output up
    assert [ -e "$IMAGES/.#web.raw.lck" ]
    assert_refused 'currently busy' "$IMAGES/web.raw"
    assert_refused 'currently busy' "$IMAGES/web.raw" --read-only
    kill -TERM "$SUPERVISOR"
    run await_exit
    in_background -q -P --read-only -i "$IMAGES/web.raw" sh -c 'echo up; sleep 1000'
    await_output up
    run in_image "$IMAGES/web.raw" --read-only cat /usr/lib/os-release
    assert_success
    kill -TERM "$SUPERVISOR"
    run await_exit
    refute [ -e "$IMAGES/.#web.raw.lck" ]
}

@test "an image that somebody else has attached for writing is busy" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/web.raw"
    local device
    device=$(losetup --find --show "$IMAGES/web.raw")
    run --separate-stderr in_image "$IMAGES/web.raw" true
    losetup -d "$device"
    assert_failure
    assert_one_error_line "busy: it is attached to $device"
}

@test "two copies of one xfs or btrfs image run side by side" {
    truncate -s 320M "$IMAGES/xfs"
    mkfs.xfs -q "$IMAGES/xfs"
    mkdir "$BATS_TEST_TMPDIR/mnt"
    mount -o loop "$IMAGES/xfs" "$BATS_TEST_TMPDIR/mnt"
    cp -a "$TREE/." "$BATS_TEST_TMPDIR/mnt"
    umount "$BATS_TEST_TMPDIR/mnt"
    cp --sparse=always "$IMAGES/xfs" "$IMAGES/copy"
    in_background -q -P -i "$IMAGES/xfs" sh -c 'echo up; sleep 1000'
    await_output up
    run in_image "$IMAGES/copy" cat /usr/lib/os-release
    kill -TERM "$SUPERVISOR"
    await_exit >/dev/null || true
    assert_success
}

# --- the pool, and versions -----------------------------------------------------------------------------------------

# The pool in /run: nobody else's machines are there.
pool() { POOL=/run/machines; mkdir -p "$POOL"; }
cleanup() { rm -rf /run/machines/nspawn-test*; rmdir /run/machines 2>/dev/null || true; }

@test "-M finds NAME.raw, a block device and versions in the pool" {
    pool
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$POOL/nspawn-test.raw"
    run nspawn -q -P -M nspawn-test sh -c 'hostname; echo kept >/x' </dev/null
    assert_success
    assert_output nspawn-test
    chmod 0444 "$POOL/nspawn-test.raw"
    run nspawn -q -P -M nspawn-test sh -c 'cat /x; touch /y' </dev/null
    assert_line kept
    assert_line --partial Read-only
    mkdir "$POOL/nspawn-test2.raw.v"
    mv "$POOL/nspawn-test.raw" "$POOL/nspawn-test2.raw.v/nspawn-test2_1.raw"
    run nspawn -q -P -M nspawn-test2 hostname </dev/null
    assert_output nspawn-test2
    local device
    device=$(losetup --find --show "$POOL/nspawn-test2.raw.v/nspawn-test2_1.raw")
    ln -s "$device" "$POOL/nspawn-test3"
    run nspawn -q -P -M nspawn-test3 --read-only hostname </dev/null
    losetup -d "$device"
    assert_output nspawn-test3
}

@test "a .v directory: the newest version, for images and for trees" {
    local n
    mkdir "$IMAGES/web.raw.v" "$IMAGES/tree.v"
    for n in 1.9 1.10 1.11~rc1 1.12+0; do
        echo "ID=v$n" >"$TREE/usr/lib/os-release"
        make_ext4 "$IMAGES/web.raw.v/web_$n.raw" "$TREE"
        cp -a "$TREE" "$IMAGES/tree.v/tree_$n"
    done
    run in_image "$IMAGES/web.raw.v" sh -c 'hostname; cat /usr/lib/os-release'
    assert_output $'web\nID=v1.11~rc1'
    rm "$IMAGES/web.raw.v/web_1.11~rc1.raw"
    run in_image "$IMAGES/web.raw.v/web___.raw" cat /usr/lib/os-release
    assert_output ID=v1.10
    run nspawn -q -P -D "$IMAGES/tree.v" sh -c 'hostname; cat /usr/lib/os-release' </dev/null
    assert_output $'tree\nID=v1.11~rc1'
    rm "$IMAGES"/web.raw.v/*
    assert_refused "no version of 'web'" "$IMAGES/web.raw.v"
}

# --- bad input ------------------------------------------------------------------------------------------------------

@test "what is no image" {
    mkfifo "$IMAGES/fifo"
    : >"$IMAGES/empty"
    echo "hello" >"$IMAGES/text"
    head -c 1M /dev/urandom >"$IMAGES/noise"
    truncate -s 1M "$IMAGES/zeros"
    truncate -s 100 "$IMAGES/tiny"
    assert_refused 'No such file' "$IMAGES/missing"
    assert_refused 'is a directory' "$IMAGES"
    assert_refused 'is a FIFO' "$IMAGES/fifo"
    assert_refused 'is a character device' /dev/null
    assert_refused 'is empty' "$IMAGES/empty"
    for bad in text noise zeros tiny; do
        assert_refused 'neither a file system nor a partition table' "$IMAGES/$bad"
    done
    run --separate-stderr nspawn -q -P -D "$BATS_FILE_TMPDIR/ext4.raw" true
    assert_one_error_line 'is a file, not a directory'
    run --separate-stderr nspawn -q -P -D "$TREE" -i "$BATS_FILE_TMPDIR/ext4.raw" true
    assert_one_error_line 'cannot be combined'
}

@test "an image that is cut off" {
    head -c 3M "$BATS_FILE_TMPDIR/ext4.raw" >"$IMAGES/fs"
    assert_refused 'cannot be mounted' "$IMAGES/fs"
    make_root_and "$HOME_TYPE"
    head -c 20M "$IMAGES/gpt.raw" >"$IMAGES/table"
    assert_refused 'cut off|beyond the end' "$IMAGES/table"
}

@test "a broken partition table" {
    make_root_and "$HOME_TYPE"
    cp "$IMAGES/gpt.raw" "$IMAGES/first"
    dd if=/dev/urandom of="$IMAGES/first" bs=512 seek=1 count=30 conv=notrunc status=none # the backup is still good
    run in_image "$IMAGES/first" cat /usr/lib/os-release
    assert_output --partial ID=tiny
    dd if=/dev/urandom of="$IMAGES/first" bs=512 seek=$((64 * 2048 - 33)) count=33 conv=notrunc status=none
    assert_refused 'partition table' "$IMAGES/first"
}

@test "no root, an empty partition, a file system of another kind than its name says" {
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/noroot.raw" 32M "$HOME_TYPE 8M $IMAGES/other"
    assert_refused 'none of its partitions is a root' "$IMAGES/noroot.raw"
    make_gpt "$IMAGES/hollow.raw" 32M "$ROOT_TYPE 8M -"
    assert_refused 'partition 1 \(root\) holds no file system' "$IMAGES/hollow.raw"
    make_gpt "$IMAGES/nothing.raw" 32M
    assert_refused 'partition table is empty' "$IMAGES/nothing.raw"
    make_gpt "$IMAGES/swap.raw" 32M "$ROOT_TYPE 8M -"
    truncate -s 8M "$IMAGES/swap"
    mkswap -q "$IMAGES/swap"
    put "$IMAGES/swap.raw" 1 "$IMAGES/swap"
    assert_refused 'of type swap, which is not mounted' "$IMAGES/swap.raw"
}

@test "two file systems at once in one place" {
    cp --sparse=always "$BATS_FILE_TMPDIR/ext4.raw" "$IMAGES/both"
    mkfs.xfs -q -f "$IMAGES/xfs" -d file,size=320m
    dd if="$IMAGES/xfs" of="$IMAGES/both" bs=512 count=1 conv=notrunc status=none
    assert_refused 'several file systems at once' "$IMAGES/both"
}

@test "overlapping partitions" {
    make_root_and "$HOME_TYPE"
    /usr/bin/python3 "$TESTS/tools/edit-gpt" "$IMAGES/gpt.raw" 2 first=20480
    assert_refused 'overlaps|partition table' "$IMAGES/gpt.raw"
}

@test "an entry of the table that lies beyond its end" {
    make_root_and "$HOME_TYPE"
    /usr/bin/python3 "$TESTS/tools/edit-gpt" "$IMAGES/gpt.raw" 2 last=99999999999
    assert_refused '1 of the 2 entries of its partition table lie outside of the disk' "$IMAGES/gpt.raw"
}

@test "thousands of partitions" {
    /usr/bin/python3 "$TESTS/tools/edit-gpt" "$IMAGES/many.raw" --make 4000 "$GENERIC_TYPE"
    NSPAWN_TEST_TIMEOUT=20 assert_refused 'partition' "$IMAGES/many.raw"
    /usr/bin/python3 "$TESTS/tools/edit-gpt" "$IMAGES/many.raw" --make 128 "$HOME_TYPE"
    NSPAWN_TEST_TIMEOUT=20 assert_refused 'none of its partitions|holds no file system' "$IMAGES/many.raw"
}

@test "a hostile tree in the image: links at mount points lead nowhere else" {
    rm -rf "$TREE/home"
    ln -s ../../../../etc "$TREE/home"
    make_ext4 "$IMAGES/root" "$TREE"
    make_ext4 "$IMAGES/other" "" 8M
    make_gpt "$IMAGES/link.raw" 64M "$ROOT_TYPE 32M $IMAGES/root" "$HOME_TYPE 8M $IMAGES/other"
    run in_image "$IMAGES/link.raw" awk '$(NF-2) == "ext4" && $4 == "/" { print $5 }' /proc/self/mountinfo
    assert_output $'/\n/etc'
    ln -sfn /proc/self/root "$TREE/home"
    make_ext4 "$IMAGES/root" "$TREE"
    put "$IMAGES/link.raw" 1 "$IMAGES/root"
    run --separate-stderr in_image "$IMAGES/link.raw" true
    assert_failure
    assert_one_error_line home
}

@test "device nodes in an image are of no use" {
    mknod "$TREE/null" c 1 3
    make_ext4 "$IMAGES/nodes" "$TREE"
    for option in --volatile=no --volatile=overlay -x; do
        run in_image "$IMAGES/nodes" "$option" sh -c 'echo x >/null'
        assert_failure
        assert_output --partial 'denied'
    done
}

@test "SIGKILL at every stage leaves no loop device" {
    make_root_and "$HOME_TYPE"
    local stage
    while read -r stage; do
        NSPAWN_FAULT="$stage=SIGKILL-SUPERVISOR" run in_image "$IMAGES/gpt.raw" true
        assert_failure
        await 5 no_loop_of "$IMAGES/gpt.raw" || fail "a loop device after SIGKILL at '$stage'"
    done < <(nspawn -P --dry-run --json -i "$IMAGES/gpt.raw" true | python3 -c '
import json, sys
for stage in json.load(sys.stdin)["stages"]:
    print(stage if isinstance(stage, str) else stage["name"])')
    run in_image "$IMAGES/gpt.raw" true # clears away what the killed runs left
    assert_success
}

no_loop_of() { ! grep -qsF "$1" /sys/block/loop*/loop/backing_file; }
