"""ctx of a type: dataclass, TypedDict, msgspec Struct, pydantic model."""

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from active_workflow.dsl import CtxInfo, StepInfo, Workflow, program_of, task
from active_workflow.dsl.open_ctx import Opened, open_ctx
from active_workflow.dsl.starting import StartOptions, prepare_start, validate_input
from active_workflow.errors import ContextError, MissingKey, ReadOnlyError, SerializationError

INFO = StepInfo("e1", "charge", 2)


class Json:
    def dump(self, value: Any, /) -> str:
        return json.dumps(value)

    def load(self, text: str, /) -> Any:
        return json.loads(text)


def do(ctx: Any) -> Any:
    return None


@dataclass
class Line:
    sku: str
    qty: int = 1


@dataclass
class DataCtx(CtxInfo):
    order_id: int
    lines: list[Line] = field(default_factory=list)
    payment_id: str | None = None


@dataclass(slots=True)
class SlotsCtx:
    order_id: int
    lines: list[Line] = field(default_factory=list)
    payment_id: str | None = None


class StructLine(msgspec.Struct):
    sku: str
    qty: int = 1


class StructCtx(msgspec.Struct):
    order_id: int
    lines: list[StructLine] = []
    payment_id: str | None = None


class InfoStructCtx(msgspec.Struct, CtxInfo):
    order_id: int
    lines: list[StructLine] = []
    payment_id: str | None = None


class ModelLine(pydantic.BaseModel):
    sku: str
    qty: int = 1


class ModelCtx(pydantic.BaseModel):
    order_id: int
    lines: list[ModelLine] = []
    payment_id: str | None = None


class InfoModelCtx(pydantic.BaseModel, CtxInfo):
    order_id: int
    lines: list[ModelLine] = []
    payment_id: str | None = None


MODELS = [DataCtx, SlotsCtx, StructCtx, InfoStructCtx, ModelCtx, InfoModelCtx]


def flow(ctx: Any) -> type[Workflow[Any]]:
    class Flow(Workflow, ctx=ctx):
        a = task(do)

    return Flow


def opened(ctx: Any, **values: Any) -> Opened:
    return open_ctx(
        program_of(flow(ctx)), {key: json.dumps(value) for key, value in values.items()}, INFO, Json()
    )


