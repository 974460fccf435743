#!/usr/bin/env bats
# Containers from OCI bundles: every part of config.json that is carried out, and what is refused.

load helpers

# bundle [PYTHON]: a bundle in $BUNDLE whose tree is $TREE; the statements change the configuration `c`.
bundle() {
    BUNDLE=$BATS_TEST_TMPDIR/bundle
    mkdir -p "$BUNDLE"
    CHANGES=${1-} TREE=$TREE BUNDLE=$BUNDLE /usr/bin/python3 - <<'PYTHON'
import json, os
c = {
    "ociVersion": "1.0.2",
    "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/"},
    "root": {"path": os.environ["TREE"]},
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
}
def run(script):
    c["process"]["args"] = ["/bin/sh", "-c", script]
exec(os.environ["CHANGES"])
json.dump(c, open(os.environ["BUNDLE"] + "/config.json", "w"))
PYTHON
}

# Runs the bundle that the statements make; options may follow.
oci() {
    bundle "$1"
    shift
    nspawn -q --oci-bundle="$BUNDLE" "$@" </dev/null
}

# assert_refused PLACE-AND-REASON PYTHON
assert_refused() {
    bundle "$2"
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_failure 1
    assert_one_error_line "config.json: $1"
}

@test "process: arguments, environment, directory, limits, score" {
    run oci 'run("pwd; echo $A; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status")
p = c["process"]
p["cwd"] = "/usr/lib"
p["env"] = ["A=two words", "PATH=/usr/bin:/bin"]
p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
p["oomScoreAdj"] = 100
p["noNewPrivileges"] = True'
    assert_success
    assert_output "$(printf '/usr/lib\ntwo words\n100\n200\n100\nNoNewPrivs:\t1')"
}

@test "process.user: numbers that no file of the tree knows, groups and umask" {
    run oci 'run("id -u; id -g; id -G; umask; echo ${USER-none}")
c["process"]["user"] = {"uid": 4321, "gid": 1234, "additionalGids": [29, 5000], "umask": 0o77}'
    assert_success
    assert_output "$(printf '4321\n1234\n1234 29 5000\n0077\nnone')"
}

