#!/usr/bin/env python3
"""Runs the same cases with the original systemd-nspawn and with ours and compares what the payload sees.

    compare.py NSPAWN PROBE [CASE...]

Known differences are listed in differences.md, next to this file, each with its reason. A difference that is not listed
fails, and so does a listed one that does not show any more. Needs root and Debian's systemd-container.
"""

import contextlib
import fnmatch
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

import filters

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "..", "tools")

# What a case prints in the container, part by part; each part has a reader below.
PARTS = {
    "ids": "probe ids",
    "environment": "probe env",
    "limits": "probe limits",
    "status": "grep -E '^(Cap|NoNewPrivs|Seccomp:|Sig(Blk|Ign|Cgt))' /proc/self/status",
    "names": "probe persona",
    "mounts": "cat /proc/self/mountinfo",
    "dev": "cd /dev; find . | sort | while read -r f; do probe stat $f; done; cd /",
    "host-files": "probe stat /run/host /run/host/*",
    "where": "pwd",
    "process": "cat /proc/self/oom_score_adj; umask; cat /proc/self/cpuset; ls /proc/self/fd | wc -l; probe affinity",
    "process-1": "tr '\\0 ' '\\n\\n' </proc/1/cmdline | head -n 1; cat /proc/1/comm",
    "cgroup": "cat /proc/self/cgroup",
    "maps": "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    "owners": "touch /made; for f in / /etc/passwd /home/anna /usr/bin /tmp /proc /sys /made; do probe stat $f; done; rm -f /made",
    "network": "ls /sys/class/net; cat /sys/class/net/lo/flags",
}

