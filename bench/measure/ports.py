"""What publishing a port adds to a start with a veth."""
from .host import in_own_network
from .peers import nspawn, original
from .report import Goal, Table
from .timing import Competitor, Times, interleave

TRUE = ["/bin/true"]


def ports(context) -> None:
    title = "`true` with `-n`, and with `-n -p 8080:80`"
    competitors = []
    for build in (nspawn, original):
        for suffix, options in ((" -n", ["-n"]), (" -n -p", ["-n", "-p", "8080:80"])):
            made = build(context.peers, context.shop, TRUE, *options)
            if made is not None:
                competitors.append(Competitor(made.name + suffix, made.argv))

    def measure() -> object:
        times, failed = interleave(competitors, context.rounds(200, 30), context.rounds(12, 3))
        return [{name: t.samples for name, t in times.items()}, failed]

    samples, failed = in_own_network(measure)
    context.note_failures(title, failed)
    times = {name: Times(values) for name, values in samples.items()}
    context.report.tables.append(Table(title, times))
    what, wanted = "what `--port` adds to a start", "≤ 0.40× systemd-nspawn"
    needed = [f"{name}{suffix}" for name in ("nspawn", "systemd-nspawn") for suffix in (" -n", " -n -p")]
    if any(name not in times for name in needed):
        context.report.goals.append(Goal(what, "no figure for " + ", ".join(set(needed) - set(times)), wanted, None))
        return
    ours, theirs = (times[f"{name} -n -p"].median - times[f"{name} -n"].median for name in ("nspawn", "systemd-nspawn"))
    ratio = ours / theirs if theirs > 0 else float("inf")
    context.report.goals.append(Goal(what, f"{ratio:.2f}× ({ours:.1f} and {theirs:.1f} ms)", wanted, ratio <= 0.4))
