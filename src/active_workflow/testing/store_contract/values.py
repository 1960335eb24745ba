# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules about what is stored: any text comes back as it went in, whatever is in it."""

from typing import Any

import pytest

from active_workflow.errors import DataRejected
from active_workflow.store.base import NewExecution, Query, Store
from active_workflow.store.serializer import JsonSerializer
from active_workflow.testing.store_contract.base import Rules, claim, insert, lease_of
from active_workflow.testing.store_contract.builders import (
    completed,
    execution,
    make_plan,
    owned,
    retried,
    started,
)

TEXTS = [
    "",
    "a",
    'Ada\'s "50 %" \\ %s {} $1 :x ?',
    "é ß 漢字 😀 \u200b \ufeff",
    "\x01\x1f\x7f\r\n\t",
    "\\u0000",
    "null",
]


class ValueRules(Rules):
    """Rules about values."""

    @pytest.mark.parametrize("text", TEXTS)
    def test_unusual_text_anywhere(self, store: Store, text: str) -> None:
        value = JsonSerializer().dump(text)
        new = execution("x1", input={f"k{text}": value}, tags={text: text}, key=text, input_hash=text)
        store.insert([NewExecution(new, due_at=0)])
        assert store.load(["x1"]) == [new]
        claim(store)
        [it] = store.load(["x1"])
        after = completed(started(it, "reserve"), "reserve", {text: value, f"k{text}": None}, result=value)
        change = owned(it, after)
        store.commit([change])
        assert store.load(["x1"]) == [change.after]

    @pytest.mark.parametrize("id", ["it's", "a/b c?&#", "😀", "%", "x" * 200])
    def test_unusual_ids(self, store: Store, id: str) -> None:
        insert(store, id)
        assert claim(store) == [id]
        assert list(store.states([id])) == [id]

    def test_names_are_compared_as_bytes(self, store: Store) -> None:
        names = ["x", "X", "x ", "\u00e9", "e\u0301", "\u00df", "ss"]
        store.insert(
            [
                NewExecution(
                    execution(id, plan=make_plan(id, queue=id), parent_id=id, tags={id: id, "t": id}),
                    due_at=0,
                )
                for id in names
            ]
        )
        for id in names:
            for query in (
                Query(workflow=id),
                Query(parent_id=id),
                Query(tags={id: id}),
                Query(tags={"t": id}),
            ):
                assert [it.id for it in store.find(query)] == [id]
            assert [it.id for it in store.load([id])] == [id]
            assert list(store.states([id])) == [id]
            assert claim(store, queues=[id]) == [id]
        found = store.load(names)
        store.commit([owned(found[1], started(found[1], "reserve"))])
        assert [it.revision for it in store.load(names)] == [1, 2, *[1] * (len(names) - 2)]
        store.release([lease_of(store, "x")], {"x": 0})
        assert claim(store, workflows=["X"]) == []
        assert claim(store, workflows=["x"]) == ["x"]

    @pytest.mark.parametrize("text", ["a\0b", "\ud800"])
    @pytest.mark.parametrize("field", ["id", "parent_id", "input_hash", "tag", "tag's value", "input's key"])
    def test_text_that_is_none_is_kept_or_refused_whole(self, store: Store, text: str, field: str) -> None:
        fields: dict[str, Any] = {
            "tag": {"tags": {text: "a"}},
            "tag's value": {"tags": {"a": text}},
            "input's key": {"input": {text: "1"}},
        }
        new = execution(**{"id": "x2", **fields.get(field, {field: text})})
        try:
            store.insert([NewExecution(execution("x1")), NewExecution(new)])
        except DataRejected:
            assert list(store.load(["x1", "x2"])) == []
        else:
            assert store.load([new.id]) == [new]

    def test_a_megabyte(self, store: Store) -> None:
        big = JsonSerializer().dump("é" * 500_000 + "x" * 500_000)
        new = execution("x1", input={"big": big})
        store.insert([NewExecution(new, due_at=0)])
        claim(store)
        [it] = store.load(["x1"])
        change = owned(it, completed(started(it, "reserve"), "reserve", {"more": big}, result=big))
        store.commit([change])
        assert store.load(["x1"]) == [change.after]

    def test_a_deleted_key_differs_from_null(self, store: Store) -> None:
        insert(store, "x1", input={"a": "1", "b": "1"})
        claim(store)
        [it] = store.load(["x1"])
        store.commit([owned(it, completed(started(it, "reserve"), "reserve", {"a": None, "b": "null"}))])
        [after] = store.load(["x1"])
        assert (after.ctx, after.step("reserve").patch) == ({"b": "null"}, {"a": None, "b": "null"})

    def test_errors_are_kept_whatever_they_say(self, store: Store) -> None:
        insert(store, "x1")
        claim(store)
        [it] = store.load(["x1"])
        change = owned(it, retried(it, "reserve"))
        assert store.commit([change])[0].verdict == "applied"
        assert store.load(["x1"]) == [change.after]

    @pytest.mark.parametrize("key", ["a\0b", "\ud800"])
    def test_a_key_that_is_no_text_is_refused(self, store: Store, key: str) -> None:
        with pytest.raises(DataRejected):
            store.insert([NewExecution(execution("x1", key=key))])
        assert list(store.load(["x1"])) == []

    def test_big_numbers(self, store: Store) -> None:
        insert(store, "x1", created_at=2**53 + 1, run_at=2**62, seq=2**40)
        [it] = store.load(["x1"])
        assert (it.created_at, it.run_at, it.seq) == (2**53 + 1, 2**62, 2**40)