@pytest.mark.parametrize("model", MODELS)
class TestEveryModel:
    def test_ctx_is_an_instance_with_nested_types_keys_and_the_engine_s_names(self, model: Any) -> None:
        ctx = opened(model, order_id=1, lines=[{"sku": "x"}], approval={"by": "ada"}).view
        assert isinstance(ctx, model)
        assert (ctx.order_id, ctx["order_id"], ctx.lines[0].sku, ctx.lines[0].qty, ctx.payment_id) == (
            1,
            1,
            "x",
            1,
            None,
        )
        assert (ctx.execution_id, ctx.step_name, ctx.step_key, ctx.attempt) == (
            "e1",
            "charge",
            "e1:charge",
            2,
        )
        assert ctx["approval"] == ctx.approval == {"by": "ada"}
        assert "lines" in ctx
        assert "nothing" not in ctx

    def test_it_is_equal_to_the_user_s_own_instance(self, model: Any) -> None:
        line = model(order_id=1).__class__  # the class is what it says it is
        assert line is model
        ctx = opened(model, order_id=1, payment_id="p").view
        assert ctx == model(order_id=1, payment_id="p")
        assert model(order_id=1, payment_id="p") == ctx
        assert ctx != model(order_id=2)
        assert ctx.__class__ is model

    def test_changes_in_place_are_found(self, model: Any) -> None:
        ctx = opened(model, order_id=1, lines=[{"sku": "x", "qty": 1}])
        ctx.view.lines[0].qty = 3
        ctx.view["payment_id"] = "p"
        assert ctx.patch() == {"lines": '[{"sku": "x", "qty": 3}]', "payment_id": '"p"'}

    def test_reading_and_defaults_change_nothing(self, model: Any) -> None:
        ctx = opened(model, order_id=1, lines=[{"sku": "x"}], approval=1)
        assert ctx.view.lines[0].qty == 1
        assert ctx.patch() == {}

    def test_a_name_that_the_type_lacks_is_an_error(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        with pytest.raises(ContextError, match=r"no field 'paymnt_id' \(did you mean \"payment_id\"\?\)"):
            ctx.view.paymnt_id = 3
        with pytest.raises(ContextError, match=r"no field 'paymnt_id' \(did you mean \"payment_id\"\?\)"):
            ctx.merge({"paymnt_id": 3})
        for look in (lambda: ctx.view.paymnt_id, lambda: ctx.view["paymnt_id"]):
            with pytest.raises(MissingKey, match=r"no key 'paymnt_id'.*payment_id"):
                look()

    def test_engine_s_names_are_read_only(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        with pytest.raises(ReadOnlyError):
            ctx.view.attempt = 3
        with pytest.raises(ContextError, match="engine's own name"):
            ctx.merge({"attempt": 3})

    def test_a_merge_is_checked_and_wins(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        ctx.view.payment_id = "a"
        ctx.merge({"payment_id": "b", "lines": [{"sku": "y"}]})
        assert ctx.patch() == {"lines": '[{"sku": "y", "qty": 1}]', "payment_id": '"b"'}
        with pytest.raises(SerializationError, match="a key must be text"):
            ctx.merge({1: 2})

    def test_what_the_next_step_couldn_t_read_is_told_by_this_one(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        ctx.view.payment_id = 42
        with pytest.raises(ContextError, match="payment_id"):
            ctx.patch()
        merged = opened(model, order_id=1)
        merged.merge({"payment_id": 42})
        with pytest.raises(ContextError, match="payment_id"):
            merged.patch()

    def test_what_can_t_be_stored_says_where(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        ctx.view.payment_id = object()
        with pytest.raises((SerializationError, ContextError), match="payment_id"):
            ctx.patch()

    def test_writing_after_the_end_raises(self, model: Any) -> None:
        ctx = opened(model, order_id=1)
        ctx.close()
        with pytest.raises(ReadOnlyError, match="the step has ended"):
            ctx.view.payment_id = "p"
        with pytest.raises(ReadOnlyError, match="the step has ended"):
            ctx.view["payment_id"] = "p"

    def test_the_start_is_validated(self, model: Any) -> None:
        program = program_of(flow(model))
        values, compared = validate_input(program, {"order_id": 1, "lines": [{"sku": "x"}]})
        assert values == {"order_id": 1, "lines": [{"sku": "x", "qty": 1}], "payment_id": None}
        assert compared == {"order_id": 1, "lines": [{"sku": "x", "qty": 1}]}
        assert validate_input(program, model(order_id=1))[1] == {"order_id": 1}
        assert validate_input(program, {"order_id": 1, "payment_id": None})[1] == {"order_id": 1}

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"order_id": "a"}, "order_id"),
            ({}, "order_id"),
            ({"order_id": 1, "lines": [{"sku": 3}]}, "sku"),
            ({"order_id": 1, "totl": 1}, "no field 'totl'"),
            ({"order_id": 1, "attempt": 1}, "engine's own name"),
            (3, "give a "),
            (Line("x"), "give a "),
        ],
    )
    def test_a_wrong_start_is_told(self, model: Any, given: object, says: str) -> None:
        with pytest.raises(ContextError, match=says):
            validate_input(program_of(flow(model)), given)

    def test_the_key_function_gets_an_instance(self, model: Any) -> None:
        class Flow(
            Workflow, ctx=model, idempotency_key=lambda ctx: f"{type(ctx.lines).__name__}:{ctx['order_id']}"
        ):
            a = task(do)

        assert prepare_start(program_of(Flow), {"order_id": 7}, StartOptions()).key == "list:7"


# --- Particular to each ------------------------------------------------------------------------------


def test_a_ctx_that_the_user_made_has_no_step() -> None:
    own = DataCtx(1)
    assert not hasattr(own, "attempt")
    own.payment_id = "p"
    assert own["payment_id"] == "p"
    with pytest.raises(MissingKey):
        own["nothing"]


@dataclass(frozen=True)
class FrozenData:
    order_id: int
    payment_id: str | None = None


class FrozenStruct(msgspec.Struct, frozen=True):
    order_id: int
    payment_id: str | None = None


class FrozenModel(pydantic.BaseModel, frozen=True):
    order_id: int
    payment_id: str | None = None


@pytest.mark.parametrize("model", [FrozenData, FrozenStruct, FrozenModel])
def test_a_frozen_type_is_read_only_and_changed_by_a_mapping(model: Any) -> None:
    ctx = opened(model, order_id=1)
    with pytest.raises((AttributeError, ValueError)):
        ctx.view.payment_id = "p"
    assert ctx.view.attempt == 2
    ctx.merge({"payment_id": "p"})
    assert ctx.patch() == {"payment_id": '"p"'}


class Total(TypedDict):
    order_id: int
    lines: NotRequired[list[Line]]


def test_a_typed_dict_is_a_dict_that_checks_its_keys() -> None:
    ctx = opened(Total, order_id=1, approval=3)
    view = ctx.view
    assert isinstance(view, dict)
    assert (view["order_id"], view.order_id, view["approval"], view.approval, view.step_key) == (
        1,
        1,
        3,
        3,
        "e1:charge",
    )
    view["lines"] = [Line("x")]
    assert ctx.patch() == {"lines": '[{"sku": "x", "qty": 1}]'}
    view.order_id = 2
    del view["lines"]
    assert ctx.patch() == {"order_id": "2"}
    with pytest.raises(ContextError, match="no field 'linse'"):
        view["linse"] = 1
    with pytest.raises(MissingKey, match="it has order_id"):
        view.nothing
    with pytest.raises(MissingKey):
        view["nothing"]
    ctx.merge({"order_id": 5})
    assert ctx.patch() == {"order_id": "5"}
    ctx.close()
    with pytest.raises(ReadOnlyError):
        view["order_id"] = 1


def test_a_typed_dict_s_key_can_be_deleted() -> None:
    ctx = opened(Total, order_id=1, lines=[])
    del ctx.view["lines"]
    assert ctx.patch() == {"lines": None}


def test_a_typed_dict_is_validated_at_start() -> None:
    program = program_of(flow(Total))
    assert validate_input(program, {"order_id": 1, "lines": [{"sku": "x"}]})[0] == {
        "order_id": 1, "lines": [{"sku": "x", "qty": 1}],
    }  # fmt: skip
    for given, says in (
        ({}, "lacks order_id"),
        ({"order_id": "1"}, "must be int"),
        ({"order_id": 1, "x": 1}, "no field"),
    ):
        with pytest.raises(ContextError, match=says):
            validate_input(program, given)


class Open(pydantic.BaseModel, extra="allow"):
    order_id: int


def test_a_model_that_takes_more_takes_more() -> None:
    ctx = opened(Open, order_id=1, note={"a": 1}, gone=1)
    ctx.view.note["a"] = 2
    ctx.view.more = 3
    del ctx.view.gone
    ctx.merge({"merged": 4})
    assert ctx.patch() == {"note": '{"a": 2}', "more": "3", "merged": "4", "gone": None}
    assert validate_input(program_of(flow(Open)), {"order_id": 1, "x": 2})[0] == {"order_id": 1, "x": 2}


class Aliased(pydantic.BaseModel):
    order_id: int = pydantic.Field(alias="orderId")


def test_a_pydantic_alias_is_taken_and_the_name_stored() -> None:
    program = program_of(flow(Aliased))
    assert validate_input(program, {"orderId": 3})[0] == {"order_id": 3}
    assert validate_input(program, {"order_id": 3})[0] == {"order_id": 3}
    ctx = opened(Aliased, order_id=3)
    ctx.view.order_id = 4
    assert ctx.patch() == {"order_id": "4"}


class Color(Enum):
    RED = "red"


class RichStruct(msgspec.Struct):
    color: Color
    at: datetime
    tags: set[str]
    lines: dict[str, StructLine]


class RichModel(pydantic.BaseModel):
    color: Color
    at: datetime
    tags: set[str]
    lines: dict[str, ModelLine]


@pytest.mark.parametrize("model", [RichStruct, RichModel])
def test_rich_values_stay_what_they_are_for_the_serializer(model: Any) -> None:
    now = datetime.now(UTC)
    given = {"color": Color.RED, "at": now, "tags": {"a"}, "lines": {"x": {"sku": "x"}}}
    values, _ = validate_input(program_of(flow(model)), given)
    assert {**values, "lines": None} == {**given, "lines": None}


class Renamed(msgspec.Struct, rename="camel"):
    order_id: int


def test_a_msgspec_rename_doesn_t_reach_the_store() -> None:
    assert validate_input(program_of(flow(Renamed)), {"order_id": 3})[0] == {"order_id": 3}
    assert opened(Renamed, order_id=3).view.order_id == 3


Sku = NewType("Sku", str)


@dataclass
class Everything:
    when: datetime
    color: Color = Color.RED
    ratio: float = 1.0
    kind: Literal["a", "b"] = "a"
    pair: tuple[int, str] = (1, "x")
    many: tuple[int, ...] = ()
    tags: set[str] = field(default_factory=set)
    by_sku: dict[str, Line] = field(default_factory=dict)
    either: int | Line | None = None
    sku: Sku = Sku("s")
    noted: Annotated[int, "note"] = 1
    anything: Any = None
    struct: StructLine | None = None
    model: ModelLine | None = None
    total: Total | None = None


def test_a_dataclass_may_nest_everything() -> None:
    now = datetime.now(UTC)
    values, compared = validate_input(
        program_of(flow(Everything)),
        {
            "when": now, "color": "red", "ratio": 2, "kind": "b", "pair": [1, "y"], "many": [1, 2],
            "tags": ["t"], "by_sku": {"x": {"sku": "x"}}, "either": {"sku": "z"},
            "struct": {"sku": "s"}, "model": {"sku": "m"},
            "total": {"order_id": 1}, "anything": [object],
        },
    )  # fmt: skip
    assert values == {
        "when": now, "color": Color.RED, "ratio": 2.0, "kind": "b", "pair": (1, "y"), "many": (1, 2),
        "tags": {"t"},
        "by_sku": {"x": {"sku": "x", "qty": 1}}, "either": {"sku": "z", "qty": 1}, "sku": "s", "noted": 1,
        "struct": {"sku": "s", "qty": 1}, "model": {"sku": "m", "qty": 1}, "total": {"order_id": 1},
        "anything": [object],
    }  # fmt: skip
    assert "color" not in compared


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"when": "soon"}, "ctx.when must be datetime"),
        ({"color": "blue"}, "ctx.color must be one of 'red'"),
        ({"kind": "c"}, "ctx.kind must be one of 'a', 'b'"),
        ({"pair": [1]}, "ctx.pair must be a tuple of 2"),
        ({"many": [1, "x"]}, r"ctx.many\[1\] must be int"),
        ({"tags": "text"}, "ctx.tags must be a set"),
        ({"by_sku": {"x": {"sku": 1}}}, r"ctx.by_sku\['x'\].sku must be str"),
        ({"by_sku": []}, "ctx.by_sku must be a mapping"),
        ({"either": "text"}, "ctx.either fits no member"),
        ({"either": {"sku": "x", "qt": 1}}, "has no field 'qt'"),
        ({"struct": {"sku": 1}}, "ctx.struct"),
        ({"model": {"sku": 1}}, "ctx.model"),
        ({"total": {}}, "lacks order_id"),
        ({"sku": 1}, "ctx.sku must be str"),
        ({"noted": "x"}, "ctx.noted must be int"),
    ],
)
def test_what_doesn_t_fit_says_where(given: dict[str, Any], path: str) -> None:
    with pytest.raises(ContextError, match=path):
        validate_input(program_of(flow(Everything)), {"when": datetime.now(UTC), **given})


