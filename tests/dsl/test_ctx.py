"""ctx without a type."""

import json
from typing import Any

import pytest

from active_workflow.dsl import Ctx
from active_workflow.dsl.context import SNAPSHOT, OpenCtx
from active_workflow.dsl.current import StepInfo
from active_workflow.errors import ContextError, MissingKey, ReadOnlyError, SerializationError

INFO = StepInfo("e1", "charge", 2)


class Json:
    """A serializer that counts."""

    def __init__(self) -> None:
        self.dumped: list[Any] = []
        self.loaded: list[str] = []

    def dump(self, value: Any, /) -> str:
        self.dumped.append(value)
        return json.dumps(value)

    def load(self, text: str, /) -> Any:
        self.loaded.append(text)
        return json.loads(text)


def opened(**values: Any) -> OpenCtx:
    return OpenCtx({key: json.dumps(value) for key, value in values.items()}, INFO, Json())


def test_ctx_is_a_mapping_with_attribute_access() -> None:
    ctx = opened(order_id=42, cart={"qty": 1}).view
    assert (ctx.order_id, ctx["order_id"], ctx.cart["qty"], ctx.get("nothing", 7)) == (42, 42, 1, 7)
    ctx.total = 9
    ctx["note"] = None
    del ctx.order_id
    assert dict(ctx) == {"cart": {"qty": 1}, "total": 9, "note": None}
    assert (list(ctx), len(ctx), "order_id" in ctx, "note" in ctx) == (
        ["cart", "total", "note"],
        3,
        False,
        True,
    )
    assert ctx == {"cart": {"qty": 1}, "total": 9, "note": None}
    assert repr(ctx) == "Ctx({'cart': {'qty': 1}, 'total': 9, 'note': None})"
    assert {**ctx} == ctx
    assert ctx != 3


def test_the_engine_s_names_are_there_and_read_only() -> None:
    ctx = opened().view
    assert (ctx.execution_id, ctx.step_name, ctx.step_key, ctx.attempt) == ("e1", "charge", "e1:charge", 2)
    for name in ("execution_id", "step_name", "step_key", "attempt"):
        with pytest.raises(ReadOnlyError, match="engine's own name"):
            setattr(ctx, name, 1)
        with pytest.raises(ContextError, match="engine's own name"):
            ctx[name] = 1
        assert name not in ctx


def test_only_what_may_have_changed_is_encoded_again() -> None:
    ctx = opened(a=1, b=[1], c={"q": 1}, d="text", e=[2], f=3)
    view = ctx.view
    assert (view.a, view.d) == (1, "text")
    view.c["q"] = 2
    view.b.append(2)
    assert view.e == [2]
    view.f = 3
    del view.a
    view.g = True
    serializer = ctx.serializer
    assert isinstance(serializer, Json)
    assert ctx.patch() == {"c": '{"q": 2}', "b": "[1, 2]", "g": "true", "a": None}
    assert 1 not in serializer.dumped[:0]
    assert "text" not in serializer.dumped


def test_an_untouched_ctx_is_neither_decoded_nor_encoded() -> None:
    ctx = opened(a=1, b=[2])
    assert ctx.patch() == {}
    assert isinstance(ctx.serializer, Json)
    assert (ctx.serializer.loaded, ctx.serializer.dumped) == ([], [])


def test_deleting_and_setting_cancel_out() -> None:
    ctx = opened(a=1)
    view = ctx.view
    del view["a"]
    view.a = 1
    view.new = 1
    del view.new
    assert ctx.patch() == {}
    assert dict(view) == {"a": 1}
    with pytest.raises(MissingKey):
        del view.new


def test_a_missing_key_lists_those_there_are_and_the_nearest() -> None:
    view = opened(order_id=1, total=2).view
    for look in (lambda: view.order_ids, lambda: view["order_ids"]):
        with pytest.raises(MissingKey) as raised:
            look()
        assert (
            str(raised.value)
            == "ctx has no key 'order_ids' (did you mean \"order_id\"?); it has order_id, total"
        )
        assert isinstance(raised.value, AttributeError)
        assert isinstance(raised.value, KeyError)
    assert not hasattr(view, "nothing")
    with pytest.raises(MissingKey, match="it has none"):
        opened().view.x
    with pytest.raises(MissingKey):
        del view["x"]


