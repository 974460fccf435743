#!/usr/bin/env python3
"""Starts the same disk images with the original systemd-nspawn and with ours and compares what the payload sees.

    images.py NSPAWN PROBE [CASE...]

The original insists on a running udev; for what is compared here a socket with its name, in a /run of the original's own, is
enough. Needs root, loop devices, and Debian's systemd-container.
"""

import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile

import compare

ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
USR = "8484680c-9521-48c6-9c11-b0720656f69e"
HOME = "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
SRV = "3b8f8425-20e0-4f3b-907f-1a25a76f98e8"
VAR = "4d21b016-b534-45c2-a9fb-5c16e091fd2d"
TMP = "7ec6f557-3bc5-4aca-b293-16ef5df639d1"
XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172"
GENERIC = "0fc63daf-8483-4772-8e79-3d69d8477de4"
ARM64 = "b921b045-1df0-41c3-af44-4c6f280d3fae"

# What is looked at from inside.
PLACES = ("/", "/usr", "/home", "/srv", "/var", "/var/tmp", "/boot", "/efi")
SCRIPT = ("hostname; for d in / /usr /home /srv /var /var/tmp /boot; do touch $d/written 2>/dev/null && echo writes $d; done; "
          "ls -d /efi /boot /home /srv 2>/dev/null; echo @@@; cat /proc/self/mountinfo")

# name: (image, options)
CASES = {
    "ext4": ("ext4", []),
    "ext4-read-only": ("ext4", ["--read-only"]),
    "ext4-volatile": ("ext4", ["--volatile=yes"]),
    "ext4-volatile-state": ("ext4", ["--volatile=state"]),
    "ext4-volatile-overlay": ("ext4", ["--volatile=overlay"]),
    "squashfs": ("squashfs", []),
    "squashfs-volatile-overlay": ("squashfs", ["--volatile=overlay"]),
    "gpt": ("gpt", []),
    "gpt-read-only": ("gpt", ["--read-only"]),
    "gpt-volatile": ("gpt", ["--volatile=yes"]),
    "gpt-volatile-overlay": ("gpt", ["--volatile=overlay"]),
    "gpt-all": ("all", []),
    "gpt-flags": ("flags", []),
    "gpt-versions": ("versions", []),
    "gpt-generic": ("generic", []),
    "gpt-two-generic": ("generic2", []),
    "gpt-usr": ("usr", []),
    "gpt-no-root": ("noroot", []),
    "mbr": ("mbr", []),
    "text": ("text", []),
    "empty": ("empty", []),
    "directory": ("tree", []),
}

# case/key: why it differs.
KNOWN = {
    "*/boot": "ours is nosuid, noexec and without symbolic links: nothing there is run in a container",
    "*volatile*//": "the original's overlay and tmpfs are not nodev; nor need they be, but an image's device nodes are of no use in ours",
    "*/messages": "the original says what it could not do on the way, where nothing is wrong",
}


