import json
import sys
import types
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from active_workflow.errors import SerializationError
from active_workflow.store.jsontext import join_fragments, split_fragments, split_patch
from active_workflow.store.serializer import JsonSerializer, canonical, dump_fields, embeddable, load_fields

serializer = JsonSerializer()


class Colour(Enum):
    RED = 1
    PAIR = ("a", 2)


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Outer:
    class Inner(Enum):
        A = Decimal("1.50")


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(two) or one != two:
        return False
    if isinstance(one, dict):
        return all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return all(same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, float):
        return repr(one) == repr(two)
    return True


BERLIN = ZoneInfo("Europe/Berlin")
VALUES = [
    *(None, True, False, 0, -1, 2**63, 10**400, 0.1, -0.0, 1e308, 5e-324, 1e16),
    *(
        "",
        "a",
        'quote"\\ \n\t\x01\x7f',
        "é漢😀",
        "\\u0000",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ),
    *([], {}, (), set(), frozenset(), [[]], ((),), {"a": {"b": [1, (2, {3})]}}),
    *({"$aw": 1}, {"$aw": "set", "v": [1]}, [{"$aw": {"$aw": None}, "z": {"$aw": []}}], {"x": '{"$aw":1}'}),
    *({1, "1", (1, "1")}, frozenset({frozenset({1}), b"x"}), {None, True}),
    *(b"", b"\x00\xff", Decimal("1.10"), Decimal("-0"), Decimal("1E+50"), UUID(int=7)),
    *(date(2026, 2, 28), date.max, time(1, 2, 3, 4), time(1, 2, tzinfo=UTC), time(5, tzinfo=BERLIN)),
    datetime(2026, 1, 2),  # noqa: DTZ001 - naive ones are values too
    *(datetime(2026, 1, 2, 3, 4, 5, 6, UTC), *(datetime.min, datetime.max)),  # noqa: DTZ901 - the same
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    *(timedelta(0), timedelta(days=-3, microseconds=7), timedelta.max, timedelta.min),
    *(Colour.RED, Colour.PAIR, Level.HIGH, Word.YES, Outer.Inner.A, {"k": [Word.YES]}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_went_in(value: Any) -> None:
    text = serializer.dump(value)
    assert same(serializer.load(text), value)
    json.loads(text)
    assert serializer.dump(serializer.load(text)) == text


def test_a_zone_comes_back_with_its_rules() -> None:
    for fold in (0, 1):
        value = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
        back = serializer.load(serializer.dump(value))
        assert (back, back.fold, back.tzinfo) == (value, fold, BERLIN)
    unknown = '{"$aw":"datetime","v":"2026-01-01T00:00:00+01:00","z":"Mars/Olympus"}'
    assert serializer.load(unknown).utcoffset() == timedelta(hours=1)


def test_subclasses_come_back_as_what_they_are_equal_to() -> None:
    class Text(str):
        __slots__ = ()

    class Money(float):
        pass

    value = {
        "ordered": OrderedDict(a=1),
        "default": defaultdict(list, a=[1]),
        "counter": Counter("aa"),
        "text": Text("x"),
        Text("key"): Money(1.5),
    }
    back = serializer.load(serializer.dump(value))
    assert back == value
    assert {type(item) for item in back.values()} == {dict, str, float}


def test_equal_values_have_equal_texts() -> None:
    assert serializer.dump({"b": 1, "a": {3, 1, 2}}) == serializer.dump({"b": 1, "a": {2, 3, 1}})


def test_the_order_of_keys_is_kept_and_its_canonical_text_does_not_depend_on_it() -> None:
    one, other = {"b": 1, "a": {"y": 1, "x": 2}}, {"a": {"x": 2, "y": 1}, "b": 1}
    assert list(serializer.load(serializer.dump(one))["a"]) == ["y", "x"]
    assert serializer.dump(one) != serializer.dump(other)
    assert canonical(serializer.dump(one)) == canonical(serializer.dump(other))


@dataclass
class Order:
    total: int


class Point(NamedTuple):
    x: int


class Model:
    _meta = None
    pk = 5


class Pydantic:
    def model_dump(self) -> dict[str, int]:
        return {}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> Any:
    value: dict[str, Any] = {"list": []}
    value["list"].append(value)
    return value


def local_enum() -> Any:
    class Hidden(Enum):
        A = 1

    return Hidden.A


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (float("nan"), "", "nan is no JSON"),
        ({"cart": {"lines": [1, 2, {"price": float("inf")}]}}, "cart.lines[2].price", "inf is no JSON"),
        ({"a": (1, {2, Decimal("NaN")})}, "a[1]{…}", "compared"),
        ({"a": {1: 2}}, "a", "key 1 is no string"),
        ({("a",): 2}, "", "is no string"),
        ({"a b": ["x\0"]}, "['a b'][0]", "NUL"),
        ({"a": "\ud800"}, "a", "surrogate"),
        ({"a": {"k\0": 1}}, "a", "NUL"),
        ({"\ud800": 1}, "", "surrogate"),
        ("\0", "", "NUL"),
        ("\udfff", "", "surrogate"),
        (10**5000, "", "digits"),
        ([deep(200)], None, "100 levels"),
        (cyclic(), None, "contains itself"),
        ({"order": Model()}, "order", "pass model.pk"),
        ({"order": Order(1)}, "order", "dataclasses.asdict"),
        (Pydantic(), "", "model_dump"),
        ([Point(1)], "[0]", "_asdict"),
        (object(), "", "type object"),
        ([ValueError("x")], "[0]", "exception ValueError"),
        (bytearray(b"x"), "", "pass bytes"),
        (len, "", "callable"),
        ((n for n in ()), "", "type generator"),
        (1j, "", "type complex"),
        (Unprintable(), "", "type Unprintable"),
        (local_enum(), "", "inside a function"),
        ({"a": types.SimpleNamespace()}, "a", "SimpleNamespace"),
    ],
    ids=lambda value: None if isinstance(value, str) else "value",
)
def test_what_cant_be_stored_is_refused_with_its_place(value: Any, path: str | None, words: str) -> None:
    with pytest.raises(SerializationError, match=words) as caught:
        serializer.dump(value)
    if path is not None:
        assert caught.value.path == path
    if caught.value.path:
        assert str(caught.value).startswith(f"{caught.value.path}: ")


