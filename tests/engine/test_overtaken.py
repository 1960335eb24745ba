"""Commits that landed, whose answer was lost, and from which others had gone on before anybody read again."""

import threading
from datetime import timedelta

import pytest

import active_workflow as aw
from active_workflow.errors import UnknownCommit
from active_workflow.store.memory import MemoryStore
from tests.semantics.until import until


class Overtaken(MemoryStore):
    """A store that applies one commit, lets others go on from there, and only then loses the answer."""

    def __init__(self):
        super().__init__()
        self.others = None

    def commit(self, changes):
        answers = super().commit(changes)
        if self.others is not None:
            act, self.others = self.others, None
            act()
            raise UnknownCommit("cut")
        return answers


class SideBySide(aw.Workflow):
    with aw.parallel():
        parcel = aw.task(lambda _: None, external=True, timeout="1h", no_undo="a test")
        approval = aw.wait_for_signal()
    last = aw.wait_for_signal("approval")


@pytest.fixture
def overtaken():
    """An execution, its engine, and a store whose answers can be lost."""
    engine = aw.Engine(Overtaken(), embedded=False)
    execution = engine.start(SideBySide, {})
    engine.run_until_idle()
    return execution, engine, engine.store


def test_a_signal_that_landed_and_was_overtaken_counts_once_and_says_so(overtaken):
    execution, engine, store = overtaken
    store.others = lambda: engine.signal(execution.id, "approval", 2)
    assert engine.signal(execution.id, "approval", 1) is True
    engine.complete_step(execution.id, "parcel")
    assert (execution.refresh().state, execution.ctx.approval, execution.ctx.last) == ("completed", 1, 2)


def test_a_signal_that_is_kept_and_whose_taking_overtook_it_says_so(overtaken):
    execution, engine, store = overtaken
    engine.signal(execution.id, "approval", 1)
    store.others = lambda: engine.complete_step(execution.id, "parcel")
    assert engine.signal(execution.id, "approval", 2) is True
    assert (execution.refresh().state, execution.ctx.last) == ("completed", 2)


def test_a_wait_is_extended_once_though_its_commit_was_overtaken(overtaken):
    execution, engine, store = overtaken
    ends = execution.refresh().steps["parcel"].timeout_at
    store.others = lambda: engine.signal(execution.id, "approval", 1)
    assert engine.extend_timeout(execution.id, "parcel", by="10m") is True
    assert execution.refresh().steps["parcel"].timeout_at - ends == timedelta(minutes=10)


def test_a_completion_that_was_overtaken_says_so(overtaken):
    execution, engine, store = overtaken
    store.others = lambda: engine.signal(execution.id, "approval", 1)
    assert engine.complete_step(execution.id, "parcel", "it is there", idempotency_key="k") is True
    assert engine.complete_step(execution.id, "parcel", "it is there", idempotency_key="k") is False


class Lost(Overtaken):
    """A store that loses one commit, after others have gone on."""

    def commit(self, changes):
        if self.others is None:
            return super().commit(changes)
        act, self.others = self.others, None
        act()
        raise UnknownCommit("cut")


@pytest.fixture
def lost():
    """An execution, its engine, and a store whose commits can be lost."""
    engine = aw.Engine(Lost(), embedded=False)
    execution = engine.start(SideBySide, {})
    engine.run_until_idle()
    return execution, engine, engine.store


class Belated(MemoryStore):
    """A store that loses the answer to one commit, which lands only when the next one comes."""

    def __init__(self):
        super().__init__()
        self.loses = False
        self.lost = None

    def commit(self, changes):
        if self.loses:
            self.loses, self.lost = False, changes
            raise UnknownCommit("cut")
        if self.lost is not None:
            lost, self.lost = self.lost, None
            super().commit(lost)
        return super().commit(changes)


def test_a_commit_that_lands_after_it_was_looked_for_counts_once_and_says_so():
    engine = aw.Engine(Belated(), embedded=False)
    execution = engine.start(SideBySide, {})
    engine.run_until_idle()
    engine.store.loses = True
    assert engine.signal(execution.id, "approval", 1) is True
    assert (execution.refresh().ctx.approval, execution.steps["last"].state) == (1, "pending")

    ends = execution.steps["parcel"].timeout_at
    engine.store.loses = True
    assert engine.extend_timeout(execution.id, "parcel", by="10m") is True
    assert execution.refresh().steps["parcel"].timeout_at - ends == timedelta(minutes=10)

    engine.store.loses = True
    assert engine.complete_step(execution.id, "parcel") is True
    assert execution.refresh().steps["last"].state == "waiting"


def test_a_signal_that_did_not_land_and_is_too_late_by_then_says_so(lost):
    execution, engine, store = lost
    store.others = lambda: engine.cancel(execution.id)
    assert engine.signal(execution.id, "approval", 1) is False


def test_what_another_has_sent_under_the_same_key_meanwhile_is_his(lost):
    execution, engine, store = lost
    store.others = lambda: engine.signal(execution.id, "approval", 1, idempotency_key="k")
    assert engine.signal(execution.id, "approval", 1, idempotency_key="k") is False
    store.others = lambda: engine.signal(execution.id, "approval", 2, idempotency_key="l")
    assert engine.signal(execution.id, "approval", 2, idempotency_key="l") is False


def test_observers_are_not_told_where_nobody_knows_who_was_first(lost, monkeypatch):
    execution, engine, store = lost
    told = []
    monkeypatch.setattr(engine._host.deliverer, "_on_recorded", told.extend)
    engine.signal(execution.id, "approval", 1)

    def sends_the_same_and_has_it_taken():
        assert engine.signal(execution.id, "approval", 2, idempotency_key="k") is True
        engine.complete_step(execution.id, "parcel")

    store.others = sends_the_same_and_has_it_taken
    assert engine.signal(execution.id, "approval", 2, idempotency_key="k") is True
    assert (execution.refresh().state, execution.ctx.last, len(told)) == ("completed", 2, 3)


class Large(MemoryStore):
    """A store that loses the answer of one large commit, once others have gone on from there."""

    def __init__(self):
        super().__init__()
        self.others = None

    def commit(self, changes):
        answers = super().commit(changes)
        if self.others is not None and threading.current_thread().name.endswith("-commits"):
            act, self.others = self.others, None
            act([change.id for change in changes])
            raise UnknownCommit("cut")
        return answers


def test_a_large_commit_that_was_overtaken_counts_once_and_so_does_what_overtook_it():
    store = Large()
    answers = {}

    def go_on(ids):
        answers.update((id, engine.signal(id, "approval", 1, idempotency_key="k")) for id in ids)

    with aw.Engine(store, embedded=False, concurrency=64) as engine:
        executions = engine.start_many(SideBySide, [{"n": n} for n in range(40)])
        store.others = go_on
        engine.start_worker()
        for it in executions:
            until(lambda it=it: it.refresh().steps["parcel"].state == "waiting")
            assert engine.complete_step(it.id, "parcel") is True
            assert engine.signal(it.id, "approval", 1, idempotency_key="k") is (it.id not in answers)
            assert engine.signal(it.id, "approval", 2, idempotency_key="l") is True
        assert {it.wait(20).state.value for it in executions} == {"completed"}
    assert len(answers) >= 16
    assert set(answers.values()) == {True}
    for it in executions:
        assert (it.ctx.approval, it.ctx.last, it.steps["parcel"].attempts) == (1, 2, 1)