# name: (options, environment). Run with the tiny tree and with Debian's where it says so.
CASES = {
    "plain": ([], {}),
    "as-pid2": (["-a"], {}),
    "read-only": (["--read-only"], {}),
    "volatile-yes": (["--volatile=yes"], {}),
    "volatile-state": (["--volatile=state"], {}),
    "volatile-overlay": (["--volatile=overlay"], {}),
    "ephemeral": (["-x", "-M", "fixed"], {}),
    "pivot-root": (["--pivot-root=/deployment"], {}),
    "pivot-root-read-only": (["--pivot-root=/deployment/", "--read-only"], {}),
    "pivot-root-volatile": (["--pivot-root=/deployment", "--volatile=overlay"], {}),
    "user": (["-u", "anna"], {}),
    "user-pid2": (["-a", "-u", "anna"], {}),
    "hostname": (["--hostname=other"], {}),
    "machine": (["-M", "some.name"], {}),
    "uuid": (["--uuid=0123456789abcdef0123456789abcdef"], {}),
    "chdir": (["--chdir=/usr/lib"], {}),
    "setenv": (["-E", "A=1", "-E", "HOME=/x", "-E", "B=", "-E", "A=2", "-E", "COPIED"], {"COPIED": "value"}),
    "no-term": ([], {"TERM": None}),
    "capability": (["--capability=CAP_SYS_TIME,CAP_SYS_MODULE"], {}),
    "capability-all": (["--capability=all"], {}),
    "drop-capability": (["--drop-capability=CAP_SYS_ADMIN,CAP_MKNOD"], {}),
    "drop-all": (["--drop-capability=all"], {}),
    "ambient": (["-u", "anna", "--ambient-capability=CAP_NET_RAW"], {}),
    "no-new-privileges": (["--no-new-privileges=yes"], {}),
    "rlimit": (["--rlimit=NOFILE=100:200", "--rlimit=CORE=1M", "--rlimit=CPU=2min", "--rlimit=RTTIME=5ms"], {}),
    "oom": (["--oom-score-adjust=100"], {}),
    "affinity": (["--cpu-affinity=0"], {}),
    "personality": (["--personality=x86"], {}),
    "credential": (["--set-credential=a:b\\n"], {}),
    "kill-signal": (["--kill-signal=SIGUSR1"], {}),
    "api-writable": ([], {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"}),
    "api-network": ([], {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}),
    "api-no": ([], {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "no"}),
    "no-tmpfs-tmp": ([], {"SYSTEMD_NSPAWN_TMPFS_TMP": "0"}),
    "share-ipc": ([], {"SYSTEMD_NSPAWN_SHARE_NS_IPC": "1"}),
    "no-seccomp": ([], {"SYSTEMD_SECCOMP": "0"}),
    "private-users": (["-U"], {}),
    "private-users-base": (["--private-users=700000:2000", "--private-users-ownership=map"], {}),
    "private-users-identity": (["--private-users=identity"], {}),
    "private-users-yes": (["--private-users"], {}),
    "private-users-user": (["-U", "-u", "anna"], {}),
    "private-users-read-only": (["-U", "--read-only"], {}),
    "private-network": (["--private-network"], {}),
    "private-both": (["-U", "--private-network"], {}),
    "container-service": ([], {"SYSTEMD_NSPAWN_CONTAINER_SERVICE": "other"}),
}

# What the container takes over from the host: every mode on a tree that has a file of its own, and on one that has none.
HOST_MODES = [f"--resolv-conf={mode}" for mode in (
    "off copy-host copy-static copy-uplink copy-stub replace-host replace-static replace-uplink replace-stub bind-host bind-static "
    "bind-uplink bind-stub delete auto yes no").split()]
HOST_MODES += [f"--timezone={mode}" for mode in "off copy bind symlink delete auto yes no".split()]
HOST_MODES += [f"--link-journal={mode}" for mode in "no auto try-host try-guest".split()]
HOST_TREES = {"own": "file", "none": None, "link": "link"}

DEBIAN_CASES = ("plain", "as-pid2", "read-only", "volatile-overlay", "volatile-yes")

# name: (options, paths): mounts and the looks of these paths are compared, in a fresh tree each time. "{shared}" is a
# directory of the host with some files in it. Links in the tree: /link to /srv (there), /dangling to /made (not there),
# /escape to a path above the tree.
MOUNTS = {
    "bind": (["--bind={shared}:/mnt/a/b", "--bind-ro={shared}/file:/etc/new/file"], ["/mnt", "/mnt/a", "/mnt/a/b", "/mnt/a/b/file", "/etc/new", "/etc/new/file"]),
    "bind-links": (["--bind={shared}:/link", "--bind={shared}:/dangling/x", "--bind-ro={shared}:/escape/x"], ["/srv", "/srv/file", "/made", "/made/x/file", "/escape/x/file", "/etc/x/file"]),
    "bind-in-tree": (["--bind-ro=+/etc/passwd:/seen", "--bind=+/link:/again"], ["/seen", "/again"]),
    "bind-fresh": (["--bind=:/fresh"], ["/fresh"]),
    "bind-device": (["--bind=/dev/null:/etc/null"], ["/etc/null"]),
    "bind-over-ours": (["--bind={shared}:/tmp", "--bind={shared}:/dev/shm", "--tmpfs=/run/x"], ["/tmp", "/dev/shm", "/run/x"]),
    "bind-root": (["--bind={shared}/tree:/"], ["/mark", "/usr"]),
    "tmpfs": (["--tmpfs=/scratch", "--tmpfs=/var/small:size=1m,mode=1777,noexec,uid=7"], ["/scratch", "/var/small"]),
    "tmpfs-order": (["--tmpfs=/a/b:mode=700", "--bind={shared}:/a/b/c", "--tmpfs=/a"], ["/a", "/a/b", "/a/b/c", "/a/b/c/file"]),
    "overlay": (["--overlay={shared}:{shared}/upper:/merged"], ["/merged", "/merged/file"]),
    "overlay-fresh": (["--overlay=+/etc:{shared}::/etc"], ["/etc", "/etc/file", "/etc/passwd"]),
    "overlay-ro": (["--overlay-ro={shared}:+/etc:/merged"], ["/merged", "/merged/file", "/merged/passwd"]),
    "volatile-bind": (["--volatile=yes", "--bind={shared}:/etc/x/y", "--tmpfs=/var/z"], ["/etc/x", "/etc/x/y/file", "/var/z"]),
    "bind-missing": (["--bind={shared}/none:/x"], []),
    "bind-clash": (["--bind={shared}:/etc/passwd"], []),
    "bind-clash-file": (["--bind={shared}/file:/etc"], []),
    "bind-relative-target": (["--bind={shared}:x"], []),
    "tmpfs-root": (["--tmpfs=/"], []),
    "tmpfs-bogus": (["--tmpfs=/x:bogus"], []),
    "overlay-missing": (["--overlay={shared}/none::/x"], []),
    "overlay-one": (["--overlay={shared}"], []),
    "inaccessible-missing": (["--inaccessible=/none"], []),
}

# name: (options, command): the exit status is compared, nothing else.
STATUSES = {
    "exit-0": ([], ["true"]),
    "exit-7": ([], ["sh", "-c", "exit 7"]),
    "exit-133": ([], ["sh", "-c", "exit 133"]),
    "exit-255": ([], ["sh", "-c", "exit 255"]),
    "killed": ([], ["probe", "die", "SIGSEGV"]),
    "poweroff": ([], ["probe", "reboot", "poweroff"]),
    "halt": ([], ["probe", "reboot", "halt"]),
    "reboot": ([], ["probe", "reboot", "restart"]),
    "pid2-killed": (["-a"], ["sh", "-c", "kill -KILL $$"]),
    "pid2-exit-9": (["-a"], ["sh", "-c", "exit 9"]),
    "not-found": ([], ["no-such-command"]),
    "not-executable": ([], ["/etc/passwd"]),
    "directory": ([], ["/usr"]),
    "unknown-user": (["-u", "nobody-knows"], ["true"]),
    "bad-option": (["--no-such-option"], ["true"]),
    "bad-value": (["--volatile=perhaps"], ["true"]),
    "a-and-b": (["-a", "-b"], ["true"]),
    "bad-name": (["-M", "a_b"], ["true"]),
    "host-name": (["-M", ".host"], ["true"]),
    "host-name-ephemeral": (["-x", "-M", ".host"], ["true"]),
    "bad-uuid": (["--uuid=0"], ["true"]),
    "pivot-root-both": (["--pivot-root=/deployment:/mnt"], ["true"]),
    "pivot-root-slash": (["--pivot-root=/"], ["true"]),
    "pivot-root-relative": (["--pivot-root=deployment"], ["true"]),
    "pivot-root-dots": (["--pivot-root=/deployment/../deployment"], ["true"]),
    "pivot-root-missing": (["--pivot-root=/missing"], ["true"]),
    "pivot-root-file": (["--pivot-root=/etc/passwd"], ["true"]),
    "pivot-root-old-slash": (["--pivot-root=/deployment:/"], ["true"]),
    "template-missing": (["--template=/missing"], ["true"]),
    "template-not-needed": (["--template=/usr"], ["true"]),
    "template-ephemeral": (["--template=/usr", "-x"], ["true"]),
    "bad-chdir": (["--chdir=relative"], ["true"]),
    "missing-chdir": (["--chdir=/missing"], ["true"]),
    "bad-signal": (["--kill-signal=NOPE"], ["true"]),
    "bad-rlimit": (["--rlimit=NOFILE=2:1"], ["true"]),
    "bad-capability": (["--capability=CAP_NOPE"], ["true"]),
    "bad-credential": (["--set-credential=a/b:c"], ["true"]),
    "bad-users": (["--private-users=perhaps"], ["true"]),
    "bad-users-count": (["--private-users=700000:0"], ["true"]),
    "bad-users-range": (["--private-users=4294967000"], ["true"]),
    "bad-ownership": (["--private-users-ownership=perhaps"], ["true"]),
    "chown-read-only": (["--private-users=655360", "--private-users-chown", "--read-only"], ["true"]),
    "duplicate-credential": (["--set-credential=a:1", "--set-credential=a:2"], ["true"]),
    "bad-oom": (["--oom-score-adjust=2000"], ["true"]),
    "bad-personality": (["--personality=pdp11"], ["true"]),
    "help-value": (["--volatile=help"], []),
    "boot-no-os": (["-b"], []),
}

# name: what is changed in the configuration of a bundle; the same parts are compared as for the other cases.
BUNDLES = {
    "bundle": {},
    "bundle-process": {"process": {
        "user": {"uid": 1000, "gid": 1000, "additionalGids": [29]}, "cwd": "/usr/lib", "env": ["A=1 2", "PATH=/usr/bin:/bin"],
        "noNewPrivileges": True, "oomScoreAdj": 100, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        "capabilities": {kind: ["CAP_KILL", "CAP_CHOWN"] for kind in ("bounding", "effective", "permitted")}}},
    "bundle-places": {"hostname": "other", "root": {"readonly": True}, "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
        {"destination": "/srv", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]},
        {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["mode=700"]}]},
    "bundle-network": {"namespaces": ["pid", "ipc", "uts", "mount", "cgroup", "network"]},
}