def run(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


class Images:
    """Made when they are first asked for."""

    def __init__(self, place, probe):
        self.place = place
        self.tree = self.path("tree")
        run(os.path.join(compare.TOOLS, "make-tiny-tree"), probe, self.tree)

    def path(self, name):
        return os.path.join(self.place, name)

    def get(self, name):
        path = self.tree if name == "tree" else self.path(name + ".raw")
        if not os.path.exists(path):
            getattr(self, "make_" + name)(path)
        return path

    def ext4(self, name, tree=None, size="16M"):
        path = self.path(name + ".fs")
        run("truncate", "-s", size, path)
        run("mkfs.ext4", "-q", "-F", *(["-d", tree] if tree else []), path)
        return path

    def table(self, path, lines, label="gpt"):
        """Lines of sfdisk, each with the file that goes there."""
        run("truncate", "-s", "200M", path)
        text = f"label: {label}\n" + "\n".join(line for line, _ in lines)
        run("sfdisk", "-q", path, input=text, text=True)
        dump = subprocess.run(["sfdisk", "-d", path], check=True, capture_output=True, text=True).stdout
        starts = [int(line.split("start=")[1].split(",")[0]) for line in dump.splitlines() if "start=" in line]
        for start, (_, content) in zip(starts, lines):
            run("dd", f"if={content}", f"of={path}", "bs=512", f"seek={start}", "conv=notrunc", "status=none")

    def make_ext4(self, path):
        shutil.move(self.ext4("whole", self.tree, "32M"), path)

    def make_squashfs(self, path):
        run("mksquashfs", self.tree, path, "-quiet", "-noappend")

    def make_gpt(self, path):
        self.table(path, [(f"size=32M, type={ROOT}", self.get("ext4")), (f"size=16M, type={HOME}", self.ext4("other"))])

    def make_all(self, path):
        other = self.ext4("other")
        lines = [(f"size=32M, type={ROOT}", self.get("ext4"))]
        lines += [(f"size=16M, type={kind}", other) for kind in (HOME, SRV, VAR, TMP, XBOOTLDR)]
        self.table(path, lines)

    def make_flags(self, path):
        other = self.ext4("other")
        self.table(path, [(f"size=32M, type={ROOT}", self.get("ext4")), (f'size=16M, type={HOME}, attrs="GUID:63"', other),
                          (f'size=16M, type={SRV}, attrs="GUID:60"', other)])

    def make_versions(self, path):
        newer = self.path("newer")
        run("cp", "-a", self.tree, newer)
        os.makedirs(os.path.join(newer, "srv", "newer"))
        self.table(path, [(f"size=32M, type={ROOT}, name=v9", self.get("ext4")),
                          (f"size=32M, type={ROOT}, name=v10", self.ext4("newest", newer, "32M")),
                          (f"size=16M, type={ARM64}, name=v11", self.ext4("other"))])

    def make_generic(self, path):
        self.table(path, [(f"size=32M, type={GENERIC}", self.get("ext4"))])

    def make_generic2(self, path):
        self.table(path, [(f"size=32M, type={GENERIC}", self.get("ext4"))] * 2)

    def make_usr(self, path):
        usr = self.path("usr.fs")
        run("mksquashfs", os.path.join(self.tree, "usr"), usr, "-quiet", "-noappend")
        self.table(path, [(f"size=16M, type={USR}", usr), (f"size=16M, type={HOME}", self.ext4("other"))])

    def make_noroot(self, path):
        self.table(path, [(f"size=16M, type={HOME}", self.ext4("other"))])

    def make_mbr(self, path):
        self.table(path, [("size=32M, type=83, bootable", self.get("ext4"))], "dos")

    def make_text(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("hello\n")

    def make_empty(self, path):
        open(path, "wb").close()


def observe(command, image, options):
    done = subprocess.run([*command, "-q", "--register=no", "--keep-unit", "-P", *options, "-i", image, "sh", "-c", SCRIPT],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    text, _, mounts = done.stdout.decode(errors="replace").partition("@@@\n")
    lines = text.splitlines()
    seen = {"status": str(done.returncode), "messages": "some" if done.stderr else "none", "name": lines[0] if lines else "",
            "writes": " ".join(line[7:] for line in lines if line.startswith("writes ")),
            "there": " ".join(line for line in lines if line.startswith("/"))}
    for target, mount in compare.read_mounts(mounts).items():
        if target in PLACES:
            kind, flags, *_ = mount.split(" ")
            seen["/" + target.rstrip("/") if target != "/" else "//"] = f"{kind} {flags}"
    return seen


UDEV = """
import socket, subprocess, sys
udev = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
udev.bind("/run/udev/control")
udev.listen(64)
sys.exit(subprocess.call(["systemd-nspawn", *sys.argv[1:]]))
"""


def original():
    wrap = ("mkdir -p /run/systemd/nspawn /run/udev; mount -t tmpfs tmpfs /run/systemd/nspawn && mount -t tmpfs tmpfs /run/udev && "
            "exec \"$0\" \"$@\"")
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", wrap, sys.executable, "-c", UDEV]


def main():
    program, probe, *wanted = sys.argv[1:]
    place = tempfile.mkdtemp(prefix="conformance.")
    had_udev = os.path.isdir("/run/udev")
    unlisted, cases, used = 0, 0, set()
    try:
        images = Images(place, probe)
        for name, (image, options) in CASES.items():
            if wanted and name not in wanted:
                continue
            cases += 1
            path = images.get(image)
            kept = path + ".kept"
            run("cp", "-a", "--sparse=always", path, kept)
            theirs = observe(original(), path, options)
            run("rm", "-rf", path)
            run("mv", kept, path) # as it was before
            ours = observe([program], path, options)
            for key in sorted(set(theirs) | set(ours)):
                left, right = theirs.get(key, "(none)"), ours.get(key, "(none)")
                if left == right:
                    continue
                rule = next((rule for rule in KNOWN if fnmatch.fnmatchcase(f"{name}/{key}", rule)), None)
                used.add(rule)
                if rule is None or wanted:
                    unlisted += rule is None
                    print(f"{name}/{key}\n    original: {left}\n    ours:     {right}", flush=True)
    finally:
        shutil.rmtree(place)
        compare.remove_group_of_original()
        if not had_udev and os.path.isdir("/run/udev"):
            os.rmdir("/run/udev")
    vanished = [] if wanted else [rule for rule in KNOWN if rule not in used]
    for rule in vanished:
        print(f"{rule}: listed as a difference, but there is no such one any more")
    print(f"{cases} cases, {unlisted} differences, {len(vanished)} vanished")
    return 1 if unlisted or vanished or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
