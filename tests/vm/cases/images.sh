# What only a kernel with device-mapper and vfat can show. Runs inside the machine, with expect.sh; prints TAP.
cd /images
export DM_DISABLE_UDEV=1
left_behind() { losetup -a; ls /dev/mapper | grep -v control; }
with_passphrase() { # PASSPHRASE COMMAND...
    mkdir -p /run/credentials
    printf %s "$1" >/run/credentials/dissect.passphrase
    shift
    CREDENTIALS_DIRECTORY=/run/credentials "$@"
}

# --- verity ---
hash=$(cat hash)
wrong=$(echo "$hash" | tr 0-9a-f 1-9a-f0)
expect 0 'ID=tiny' "verity: hash and hash tree beside the image" run -i beside.raw cat /usr/lib/os-release
expect 0 ' /dev/mapper/nspawn-| /proc/self/fd' "verity: the root is the mapped device" run -i beside.raw grep ' / / ' /proc/self/mountinfo
expect 0 'ID=tiny' "verity: as options" run -i squash "--root-hash=$hash" --verity-data=beside.verity cat /usr/lib/os-release
expect 1 'does not belong to the root hash' "verity: a wrong root hash" run -i squash "--root-hash=$wrong" --verity-data=beside.verity true
expect 0 'ID=tiny' "verity: partitions" run -i verity.raw "--root-hash=$hash" cat /usr/lib/os-release
expect 1 'no root partition belongs to the root hash' "verity: a hash of another image" run -i verity.raw "--root-hash=$wrong" true
expect 0 'ID=tiny' "verity: without a hash it is a plain image" run -i verity.raw cat /usr/lib/os-release
expect 1 'which the image policy does not allow' "verity: unless the policy demands it" run -i verity.raw --image-policy=root=verity true
expect 1 'Read-only' "verity: nothing can be written" run -i verity.raw "--root-hash=$hash" touch /x
expect 0 'wrote' "verity: with --volatile=overlay" run -i verity.raw "--root-hash=$hash" --volatile=overlay sh -c 'touch /x && echo wrote'
expect 0 'wrote' "verity: with --volatile" run -i verity.raw "--root-hash=$hash" --volatile sh -c 'touch /x && echo wrote'
expect 0 'wrote' "verity: with -x" run -i verity.raw "--root-hash=$hash" -x sh -c 'touch /x && echo wrote'
head -c 100 /dev/urandom >signature
expect 1 'no key that this kernel trusts' "verity: a signature that nobody trusts" run -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/signature --image-policy=root=signed true
expect 0 'ID=tiny' "verity: which does not matter where the policy does not demand one" run -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/signature cat /usr/lib/os-release

expect 1 'no key that this kernel trusts' "verity: a signature whose certificate nobody has put here" run -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/beside.p7s --image-policy=root=signed true
mkdir -p /etc/verity.d
cp trusted.crt /etc/verity.d/test.crt
expect 0 'ID=tiny' "verity: a signature by a certificate of this machine" run -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/beside.p7s --image-policy=root=signed cat /usr/lib/os-release
expect 1 'no key that this kernel trusts' "verity: unless they are not to count" env SYSTEMD_ALLOW_USERSPACE_VERITY=0 nspawn -q -P -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/beside.p7s --image-policy=root=signed true
expect 1 'no key that this kernel trusts' "verity: another signature is none by it" run -i verity.raw "--root-hash=$hash" --root-hash-sig=/images/signature --image-policy=root=signed true
rm /etc/verity.d/test.crt
expect 0 'ID=tiny' "verity: a time limit" env SYSTEMD_DISSECT_VERITY_TIMEOUT_SEC=2min nspawn -q -P -i verity.raw "--root-hash=$hash" cat /usr/lib/os-release

cp verity.raw damaged.raw
start=$(sfdisk -d verity.raw | sed -n 's/.*raw1 : start= *\([0-9]*\),.*/\1/p')
printf 'XXXX' | dd of=damaged.raw bs=1 seek=$((start * 512 + 500)) conv=notrunc 2>/dev/null
expect 1 'does not belong to the root hash|no file system that is known|cannot be read|cannot be mounted' "verity: one changed byte" run -i damaged.raw "--root-hash=$hash" true

# --- overlays on this kernel ---
mkdir -p /tree /mnt
mount -t squashfs -o loop squash /mnt && cp -a /mnt/. /tree && umount /mnt
expect 0 'wrote' "a tree with -x" run -x -D /tree sh -c 'touch /x && echo wrote'
expect 0 'wrote' "a tree with --volatile=overlay" run --volatile=overlay -D /tree sh -c 'touch /x && echo wrote'

# --- private users and sources in the tree on this kernel, which takes detached mounts for less ---
users='--private-users=700000:65536 --private-users-ownership=map'
mkdir /tree4
truncate -s 64M tree4.fs && mkfs.ext4 -q -F tree4.fs && mount -t ext4 -o loop tree4.fs /tree4 && cp -a /tree/. /tree4/
mkdir /tree4/layer && echo lower >/tree4/layer/file
umount /tree4
with_tree() { # COMMAND...
    mount -t ext4 -o loop /images/tree4.fs /tree4
    "$@"
    status=$?
    umount /tree4
    return "$status"
}
for option in -x --volatile=overlay --volatile=state; do
    expect 0 '^0 0$' "private users, id-mapped, with $option" with_tree run -D /tree4 $users $option sh -c 'touch /var/x 2>/dev/null || touch /run/x; stat -c "%u %g" /usr /etc | uniq'