# name: what is done to the template first; the tree that is made of it is compared, file by file.
TEMPLATES = {
    "template": "chmod 6755 etc/passwd; chown 5:6 etc; mkfifo -m 600 fifo; mknod -m 640 null c 1 3; ln -s /nowhere link; "
                "chown -h 9:10 link; touch ping; setcap cap_net_raw=ep ping; setfacl -m u:1000:rw etc/group; "
                "setfacl -m d:g:33:rx home; setfattr -n user.a -v b etc/group; setfattr -n trusted.a -v b tmp; "
                "touch -hd 2001-02-03 link; touch -d 1999-01-01 etc/group home usr; chattr +A etc/group",
    "template-links": "ln etc/passwd etc/second",
    "template-holes": "truncate -s 1M sparse",
}

# name: options; the system call filters that hold in the payload are compared, call by call.
FILTERS = {
    "filter-default": [],
    "filter-capabilities": ["--capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_IPC_LOCK,CAP_SYS_RAWIO,CAP_SYS_PACCT,CAP_SYSLOG"],
    "filter-dropped": ["--drop-capability=CAP_SYS_PTRACE,CAP_SYS_BOOT,CAP_SYS_TTY_CONFIG"],
    "filter-allow": ["--system-call-filter=@keyring bpf"],
    "filter-deny": ["--system-call-filter=~@mount kcmp"],
    "filter-both": ["--system-call-filter=@keyring", "--system-call-filter=~keyctl"],
    "filter-sync": ["--suppress-sync=yes"],
}


