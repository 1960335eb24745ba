from pathlib import Path

import pytest

from active_workflow.errors import ConfigurationError
from active_workflow.store import MemoryStore, SqliteStore, open_store
from active_workflow.store.base import Store


def test_memory() -> None:
    store = open_store("memory://", lambda: 7)
    assert isinstance(store, MemoryStore)
    assert store.now() == 7


def test_sqlite_relative_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative, absolute = open_store("sqlite:///a%20b.db"), open_store(f"sqlite:///{tmp_path}/a b.db")
    assert isinstance(relative, SqliteStore)
    assert isinstance(absolute, SqliteStore)
    assert relative.path == absolute.path == str(tmp_path / "a b.db")
    assert not (tmp_path / "a b.db").exists()  # nothing is opened before it is used


def test_stores_are_stores(tmp_path: Path) -> None:
    assert isinstance(open_store("memory://"), Store)
    assert isinstance(open_store("sqlite:///x.db"), Store)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://ada:s3cret@db", "names no database"),
        ("mysql://ada:s3cret@db/shop?nonsense=1", "nonsense"),
        ("redis://:s3cret@cache/shop", "has a number, not the name 'shop'"),
        ("redis://:s3cret@cache:port/0", "can't read this URL"),
        ("redis://:s3cret@[cache/0", "can't read this URL"),
        ("redis://:s3cret@cache/0?poolsize=4", "unknown option 'poolsize': .*pool_size"),
        ("redis://:s3cret@cache/0?pool_size=0", "too small: 1 or more"),
        ("redis://:s3cret@cache/0?timeout=soon", "is no number"),
        ("redis://:s3cret@cache/0?allow_eviction=maybe", "true or false"),
        ("redis://:s3cret@cache/0?prefix={a}", "no braces"),
        ("redis://:s3cret@cache/0?ssl_ca_certs=ca.pem", "rediss://"),
        ("oracle://ada:s3cret@db/shop", "no store is called 'oracle'"),
        ("ada:s3cret@db", "is no URL"),
        ("workflows.db", "workflows.db.*sqlite:///"),
        ("sqlite://workflows.db", "three slashes"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///a.db?mode=ro", "options"),
        ("", "is no URL"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)