def test_items_is_the_user_s_key_if_there_is_one() -> None:
    assert opened(items=[1, 2]).view.items == [1, 2]
    ctx = opened(a=1)
    assert list(ctx.view.items()) == [("a", 1)]
    ctx.view.items = [3]
    assert ctx.view.items == [3]
    assert dict(ctx.view) == {"a": 1, "items": [3]}
    assert ctx.view == {"a": 1, "items": [3]}


def test_other_methods_of_ctx_are_not_hidden_by_accident() -> None:
    view = opened(values=[1]).view
    assert list(view.values()) == [[1]]
    with pytest.raises(ReadOnlyError, match=r'write ctx\["values"\]'):
        view.values = [2]
    view["values"] = [2]
    assert view["values"] == [2]


def test_the_mapping_s_methods_work() -> None:
    ctx = opened(a=1, b=2)
    view = ctx.view
    view.update(c=3)
    assert view.pop("a") == 1
    assert view.setdefault("d", 4) == 4
    assert ctx.patch() == {"c": "3", "d": "4", "a": None}
    view.clear()
    assert (dict(view), ctx.patch()) == ({}, {"a": None, "b": None})


def test_what_a_step_returns_is_merged() -> None:
    ctx = opened(a=1)
    ctx.merge({"a": 2, "b": {"c": 3}})
    assert ctx.patch() == {"a": "2", "b": '{"c": 3}'}
    with pytest.raises(ContextError, match="engine's own name"):
        ctx.merge({"attempt": 1})
    with pytest.raises(SerializationError, match="a key must be text, not int") as raised:
        ctx.merge({3: 1})
    assert raised.value.path == "[3]"


def test_writing_after_the_step_has_ended_raises() -> None:
    ctx = opened(a=1)
    view = ctx.view
    ctx.close()
    for write in (lambda: setattr(view, "b", 1), lambda: view.update(a=2), lambda: view.pop("a")):
        with pytest.raises(ReadOnlyError, match=r"ctx\.\w can't be changed: the step has ended"):
            write()
    assert view.a == 1


def test_a_recorded_ctx_can_only_be_read() -> None:
    view = OpenCtx({"a": "1"}, None, Json(), SNAPSHOT).view
    assert (view.a, view) == (1, {"a": 1})
    with pytest.raises(ReadOnlyError, match="only shows what was recorded"):
        view.a = 2
    assert not hasattr(view, "attempt")


class Picky(Json):
    def dump(self, value: Any, /) -> str:
        if value == "path":
            raise SerializationError("set values aren't possible", "lines[2].price")
        if value == "index":
            raise SerializationError("NaN is no number", "[0]")
        return super().dump(value)


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ("path", "cart.lines[2].price", "set values aren't possible"),
        ("index", "cart[0]", "NaN is no number"),
        ({1, 2}, "cart", "not JSON serializable"),
    ],
)
def test_a_value_that_can_t_be_stored_says_where_it_is(value: object, path: str, says: str) -> None:
    ctx = OpenCtx({}, INFO, Picky())
    ctx.view.cart = value
    with pytest.raises(SerializationError, match=says) as raised:
        ctx.patch()
    assert raised.value.path == path
    assert str(raised.value).startswith(f"ctx.{path}: ")


def test_a_value_that_holds_itself_is_told() -> None:
    ctx = opened()
    ctx.view.loop = loop = []
    loop.append(loop)
    with pytest.raises(SerializationError, match=r"ctx\.loop"):
        ctx.patch()


def test_python_s_own_protocols_find_no_key() -> None:
    view = opened(a=1).view
    with pytest.raises(AttributeError):
        view.__deepcopy__
    with pytest.raises(TypeError):
        hash(view)
    assert isinstance(view, Ctx)