# name: options; the links of container and host are compared, on a host with the links of HOST_LINKS.
NETWORKS = {
    "network-veth": ["-M", "short", "-n"],
    "network-veth-long": ["-M", "averyveryverylongmachinename", "-n"],
    "network-veth-users": ["-M", "short", "-n", "-U"],
    "network-bridge": ["-M", "averyveryverylongmachinename", "--network-bridge=br0"],
    "network-zone": ["-M", "short", "--network-zone=z1"],
    "network-extra": ["-M", "short", "--network-veth-extra=foo:bar", "--network-veth-extra=baz"],
    "network-macvlan": ["-M", "short", "--network-macvlan=dum0", "--network-macvlan=dum1"],
    "network-interface": ["-M", "short", "--network-interface=dum0"],
    "network-extra-slash": ["-M", "short", "--network-veth-extra=foo:a/b"],
    "network-extra-long": ["-M", "short", "--network-veth-extra=foo:sixteencharslong"],
    "network-extra-reserved": ["-M", "short", "--network-veth-extra=foo:all"],
    "network-extra-same": ["-M", "short", "--network-veth-extra=all"],
    "network-zone-empty": ["-M", "short", "--network-zone="],
    "network-macvlan-long": ["-M", "short", "--network-macvlan=afifteenletters"],
}
# As these, but started again after a SIGKILL, while somebody else is still in the network.
NETWORKS_AGAIN = {"network-again": ["-M", "short", "-n", "--network-veth-extra=extra"]}
OWN_LINKS = ("br0", "dum0", "dum1", "afifteenletters", "otherend")


class Runner:
    """One implementation: how it is started."""

    def __init__(self, name, prefix, options):
        self.name = name
        self.prefix = prefix
        self.options = options

    def command(self, tree, options, words):
        return [*self.prefix, "-q", *self.options, "-P", *options, "-D", tree, *words]

    def run(self, tree, options, words, environment):
        merged = {**os.environ, "TERM": "dumb"}
        for name, value in environment.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        return subprocess.run(self.command(tree, options, words), stdin=subprocess.DEVNULL, capture_output=True,
                              env=merged, timeout=120, check=False)


def original():
    # Its leftovers stay in a /run of its own, since it refuses to clean up where /run is no tmpfs.
    wrap = "mkdir -p /run/systemd/nspawn; mount -t tmpfs tmpfs /run/systemd/nspawn && exec systemd-nspawn \"$@\""
    return Runner("original", ["unshare", "--mount", "--propagation=private", "sh", "-c", wrap, "sh"], ["--register=no", "--keep-unit"])


