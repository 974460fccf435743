"""Starting programs and timing them: monotonic clock around posix_spawn and wait4, runs of all competitors interleaved.

The machine may be shared and noisy, so nothing here is a mean: medians and minima only, and what is compared was run
in turns.
"""
import os
import random
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import Callable


class RunFailed(Exception):
    """A competitor did not do what it was started for."""


@dataclass
class Competitor:
    """A command to time. `argv` is called with the number of the run, for those that need a fresh name each time."""
    name: str
    argv: Callable[[int], list[str]]
    inputs: dict[int, str] = field(default_factory=dict)  # descriptor -> file to open for reading
    environment: dict[str, str] | None = None

    def spawn(self, number: int, output: str = os.devnull) -> int:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        actions += [(os.POSIX_SPAWN_OPEN, fd, path, os.O_RDONLY, 0) for fd, path in self.inputs.items()]
        argv = self.argv(number)
        environment = os.environ if self.environment is None else self.environment
        return os.posix_spawn(argv[0], argv, environment, file_actions=actions)

    def run_as_from_a_shell(self, number: int) -> None:
        """With no signal ignored: this interpreter ignores two, and posix_spawn(3) leaves two more like that."""
        pid = os.fork()
        if pid == 0:
            try:
                for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(ignored, signal.SIG_DFL)
                for fd, path in [(0, os.devnull), *self.inputs.items()]:
                    opened = os.open(path, os.O_RDONLY)
                    if opened != fd:
                        os.dup2(opened, fd)
                        os.close(opened)
                for fd in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
                argv = self.argv(number)
                os.execv(argv[0], argv)
            finally:
                os._exit(127)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise RunFailed(f"{self.name}: {self.explain(number, status)}")

    def time_once(self, number: int) -> float:
        """Milliseconds from before the spawn until the program is reaped."""
        start = time.perf_counter_ns()
        pid = self.spawn(number)
        _, status, _ = os.wait4(pid, 0)
        end = time.perf_counter_ns()
        if status != 0:
            raise RunFailed(f"{self.name}: {self.explain(number, status)}")
        return (end - start) / 1e6

    def explain(self, number: int, status: int) -> str:
        """What the command says when it is run again, for a message."""
        files = [os.open(path, os.O_RDONLY) for path in self.inputs.values()]
        wanted = list(self.inputs)
        try:
            for have, want in zip(files, wanted):
                os.dup2(have, want)
            again = subprocess.run(self.argv(number + 1_000_000), stdin=subprocess.DEVNULL, capture_output=True,
                                   env=self.environment, pass_fds=wanted, timeout=60, check=False)
            said = again.stderr.decode(errors="replace").strip().splitlines()
            return said[-1] if said else f"ended with wait status {status}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        finally:
            for fd in files + wanted:
                try:
                    os.close(fd)
                except OSError:
                    pass


@dataclass
class Times:
    """What one competitor took, in milliseconds."""
    samples: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def minimum(self) -> float:
        return min(self.samples)


def first_runs(competitors: list[Competitor]) -> tuple[dict[str, float], dict[str, str]]:
    """Warms everything up. Returns how long each took, and why some cannot take part."""
    took, failed = {}, {}
    for competitor in competitors:
        try:
            competitor.time_once(0)
            took[competitor.name] = competitor.time_once(1)
        except (RunFailed, OSError) as error:
            failed[competitor.name] = str(error)
    return took, failed


def interleave(competitors: list[Competitor], rounds: int, budget: float,
               pause: float = 0.0) -> tuple[dict[str, Times], dict[str, str]]:
    """Runs all in turns, in a new order each round. Slow ones take part in some of the rounds only: `budget` is how
    many seconds each may use. Returns the times, and the reasons of those that failed."""
    took, failed = first_runs(competitors)
    runners = [c for c in competitors if c.name in took]
    share = {c.name: min(rounds, max(5, int(budget / (took[c.name] / 1000 + pause)))) for c in runners}
    rounds = max(share.values(), default=0)
    samples: dict[str, list[float]] = {c.name: [] for c in runners}
    order = random.Random(1)
    number = 2
    for done in range(rounds):
        order.shuffle(runners)
        for competitor in runners:
            part = share[competitor.name]
            if competitor.name in failed or (done + 1) * part // rounds == done * part // rounds:
                continue
            if pause:
                time.sleep(pause)
            try:
                samples[competitor.name].append(competitor.time_once(number))
            except RunFailed as error:
                failed[competitor.name] = str(error)
            number += 1
    return {name: Times(values) for name, values in samples.items() if values and name not in failed}, failed


def all_at_once(competitor: Competitor, count: int) -> float:
    """Milliseconds until `count` of them, started without waiting, have ended."""
    start = time.perf_counter_ns()
    pids = [competitor.spawn(number) for number in range(count)]
    statuses = [os.wait4(pid, 0)[1] for pid in pids]
    end = time.perf_counter_ns()
    bad = sum(status != 0 for status in statuses)
    if bad:
        raise RunFailed(f"{competitor.name}: {bad} of {count} failed: {competitor.explain(count, 1)}")
    return (end - start) / 1e6


def stop(pid: int, patience: float) -> None:
    """SIGTERM, and SIGKILL for what is still there after `patience` seconds."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        if not wait_for_end(pidfd, patience):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(pidfd)


def wait_for_end(pidfd: int, patience: float) -> bool:
    import select
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(patience * 1000))