def test_a_default_is_made_once_at_the_start() -> None:
    @dataclass
    class Stamped:
        n: int
        stamp: object = field(default_factory=object)

    values, compared = validate_input(program_of(flow(Stamped)), {"n": 1})
    assert isinstance(values["stamp"], object)
    assert compared == {"n": 1}


def test_a_field_without_init_is_kept() -> None:
    @dataclass
    class Counted(CtxInfo):
        n: int
        twice: int = field(init=False, default=0)
        _seen: int = field(init=False, default=0)

        @property
        def half(self) -> int:
            return self.n // 2

        @half.setter
        def half(self, value: int) -> None:
            self.n = value * 2

    ctx = opened(Counted, n=1, twice=5)
    assert ctx.view.twice == 5
    ctx.view.half = 3
    assert ctx.patch() == {"n": "6"}


def test_dataclasses_functions_work_on_ctx() -> None:
    view = opened(DataCtx, order_id=1, lines=[{"sku": "x"}]).view
    assert dataclasses.asdict(view) == {"order_id": 1, "lines": [{"sku": "x", "qty": 1}], "payment_id": None}
    assert dataclasses.replace(view, order_id=2) == DataCtx(2, [Line("x")])
    assert repr(view) == repr(DataCtx(1, [Line("x")]))


