"""The results as tables in Markdown: on the terminal, and in the docs."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from bench import measuring
from bench.results import Line, Results, told
from bench.systems import LIMITS, SYSTEMS, System, at
from bench.targets import targets

Column = tuple[str, Callable[[Results, str], str]]
NOTE_KEYLESS = "¹"


def everything(lines: list[Line]) -> str:
    """Give all that a run says."""
    results = Results(lines)
    if not results.machine:
        return "Nothing has been measured yet: `make bench ARGS=peers`.\n"
    parts = [where, speed, waiting, limits, polls, wanted, tuned, lacking, spent]
    return "\n".join(text for part in parts if (text := part(results)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [" | ".join(head), "|".join("---" for _ in head), *[" | ".join(row) for row in rows]]
    return "".join(f"| {line} |\n" if place != 1 else f"|{line}|\n" for place, line in enumerate(lines))


def figure(workload: str, name: str, processes: int = 1) -> Callable[[Results, str], str]:
    """Give what fills a column: one figure of each system."""
    return lambda results, system: told(results.figure(system, workload, name, processes))


def both(workload: str, first: str, second: str) -> Callable[[Results, str], str]:
    """Give what fills a column with two figures of each system."""

    def fill(results: Results, system: str) -> str:
        line = results.of(system, workload)
        return "–" if line is None else f"{told(line[first])} / {told(line[second])}"

    return fill


def starts(results: Results, system: str) -> str:
    """Tell how many a second are started, with a mark where they have no keys."""
    line = results.of(system, "start")
    if line is None:
        return "–"
    return told(line["starts_per_s"]) if line["keyed"] else f"{told(line['starts_per_s'])} {NOTE_KEYLESS}"


SPEED: Sequence[Column] = (
    ("steps/s", figure("throughput", "steps_per_s")),
    ("… two processes", figure("throughput", "steps_per_s", 2)),
    ("worker's CPU a step, µs", figure("throughput", "worker_cpu_us_per_step")),
    ("starts/s", starts),
    ("one workflow, p50 / p99 ms", both("latency", "p50_ms", "p99_ms")),
    ("commits a workflow", figure("throughput", "commits_per_workflow")),
    ("bytes a workflow", figure("throughput", "bytes_per_workflow")),
)
WAITING: Sequence[Column] = (
    ("signals sent/s", figure("park", "signals_per_s")),
    ("completed/s", figure("park", "completed_per_s")),
    ("one resumes, p50 / p99 ms", both("park", "resume_p50_ms", "resume_p99_ms")),
    ("statements/s of an idle worker", figure("idle", "idle_statements_per_s")),
    ("its CPU, %", figure("idle", "idle_cpu_percent")),
)


def where(results: Results) -> str:
    """Tell where and when it ran."""
    at = results.machine
    return (
        f"{at['date']}, {at['cores']} cores of {at['cpu'] or 'an unnamed processor'}, {at['memory_gb']} GB;"
        f" `fdatasync` of 8 kB {disk(results)}; load {at['load']} at the begin; Python {at['python']},"
        f" PostgreSQL {at['postgres']}. Rounds of {told(at['seconds'])} s after warm-up,"
        f" medians of {at['rounds']}.\n"
    )


def disk(results: Results) -> str:
    """Tell how quick the disk was, over the whole run."""
    times = [line["fdatasync_us"] for line in results.lines if "fdatasync_us" in line]
    times += [results.end["fdatasync_us_after"]] if results.end else []
    middle = f"{statistics.median(times):.0f} µs"
    return f"{middle} ({min(times)} to {max(times)} during the run)" if len(times) > 1 else middle


def measured(results: Results, *, durable: bool) -> list[System]:
    """Give the systems that have figures, the quickest first."""
    names = [line["system"] for line in results.lines if "workload" in line and "missing" not in line]
    systems = [system_of(name) for name in dict.fromkeys(names)]
    mine = [system for system in systems if system not in LIMITS and system.durable is durable]
    return sorted(mine, key=lambda one: -(results.figure(one.name, "throughput", "steps_per_s") or 0))


def system_of(name: str) -> System:
    """Give a system by its name; this library on a store that the command line named is in no list."""
    return SYSTEMS.get(name) or at(f"{name.removeprefix('ours-')}://")


def rows(results: Results, columns: Sequence[Column]) -> list[list[str]]:
    """Give a row for each system that has any figure for these columns."""
    found = []
    for durable in (True, False):
        for system in measured(results, durable=durable):
            filled = [fill(results, system.name) for _, fill in columns]
            if any(text != "–" for text in filled):
                found.append([system.label + ("" if durable else " (not durable)"), *filled])
    return found


def speed(results: Results) -> str:
    """Compare the systems at work."""
    found = rows(results, SPEED)
    made = table(["five no-op steps", *[name for name, _ in SPEED]], found) if found else ""
    return made + (
        f"\n{NOTE_KEYLESS} without idempotency keys: there are none.\n" if NOTE_KEYLESS in made else ""
    )


def waiting(results: Results) -> str:
    """Compare the systems at waiting."""
    found = rows(results, WAITING)
    return table(["1,000 parked workflows", *[name for name, _ in WAITING]], found) if found else ""


def limits(results: Results) -> str:
    """Tell what the machine can do."""
    found = []
    for system in LIMITS:
        for workload, processes in system.measures:
            line = results.of(system.name, workload, processes)
            if workload == "throughput" and line:
                clients = f", clients: {processes}" if system.name == "pgbench" else ""
                times = [results.figure(system.name, "latency", name) for name in ("p50_ms", "six_p50_ms")]
                figures = [line["steps_per_s"], *times]
                found.append([system.label + clients, *[told(value) for value in figures]])
    head = ["one commit a step", "steps/s", "one commit, p50 ms", "six of them, ms"]
    return table(head, found) if found else ""


def polls(results: Results) -> str:
    """Tell what the question for work costs."""
    found = []
    for name in SYSTEMS:
        if line := results.of(name, "poll"):
            names = ("empty_p50_ms", "empty_p99_ms", "full_p50_ms", "full_p99_ms")
            found.append([SYSTEMS[name].label, *[told(line[figure]) for figure in names]])
    full = "1,000,000 finished and 1,000,000 waiting"
    head = ["one poll that finds nothing, ms", "empty tables, p50", "p99", f"{full}, p50", "p99"]
    return table(head, found) if found else ""


def wanted(results: Results) -> str:
    """Tell which targets are met."""
    return table(["wanted", "measured", "met"], [one.row() for one in targets(results)])


def tuned(results: Results) -> str:
    """Tell what was done for each system's sake."""
    said: dict[str, str] = {}
    for line in results.lines:
        if "tuned" in line:
            said.setdefault(line["tuned"], system_of(line["system"]).label.partition(",")[0])
    return "".join(f"* {label}: {text}.\n" for text, label in said.items())


def lacking(results: Results) -> str:
    """Tell what could not be measured, and why."""
    found = [
        f"* {line['system']}, {line.get('workload', 'all')}: not measured, {line['missing']}\n"
        for line in results.missing()
    ]
    return "".join(found)


def spent(results: Results) -> str:
    """Tell how long each part took."""
    took: dict[str, float] = {}
    for line in results.lines:
        if "system" in line:
            took[line["system"]] = took.get(line["system"], 0) + line.get("took_s", 0)
    whole = results.end.get("took_s")
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items())
    return f"Time taken: {parts}{f'; in all {whole / 60:.0f} min' if whole else ''}.\n"


def page() -> str:
    """Give what the page of the docs has of the last whole run."""
    return everything(measuring.read("peers"))