done
expect 0 '^new 0$' "private users: an overlay of directories of the host" with_tree run -D /tree4 $users --overlay=/tree4/layer:/tree4/upper:/mnt sh -c 'ls /mnt/file >/dev/null && touch /mnt/new && stat -c "new %u" /mnt/new'
expect 0 '^lower$' "a source in a tree with -x" with_tree run -D /tree4 -x --bind=+/layer:/seen cat /seen/file
expect 0 '^lower$' "two sources in a tree with --volatile=overlay" with_tree run -D /tree4 --volatile=overlay --bind=+/layer:/seen --bind=+/layer/file:/one cat /one
expect 0 '^wrote$' "an overlay of directories in an image" run -i parts.raw --overlay=+/usr:+/etc::/mnt sh -c 'ls /mnt/lib/os-release >/dev/null && touch /mnt/x && echo wrote'
expect 0 '^seen$' "a read-only overlay of directories in a tree with -x" with_tree run -D /tree4 -x --overlay-ro=+/layer:+/etc:/mnt --bind=+/layer:/seen sh -c 'ls /mnt/file /seen/file >/dev/null && echo seen'
expect 0 'ID=tiny' "a source in an image" run -i parts.raw --bind=+/usr/lib:/seen cat /seen/os-release

# --- LUKS ---
make_luks() { # FILE CONTENT
    truncate -s $(($(stat -c %s "$2") + (24 << 20))) "$1"
    printf secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$1" - 2>&1 | sed 's/^/# /'
    printf secret | cryptsetup open "$1" new -d - 2>&1 | sed 's/^/# /'
    [ -b /dev/mapper/new ] || return
    dd if="$2" of=/dev/mapper/new bs=1M conv=notrunc 2>&1 | grep -v records | sed 's/^/# /'
    cryptsetup close new 2>&1 | sed 's/^/# /'
}
start=$(sfdisk -d parts.raw | sed -n 's/.*raw2 : start= *\([0-9]*\),.*/\1/p')
dd if=parts.raw of=root bs=512 skip="$start" count=$((24 * 2048)) 2>/dev/null
make_luks luks.raw root
expect 0 'ID=tiny' "LUKS: passphrase from a credential" with_passphrase secret run -i luks.raw cat /usr/lib/os-release
expect 0 'wrote' "LUKS: written" with_passphrase secret run -i luks.raw sh -c 'echo wrote >/x; cat /x'
expect 0 'wrote' "LUKS: and still there" with_passphrase secret run -i luks.raw --read-only cat /x
expect 1 'there is no passphrase' "LUKS: a wrong one" with_passphrase wrong run -i luks.raw true
expect 1 'there is no passphrase' "LUKS: none" run -i luks.raw true
expect 1 'is encrypted, which the image policy does not allow' "LUKS: not allowed" run -i luks.raw --image-policy=root=unprotected true
# Each answer has to come after its question: what is typed before is thrown away.
on_terminal() { # ANSWER... : on a terminal of its own
    (sleep 8; for answer; do echo "$answer"; sleep 8; done) |
        timeout 100 script -qec "nspawn -q -i luks.raw cat /usr/lib/os-release" /dev/null
}
expect 0 'ID=tiny' "LUKS: asked for on the terminal" on_terminal secret
expect 0 'That does not open it' "LUKS: and once more" on_terminal wrong secret
expect 1 'was wrong 3 times' "LUKS: and not for ever" on_terminal wrong wrong wrong
make_luks luks.home root
size=$(stat -c %s luks.home)
truncate -s 128M encrypted.raw
printf 'label: gpt\nsize=24M, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709\nsize=%s, type=933ac7e1-2eb4-4f13-b844-0e14e2aef915\n' $((size / 512)) | sfdisk -q encrypted.raw
for part in 1:root 2:luks.home; do
    start=$(sfdisk -d encrypted.raw | sed -n "s/.*raw${part%:*} : start= *\([0-9]*\),.*/\1/p")
    dd if="${part#*:}" of=encrypted.raw bs=512 seek="$start" conv=notrunc 2>/dev/null
done
expect 0 'wrote' "LUKS: /home alone" with_passphrase secret run -i encrypted.raw sh -c 'ls /home/usr >/dev/null && echo wrote >/home/x; cat /home/x'

run_and_kill() {
    CREDENTIALS_DIRECTORY=/run/credentials nspawn -q -P -i luks.raw sleep 1000 &
    sleep 5
    kill -KILL $!
    wait $!
    sleep 2
    echo killed
}
printf secret >/run/credentials/dissect.passphrase
expect 0 killed "LUKS: SIGKILL leaves no device" run_and_kill

# --- vfat, and several partitions on this kernel ---
expect 0 ' /efi .*vfat' "the firmware's partition" run -i parts.raw grep ' /efi ' /proc/self/mountinfo
expect 0 'nosuid,nodev,noexec.*umask|nosuid,nodev,noexec.*fmask=0077' "the firmware's partition is root's alone" run -i parts.raw grep ' /efi ' /proc/self/mountinfo
expect 0 ' /home .*ext4' "partitions" run -i parts.raw grep ' /home ' /proc/self/mountinfo
for mode in yes state overlay; do
    expect 0 ' /home ro.*ext4' "partitions with --volatile=$mode" run -i parts.raw "--volatile=$mode" grep ' /home ' /proc/self/mountinfo
done
expect 0 'two' "partitions with -x" run -i parts.raw -x sh -c 'echo one >/x; echo two >/home/x; cat /home/x'
expect 1 'No such file' "partitions with -x: nothing is kept" run -i parts.raw cat /home/x
expect 0 'ID=tiny' "/usr alone" run -i usr.raw cat /usr/lib/os-release
expect 0 'ID=tiny' "/usr alone with --volatile=overlay" run -i usr.raw --volatile=overlay cat /usr/lib/os-release