@test "process.capabilities: exactly the five sets" {
    run oci 'run("grep ^Cap /proc/self/status")
c["process"]["user"] = {"uid": 1000, "gid": 1000}
c["process"]["capabilities"] = {"bounding": ["CAP_KILL", "CAP_NET_RAW", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_NET_RAW"],
    "effective": ["CAP_KILL"], "inheritable": ["CAP_NET_RAW"], "ambient": ["CAP_NET_RAW"]}'
    assert_success
    assert_line "$(printf 'CapInh:\t0000000000002000')"
    assert_line "$(printf 'CapPrm:\t0000000000002000')"
    assert_line "$(printf 'CapBnd:\t0000000000002021')"
    assert_line "$(printf 'CapAmb:\t0000000000002000')"
    # Ambient ones have to be inheritable, or the kernel does not give them.
    bundle 'run("grep ^CapAmb /proc/self/status")
c["process"]["capabilities"] = {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": [], "ambient": ["CAP_KILL"]}'
    run nspawn --oci-bundle="$BUNDLE"
    assert_success
    assert_line "$(printf 'CapAmb:\t0000000000000000')"
    assert_line --partial 'left out: process.capabilities.ambient (CAP_KILL: not both permitted and inheritable)'
}

@test "root and hostname: relative paths start at the bundle, readonly holds" {
    bundle 'run("hostname; touch /x")
c["hostname"] = "named"
c["root"] = {"path": "rootfs", "readonly": True}'
    cp -a "$TREE" "$BUNDLE/rootfs"
    run nspawn -q --oci-bundle="$BUNDLE"
    assert_failure
    assert_line named
    refute [ -e "$BUNDLE/rootfs/x" ]
    # Nothing is brought in from the host unless it is asked for.
    refute [ -e "$BUNDLE/rootfs/etc/resolv.conf" ]
}

@test "mounts: binds and tmpfs with their options; places that every container has are ours" {
    mkdir "$BATS_TEST_TMPDIR/shared"
    echo content >"$BATS_TEST_TMPDIR/shared/file"
    run oci 'run("cat /srv/file; grep -E \" /(srv|scratch|proc|dev) \" /proc/self/mountinfo | cut -d\" \" -f5,6")
c["mounts"] = [
    {"destination": "/srv", "source": os.environ["BATS_TEST_TMPDIR"] + "/shared", "type": "bind", "options": ["rbind", "ro", "nosuid", "nodev", "rprivate"]},
    {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "noexec", "mode=700", "size=1m"]},
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'
    assert_success
    assert_line content
    assert_line --regexp '^/srv ro,nosuid,nodev'
    assert_line --regexp '^/scratch rw,nosuid,nodev,noexec'
}

@test "mounts: what is said of those that every container has is carried out, and the rest is named" {
    bundle 'run("grep -E \" /(dev|dev/shm|dev/pts|proc|sys|sys/fs/cgroup|tmp) \" /proc/self/mountinfo | cut -d\" \" -f5,6,9-; ls -a /srv; touch /run/x && echo writable")
c["mounts"] = [
    {"destination": "/proc", "type": "proc", "options": ["nosuid", "hidepid=2"]},
    {"destination": "/dev", "type": "tmpfs", "options": ["nosuid", "noexec", "ro", "strictatime", "mode=700", "size=65536k"]},
    {"destination": "/dev/shm", "type": "tmpfs", "options": ["nosuid", "nodev", "noexec", "relatime", "size=1m", "rprivate"]},
    {"destination": "/dev/pts", "type": "devpts", "options": ["nosuid", "noexec", "newinstance", "mode=0600", "gid=7"]},
    {"destination": "/sys", "type": "sysfs", "options": ["rw", "noatime"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro", "relatime", "foo=bar"]},
    {"destination": "/sys/fs/cgroup/net_prio", "type": "cgroup", "source": "cgroup"},
    {"destination": "/run", "type": "bind", "source": "/etc", "options": ["bind"]},
    {"destination": "/tmp", "type": "bind", "source": os.environ["BATS_TEST_TMPDIR"], "options": ["bind", "ro"]}]'
    run nspawn --oci-bundle="$BUNDLE"
    assert_success
    assert_line --regexp '^/proc rw,nosuid,nodev,noexec,relatime .*hidepid=(2|invisible)'
    assert_line --regexp '^/dev ro,nosuid,noexec .*size=65536k,.*mode=700'
    assert_line --regexp '^/dev/shm rw,nosuid,nodev,noexec,relatime .*size=1024k'
    assert_line --regexp '^/dev/pts rw,nosuid,noexec.*gid=7,mode=600'
    assert_line --regexp '^/sys ro,nosuid,nodev,noexec,noatime'
    assert_line --regexp '^/sys/fs/cgroup ro,nosuid,nodev,noexec'
    assert_line --regexp '^/tmp ro,'
    assert_line writable
    assert_line --partial 'left out: mounts[4].options[0] (rw), mounts[5].options[2] (foo=bar), mounts[6] (/sys/fs/cgroup/net_prio), mounts[7] (bind on /run)'
}

@test "mounts: whom they propagate to, and times of access" {
    local shared=$BATS_TEST_TMPDIR/shared
    mkdir "$shared"
    mount -t tmpfs -o nosuid shared "$shared"
    mount --make-shared "$shared"
    mkdir "$shared/from-inside" "$shared/from-host"
    bundle 'run("grep -E \" /(a|b|c) \" /proc/self/mountinfo | cut -d\" \" -f5,6; mount -t tmpfs x /c/from-inside; grep \" /c/from-inside \" /proc/self/mountinfo | wc -l; cat /proc/self/mountinfo | grep -c \" /a/from-inside\" || true")
source = os.environ["BATS_TEST_TMPDIR"] + "/shared"
c["process"]["capabilities"] = {"bounding": ["CAP_SYS_ADMIN"]}
c["mounts"] = [
    {"destination": "/a", "source": source, "options": ["bind", "rprivate", "noatime", "suid", "rnodev"]},
    {"destination": "/b", "source": source, "options": ["rbind", "rslave", "strictatime", "async"]},
    {"destination": "/c", "source": source, "options": ["rbind", "rshared", "relatime", "nodiratime"]}]'
    run nspawn --oci-bundle="$BUNDLE"
    local on_host
    on_host=$(grep -c " $shared/from-inside " /proc/self/mountinfo)
    umount -R "$shared"
    assert_success
    assert_line '/a rw,nodev,noatime'
    assert_line '/b rw,nosuid'
    assert_line '/c rw,nosuid,nodiratime,relatime'
    assert_equal "$on_host" 1
    assert_line 0 # of /a
    assert_line --partial 'left out: mounts[1].options[3] (async)'
    assert_refused 'mounts\[0\].options\[1\]: is not supported' 'c["mounts"] = [{"destination": "/a", "source": "/etc", "options": ["bind", "unbindable"]}]'
    assert_refused 'mounts\[0\].options\[1\]: .bogus. is not supported for a bind' 'c["mounts"] = [{"destination": "/a", "source": "/etc", "options": ["bind", "bogus"]}]'
    bundle 'c["linux"]["namespaces"].append({"type": "user"})
c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 700000, "size": 1000}]
c["mounts"] = [{"destination": "/a", "source": "/etc", "options": ["bind", "shared"]}]'
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_failure 1
    assert_one_error_line "/a: 'shared' cannot be had with private users"
}

@test "linux.namespaces: new ones, those of others, and the caller's own" {
    run oci 'run("ls /sys/class/net; for space in net ipc uts pid; do readlink /proc/self/ns/$space; done; hostname; echo $$")
c["linux"]["namespaces"].append({"type": "network"})'
    assert_success
    assert_line --index 0 lo
    refute_line "$(readlink /proc/self/ns/net)"
    refute_line "$(readlink /proc/self/ns/uts)"

    # Another container's, or a pod's.
    unshare --ipc --uts sh -c 'hostname other; echo $$; exec sleep 60' >"$BATS_TEST_TMPDIR/other" &
    local unshared=$!
    await 5 test -s "$BATS_TEST_TMPDIR/other"
    bundle "run('hostname; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts; echo \$\$')
spaces = c['linux']['namespaces']
spaces[1]['path'] = '/proc/$unshared/ns/ipc'
spaces[2]['path'] = '/proc/$unshared/ns/uts'"
    run nspawn -q --oci-bundle="$BUNDLE"
    local ipc uts
    ipc=$(readlink "/proc/$unshared/ns/ipc") uts=$(readlink "/proc/$unshared/ns/uts")
    assert_success
    assert_output "$(printf 'other\n%s\n%s\n1' "$ipc" "$uts")"
    run nspawn -q --oci-bundle="$BUNDLE" --private-users=700000:65536
    assert_success
    assert_line "$ipc"
    assert_line "$uts"
    kill "$unshared"
    wait "$unshared" || true

    unshare --net sleep 60 3>&- &
    unshared=$!
    is_apart() { [[ $(readlink "/proc/$unshared/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }
    await 5 is_apart
    bundle "run('readlink /proc/self/ns/net')
c['linux']['namespaces'].append({'type': 'network', 'path': '/proc/$unshared/ns/net'})"
    run nspawn -q --oci-bundle="$BUNDLE"
    assert_success
    assert_output "$(readlink "/proc/$unshared/ns/net")"
    kill "$unshared"
    wait "$unshared" || true

    run oci 'run("hostname; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts")
c["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}]'
    assert_success
    assert_output "$(printf '%s\n%s\n%s' "$(hostname)" "$(readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/uts)")"

    assert_refused 'linux.namespaces\[1\].path: /nowhere/ipc: .*No such file' 'c["linux"]["namespaces"][1]["path"] = "/nowhere/ipc"'
    assert_refused 'linux.namespaces\[1\].path: /proc/self/ns/uts is no namespace of this kind' 'c["linux"]["namespaces"][1]["path"] = "/proc/self/ns/uts"'
    assert_refused 'linux.namespaces\[3\].path: a mount namespace cannot be joined' 'c["linux"]["namespaces"][3]["path"] = "/proc/self/ns/mnt"'
    assert_refused 'linux.namespaces: a container without a mount namespace' 'c["linux"]["namespaces"] = [{"type": "pid"}]'
    assert_refused 'hostname: needs a uts namespace' 'c["hostname"] = "x"; c["linux"]["namespaces"] = [{"type": "mount"}]'
}

@test "linux.namespaces: the pid namespace of others" {
    unshare --pid --fork --kill-child sh -c 'readlink /proc/self/ns/pid; sleep 60 & wait' >"$BATS_TEST_TMPDIR/other" 3>&- &
    local unshared=$! init
    await 5 test -s "$BATS_TEST_TMPDIR/other"
    init=$(pgrep -P "$unshared")
    bundle "run('readlink /proc/self/ns/pid; tr \"\\\\0\" \" \" </proc/1/cmdline; echo; ls -d /proc/\$\$; sleep 60 & exec true')
c['linux']['namespaces'][0]['path'] = '/proc/$init/ns/pid'"
    local options
    for options in -q --private-users=700000:65536; do
        run nspawn -q "$options" --oci-bundle="$BUNDLE"
        assert_success
        assert_line --index 0 "$(<"$BATS_TEST_TMPDIR/other")"
        assert_line --index 1 --regexp '^sh -c readlink' # the other's process 1
        assert_line --index 2 --regexp '^/proc/([2-9]|[0-9]{2,})$'
        # What it has started ends with it, the other's processes do not.
        kill -0 "$init"
        no_others() { [[ $(pgrep -c -x sleep --ns "$init" --nslist pid) -eq 1 ]]; }
        await 5 no_others
    done
    kill "$init"
    wait "$unshared" || true
    bundle "c['linux']['namespaces'][0]['path'] = '/proc/self/ns/pid'"
    run nspawn -q --oci-bundle="$BUNDLE"
    assert_success
    assert_refused 'linux.namespaces\[0\].path: /proc/self/ns/uts is no namespace of this kind' \
        'c["linux"]["namespaces"][0]["path"] = "/proc/self/ns/uts"'
}

@test "mounts: owners of binds are mapped" {
    local disk=$BATS_TEST_TMPDIR/disk
    mkdir "$disk"
    mount -t tmpfs source "$disk"
    mkdir "$disk/below"
    touch "$disk/file"
    chown 3:104 "$disk/file"
    chown 0:100 "$disk" # nothing is made in a directory of somebody unknown
    mount -t tmpfs below "$disk/below"
    touch "$disk/below/file"
    chown 3:104 "$disk/below/file"
    bundle 'run("stat -c %u:%g /top/file /top/below/file /all/file /all/below/file /like/file; touch /all/new")
c["linux"]["namespaces"].append({"type": "user"})
c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 700000, "size": 1000}]
c["process"]["capabilities"] = {"bounding": ["CAP_DAC_OVERRIDE"], "effective": ["CAP_DAC_OVERRIDE"], "permitted": ["CAP_DAC_OVERRIDE"]}
maps = {"uidMappings": [{"containerID": 0, "hostID": 700000, "size": 10}], "gidMappings": [{"containerID": 100, "hostID": 700000, "size": 10}]}
source = os.environ["BATS_TEST_TMPDIR"] + "/disk"
c["mounts"] = [
    {"destination": "/top", "source": source, "options": ["rbind"], **maps},
    {"destination": "/all", "source": source, "options": ["rbind", "ridmap"], **maps},
    {"destination": "/like", "source": source, "options": ["bind", "idmap"]}]'
    run nspawn -q --oci-bundle="$BUNDLE"
    local new
    new=$(stat -c %u:%g "$disk/new" || true)
    umount -R "$disk"
    assert_success
    assert_output "$(printf '%s\n' 3:4 65534:65534 3:4 3:4 3:104)"
    assert_equal "$new" 0:100
}

@test "linux: masked and read-only paths, also of links, and what is not there" {
    echo secret >"$TREE/etc/secret"
    mkdir "$TREE/etc/hidden" "$TREE/etc/fixed"
    touch "$TREE/etc/hidden/file"
    ln -s /etc/secret "$TREE/etc/alias"
    run oci 'run("cat /etc/secret; ls /etc/hidden; touch /etc/fixed/x; touch /etc/free")
c["linux"]["maskedPaths"] = ["/etc/alias", "/etc/hidden", "/proc/kcore", "/nowhere"]
c["linux"]["readonlyPaths"] = ["/etc/fixed", "/proc/sys", "/nowhere"]'
    assert_success
    refute_line secret
    refute_line file
    assert_line --partial 'Read-only file system'
    refute [ -e "$TREE/etc/fixed/x" ]
}

@test "linux: sysctl of the container's own namespaces" {
    run oci 'run("cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max; hostname")
c["linux"]["sysctl"] = {"kernel.msgmax": "12345", "fs.mqueue.msg_max": "11"}'
    assert_success
    assert_output --partial "$(printf '12345\n11')"
    [[ $(</proc/sys/kernel/msgmax) != 12345 ]] || fail "the host's value was changed"
    assert_refused 'linux.sysctl.kernel.panic' 'c["linux"]["sysctl"] = {"kernel.panic": "1"}'
    assert_refused 'linux.sysctl.net' 'c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}'
    assert_refused 'linux.sysctl' 'c["linux"]["sysctl"] = {"fs.mqueue/../../kernel/panic": "1"}'
}

@test "linux: devices with mode and owner" {
    run oci 'run("ls -ln /dev/mine /dev/null | cut -d\" \" -f1; ls -ln /dev/mine | tr -s \" \" | cut -d\" \" -f3-6; echo x >/dev/mine && echo usable")
c["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o620, "uid": 7, "gid": 8}]'
    assert_success
    assert_line crw--w----
    assert_line '7 8 1, 3'
    assert_line usable
}

@test "linux.seccomp: actions, errors and comparisons" {
    run oci 'run("mkdir /a && echo made; chmod 700 /etc && echo changed; chmod 750 /etc && echo changed")
c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
    {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
    {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 0o750}]},
    {"names": ["fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 2, "op": "SCMP_CMP_EQ", "value": 0o750}]}]}'
    refute_line made
    assert_line --partial 'No space left on device'
    assert_equal "$(grep -c ^changed <<<"$output")" 1
    assert_refused 'linux.seccomp.syscalls\[0\].args\[0\].op' 'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "op": "SCMP_CMP_X", "value": 1}]}]}'
}

@test "linux.resources: a controller that is not there is an error, not a limit that does not hold" {
    bundle 'c["linux"]["resources"] = {"unified": {"nosuch.max": "1"}}'
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_failure 1
    assert_one_error_line 'linux.resources: nosuch.max cannot be set'
    run oci 'c["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]}'
    assert_success
}

# A hook that notes its name and what it was told.
make_hook() {
    cat >"$BATS_TEST_TMPDIR/hook" <<'HOOK'
#!/bin/sh
read -r state
echo "$1 $NOTE $state" >>"$LOG"
HOOK
    chmod +x "$BATS_TEST_TMPDIR/hook"
    cp "$BATS_TEST_TMPDIR/hook" "$TREE/hook"
}

@test "hooks: all six, in order, with the state on standard input" {
    make_hook
    bundle 'h = c["hooks"] = {}
place = os.environ["BATS_TEST_TMPDIR"]
for name in ("poststop", "poststart", "startContainer", "createContainer", "createRuntime", "prestart"):
    inside = name == "startContainer"
    h[name] = [{"path": "/hook" if inside else place + "/hook", "args": ["hook", name], "timeout": 10,
                "env": ["NOTE=of", "PATH=/usr/bin:/bin", "LOG=" + ("/log" if inside else place + "/log")]}]
c["annotations"] = {"org.example": "note"}
run("echo ran >>/log")'
    run nspawn -q --oci-bundle="$BUNDLE" -M named
    assert_success
    run cut -d' ' -f1,2 "$BATS_TEST_TMPDIR/log"
    assert_output "$(printf 'prestart of\ncreateRuntime of\ncreateContainer of\npoststart of\npoststop of')"
    assert_equal "$(cut -d' ' -f1 "$TREE/log" | tr '\n' ' ')" 'startContainer ran '
    /usr/bin/python3 - "$BATS_TEST_TMPDIR/log" "$TREE/log" "$BUNDLE" <<'PYTHON'
import json, sys
lines = open(sys.argv[1]).read().splitlines() + [open(sys.argv[2]).readline()]
states = {line.split(" ")[0]: json.loads(line.split(" ", 2)[2]) for line in lines}
for name, status in (("prestart", "creating"), ("createRuntime", "creating"), ("createContainer", "creating"),
                     ("startContainer", "created"), ("poststart", "running"), ("poststop", "stopped")):
    state = states[name]
    assert state["status"] == status and state["id"] == "named" and state["bundle"] == sys.argv[3], (name, state)
    assert state["annotations"] == {"org.example": "note"} and state["ociVersion"] == "1.0.2", state
assert states["prestart"]["pid"] > 1 and states["createContainer"]["pid"] == 1 and "pid" not in states["poststop"]
PYTHON
}

@test "hooks: one that fails before the start ends it, and poststop still runs" {
    make_hook
    local name
    for name in prestart createRuntime createContainer startContainer; do
        rm -f "$BATS_TEST_TMPDIR/log"
        bundle "place = os.environ['BATS_TEST_TMPDIR']
c['hooks'] = {'$name': [{'path': '/bin/false'}], 'poststop': [{'path': place + '/hook', 'args': ['hook', 'poststop'], 'env': ['LOG=' + place + '/log', 'PATH=/bin']}]}
run('touch /ran')"
        run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
        assert_failure 1
        assert_one_error_line "hooks.$name\[0\]: /bin/false: failed with status 1"
        refute [ -e "$TREE/ran" ]
        grep -q ^poststop "$BATS_TEST_TMPDIR/log"
    done
}

@test "hooks: one that does not end in time is killed; after the start a failure is a warning" {
    bundle 'c["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "30"], "timeout": 1}]}'
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_failure 1
    assert_one_error_line 'did not end within 1 s'
    run oci 'c["hooks"] = {"poststart": [{"path": "/bin/false"}], "poststop": [{"path": "/nowhere/hook"}]}'
    assert_success
    assert_line --partial 'hooks.poststart[0]: /bin/false: failed with status 1'
    assert_line --partial 'hooks.poststop[0]: /nowhere/hook: cannot be executed'
}

@test "the command line beats the bundle" {
    run oci 'run("hostname; id -u; ulimit -n; echo $A")
c["hostname"] = "bundle"
c["process"]["user"] = {"uid": 7, "gid": 7}
c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}]
c["process"]["env"] = ["A=bundle"]' --hostname=line -u anna --rlimit=NOFILE=50 -E A=line
    assert_success
    assert_output "$(printf 'line\n1000\n50\nline')"
    run oci 'run("echo bundle")' /bin/echo line
    assert_output line
    cp -a "$TREE" "$BATS_TEST_TMPDIR/other"
    touch "$BATS_TEST_TMPDIR/other/mark"
    run oci 'run("ls /mark")' -D "$BATS_TEST_TMPDIR/other"
    assert_output /mark
    run nspawn -q -b --oci-bundle="$BUNDLE"
    assert_failure 1
}

@test "what crun writes as its example runs" {
    command -v crun >/dev/null || skip "no crun"
    BUNDLE=$BATS_TEST_TMPDIR/bundle
    mkdir "$BUNDLE"
    cp -a "$TREE" "$BUNDLE/rootfs"
    (cd "$BUNDLE" && crun spec)
    run nspawn -q -P --oci-bundle="$BUNDLE" /bin/sh -c 'hostname; grep CapBnd /proc/self/status; ulimit -n'
    assert_success
    assert_output "$(printf 'crun\nCapBnd:\t0000000020000420\n1024')"
}

@test "the file is read strictly, and every error names its place" {
    assert_refused 'process.rlimits\[1\].soft: is above' 'c["process"]["rlimits"] = [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}, {"type": "RLIMIT_AS", "soft": 2, "hard": 1}]'
    assert_refused 'process.argz: unknown key' 'c["process"]["argz"] = []'
    assert_refused 'bogus: unknown key' 'c["bogus"] = 1'
    assert_refused 'ociVersion: version .2.0.0. is not supported' 'c["ociVersion"] = "2.0.0"'
    assert_refused '"root" is missing' 'del c["root"]'
    assert_refused 'process.cwd: .relative. is no absolute path' 'c["process"]["cwd"] = "relative"'
    assert_refused 'linux.resources.cpu.mems: is not supported' 'c["linux"]["resources"] = {"cpu": {"mems": "0"}}'
    assert_refused 'linux.timeOffsets: is not supported' 'c["linux"]["timeOffsets"] = {}'
    assert_refused 'linux.namespaces\[4\].type: is there twice' 'c["linux"]["namespaces"].append({"type": "pid"})'
    assert_refused 'mounts\[0\].type: mounting .ext4. is not supported' 'c["mounts"] = [{"destination": "/mnt", "type": "ext4", "source": "/dev/sda"}]'
    assert_refused 'process.capabilities.bounding\[0\]: there is no capability' 'c["process"]["capabilities"] = {"bounding": ["CAP_ALL"]}'
    run oci 'c["process"]["apparmorProfile"] = "x"; c["linux"]["rootfsPropagation"] = "private"; run("true")'
    assert_success
    assert_output ''
    run nspawn --oci-bundle="$BUNDLE"
    assert_line --partial 'config.json: not supported and left out: process.apparmorProfile, linux.rootfsPropagation'
}

@test "files that are no JSON, too long, or no files" {
    BUNDLE=$BATS_TEST_TMPDIR/bundle
    mkdir "$BUNDLE"
    local content
    for content in '' '{' '[]' '{"a":1,"a":2}' 'nonsense'; do
        printf %s "$content" >"$BUNDLE/config.json"
        run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
        assert_failure 1
        assert_one_error_line 'config.json: '
    done
    printf '[%.0s' {1..1000} >"$BUNDLE/config.json"
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_one_error_line 'nested deeper than 32 levels'
    truncate -s 5M "$BUNDLE/config.json"
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_one_error_line 'longer than 4 MiB'
    rm "$BUNDLE/config.json"
    mkfifo "$BUNDLE/config.json"
    run --separate-stderr nspawn -q --oci-bundle="$BUNDLE"
    assert_one_error_line 'not a regular file'
}
