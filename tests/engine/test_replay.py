"""replay: what the code of this process would do with executions in flight, told without doing it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.core.states import State
from active_workflow.dsl import registry
from active_workflow.engine.replaying import replay as module
from active_workflow.engine.replaying.findings import KINDS
from active_workflow.store import MemoryStore, SqliteStore
from active_workflow.store.base import ClaimRequest, Lease
from active_workflow.testing import replay


def nothing(ctx: Any) -> None: ...


@pytest.fixture
def engine() -> Iterator[aw.Engine]:
    with aw.Engine(MemoryStore(), embedded=False) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    for key in [key for key in registry._programs if key[0] == "Deployed"]:
        del registry._programs[key]


Deploy = Callable[..., list[tuple[str, str, int]]]


@pytest.fixture
def deploy(engine: aw.Engine) -> Deploy:
    """Run an execution of one body as far as it goes; tell what another body would make of it."""

    def deploy(old: dict[str, Any], new: dict[str, Any], **more: Any) -> list[tuple[str, str, int]]:
        define(old)
        engine.start("Deployed", {})
        engine.run_until_idle()
        define(new)
        return told(engine, **more)

    return deploy


def define(body: dict[str, Any]) -> type[aw.Workflow[Any]]:
    keywords = {key: body[key] for key in body if key in {"timeout", "version", "ctx"}}
    steps = {key: make() for key, make in body.items() if key not in keywords}
    kind: type[aw.Workflow[Any]] = type(
        "Deployed", (aw.Workflow,), {"__qualname__": "<locals>.Deployed", **steps}, **keywords
    )
    return kind


def told(engine: aw.Engine, **more: Any) -> list[tuple[str, str, int]]:
    found = replay(engine.store, **more)
    assert all(len(group.examples) == min(3, group.count) for group in found.groups)
    return [(group.finding.id, group.finding.step, group.count) for group in found.groups]


def call(**options: Any) -> Callable[[], Any]:
    return lambda: aw.task(nothing, **options)


def wait(**options: Any) -> Callable[[], Any]:
    return lambda: aw.wait_for_signal(**options)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"go": wait(), "b": call()}, {"go": wait(), "b": call()}, []),
        ({"go": wait(), "b": call()}, {"go": wait(), "c": call()}, [("AW202", "b", 1), ("AW211", "c", 1)]),
        ({"a": call(), "go": wait(), "b": call()}, {"go": wait(), "b": call()}, []),
        ({"a": call(compensate=nothing), "go": wait()}, {"go": wait()}, [("AW202", "a", 1)]),
        ({"a": call(compensate=nothing), "go": wait()}, {"a": call(), "go": wait()}, [("AW204", "a", 1)]),
        ({"go": wait(), "b": call(verify=nothing)}, {"go": wait(), "b": call()},
         [("AW205", "b", 1), ("AW213", "b", 1)]),
        ({"go": wait(), "b": wait(when=nothing)}, {"go": wait(), "b": wait()},
         [("AW206", "b", 1), ("AW213", "b", 1)]),
        ({"go": wait(), "b": call()}, {"go": wait(), "b": wait()}, [("AW203", "b", 1), ("AW213", "b", 1)]),
        ({"go": wait(), "b": call()}, {"go": wait(), "b": call(compensate=nothing)}, [("AW212", "b", 1)]),
        ({"go": wait(), "b": call()}, {"go": wait(), "b": call(retry=3, timeout=9), "timeout": 9},
         [("AW213", "b", 1), ("AW213", "", 1)]),
        ({"a": call(fire_and_forget=True), "go": wait()}, {"a": call(fire_and_forget=True), "go": wait()},
         []),
    ],
)  # fmt: skip
def test_what_a_deploy_would_do(deploy: Deploy, old: Any, new: Any, found: Any) -> None:
    assert deploy(old, new) == found


def test_it_says_what_the_worker_then_does(deploy: Deploy, engine: aw.Engine) -> None:
    deploy({"go": wait(), "b": call()}, {"go": wait(), "c": call()})
    [execution] = engine.find()
    [group, _] = replay(engine.store).groups
    execution.signal("go")
    engine.run_until_idle()
    assert execution.refresh().state == "blocked"
    assert execution.blocked_reason == group.finding.problem
    define({"go": wait(), "b": call()})
    assert replay(engine.store).unblocked == 1
    define({"go": wait(), "c": call()})
    assert replay(engine.store).unblocked == 0


def test_a_workflow_without_code(deploy: Deploy, engine: aw.Engine) -> None:
    deploy({"go": wait()}, {"go": wait()})
    registry._programs.pop(("Deployed", 1))
    assert told(engine) == [("AW201", "", 1)]


def test_executions_that_are_over_are_nobodys_business(deploy: Deploy) -> None:
    assert deploy({"a": call()}, {"b": call()}) == []


def test_queues_that_nobody_serves(deploy: Deploy) -> None:
    flow = {"go": wait(), "b": call(queue="slow"), "c": call()}
    assert deploy(flow, flow, queues=["default"]) == [("AW207", "b", 1)]
    assert deploy(flow, flow, queues=["default", "slow"]) == []


def test_ignoring(deploy: Deploy, engine: aw.Engine) -> None:
    new = {"go": wait(), "b": call(), "c": call()}
    found = [("AW211", "b", 1), ("AW211", "c", 1)]
    assert deploy({"go": wait()}, new) == found
    assert not replay(engine.store).clean
    assert told(engine, ignore=["AW211:Deployed.b"]) == found[1:]
    assert told(engine, ignore=["AW211:Deployed"]) == told(engine, ignore=["AW211"]) == []
    assert replay(engine.store, ignore=["AW211"]).clean
    with pytest.raises(ValueError, match="there is no finding 'AW101'"):
        replay(engine.store, ignore=["AW101"])


@dataclass
class Small:
    n: int = 0


@dataclass
class Large:
    n: str = ""


def test_a_ctx_type_that_does_not_take_what_is_stored(engine: aw.Engine) -> None:
    define({"go": wait(), "b": call(), "ctx": Small})
    for n in range(4):
        engine.start("Deployed", {"n": n})
    engine.run_until_idle()
    assert replay(engine.store).groups == []
    define({"go": wait(), "b": call(), "ctx": Large})
    [group] = replay(engine.store).groups
    assert (group.finding.id, group.count, len(group.examples)) == ("AW208", 4, 3)
    assert group.finding.told.startswith("its stored ctx can't be read: ContextError: ")


def test_a_step_of_unknown_outcome_runs_again_once_its_lease_is_over(engine: aw.Engine) -> None:
    define({"a": call()})
    engine.start("Deployed", {})
    [x] = engine.store.claim(ClaimRequest("w1", 1, 60_000_000)).executions
    from active_workflow.core.change import change_between  # noqa: PLC0415
    from active_workflow.core.events import Started  # noqa: PLC0415
    from active_workflow.core.machine import apply  # noqa: PLC0415

    engine.store.commit([change_between(x, apply(x, Started("a"), x.run_at), owned=True)])
    assert told(engine) == []
    engine.store.renew([Lease(x.id, x.token)], -1)
    assert told(engine) == [("AW221", "a", 1)]
    assert not replay(engine.store).clean


def test_it_pages_through_the_store(engine: aw.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    define({"go": wait(), "b": call()})
    engine.start_many("Deployed", [{}] * 5)
    engine.run_until_idle()
    define({"go": wait()})
    counts: list[int] = []
    found = module.replay(engine.store, engine.serializer, progress=counts.append)
    assert (found.checked, counts) == (5, [2, 4])
    assert [(group.count, group.finding.step) for group in found.groups] == [(5, "b")]


def test_it_changes_nothing(tmp_path: Path) -> None:
    def bytes_of(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    path = tmp_path / "store.db"
    define({"go": wait(), "b": call()})
    with aw.Engine(SqliteStore(path), embedded=False) as engine:
        engine.start_many("Deployed", [{}] * 3)
        engine.run_until_idle()
        before = [(x.id, x.revision, x.token) for x in engine.store.load([x.id for x in engine.find()])]
    stored = bytes_of(tmp_path)
    define({"go": wait(), "c": call()})
    assert replay(f"sqlite:///{path}").checked == 3
    assert bytes_of(tmp_path) == stored
    with aw.Engine(SqliteStore(path), embedded=False) as engine:
        after = engine.store.load([id for id, _, _ in before])
        assert [(x.id, x.revision, x.token) for x in after] == before
        assert {x.state for x in after} == {State.WAITING}


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(aw.StoreError, match="no such store"):
        replay(f"sqlite:///{tmp_path}/typo.db")
    (tmp_path / "other.db").write_bytes(b"")
    with pytest.raises(aw.StoreError, match="no tables of ours: run `active-workflow migrate`"):
        replay(f"sqlite:///{tmp_path}/other.db")
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]
    assert (tmp_path / "other.db").stat().st_size == 0


def test_every_finding_is_told_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/deploy-safely.md").read_text()
    assert [id for id in KINDS if f"| {id} |" not in page] == []