# --- Which type --------------------------------------------------------------------------------------


def ctx_class(workflow: type[Workflow[Any]]) -> Any:
    known = program_of(workflow).ctx_type
    return known.type if known else None


def test_the_type_comes_from_the_brackets_the_keyword_or_a_base() -> None:
    from typing import Generic, TypeVar  # noqa: PLC0415

    C = TypeVar("C")

    class Bracket(Workflow[DataCtx]):
        a = task(do)

    class Keyword(Workflow, ctx=DataCtx):
        a = task(do)

    class Inherits(Bracket):
        pass

    class Overrides(Keyword, ctx=SlotsCtx):
        pass

    class Mine(Workflow[C], Generic[C]):
        a = task(do)

    class Bound(Mine[DataCtx]):
        pass

    class Untyped(Workflow[dict[str, Any]]):
        a = task(do)

    class Anything(Workflow[Any]):
        a = task(do)

    found = [ctx_class(w) for w in (Bracket, Keyword, Inherits, Overrides, Mine, Bound, Untyped, Anything)]
    assert found == [DataCtx, DataCtx, DataCtx, SlotsCtx, None, DataCtx, None, None]


def test_what_is_stored_and_fits_no_more_is_told() -> None:
    with pytest.raises(ContextError, match=r"ctx\.order_id must be int"):
        opened(DataCtx, order_id="old")