def remove_group_of_original():
    """It leaves its control group behind, empty, in ours."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), "/")
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(top + own, "payload"))


# --- readers: one part's text to {key: value} --------------------------------------------------------------------


def keyed(text, separator):
    result = {}
    for line in text.splitlines():
        key, _, value = line.partition(separator)
        result[key] = value.strip()
    return result


def read_environment(text):
    result = keyed(text, "=")
    if "container_uuid" in result:
        result["container_uuid"] = re.sub(r"[0-9a-f]", "h", result["container_uuid"]) if not fixed_uuid(result) else result["container_uuid"]
    result["(order)"] = " ".join(line.partition("=")[0] for line in text.splitlines())
    return result


def fixed_uuid(environment):
    return environment["container_uuid"].startswith("01234567")


SUPER_OPTIONS = ("mode=", "ptmxmode=", "gid=", "uid=", "size=", "nr_inodes=", "ro", "rw")


def bottom_first(lines):
    """Mounts on the same path by which covers which: the table itself is in the order in which they were made."""
    mounts = [line.split() for line in lines]
    by_id = {fields[0]: fields for fields in mounts}

    def height(fields):
        below = by_id.get(fields[1])
        return 1 + height(below) if below and below is not fields and below[4] == fields[4] else 0

    return sorted(mounts, key=height)


def read_mounts(text):
    result = {}
    for fields in bottom_first(text.splitlines()):
        dash = fields.index("-")
        propagation = "shared" if any(field.startswith("shared:") for field in fields[6:dash]) else "not shared"
        flags = [flag for flag in sorted(fields[5].split(",")) if flag != "relatime"]
        kind = fields[dash + 1]
        options = []
        if kind in ("tmpfs", "devpts", "proc", "sysfs", "mqueue"):
            options = sorted(o for o in fields[dash + 3].split(",") if o.startswith(SUPER_OPTIONS))
        key, number = fields[4], 1
        while key in result:
            number += 1
            key = f"{fields[4]} #{number}"
        result[key] = f"{kind} {','.join(flags)} {','.join(options)} {propagation}"
    return result


def read_paths(text):
    return keyed(text, " ")


def read_lines(text):
    return {str(number): line for number, line in enumerate(text.splitlines(), 1)}


def read_ids(text):
    # The numbers of processes that the shell starts differ from run to run of one implementation.
    return {key: value for key, value in keyed(text, " ").items() if key not in ("pid", "ppid")}


READERS = {
    "ids": read_ids,
    "environment": read_environment,
    "limits": lambda text: keyed(text, " "),
    "status": lambda text: keyed(text, ":"),
    "names": lambda text: keyed(text, " "),
    "mounts": read_mounts,
    "dev": read_paths,
    "host-files": read_paths,
    "where": read_lines,
    "process": read_lines,
    "process-1": read_lines,
    "maps": read_lines,
    "owners": read_paths,
    "network": read_lines,
    "cgroup": lambda text: {line.split(":", 2)[1] or "unified": line.split(":", 2)[2] for line in text.splitlines()},
}


def script_of_parts():
    return "\n".join(f"echo '@@@ {name}'\n{command} 2>&1" for name, command in PARTS.items())


def read_parts(done):
    text = done.stdout.decode(errors="replace")
    seen = {"run": {"status": str(done.returncode), "messages": "some" if done.stderr else "none"}}
    for part in re.split(r"^@@@ ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        seen[name] = READERS[name](body)
    return seen


def observe(runner, tree, options, environment):
    """What one start shows, part by part: {part: {key: value}}."""
    seen = read_parts(runner.run(tree, options, ["sh", "-c", script_of_parts()], environment))
    if "-x" in options:
        # How the throw-away copy is made depends on the file system and on us; what is in it does not.
        seen.get("mounts", {}).pop("/", None)
    return seen


def observe_bundle(runner, tree, place, changes):
    """A bundle whose program is what all cases look at."""
    kinds = changes.get("namespaces", ["pid", "ipc", "uts", "mount", "cgroup"])
    config = {"ociVersion": "1.0.0", "hostname": changes.get("hostname", "bundle"), "mounts": changes.get("mounts", []),
              "root": {"path": tree, **changes.get("root", {})}, "linux": {"namespaces": [{"type": kind} for kind in kinds]},
              "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
                          **changes.get("process", {}), "args": ["sh", "-c", script_of_parts()]}}
    bundle = os.path.join(place, "bundle")
    os.makedirs(bundle, exist_ok=True)
    with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    done = subprocess.run([*runner.prefix, "-q", *runner.options, f"--oci-bundle={bundle}"], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, check=False)
    return read_parts(done)


def describe(path):
    """A file as it lies in a tree: type, mode, owner, and what is in it."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return "missing"
    if os.path.islink(path):
        return f"link to {os.readlink(path)}"
    content = f"{open(path, 'rb').read(40)!r}" if os.path.isfile(path) else "no file"
    return f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {content}"


