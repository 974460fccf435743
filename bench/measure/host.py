"""What the benchmark needs of the host: a work directory with a tree of its own, and a mount namespace to clutter."""
import contextlib
import ctypes
import json
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
from typing import Callable

DEFAULT_TREE = "/var/cache/nspawn-tests/debian"
TREE_SCRIPT = "tests/tools/make-debian-tree"

HYBRID_CONTROLLERS = "/sys/fs/cgroup/unified/cgroup.controllers"

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def find_tree(source: pathlib.Path) -> pathlib.Path:
    """The Debian tree to copy: $NSPAWN_TEST_TREE, or the tests' one, made if it is not there yet."""
    given = os.environ.get("NSPAWN_TEST_TREE")
    tree = pathlib.Path(given or DEFAULT_TREE)
    if not (tree / "usr").is_dir():
        script = source / TREE_SCRIPT
        if given or not script.exists():
            raise SystemExit(f"bench: {tree} holds no tree; set NSPAWN_TEST_TREE or run {TREE_SCRIPT}")
        subprocess.run([str(script)], check=True)
    return tree


def file_system_of(path: str | os.PathLike[str]) -> str:
    found = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", str(path)], capture_output=True, text=True,
                           check=True)
    return found.stdout.strip()


def remove_group_of_original() -> None:
    """systemd-nspawn --keep-unit leaves its control group behind, empty, in ours; a booted system others below it. A
    group in use does not let itself be removed."""
    tops = {"": ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"), "name=systemd": ("/sys/fs/cgroup/systemd",)}
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own_groups = [line.rstrip("\n").split(":", 2)[1:] for line in file]
    for controllers, own in own_groups:
        for top in tops.get(controllers, ()):
            for group, _, _ in os.walk(os.path.join(top + own, "payload"), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(group)


class Workshop:
    """A directory with a copy of the tree; removed at the end."""

    def __init__(self, tree: pathlib.Path, programs: dict[str, pathlib.Path]):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="nspawn-bench.", dir="/var/tmp"))
        self.path.chmod(0o711) # the floor looks the tree up with the ids of its container
        self.tree = self.path / "tree"
        self.programs = programs
        subprocess.run(["cp", "-a", "--reflink=auto", str(tree), str(self.tree)], check=True)
        for name in ("empty", "syscall_cost"):
            if name in programs:
                shutil.copy(programs[name], self.tree / "usr/local/bin" / name)

    def file_system(self) -> str:
        return file_system_of(self.path)

    def __enter__(self) -> "Workshop":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        remove_group_of_original()


def enter_private_namespace() -> None:
    """A mount namespace of our own. In it, /run is in memory, as on every host that was booted; and on a hybrid host the
    list of version 2 controllers is hidden: crun refuses to start when there is one."""
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    if file_system_of("/run") != "tmpfs":
        mount("run", "/run", "tmpfs", 0)
    if os.path.exists(HYBRID_CONTROLLERS):
        mount("/dev/null", HYBRID_CONTROLLERS, None, MS_BIND)


def in_child(work: Callable[[], object]) -> object:
    """The result of `work`, which is run by a child, so that the namespaces it makes are not ours."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(send, json.dumps(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(send)
    with os.fdopen(receive, "rb") as results:
        text = results.read()
    os.waitpid(child, 0)
    if not text:
        raise OSError("the part in a namespace of its own failed")
    return json.loads(text)


def unshare(flags: int) -> None:
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def in_cluttered_namespace(directory: pathlib.Path, count: int, work: Callable[[], object]) -> object:
    """The result of `work` in a mount namespace that has `count` further mounts."""
    def clutter_and_work() -> object:
        unshare(CLONE_NEWNS)
        top = directory / "clutter"
        top.mkdir()
        mount("clutter", str(top), "tmpfs", 0)
        for number in range(count - 1):
            target = top / str(number)
            target.mkdir()
            mount("clutter", str(target), "tmpfs", 0)
        return work()

    try:
        return in_child(clutter_and_work)
    finally:
        shutil.rmtree(directory / "clutter", ignore_errors=True)


def in_own_network(work: Callable[[], object]) -> object:
    """The result of `work` in a network namespace of its own: links and packet filters of the host stay as they are."""
    def separate_and_work() -> object:
        unshare(CLONE_NEWNET)
        return work()

    return in_child(separate_and_work)


def description() -> list[str]:
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    return [f"{os.cpu_count()} × {model}", f"Linux {platform.release()}", f"load average {os.getloadavg()[0]:.1f} at the start"]
