"""Prints what a start could leave behind on the host, for comparison before and after: host_state.py PROGRAM PLACE TREE,
or only the processes: host_state.py --processes PROGRAM TREE

Mounts, loop devices, network links, cgroups below the caller's own, run-time and temporary files, what lies beside the
tree, and processes of the program and of the tree's own programs.
"""

import glob
import os
import sys

# Directories that are made once per boot and stay; what is in them does not.
INFRASTRUCTURE = ("locks", "propagate", "unix-export", "runs", "machines", "ports")
# Files that several runs lock, and the places of those that have addresses.
STAYING = {"/run/nspawn/claims", "/run/nspawn/network"} | {
    "/run/nspawn/network/" + name for name in ("lock", "dhcp", "links", "resolv.conf", "settings")
}


def section(title, lines):
    print(f"# {title}")
    for line in sorted(lines):
        print(line)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            yield line.split(" ", 4)[4].rstrip("\n")


def loop_devices():
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        with open(path, encoding="utf-8") as file:
            yield file.read().strip()


def hierarchies():
    """Controller list ("" for v2) to mount point."""
    result = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, _, options = right.split(" ", 2)
            if kind == "cgroup2":
                result[""] = left.split()[4]
            elif kind == "cgroup":
                for option in options.strip().split(","):
                    result[option] = left.split()[4]
    return result


def cgroups():
    places = hierarchies()
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            mounted = places.get(controllers.split(",")[0])
            if mounted is None:
                continue
            top = mounted + (path if path != "/" else "")
            for directory, names, _ in os.walk(top):
                for name in names:
                    yield os.path.join(directory, name)


def run_time_files():
    for top in ["/run/nspawn", *glob.glob("/run/systemd/nspawn*")]:
        for directory, names, files in os.walk(top):
            for name in [n for n in names if n not in INFRASTRUCTURE] + files:
                path = os.path.join(directory, name)
                if path not in STAYING:
                    yield path


def temporary_files():
    for pattern in ("/tmp/nspawn-*", "/var/tmp/nspawn-*", "/.#*", "/tmp/.#*"):
        yield from glob.glob(pattern)


def processes(program, tree):
    known = set()
    for path in (program, f"{tree}/usr/bin/probe", f"{tree}/usr/bin/busybox"):
        try:
            status = os.stat(path)
            known.add((status.st_dev, status.st_ino))
        except OSError:
            pass
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            status = os.stat(f"/proc/{entry.name}/exe")
            if (status.st_dev, status.st_ino) in known:
                with open(f"/proc/{entry.name}/cmdline", encoding="utf-8", errors="replace") as file:
                    yield f"{entry.name} {file.read()}".replace("\0", " ")
        except OSError:
            continue


def main():
    if sys.argv[1] == "--processes":
        for process in processes(*sys.argv[2:]):
            print(process)
        return
    program, place, tree = sys.argv[1:]
    section("mounts", mounts())
    section("loop devices", loop_devices())
    section("network links", os.listdir("/sys/class/net"))
    section("cgroups below the caller's own", cgroups())
    section("run-time files", run_time_files())
    section("temporary files", temporary_files())
    section("beside the tree", os.listdir(place))
    section("processes", processes(program, tree))


if __name__ == "__main__":
    main()