def observe_host_files(runner, tiny, options, kind):
    """What becomes of the files that the host has a say in: as the container sees them, and as they stay behind."""
    tree = f"{tiny}-host"
    subprocess.run(["cp", "-a", "--reflink=auto", tiny, tree], check=True)
    try:
        shutil.rmtree(os.path.join(tree, "var/log"), ignore_errors=True)
        for name in ("resolv.conf", "localtime"):
            path = os.path.join(tree, "etc", name)
            with contextlib.suppress(FileNotFoundError): # left by an earlier case
                os.unlink(path)
            if kind == "file":
                with open(path, "w", encoding="utf-8") as file:
                    file.write("own\n")
            elif kind == "link":
                with open(path + ".own", "w", encoding="utf-8") as file:
                    file.write("own\n")
                os.symlink(name + ".own", path)
        script = "for f in resolv.conf localtime; do probe stat /etc/$f; head -c 40 /etc/$f 2>&1; done; grep -o '/etc/.* - ' /proc/self/mountinfo | sed 's/shared:[0-9]* //'"
        done = runner.run(tree, ["-M", "tree", *options], ["sh", "-c", script], {})
        seen = {"run": {"status": str(done.returncode)}, "inside": {"text": done.stdout.decode(errors="replace")}, "tree": {}}
        for name in ("etc/resolv.conf", "etc/localtime", "etc/resolv.conf.own", "var/log/journal"):
            seen["tree"][name] = describe(os.path.join(tree, name))
        return seen
    finally:
        shutil.rmtree(tree)


def tree_with_links(pristine, place):
    """A fresh tree and a fresh directory to share, in `place`."""
    tree, shared = os.path.join(place, "tree"), os.path.join(place, "shared")
    for path in (tree, shared):
        shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", pristine, tree], check=True)
    for name, target in (("link", "/srv"), ("dangling", "/made"), ("escape", "../../../../../../etc")):
        os.symlink(target, os.path.join(tree, name))
    os.mkdir(os.path.join(tree, "srv"))
    os.makedirs(os.path.join(shared, "upper"))
    with open(os.path.join(shared, "file"), "w", encoding="ascii") as file:
        file.write("content\n")
    other = os.path.join(shared, "tree")
    subprocess.run(["cp", "-a", "--reflink=auto", pristine, other], check=True)
    os.mkdir(os.path.join(other, "mark"))
    return tree, shared


def observe_mounts(runner, pristine, place, options, paths):
    tree, shared = tree_with_links(pristine, place)
    script = "cat /proc/self/mountinfo; echo @@@; for f in \"$@\"; do probe stat \"$f\"; done"
    options = [option.replace("{shared}", shared) for option in options]
    done = runner.run(tree, options, ["sh", "-c", script, "sh", *paths], {})
    mounts, _, looks = done.stdout.decode(errors="replace").partition("@@@\n")
    return {"run": {"status": str(done.returncode)}, "mounts": read_mounts(mounts), "paths": read_paths(looks)}
def describe_file(path):
    status = os.lstat(path)
    content = ""
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()[:16]
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False).hex()
                  for name in sorted(os.listxattr(path, follow_symlinks=False))}
    names = status.st_nlink if not stat.S_ISDIR(status.st_mode) else "-"
    return (f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_rdev} {names} {status.st_mtime_ns} "
            f"{'holes' if status.st_blocks * 512 < status.st_size else 'full'} {content} {attributes}")


def observe_template(runner, template):
    """Every file of the tree that is made of the template."""
    made = os.path.join(os.path.dirname(template), "made")
    # What else the original puts into a tree before it starts.
    quiet = ["--resolv-conf=off", "--timezone=off", "--link-journal=no"] if runner.name == "original" else []
    done = runner.run(made, [f"--template={template}", *quiet], ["true"], {})
    files = {}
    for directory, directories, names in os.walk(made):
        for name in [*directories, *names]:
            path = os.path.join(directory, name)
            files[os.path.relpath(path, made)] = describe_file(path)
    shutil.rmtree(made)
    return {"run": {"status": str(done.returncode)}, "files": files}


