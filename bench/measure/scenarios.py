"""Each line of the list of goals, as a function that measures it and adds what it found to the report."""
import json
import os
import pathlib
import re
import struct
import subprocess
from dataclasses import dataclass

from . import lifetimes, networks, peers as command, ports, trees
from .host import Workshop, in_cluttered_namespace
from .peers import Peers
from .report import Goal, Report, Table
from .timing import Competitor, RunFailed, Times, all_at_once, interleave

TRUE = ["/bin/true"]

BPF_RETURN = 0x06            # BPF_RET | BPF_K, linux/bpf_common.h
SECCOMP_RET_ALLOW = 0x7fff0000


@dataclass
class Context:
    peers: Peers
    shop: Workshop
    programs: dict[str, pathlib.Path]
    quick: bool
    report: Report

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def note_failures(self, title: str, failed: dict[str, str]) -> None:
        self.report.notes += [f"{title}: {reason}" for reason in failed.values()]


def starters(context: Context, words: list[str]) -> list[Competitor]:
    made = (build(context.peers, context.shop, words)
            for build in (command.nspawn, command.floor, command.bwrap, command.crun, command.original))
    return [competitor for competitor in made if competitor is not None]


def timed(context: Context, title: str, competitors: list[Competitor], rounds: int, budget: float,
          pause: float = 0.0) -> dict[str, Times]:
    times, failed = interleave(competitors, rounds, budget, pause)
    context.note_failures(title, failed)
    if times:
        context.report.tables.append(Table(title, times))
    return times


def start(context: Context) -> None:
    times = timed(context, "`true`, one after the other", starters(context, TRUE), context.rounds(400, 60),
                  context.rounds(6, 2))
    context.report.add_ratio("start of `true`", times, "nspawn", "floor", 1.3)
    context.report.add_ratio("start of `true`", times, "nspawn", "bwrap", 0.75)
    context.report.add_ratio("start of `true`", times, "nspawn", "systemd-nspawn", 1 / 25, "1/25")


def spaced(context: Context) -> None:
    times = timed(context, "`true`, 30 ms between starts", starters(context, TRUE), context.rounds(120, 25),
                  context.rounds(8, 2), 0.03)
    context.report.add_ratio("start of `true`, spaced by 30 ms", times, "nspawn", "floor", 1.3)
    context.report.add_ratio("start of `true`, spaced by 30 ms", times, "nspawn", "bwrap", 0.75)
    context.report.add_ratio("start of `true`, spaced by 30 ms", times, "nspawn", "systemd-nspawn", 1 / 25, "1/25")


def mounts(context: Context) -> None:
    title = "`true`, 1000 further mounts on the host"

    def measure() -> object:
        times, failed = interleave(starters(context, TRUE), context.rounds(100, 15), context.rounds(5, 2))
        return [{name: t.samples for name, t in times.items()}, failed]

    samples, failed = in_cluttered_namespace(context.shop.path, 1000, measure)
    context.note_failures(title, failed)
    times = {name: Times(values) for name, values in samples.items()}
    context.report.tables.append(Table(title, times))
    context.report.add_ratio("start of `true` with 1000 further mounts", times, "nspawn", "floor", 1.3)


def private(context: Context) -> None:
    """Users of its own on an id-mapped tree, and a network of its own."""
    made = (command.nspawn(context.peers, context.shop, TRUE, "-U", "--private-network"),
            command.floor(context.peers, context.shop, TRUE, options=("-u", "-n")),
            command.original(context.peers, context.shop, TRUE, "-U", "--private-network"))
    times = timed(context, "`true`, with users and a network of its own", [each for each in made if each is not None],
                  context.rounds(300, 50), context.rounds(6, 2))
    context.report.add_ratio("start of `true` with `-U --private-network`", times, "nspawn", "floor", 1.35)


def veth(context: Context) -> None:
    """The network's other end is made before the program runs, and nobody waits for its end."""
    made = (command.nspawn(context.peers, context.shop, TRUE, "-n"),
            command.floor(context.peers, context.shop, TRUE, options=("-n", "-v")),
            command.original(context.peers, context.shop, TRUE, "-n"))
    # Each with a name of its own: the kernel takes the interface of the one before away in its own time.
    competitors = [each if each.name == "floor" else command.with_machine_names(each) for each in made if each is not None]
    times = timed(context, "`true`, with a pair of virtual interfaces", competitors, context.rounds(300, 50),
                  context.rounds(6, 2))
    context.report.add_ratio("start of `true` with `--network-veth`", times, "nspawn", "floor", 1.3)


