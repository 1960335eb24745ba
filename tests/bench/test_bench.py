"""The benchmark's own rules: a figure is measured or missing, never made up; one failure stops nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import measuring, sqlite_ratio, tables
from bench.results import Results, told
from bench.systems import SYSTEMS, System, at
from bench.targets import targets

BENCH = Path(measuring.__file__).parent
MACHINE = {
    "date": "2026-11-24",
    "cpu": "a processor",
    "cores": 2,
    "memory_gb": 24,
    "load": 0.1,
    "python": "3.11.7",
    "postgres": "18.6",
    "fdatasync_us": 140,
    "seconds": 5.0,
    "rounds": 3,
}


def result(system: str, workload: str, processes: int = 1, **figures: object) -> dict[str, object]:
    return {"system": system, "workload": workload, "processes": processes, "took_s": 1.0, **figures}


def wanted(lines: list[dict[str, object]]) -> dict[str, bool | None]:
    return {target.wanted: target.enough for target in targets(Results([MACHINE, *lines]))}


def test_a_ratio_needs_both_figures_of_the_same_run() -> None:
    ours = result("ours-postgres", "throughput", steps_per_s=13_000.0)
    for dbos, enough in (([], None), ([330.0], False), ([300.0], True)):
        lines = [ours, *[result("dbos", "throughput", steps_per_s=rate) for rate in dbos]]
        first, *_ = targets(Results([MACHINE, *lines]))
        assert first.enough is enough


def test_two_processes_are_judged_on_four_cores_only() -> None:
    lines = [result("ours-postgres", "throughput", count, steps_per_s=1000.0) for count in (1, 2)]
    assert not any(enough is not None for name, enough in wanted(lines).items() if name.startswith("two"))
    judged = list(targets(Results([{**MACHINE, "cores": 4}, *lines])))
    assert [target.enough for target in judged if target.wanted.startswith("two")] == [False]


def test_a_durable_peer_that_is_quicker_is_not_hidden_by_one_that_is_not_durable() -> None:
    lines = [result("ours-postgres", "latency", p50_ms=3.0), result("temporal-test", "latency", p50_ms=1.0)]
    name = "… and less than the quickest durable peer"
    assert wanted(lines)[name] is None
    assert wanted([*lines, result("restate", "latency", p50_ms=2.0)])[name] is False


def test_what_is_missing_is_told_with_its_reason_and_has_no_figure() -> None:
    lines = [MACHINE, result("restate", "throughput", missing="needs npm, which isn't here")]
    text = tables.everything(lines)
    assert "* restate, throughput: not measured, needs npm, which isn't here" in text
    assert "Restate |" not in text


def test_tables_have_a_row_for_each_measured_system_the_quickest_first() -> None:
    lines = [
        MACHINE,
        result("dbos", "throughput", steps_per_s=330.0, tuned="by hand"),
        result("ours-sqlite", "throughput", steps_per_s=14_000.0, tuned="not at all"),
        result("celery", "throughput", steps_per_s=99_000.0),
    ]
    text = tables.everything(lines)
    rows = [line.split(" | ")[:2] for line in tables.speed(Results(lines)).splitlines()[2:]]
    assert rows == [
        ["| active_workflow, SQLite", "14,000"],
        ["| DBOS, PostgreSQL", "330"],
        ["| Celery chain, Redis (not durable)", "99,000"],
    ]
    assert "* DBOS: by hand.\n" in text


def test_a_store_that_the_command_line_names_joins_the_tables() -> None:
    system = at("mariadb://127.0.0.1/bench")
    with system.server("latency") as url:
        assert url == "mariadb://127.0.0.1/bench"
    text = tables.speed(Results([MACHINE, result(system.name, "throughput", steps_per_s=5.0)]))
    assert "| active_workflow, mariadb | 5.0 |" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (12_345.6, "12,346"), (12.34, "12.3"), (0.1234, "0.12"), (0, "0")],
)
def test_figures_are_short(value: float | None, text: str) -> None:
    assert told(value) == text


def test_every_system_has_its_runner_and_pinned_packages() -> None:
    for system in SYSTEMS.values():
        assert (BENCH / "runners" / f"{system.runner}.py").exists()
        if system.peer is not None:
            lines = (BENCH / "requirements" / f"{system.peer}.txt").read_text().splitlines()
            assert all("==" in line for line in lines if not line.startswith("#"))


def test_a_runner_prints_one_line_of_json_for_its_workload(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.runners.ours", "--workload", "latency"]
    options = ["--url", f"sqlite:///{tmp_path}/bench.db", "--seconds", "0.2", "--rounds", "1"]
    made = subprocess.run([*command, *options], cwd=BENCH.parent, capture_output=True, text=True, check=True)
    [line] = made.stdout.splitlines()
    assert json.loads(line).keys() == {"p50_ms", "p99_ms", "samples", "python", "tuned"}


def test_a_runner_that_fails_leaves_a_line_that_says_why(tmp_path: Path) -> None:
    broken = System("broken", "broken", "ours", lambda _: at("nonsense://").server(_), [("latency", 1)])
    wish = measuring.Wish([broken], None, 0.1, 1)
    lines = measuring.measure(wish, tmp_path / "part.jsonl")
    assert lines[1]["missing"].startswith("fails: ")
    assert [json.loads(text) for text in (tmp_path / "part.jsonl").read_text().splitlines()] == lines


def test_an_unknown_name_is_refused_before_anything_is_measured() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "bench", "peers", "--only", "dboss"],
        cwd=BENCH.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 1
    assert "there is no dboss" in made.stderr


def test_the_ratios_on_sqlite_are_one_line() -> None:
    lines = [
        MACHINE,
        result("bare-sqlite", "throughput", steps_per_s=5_000.0),
        result("bare-sqlite", "latency", p50_ms=0.2, six_p50_ms=1.2),
        result("ours-sqlite", "throughput", steps_per_s=15_000.0),
        result("ours-sqlite", "latency", p50_ms=2.4, p99_ms=3.0),
    ]
    found = sqlite_ratio.figures(Results(lines))
    assert (found["throughput_ratio"], found["latency_ratio"]) == (3.0, 2.0)
    assert found["starts_per_s"] is None