def payload_of(pid):
    """The container's process 1 below the given process."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        todo = [pid]
        while todo:
            current = todo.pop()
            try:
                with open(f"/proc/{current}/task/{current}/children", encoding="ascii") as file:
                    todo += [int(child) for child in file.read().split()]
                with open(f"/proc/{current}/status", encoding="utf-8") as file:
                    status = file.read()
                with open(f"/proc/{current}/cmdline", encoding="utf-8") as file:
                    words = file.read()
            except OSError:
                continue
            if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE) and "wait-signal" in words and words.startswith("probe"):
                return current
        time.sleep(0.02)
    raise RuntimeError("no payload came up")


def observe_filter(runner, tree, options):
    process = subprocess.Popen(runner.command(tree, options, ["probe", "wait-signal", "0"]), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        process.stdout.readline()
        return {"filter": filters.table(filters.read_filters(payload_of(process.pid)))}
    finally:
        process.terminate()
        process.communicate(timeout=30)


HOST_LINKS = """
bind=$(mktemp -d); mount --rbind /sys/fs/cgroup $bind; mount -t sysfs sysfs /sys; mount --rbind $bind /sys/fs/cgroup
umount -l $bind; rmdir $bind; mount -o remount,ro,bind /sys
ip link set lo up; ip link add br0 type bridge; ip link add dum0 type veth peer name dum1; ip link set dum0 up; ip link set dum1 up
ip link add afifteenletters type veth peer name otherend
echo ready; exec sleep 120
"""


def links_of(pid):
    """{name: what there is to say about the link} in the network namespace of a process."""
    done = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-j", "-d", "link"], capture_output=True, check=True)
    result = {}
    for link in json.loads(done.stdout):
        info = link.get("linkinfo", {})
        fixed = link["ifname"] not in OWN_LINKS # the others' addresses are new for each host
        result[link["ifname"]] = " ".join(str(part) for part in (
            info.get("info_kind", "-"), ",".join(sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER", "M-DOWN"})), link["mtu"],
            link["address"] if fixed else "*", link.get("master", "-"), ",".join(link.get("altnames", [])) or "-",
            info.get("info_data", {}).get("mode", "-")))
    return result


def visit(pid):
    """A process in the network of the given one."""
    visitor = subprocess.Popen(["nsenter", f"--net=/proc/{pid}/ns/net", "sleep", "100"])
    end = time.monotonic() + 10
    while os.readlink(f"/proc/{visitor.pid}/ns/net") != os.readlink(f"/proc/{pid}/ns/net"):
        if time.monotonic() > end:
            raise RuntimeError("nobody came into the network")
        time.sleep(0.02)
    return visitor


def leave(visitor):
    if visitor:
        visitor.kill()
        visitor.wait()


def observe_network(runner, tree, options, again=False):
    visitor = None
    host = subprocess.Popen(["unshare", "--net", "--mount", "--propagation=private", "sh", "-c", HOST_LINKS],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        host.stdout.readline()
        enter = ["nsenter", f"--net=/proc/{host.pid}/ns/net", f"--mount=/proc/{host.pid}/ns/mnt", "--"]
        command = [*enter, *runner.command(tree, options, ["probe", "wait-signal", "0"])]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **pipes)
        if again:
            process.stdout.readline()
            payload = payload_of(process.pid)
            visitor = visit(payload)
            process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.kill(payload, signal.SIGKILL) # it lives on without the original
            process.communicate(timeout=30)
            process = subprocess.Popen(command, **pipes)
        try:
            if process.stdout.readline():
                seen = {"container": links_of(payload_of(process.pid)), "host": links_of(host.pid)}
            else:
                seen = {"run": {"status": str(process.wait(timeout=30))}}
        finally:
            process.terminate()
            process.communicate(timeout=30)
            leave(visitor)
        end = time.monotonic() + 5 # what goes with the container's network goes in the kernel's own time
        while len(links_of(host.pid)) > 1 + len(OWN_LINKS) and time.monotonic() < end:
            time.sleep(0.05)
        seen["afterwards"] = links_of(host.pid)
        return seen
    finally:
        host.kill()
        host.wait()


# --- differences --------------------------------------------------------------------------------------------------


def shows_here(needs):
    """The fourth column: `-`, or a path that must be there, or one with a leading `!` that must not."""
    if needs in ("", "-"):
        return True
    return not os.path.exists(needs[1:]) if needs.startswith("!") else os.path.exists(needs)


class KnownDifferences:
    """The table in differences.md: | where | original | ours | needs | reason |, each but the reason a glob."""

    def __init__(self, path):
        self.rows = []
        with open(path, encoding="utf-8") as file:
            for line in file:
                cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
                if len(cells) == 5 and cells[0] not in ("where", "") and not set(cells[0]) <= set("-: "):
                    self.rows.append({"cells": [cell.replace("\\|", "|") for cell in cells], "used": False})

    def covers(self, where, theirs, ours):
        for row in self.rows:
            place, original_glob, ours_glob, _, _ = row["cells"]
            if fnmatch.fnmatchcase(where, place) and fnmatch.fnmatchcase(theirs, original_glob) and fnmatch.fnmatchcase(ours, ours_glob):
                row["used"] = True
                return True
        return False

    def vanished(self):
        for row in self.rows:
            if not row["used"] and shows_here(row["cells"][3]):
                yield row["cells"][0]


def differences(case, theirs, ours):
    for part in sorted(set(theirs) | set(ours)):
        left, right = theirs.get(part, {}), ours.get(part, {})
        for key in sorted(set(left) | set(right)):
            if left.get(key) != right.get(key):
                yield f"{case}/{part}/{key}", left.get(key, "(none)"), right.get(key, "(none)")


def main():
    program, probe, *wanted = sys.argv[1:]
    known = KnownDifferences(os.path.join(HERE, "differences.md"))
    runners = (original(), Runner("ours", [program], ["--register=no", "--keep-unit"]))
    unlisted, cases = [], 0

    def compare(case, observe_one):
        nonlocal cases
        if wanted and case not in wanted:
            return
        cases += 1
        theirs, ours = (observe_one(runner) for runner in runners)
        for where, left, right in differences(case, theirs, ours):
            if not known.covers(where, left, right):
                unlisted.append(where)
                print(f"{where}\n    original: {left}\n    ours:     {right}", flush=True)

    place = tempfile.mkdtemp(prefix="conformance.")
    try:
        tiny = os.path.join(place, "tiny")
        subprocess.run([os.path.join(TOOLS, "make-tiny-tree"), probe, tiny], check=True)
        subprocess.run(["cp", "-a", tiny, os.path.join(place, "deployment")], check=True)
        os.makedirs(os.path.join(place, "deployment/mnt"), exist_ok=True)
        shutil.move(os.path.join(place, "deployment"), tiny)
        os.environ.pop("NOTIFY_SOCKET", None)
        for name, (options, environment) in CASES.items():
            compare(name, lambda runner: observe(runner, tiny, options, environment))
        for name, (options, paths) in MOUNTS.items():
            compare(name, lambda runner: observe_mounts(runner, tiny, place, options, paths))
        for name, changes in BUNDLES.items():
            compare(name, lambda runner: observe_bundle(runner, tiny, place, changes))
        for name, (options, words) in STATUSES.items():
            if name == "boot-no-os":
                os.unlink(os.path.join(tiny, "usr/lib/os-release"))
            compare(name, lambda runner: {"run": {"status": str(runner.run(tiny, options, words, {}).returncode)}})
        for name, preparation in TEMPLATES.items():
            template = os.path.join(place, name)
            subprocess.run(["cp", "-a", tiny, template], check=True)
            subprocess.run(preparation, shell=True, cwd=template, check=True)
            compare(name, lambda runner: observe_template(runner, template))
        for name, options in FILTERS.items():
            compare(name, lambda runner: observe_filter(runner, tiny, options))
        for name, options in NETWORKS.items():
            compare(name, lambda runner: observe_network(runner, tiny, options))
        for name, options in NETWORKS_AGAIN.items():
            compare(name, lambda runner: observe_network(runner, tiny, options, again=True))
        for option in HOST_MODES:
            for name, kind in HOST_TREES.items():
                if "journal" not in option or name == "none":
                    compare(f"{option[2:]}-{name}", lambda runner: observe_host_files(runner, tiny, [option], kind))
        debian = os.path.join(place, "debian")
        pristine = subprocess.run([os.path.join(TOOLS, "make-debian-tree")], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, debian], check=True)
        shutil.copy(probe, os.path.join(debian, "usr/bin/probe"))
        for name in DEBIAN_CASES:
            options, environment = CASES[name]
            compare(f"debian-{name}", lambda runner: observe(runner, debian, options, environment))
    finally:
        shutil.rmtree(place)
        remove_group_of_original()

    vanished = [] if wanted else list(known.vanished())
    for where in vanished:
        print(f"{where}: listed in differences.md, but there is no such difference any more")
    print(f"{cases} cases, {len(known.rows)} known differences, {len(unlisted)} unlisted, {len(vanished)} vanished")
    return 1 if unlisted or vanished or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