def version(context: Context) -> None:
    competitors = []
    if "empty" in context.programs:
        competitors.append(Competitor("empty program", lambda number: [str(context.programs["empty"])]))
    for name, path in (("nspawn", context.peers.nspawn), ("systemd-nspawn", context.peers.original)):
        if path is not None:
            competitors.append(Competitor(name, lambda number, path=path: [path, "--version"]))
    times = timed(context, "`--version`", competitors, context.rounds(400, 100), 3)
    context.report.add_ratio("`nspawn --version`", times, "nspawn", "empty program", 4)


def system_calls(context: Context) -> None:
    """How many a run of `true` takes in all its processes, and what the dynamic linker loads for it."""
    counted = {}
    for competitor in starters(context, TRUE):
        output = context.shop.path / "strace"
        traced = Competitor(competitor.name, lambda number, c=competitor: [
            "/usr/bin/strace", "-f", "-c", "-o", str(output), *c.argv(number)], competitor.inputs)
        try:
            traced.run_as_from_a_shell(2_000_000)
        except (RunFailed, OSError) as error:
            context.report.notes.append(f"system calls: {error}")
            continue
        total = re.search(r"^100\.00 +\S+ +(?:\S+ +)?(\d+) +(?:\d+ +)?total$", output.read_text(), re.MULTILINE)
        if total:
            counted[competitor.name] = int(total.group(1))
    others = ", ".join(f"{name} {count}" for name, count in counted.items() if name != "nspawn")
    ours = counted.get("nspawn")
    context.report.goals.append(Goal("system calls of one `true`", f"{ours} ({others})", "≤ 300",
                                     None if ours is None else ours <= 300))


def libraries(context: Context) -> None:
    if context.peers.nspawn is None:
        return
    loaded = subprocess.run(["ldd", context.peers.nspawn], env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
                            capture_output=True, text=True, check=False).stdout # a static program is a failure to it
    names = [pathlib.Path(line.split()[0]).name for line in loaded.splitlines() if line.strip() != "statically linked"]
    others = [name for name in names if not re.match(r"linux-vdso|ld-linux|libc\.so", name)]
    opened = opened_libraries(context)
    context.report.goals.append(Goal("libraries but libc on the plain path", ", ".join(others + opened) or "none",
                                     "none", not others and not opened))


def opened_libraries(context: Context) -> list[str]:
    """What nspawn's own process opens while it runs, libc apart."""
    output = context.shop.path / "strace"
    run = command.nspawn(context.peers, context.shop, TRUE)
    subprocess.run(["strace", "-o", str(output), "-e", "trace=openat", *run.argv(0)], stdin=subprocess.DEVNULL,
                   capture_output=True, check=False)
    opened = re.findall(r'"([^"]+\.so[^"]*)", O_RDONLY[^=]*= \d', output.read_text())
    return sorted({pathlib.Path(path).name for path in opened} - {"libc.so.6", "ld.so.cache"})


def filter_cost(context: Context) -> None:
    what, wanted = "filter: emit and load", "≤ 1.5× loading a ready-made one"
    program = context.programs.get("filter_benchmark")
    if program is None:
        context.report.goals.append(Goal(what, "filter_benchmark is not built", wanted, None))
        return
    said = subprocess.run([str(program), "--benchmark_filter=^load/", "--benchmark_repetitions=5",
                           "--benchmark_min_time=0.1", "--benchmark_format=json"], capture_output=True, check=True).stdout
    medians = {entry["run_name"].split("/")[1]: entry["real_time"] / 1000 for entry in json.loads(said)["benchmarks"]
               if entry.get("aggregate_name") == "median"}
    made, ready = medians["emitted"], medians["ready_made"]
    context.report.goals.append(Goal(what, f"{made / ready:.2f}× ({made:.0f} µs and {ready:.0f} µs)", wanted,
                                     made / ready <= 1.5))


def call_cost(context: Context) -> None:
    """The fastest of several runs: in the container, and in the floor's under a filter that allows everything. Any
    filter at all costs something; ours may not cost more."""
    what, wanted = "one system call in the container", "as under a filter that allows all, within 5 %"
    measure = ["/usr/local/bin/syscall_cost"]
    allow_all = context.shop.path / "allow.bpf"
    allow_all.write_bytes(struct.pack("=HBBI", BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW))
    inside = command.nspawn(context.peers, context.shop, measure)
    reference = command.floor(context.peers, context.shop, measure, allow_all)
    if "syscall_cost" not in context.programs or inside is None or reference is None:
        context.report.goals.append(Goal(what, "syscall_cost, floor or nspawn is not built", wanted, None))
        return
    outside = Competitor("outside", lambda number: [str(context.programs["syscall_cost"])])
    output = context.shop.path / "cost"
    best: dict[str, float] = {}
    for _ in range(context.rounds(7, 3)):
        for competitor in (outside, reference, inside):
            pid = competitor.spawn(0, str(output))
            _, status = os.waitpid(pid, 0)
            if status != 0:
                context.report.goals.append(Goal(what, competitor.explain(0, status), wanted, None))
                return
            cost = float(output.read_text())
            best[competitor.name] = min(cost, best.get(competitor.name, cost))
    ours, theirs = best["nspawn"], best["floor"]
    context.report.goals.append(Goal(what, f"{ours:.1f} ns and {theirs:.1f} ns (outside {best['outside']:.1f} ns)", wanted,
                                     ours <= theirs * 1.05))


