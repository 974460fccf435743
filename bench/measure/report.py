"""What was measured, as Markdown."""
from dataclasses import dataclass, field

from .timing import Times


@dataclass
class Goal:
    """One line of the list of goals. `met` is None where it could not be measured."""
    what: str
    measured: str
    wanted: str
    met: bool | None


@dataclass
class Table:
    """Milliseconds of all competitors in one situation."""
    title: str
    times: dict[str, Times]


@dataclass
class Report:
    setting: list[str]
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_ratio(self, what: str, times: dict[str, Times], of: str, to: str, at_most: float,
                  shown: str | None = None) -> None:
        """A goal of the form: median of `of` ≤ at_most × median of `to`."""
        wanted = f"≤ {shown or f'{at_most:.2f}'}× {to}"
        if of not in times or to not in times:
            missing = ", ".join(name for name in (of, to) if name not in times)
            self.goals.append(Goal(what, f"no figure for {missing}", wanted, None))
            return
        ratio = times[of].median / times[to].median
        least = times[of].minimum / times[to].minimum
        self.goals.append(Goal(what, f"{ratio:.3g}× (of minima {least:.3g}×)", wanted, ratio <= at_most))

    def markdown(self) -> str:
        verdict = {True: "yes", False: "**no**", None: "–"}
        lines = ["# What was measured", "", *(f"- {line}" for line in self.setting), "",
                 "| Goal | Measured | Wanted | Met |", "|---|---|---|---|"]
        lines += [f"| {g.what} | {g.measured} | {g.wanted} | {verdict[g.met]} |" for g in self.goals]
        if self.tables:
            lines += ["", "Milliseconds, median (minimum), of runs in turns:", "", *self.times_table()]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def times_table(self) -> list[str]:
        names = list(dict.fromkeys(name for table in self.tables for name in table.times))
        lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for table in self.tables:
            cells = [f"{t.median:.2f} ({t.minimum:.2f})" if (t := table.times.get(name)) else "" for name in names]
            lines.append(f"| {table.title} | " + " | ".join(cells) + " |")
        return lines
