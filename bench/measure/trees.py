"""Work on whole trees: copies from a template, changes of owner, snapshots, images. On file systems in memory, made for it."""
import contextlib
import os
import pathlib
import random
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import Callable, Iterator

from . import host
from .report import Table
from .timing import Competitor, RunFailed, Times

IMAGE_SIZE = "2G"


@dataclass
class Turn:
    """One that is run in turns with others; `prepare` is not timed."""
    competitor: Competitor
    prepare: Callable[[], object]


@contextlib.contextmanager
def in_memory(place: pathlib.Path, kind: str) -> Iterator[pathlib.Path]:
    """A directory on a file system of this kind whose every block is in memory."""
    memory, mounted = place / "memory", place / f"on-{kind}"
    memory.mkdir()
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4G", "memory", memory], check=True)
    try:
        if kind == "tmpfs":
            yield memory
            return
        image = memory / "image"
        subprocess.run(["truncate", "-s", IMAGE_SIZE, image], check=True)
        subprocess.run([f"mkfs.{kind}", "-q", image], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
        try:
            yield mounted
        finally:
            subprocess.run(["umount", mounted], check=True)
    finally:
        subprocess.run(["umount", memory], check=True)
        memory.rmdir()
        mounted.rmdir()


def in_turns(turns: list[Turn], rounds: int) -> dict[str, Times]:
    samples: dict[str, list[float]] = {turn.competitor.name: [] for turn in turns}
    order = random.Random(1)
    for number in range(rounds + 1):
        for turn in order.sample(turns, len(turns)):
            turn.prepare()
            took = turn.competitor.time_once(number)
            if number > 0:  # the first one warms up
                samples[turn.competitor.name].append(took)
    return {name: Times(values) for name, values in samples.items()}


def measured(context, title: str, kind: str, make_turns: Callable[[pathlib.Path], list[Turn]],
             rounds: int) -> dict[str, Times]:
    try:
        with in_memory(context.shop.path, kind) as place:
            times = in_turns(make_turns(place), rounds)
    except (RunFailed, OSError, subprocess.CalledProcessError) as error:
        context.report.notes.append(f"{title}: {error}")
        return {}
    context.report.tables.append(Table(title, times))
    return times


def remove_copies(place: pathlib.Path) -> None:
    for copy in place.glob("copy*"):
        shutil.rmtree(copy)
    os.sync()


def template(context) -> None:
    """A machine from a template, its first start included, and `cp -a` alone."""
    for kind in ("ext4", "tmpfs"):
        def turns(place: pathlib.Path) -> list[Turn]:
            source, target = place / "template", place / "copy"
            subprocess.run(["cp", "-a", context.shop.tree, source], check=True)
            ours = [context.peers.nspawn, "-q", "-P", "-D", str(target), f"--template={source}", "/bin/true"]
            copy = [shutil.which("cp"), "-a", "--reflink=never", str(source), str(target)]
            return [Turn(Competitor("nspawn --template", lambda number: ours), lambda: remove_copies(place)),
                    Turn(Competitor("cp -a", lambda number: copy), lambda: remove_copies(place))]

        what = f"--template on {kind} in memory, and `true` in it"
        times = measured(context, what, kind, turns, context.rounds(12, 4))
        if kind == "ext4":
            context.report.add_ratio(what, times, "nspawn --template", "cp -a", 0.7)


def chown(context) -> None:
    """All owners of a Debian tree into an id range."""
    program = context.programs.get("shift_owners")
    if program is None:
        context.report.notes.append("shift_owners is not built: owners are not shifted")
        return
    for kind in ("ext4", "tmpfs"):
        def turns(place: pathlib.Path) -> list[Turn]:
            tree = place / "tree"
            subprocess.run(["cp", "-a", context.shop.tree, tree], check=True)
            # Each finds what the other left, another range each time.
            ours = Competitor("nspawn", lambda number: [str(program), str(tree), str((2 * number + 2) << 16)])
            theirs = Competitor("chown -R", lambda number: [
                shutil.which("chown"), "-hR", f"{(2 * number + 1) << 16}:{(2 * number + 1) << 16}", str(tree)])
            return [Turn(ours, os.sync), Turn(theirs, os.sync)]

        what = f"owners of a tree on {kind} in memory"
        times = measured(context, what, kind, turns, context.rounds(20, 6))
        context.report.add_ratio(what, times, "nspawn", "chown -R", 1.1)


@contextlib.contextmanager
def somebody_like_udev() -> Iterator[None]:
    """The original insists on a running udev where it attaches images; a socket of that name is enough for it."""
    directory = pathlib.Path("/run/udev")
    made = not directory.exists()
    directory.mkdir(exist_ok=True)
    host.mount("udev", str(directory), "tmpfs", 0)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as udev:
            udev.bind(str(directory / "control"))
            udev.listen(64)
            yield
    finally:
        subprocess.run(["umount", directory], check=True)
        if made:
            directory.rmdir()


def make_image(kind: str, tree: pathlib.Path, image: pathlib.Path) -> None:
    if kind == "squashfs":
        making = ["mksquashfs", tree, image, "-quiet", "-no-progress", "-noI", "-noD", "-noF", "-noX"]
    else:
        subprocess.run(["truncate", "-s", "1G", image], check=True)
        making = ["mkfs.ext4", "-q", "-d", tree, image]
    subprocess.run(making, check=True, stdout=subprocess.DEVNULL)


def image(context) -> None:
    """`true` on the file system in an image: nearly all of it is looking into the image and attaching it."""
    for kind in ("ext4", "squashfs"):
        def turns(place: pathlib.Path) -> list[Turn]:
            file = place / f"{kind}.raw"
            make_image(kind, context.shop.tree, file)
            options = ["-q", "-P", "-i", str(file), "/bin/true"]
            ours = Competitor("nspawn", lambda number: [context.peers.nspawn, *options])
            made = [Turn(ours, lambda: None)]
            if context.peers.original is not None:
                theirs = [context.peers.original, "--register=no", "--keep-unit", *options]
                made.append(Turn(Competitor("systemd-nspawn", lambda number: theirs), lambda: None))
            return made

        what = f"`true` on an image with {kind}, in memory"
        with somebody_like_udev():
            times = measured(context, what, "tmpfs", turns, context.rounds(40, 10))
        context.report.add_ratio(what, times, "nspawn", "systemd-nspawn", 0.5)


def snapshot(context) -> None:
    """-x on btrfs, and what it is made of: a snapshot, a plain start, and the snapshot's deletion."""
    def turns(place: pathlib.Path) -> list[Turn]:
        tree, copy = place / "tree", place / "copy"
        subprocess.run(["btrfs", "-q", "subvolume", "create", tree], check=True)
        subprocess.run(["cp", "-a", f"{context.shop.tree}/.", tree], check=True)
        start = [context.peers.nspawn, "-q", "-P"]
        parts = (f"btrfs -q subvolume snapshot {tree} {copy} && {' '.join(start)} -D {copy} /bin/true && "
                 f"btrfs -q subvolume delete {copy}")
        return [Turn(Competitor("nspawn -x", lambda number: [*start, "-x", "-D", str(tree), "/bin/true"]), os.sync),
                Turn(Competitor("snapshot and start", lambda number: ["/bin/sh", "-c", parts]), os.sync)]

    what = "`-x` on btrfs in memory"
    times = measured(context, what, "btrfs", turns, context.rounds(40, 10))
    context.report.add_ratio(what, times, "nspawn -x", "snapshot and start", 1.0)