def ephemeral(context: Context) -> None:
    plain = command.nspawn(context.peers, context.shop, TRUE)
    copied = command.nspawn(context.peers, context.shop, TRUE, "-x")
    if plain is None or copied is None:
        return
    copied.name = "nspawn -x"
    times = timed(context, "`true`, plain and with -x", [plain, copied], context.rounds(100, 25), 4)
    kind = context.shop.file_system()
    wanted = "≤ plain start + 5 ms"
    if len(times) < 2:
        context.report.goals.append(Goal(f"`-x` on {kind}", "failed", wanted, None))
        return
    more = times["nspawn -x"].median - times["nspawn"].median
    context.report.goals.append(Goal(f"`-x` on {kind}", f"+ {more:.2f} ms", wanted, more <= 5))


def parallel(context: Context) -> None:
    """200 on one tree that is read-only for all of them."""
    count = 200
    ours = command.nspawn(context.peers, context.shop, TRUE, "--read-only")
    competitors = [c for c in (ours and command.with_machine_names(ours),
                               command.bwrap(context.peers, context.shop, TRUE, read_only=True),
                               command.floor(context.peers, context.shop, TRUE)) if c is not None]
    samples: dict[str, list[float]] = {}
    for _ in range(context.rounds(5, 2)):
        for competitor in list(competitors):
            try:
                samples.setdefault(competitor.name, []).append(all_at_once(competitor, count))
            except RunFailed as error:
                context.report.notes.append(f"{count} at once: {error}")
                competitors.remove(competitor)
                samples.pop(competitor.name, None)
    times = {name: Times(values) for name, values in samples.items()}
    if times:
        context.report.tables.append(Table(f"{count} × `true` at once, in all", times))
    context.report.add_ratio(f"{count} containers at once", times, "nspawn", "bwrap", 0.9)


def boot(context: Context) -> None:
    programs = [c for c in (command.nspawn(context.peers, context.shop, [], "-b", "--notify-ready=yes"),
                            command.original(context.peers, context.shop, [], "-b", "--notify-ready=yes")) if c]
    times, failed = lifetimes.boot_times(programs, context.shop.path, context.rounds(5, 1))
    context.note_failures("boot", failed)
    if times:
        context.report.tables.append(Table("boot until the init reports READY=1", times))
    context.report.add_ratio("boot to multi-user.target", times, "nspawn", "systemd-nspawn", 0.8)


def memory(context: Context) -> None:
    words = ["/bin/sleep", "60"]
    programs = [c for c in (command.nspawn(context.peers, context.shop, words, "--read-only"),
                            command.original(context.peers, context.shop, words, "--read-only")) if c]
    used = {}
    for program in programs:
        named = command.with_machine_names(program)
        try:
            used[program.name] = lifetimes.supervisor_memory(named)
        except (RunFailed, OSError) as error:
            context.report.notes.append(f"memory: {program.name}: {error}")
    what, wanted = "private memory of the supervisor", "≤ 0.15× systemd-nspawn"
    if len(used) < 2:
        shown = ", ".join(f"{name} {size} kB" for name, size in used.items())
        context.report.goals.append(Goal(what, shown or "none", wanted, None))
        return
    ratio = used["nspawn"] / used["systemd-nspawn"]
    context.report.goals.append(Goal(what, f"{ratio:.2f}× ({used['nspawn']} kB and {used['systemd-nspawn']} kB)", wanted,
                                     ratio <= 0.15))


ALL = {
    "start": start, "spaced": spaced, "mounts": mounts, "private": private, "veth": veth, "version": version, "system-calls": system_calls,
    "libraries": libraries, "filter": filter_cost, "call-cost": call_cost, "boot": boot, "memory": memory,
    "parallel": parallel, "ephemeral": ephemeral,
    "template": trees.template, "chown": trees.chown, "snapshot": trees.snapshot, "image": trees.image,
    "ports": ports.ports, "stopping": networks.stopping, "zone": networks.zone, "throughput": networks.throughput,
}