def test_a_hundred_levels_are_fine_and_no_more() -> None:
    value = deep(100)
    assert serializer.load(serializer.dump(value)) == value
    with pytest.raises(SerializationError):
        serializer.dump(deep(101))


def test_stored_names_import_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"$aw":"enum","t":"this_was_never_imported:Colour","v":1}'
    with pytest.raises(SerializationError, match="has not imported"):
        serializer.load(text)
    assert "this_was_never_imported" not in sys.modules
    for name in (
        "os:system",
        "builtins:eval",
        "enum:Enum.mro",
        f"{__name__}:Order",
        f"{__name__}:Nothing.there",
    ):
        with pytest.raises(SerializationError):
            serializer.load(json.dumps({"$aw": "enum", "t": name, "v": "x"}, separators=(",", ":")))
    with pytest.raises(SerializationError, match="no longer has such a member"):
        serializer.load(serializer.dump(Colour.RED).replace('"v":1', '"v":9'))


def test_an_enum_of_the_main_program_is_found_by_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    main.__spec__, main.__file__ = None, "/srv/app.py"
    monkeypatch.setitem(sys.modules, "__main__", main)
    kind = Enum("Kind", ["A"], module="__main__")
    main.Kind = kind  # type: ignore[attr-defined]
    text = serializer.dump(kind.A)  # type: ignore[attr-defined]
    assert '"app:Kind"' in text
    assert serializer.load(text) is kind.A  # type: ignore[attr-defined]
    as_module = types.ModuleType("app")
    as_module.Kind = Enum("Kind", ["A"], module="app")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app", as_module)
    main.__file__ = "/usr/bin/active-workflow"
    assert serializer.load(text) is as_module.Kind.A


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[1",
        "1 2",
        "{'a':1}",
        '{"$aw":"bytes","v":"é"}',
        '{"$aw":"unheard-of","v":1}',
        '{"$aw":"uuid"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_value_is_said_to_be_none(text: str) -> None:
    with pytest.raises(SerializationError):
        serializer.load(text)


# --- Key by key -----------------------------------------------------------------------------------------


def test_fields_are_dumped_key_by_key_and_paths_begin_with_the_key() -> None:
    texts = dump_fields(serializer, {"a": 1, "b": {"c": (1,)}})
    assert texts["a"] == "1"
    assert load_fields(serializer, texts) == {"a": 1, "b": {"c": (1,)}}
    for value, path in [({"p": [{3: 4}]}, "cart.p[0]"), ([Model()], "cart[0]"), (len, "cart")]:
        with pytest.raises(SerializationError) as caught:
            dump_fields(serializer, {"cart": value})
        assert caught.value.path == path
        assert str(caught.value).startswith(f"{path}: ")
    for bad in ({1: 2}, {"a\0": 1}):
        with pytest.raises(SerializationError):
            dump_fields(serializer, bad)  # type: ignore[arg-type]


class Shouting:
    def dump(self, value: Any) -> str:
        return f"<{value}>".upper()

    def load(self, text: str) -> Any:
        return text[1:-1].lower()


def test_any_serializer_fits_into_documents() -> None:
    fitted = embeddable(Shouting())
    texts = dump_fields(fitted, {"a": 'it"s'})
    assert load_fields(fitted, split_fragments(join_fragments(texts))) == {"a": 'it"s'}
    assert embeddable(serializer) is serializer
    assert embeddable(fitted) is fitted


# --- Documents of fragments -----------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
rich_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.timedeltas()
    | st.times()
    | st.sampled_from(list(Colour)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(any_text | st.just("$aw"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(rich_values)
def test_any_value_comes_back(value: Any) -> None:
    text = serializer.dump(value)
    assert same(serializer.load(text), value)
    assert serializer.dump(serializer.load(text)) == text


@given(st.sets(st.integers() | any_text | st.binary() | st.tuples(st.integers(), any_text)))
def test_any_set_comes_back(value: set[Any]) -> None:
    assert serializer.load(serializer.dump(value)) == value
    assert serializer.dump(frozenset(value)) == serializer.dump(frozenset(sorted(value, key=repr)))


@given(st.dictionaries(st.text(), json_values), st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_fragments_come_back_byte_for_byte(values: dict[str, Any], ascii_only: bool, separators: Any) -> None:
    """Whatever JSON text goes in comes out, blanks and escapes and all: nothing is decoded in between."""
    texts = {key: json.dumps(v, ensure_ascii=ascii_only, separators=separators) for key, v in values.items()}
    document = join_fragments(texts)
    assert split_fragments(document) == texts
    assert list(split_fragments(document)) == list(texts)
    assert json.loads(document) == values


@pytest.mark.parametrize(
    "text", ["1.50", "1E5", "-0.0", "1e400", "10" * 5000, '"\\u00e9"', '{"a":1,"a":2}', "[ 1 ]"]
)
def test_even_odd_fragments_come_back(text: str) -> None:
    if len(text) > sys.get_int_max_str_digits():
        pytest.skip("Python itself doesn't read such numbers")
    assert split_fragments(join_fragments({"a": text, "b": text})) == {"a": text, "b": text}


def test_deleted_keys_come_back_as_deleted() -> None:
    patch = {"a": None, "b": "null", "c": serializer.dump({"$aw": "gone"})}
    assert split_patch(join_fragments(patch)) == patch


@pytest.mark.parametrize(
    "text",
    ["", "{", "}", "[]", '{"a"}', '{"a":}', '{"a":1', '{"a":1}x', '{"a":1 }', "{a:1}", '{"a":1,}', "null"],
)
def test_a_broken_document_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"document|key|colon|Unterminated|Invalid"):
        split_fragments(text)
