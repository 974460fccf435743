"""The command: finds the programs, runs the scenarios, prints and keeps the report."""
import argparse
import os
import pathlib
import subprocess
import sys
import time

from . import host, scenarios
from .peers import Peers
from .report import Report

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("floor", "empty", "syscall_cost", "default_filter", "filter_benchmark", "shift_owners")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure nspawn against its peers.")
    parser.add_argument("nspawn", nargs="?", type=pathlib.Path, help="the program to measure (default: of --build)")
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build/release", help="build directory")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: below a minute instead of below five")
    parser.add_argument("--only", metavar="NAME,…", help="only these: " + ", ".join(scenarios.ALL))
    parser.add_argument("--busy", action="store_true",
                        help="run everything at real-time priority: for a machine on which others work meanwhile")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--output", type=pathlib.Path, default=SOURCE / "bench/results.md",
                        help="file for the report (default: bench/results.md; only written by full runs)")
    return parser.parse_args()


def find_programs(build: pathlib.Path) -> dict[str, pathlib.Path]:
    found = {}
    for name in PROGRAMS:
        for candidate in [build / "bench" / name, *build.glob(f"*/{name}"), *build.glob(f"*/*/{name}")]:
            if candidate.is_file() and os.access(candidate, os.X_OK):
                found[name] = candidate
                break
    return found


def chosen_scenarios(only: str | None) -> list[str]:
    if only is None:
        return list(scenarios.ALL)
    names = only.split(",")
    unknown = [name for name in names if name not in scenarios.ALL]
    if unknown:
        raise SystemExit(f"bench: no such measurement: {', '.join(unknown)}; there are {', '.join(scenarios.ALL)}")
    return names


def run(options: argparse.Namespace, names: list[str]) -> Report:
    programs = find_programs(options.build)
    nspawn = (options.nspawn or options.build / "src/programs/nspawn").absolute()
    peers = Peers.find(nspawn, programs.get("floor"))
    report = Report([*host.description(), *peers.versions()])
    report.notes += [f"{name} takes no part: {reason}" for name, reason in peers.absent.items()]
    with host.Workshop(host.find_tree(SOURCE), programs) as shop:
        report.setting.append(f"a debootstrapped Debian tree on {shop.file_system()}")
        if "default_filter" in programs:
            subprocess.run([str(programs["default_filter"]), str(shop.path / "filter.bpf")], check=True)
        else:
            report.notes.append("default_filter is not built: the floor and bwrap start without a filter")
        context = scenarios.Context(peers, shop, programs, options.quick, report)
        for name in names:
            start = time.monotonic()
            scenarios.ALL[name](context)
            print(f"bench: {name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return report


def main() -> int:
    options = arguments()
    names = chosen_scenarios(options.only)
    if os.geteuid() != 0:
        print("bench: containers with the default options need root; run it with sudo", file=sys.stderr)
        return 1
    host.enter_private_namespace()
    if options.busy:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    report = run(options, names)
    if options.busy:
        report.notes.append("everything ran at real-time priority")
    text = report.markdown()
    print(text)
    if options.only is None and not options.quick:
        options.output.write_text(text)
    return 1 if options.check and any(goal.met is False for goal in report.goals) else 0
