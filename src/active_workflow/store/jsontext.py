"""JSON text in one fixed form, and documents that are made of pieces of such text.

Pieces are put together and taken apart as text: a piece that comes out of a document is, byte for byte,
the piece that went in, and no value is ever decoded only to be encoded again.
"""

import json
import json.decoder
import json.encoder
from collections.abc import Callable, Mapping
from typing import Any

quote: Callable[[str], str] = json.encoder.encode_basestring
"""Gives a text as a JSON string."""

quote_ascii: Callable[[str], str] = json.encoder.encode_basestring_ascii
"""Gives a text as a JSON string in ASCII."""

GONE = '{"$aw":"gone"}'
"""Stands in a document for a key that was deleted; no serializer gives this text."""


def _refuse_object(value: object) -> None:
    raise ValueError(f"no JSON: {type(value).__name__}")


def refuse_constant(word: str) -> None:
    """Refuse NaN and Infinity, which Python's reader would take."""
    raise ValueError(f"{word} is no JSON")


def _make_writer(*, ascii_only: bool, sort_keys: bool) -> Callable[[Any], str]:
    """Give the writer: where there is one, the C encoder itself; ``JSONEncoder`` makes one for each call."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(
            ensure_ascii=ascii_only,
            allow_nan=False,
            sort_keys=sort_keys,
            separators=(",", ":"),
            default=_refuse_object,
        ).encode
    quoted = quote_ascii if ascii_only else quote
    encode = make(None, _refuse_object, quoted, None, ":", ",", sort_keys, False, False)
    join = "".join
    return lambda value: join(encode(value, 0))


write_json = _make_writer(ascii_only=False, sort_keys=False)
"""Gives the text of users' plain JSON values: keys as they come, no blanks, few escapes."""

write_ascii = _make_writer(ascii_only=True, sort_keys=False)
"""Gives the text of our own records, in ASCII: an error's message may hold NULs and half surrogates."""


def scanner(hook: Callable[[dict[str, Any]], Any] | None = None) -> Callable[[str, int], tuple[Any, int]]:
    """Give a function that reads the JSON value at a place of a text and tells where it ends."""
    decoder: Any = json.JSONDecoder(object_hook=hook, parse_constant=refuse_constant)
    found: Callable[[str, int], tuple[Any, int]] = decoder.scan_once
    return found


_scan = scanner()
_scan_text: Callable[[str, int], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]


def join_fragments(fragments: Mapping[str, str | None]) -> str:
    """Give the JSON object document of encoded values by key; None stands for a deleted key."""
    if not fragments:
        return "{}"
    return (
        "{"
        + ",".join([f"{quote(key)}:{GONE if text is None else text}" for key, text in fragments.items()])
        + "}"
    )


def split_fragments(document: str) -> dict[str, str]:
    """Give the encoded values of a document by key, each as the very text that was put in.

    Raises:
        ValueError: The text is no document of ``join_fragments``.
    """
    fragments: dict[str, str] = {}
    if document == "{}":
        return fragments
    at, end = 0, len(document) - 1
    try:
        while at < end:
            if document[at] != ("," if fragments else "{") or document[at + 1] != '"':
                raise ValueError(f"a key is missing at {at}")
            key, colon = _scan_text(document, at + 2)
            if document[colon] != ":":
                raise ValueError(f"a colon is missing at {colon}")
            at = _scan(document, colon + 1)[1]
            fragments[key] = document[colon + 1 : at]
    except (StopIteration, IndexError, RecursionError) as error:
        raise ValueError(f"no document of encoded values: {document[:60]!r}") from error
    if not fragments or at != end or document[end] != "}":
        raise ValueError(f"no document of encoded values: {document[:60]!r}")
    return fragments


def split_patch(document: str) -> dict[str, str | None]:
    """Give what ``split_fragments`` does, with None for keys that were deleted."""
    fragments: dict[str, str | None] = {**split_fragments(document)}
    if GONE in document:
        return {key: None if text == GONE else text for key, text in fragments.items()}
    return fragments
