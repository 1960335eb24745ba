"""Orders from files: whatever a line is, it becomes an order or a reason."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from active_workflow.cli.demo.orders import BadFile, read_orders

HEADER = "order_id,total,payment_token,sku,quantity\n"
GOOD = "1,9.90,tok,lamp,2\n"


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes, name: str = "orders.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def reasons(path: Path) -> list[tuple[int, str]]:
    return [(problem.line, problem.reason) for problem in read_orders(path).problems]


def test_csv(written) -> None:
    orders = read_orders(written(HEADER + GOOD + "\nA-2,5,tok,pen,\n"))
    assert not orders.problems
    assert [order["order_id"] for order in orders.good] == ["1", "A-2"]
    assert orders.good[0]["total"] == Decimal("9.90")
    assert [order["quantity"] for order in orders.good] == [2, 1]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_a_bom_and_columns_in_another_order(written, delimiter) -> None:
    text = "\ufeffSKU,payment_token,Order_ID,total,note\nlamp,tok,7,1.5,hurry\n".replace(",", delimiter)
    [order] = read_orders(written(text)).good
    assert (order["order_id"], order["sku"], order["quantity"]) == ("7", "lamp", 1)
    assert order["details"] == {"note": "hurry"}


def test_json_lines(written) -> None:
    text = '{"order_id": 1, "total": 9.9, "payment_token": "t", "sku": "lamp", "gift": true}'
    text += '\n\n{"order_id": 2}\n'
    orders = read_orders(written(text, "orders.jsonl"))
    assert orders.good == [
        {
            "order_id": "1",
            "total": Decimal("9.9"),
            "payment_token": "t",
            "sku": "lamp",
            "quantity": 1,
            "details": {"gift": True},
        }
    ]
    assert [(p.line, p.reason) for p in orders.problems] == [(3, "total, payment_token, sku missing")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,,tok,lamp,1", "total '' is no amount"),
        ("x,free,tok,lamp,1", "total 'free' is no amount"),
        ("x,NaN,tok,lamp,1", "total 'NaN' is no amount"),
        ("x,-5,tok,lamp,1", "total '-5' is no amount"),
        ("x,1_0,tok,lamp,1", "total '1_0' is no amount"),
        ("x,0.00,tok,lamp,1", "total is 0"),
        ("x,5,,lamp,1", "payment_token '' is no name"),
        ("x,5,tok,lamp,0", "quantity '0' is no number of pieces"),
        ("x,5,tok,lamp,two", "quantity 'two' is no number of pieces"),
        ("x,5,tok,lamp", "4 fields where the header has 5"),
        ("x,5,tok,lamp,1,6", "6 fields where the header has 5"),
        ('x,5,"tok"n,lamp,1', "no CSV"),
        ("1,5,tok,lamp,2", "order 1 is on line 2, too, and says something else there"),
    ],
)
def test_bad_csv_lines_are_told_with_number_and_reason(written, line, reason) -> None:
    [(number, told)] = reasons(written(HEADER + GOOD + line + "\n"))
    assert number == 3
    assert told.startswith(reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ('{"order_id": 1, "total": NaN, "payment_token": "t", "sku": "s"}', "no JSON: NaN is no number"),
        ('{"order_id": true, "total": 1, "payment_token": "t", "sku": "s"}', "order_id True is no name"),
        ('{"order_id": 1, "total": [], "payment_token": "t", "sku": "s"}', "total [] is no amount"),
        ('{"order_id": 1, "total": 1, "payment_token": "t", "sku": "s", "x": "\\ud800"}', "x: half"),
        (
            '{"order_id": 1, "total": 1, "payment_token": "t", "sku": "s", "quantity": 1.5}',
            "quantity 1.5 is no",
        ),
        (
            '{"order_id": 1, "total": 1, "payment_token": "t", "sku": "s", "quantity": []}',
            "quantity [] is no",
        ),
        (
            '{"orderid": 1, "total": 1, "payment_token": "t", "sku": "s"}',
            'order_id missing (did you mean "orderid"?)',
        ),
    ],
)
def test_bad_json_lines_are_told_with_number_and_reason(written, line, reason) -> None:
    good = '{"order_id": 9, "total": 1, "payment_token": "t", "sku": "s"}\n'
    [(number, told)] = reasons(written(good + line + "\n"))
    assert number == 2
    assert told.startswith(reason)


def test_a_number_is_that_of_the_line_where_a_row_begins(written) -> None:
    text = HEADER.strip() + ",note\n" + '1,5,tok,lamp,1,"two\nlines"\n' + "2,bad,tok,lamp,1,\n"
    assert [number for number, _ in reasons(written(text))] == [4]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("order,total,payment_token,sku", 'order_id missing (did you mean "order"?)'),
        ("order_id,total,total,payment_token,sku", "total given twice"),
    ],
)
def test_a_header_that_will_not_do(written, header, reason) -> None:
    [(number, told)] = reasons(written(header + "\n1,2,3,4,5\n"))
    assert number == 1
    assert told.startswith(reason)


def test_repeated_lines_are_counted(written) -> None:
    orders = read_orders(written(HEADER + GOOD + GOOD))
    assert (len(orders.good), orders.repeated) == (2, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (HEADER.encode(), "has a header and no orders below it"),
        (b"order_id\n\xff\n", "line 2 has the byte 0xff"),
        (b'[{"order_id": 1}]', "is one JSON list"),
    ],
)
def test_files_without_orders(written, data, reason) -> None:
    with pytest.raises(BadFile, match=reason):
        read_orders(written(data))


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(BadFile, match="can't be read"):
        read_orders(tmp_path / "missing.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.one_of(st.binary(max_size=80), st.text(alphabet=',;"\n\r\t{}[]:0189aé', max_size=80).map(str.encode)),
    st.booleans(),
)
def test_no_file_is_too_odd(tmp_path, data, headed) -> None:
    path = tmp_path / "odd"
    path.write_bytes(HEADER.encode() * headed + data)
    try:
        orders = read_orders(path)
    except BadFile:
        return
    assert orders.good or orders.problems
