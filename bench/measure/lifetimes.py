"""Measurements of containers that stay for a while: booted ones, and one that sleeps."""
import os
import pathlib
import random
import select
import socket
import time

from .timing import Competitor, RunFailed, Times, stop

BOOT_PATIENCE = 60.0
STOP_PATIENCE = 30.0
START_PATIENCE = 5.0


def boot_times(programs: list[Competitor], directory: pathlib.Path,
               rounds: int) -> tuple[dict[str, Times], dict[str, str]]:
    """Milliseconds until READY=1 comes, which systemd sends when the default target's jobs are done. The tree is the
    same for all; the first boot sets it up and does not count."""
    samples: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    order = random.Random(1)
    for done in range(rounds + 1):
        order.shuffle(programs)
        for program in programs:
            if program.name in failed:
                continue
            try:
                took = boot_once(program, directory)
            except (RunFailed, OSError) as error:
                failed[program.name] = f"{program.name}: {error}"
                continue
            if done > 0:
                samples.setdefault(program.name, []).append(took)
    return {name: Times(values) for name, values in samples.items() if name not in failed}, failed


def boot_once(program: Competitor, directory: pathlib.Path) -> float:
    address = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as listener:
        listener.bind(str(address))
        try:
            program.environment = {**os.environ, "NOTIFY_SOCKET": str(address)}
            start = time.perf_counter_ns()
            pid = program.spawn(0)
            try:
                wait_until_ready(listener, pid)
                return (time.perf_counter_ns() - start) / 1e6
            finally:
                stop(pid, STOP_PATIENCE)
        finally:
            address.unlink()


def wait_until_ready(listener: socket.socket, pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    deadline = time.monotonic() + BOOT_PATIENCE
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    try:
        while (left := deadline - time.monotonic()) > 0:
            ready = [fd for fd, _ in poll.poll(left * 1000)]
            if listener.fileno() in ready:
                if b"READY=1" in listener.recv(65536).split(b"\n"):
                    return
            elif pidfd in ready:
                raise RunFailed("ended before it was ready")
        raise RunFailed(f"not ready after {BOOT_PATIENCE:.0f} s")
    finally:
        os.close(pidfd)


def supervisor_memory(program: Competitor) -> int:
    """Kilobytes that no other process shares and that cannot be dropped and read again, of the process that was started,
    while its container sleeps. A second one sleeps beside it, so that a program that was written a moment ago, and is in
    memory once for all, does not count."""
    pids: list[int] = []
    try:
        for number in range(2):
            pids.append(program.spawn(number))
            wait_for_program(pids[-1], "sleep")
        return private_kilobytes(pids[-1])
    finally:
        for pid in pids:
            stop(pid, STOP_PATIENCE)


def wait_for_program(pid: int, name: str) -> None:
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        if any(pathlib.Path(f"/proc/{child}/comm").read_text().strip() == name for child in descendants(pid)):
            return
        time.sleep(0.05)
    raise RunFailed(f"no {name} runs in it after {START_PATIENCE:.0f} s")


def descendants(pid: int) -> list[str]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children + [further for child in children for further in descendants(int(child))]


def private_kilobytes(pid: int) -> int:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
