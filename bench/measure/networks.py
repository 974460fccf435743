"""What containers with networks of their own cost while they run, when they end, and when many come at once."""
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

from .host import in_own_network
from .lifetimes import START_PATIENCE, STOP_PATIENCE, descendants
from .peers import nspawn, with_machine_names
from .report import Goal, Table
from .timing import Competitor, RunFailed, Times, all_at_once, wait_for_end

TRUE = ["/bin/true"]
SLEEP = ["/bin/sleep", "1000"]
THROUGHPUT_SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "throughput"
MEMBERS = 50


def be_nice_to_the_kernel() -> None:
    """At real-time priority both ends would keep its own threads, which carry the packets, from running."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(-20)


def throughput(context) -> None:
    """The script makes its network namespaces itself."""
    what, wanted = "TCP from a container to its host", "≥ 0.97× a plain veth pair"
    if context.peers.nspawn is None or shutil.which("iperf3") is None:
        context.report.goals.append(Goal(what, "no nspawn or no iperf3", wanted, None))
        return
    done = subprocess.run([str(THROUGHPUT_SCRIPT), context.peers.nspawn, str(context.shop.tree),
                           str(context.rounds(9, 3))], capture_output=True, text=True, check=False,
                          preexec_fn=be_nice_to_the_kernel)
    found = re.search(r"ratio ([0-9.]+)", done.stdout)
    if found is None:
        context.report.notes.append(f"throughput: {done.stderr.strip().splitlines()[-1:]}")
        context.report.goals.append(Goal(what, "no figure", wanted, None))
        return
    ratio = float(found.group(1))
    context.report.goals.append(Goal(what, f"{ratio:.2f}× ({done.stdout.split(', ratio')[0].strip()})", wanted, ratio >= 0.97))


def leader_of(pid: int, name: str) -> int:
    """The process of that name in the container. Those who help with the start come and go meanwhile."""
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            for child in descendants(pid):
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == name:
                    return int(child)
        time.sleep(0.02)
    raise RunFailed(f"no {name} runs in it after {START_PATIENCE:.0f} s")


def time_to_stop(competitor: Competitor, number: int) -> float:
    """Milliseconds from the end of the container's first process until its supervisor is reaped."""
    pid = competitor.spawn(number)
    pidfd = os.pidfd_open(pid)
    try:
        leader = leader_of(pid, "sleep")
        start = time.perf_counter_ns()
        os.kill(leader, signal.SIGKILL)
        if not wait_for_end(pidfd, STOP_PATIENCE):
            raise RunFailed(f"{competitor.name}: did not end")
        return (time.perf_counter_ns() - start) / 1e6
    finally:
        if not wait_for_end(pidfd, 0):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(pidfd)


def stopping(context) -> None:
    title = "from the payload's end to ours"
    ways = {"private network": ["--private-network"], "-n": ["-n"], "zone": ["--network-zone=bench"],
            "-n -p": ["-n", "-p", "8080:80"], "managed": ["--network-managed"]}
    competitors = []
    for name, options in ways.items():
        made = nspawn(context.peers, context.shop, SLEEP, *options)
        if made is not None:
            competitors.append(Competitor(f"nspawn {name}", made.argv))

    def measure() -> object:
        samples: dict[str, list[float]] = {}
        failed: dict[str, str] = {}
        order = random.Random(1)
        for number in range(context.rounds(30, 6)):
            order.shuffle(competitors)
            for competitor in competitors:
                try:
                    samples.setdefault(competitor.name, []).append(time_to_stop(competitor, number))
                except RunFailed as error:
                    failed[competitor.name] = str(error)
        return [samples, failed]

    samples, failed = in_own_network(measure)
    context.note_failures(title, failed)
    times = {name: Times(values) for name, values in samples.items() if name not in failed}
    context.report.tables.append(Table(title, times))
    what, wanted = "stopping with `-n`", "≤ 3 ms more than with a private network alone"
    if "nspawn -n" not in times:
        context.report.goals.append(Goal(what, "no figure", wanted, None))
        return
    more = times["nspawn -n"].median - times["nspawn private network"].median
    context.report.goals.append(Goal(what, f"{more:+.1f} ms", wanted, more <= 3))


def zone(context) -> None:
    what, wanted = f"{MEMBERS} containers join one zone at once", "all"
    made = nspawn(context.peers, context.shop, TRUE, "--read-only", "--network-zone=bench")
    if made is None:
        context.report.goals.append(Goal(what, "no figure", wanted, None))
        return
    member = with_machine_names(made)

    def measure() -> object:
        try:
            return [all_at_once(member, MEMBERS) for _ in range(context.rounds(5, 2))]
        except RunFailed as error:
            return str(error)

    result = in_own_network(measure)
    if isinstance(result, str):
        context.report.goals.append(Goal(what, result, wanted, False))
        return
    context.report.goals.append(Goal(what, f"all, within {Times(result).median:.0f} ms", wanted, True))
