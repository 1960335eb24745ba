"""Settings: from code, else the environment, else pyproject.toml, else Django."""

import sys
import types
from datetime import UTC, datetime, timedelta

import pytest

import active_workflow as aw
from active_workflow.engine.settings import Settings, clock_in_micros, configured, settings_from


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in __import__("os").environ if name.startswith("ACTIVE_WORKFLOW_")]:
        monkeypatch.delenv(name)
    return tmp_path


def pyproject(folder, text):
    (folder / "pyproject.toml").write_text("[tool.active_workflow]\n" + text)


def test_nothing_said_is_the_defaults():
    assert settings_from({}) == Settings()
    assert Settings().lease == 30_000_000


def test_code_wins_over_the_environment_over_pyproject_over_django(folder, monkeypatch):
    conf = types.ModuleType("django.conf")
    conf.settings = types.SimpleNamespace(
        configured=True, ACTIVE_WORKFLOW={"LEASE": "1s", "GRACE": "1s", "CONCURRENCY": 1, "LISTEN": False}
    )
    monkeypatch.setitem(sys.modules, "django.conf", conf)
    pyproject(folder, 'lease = "2s"\ngrace = "2s"\nconcurrency = 2\n')
    monkeypatch.setenv("ACTIVE_WORKFLOW_LEASE", "3s")
    monkeypatch.setenv("ACTIVE_WORKFLOW_GRACE", "3s")
    found = settings_from({"lease": "4s", "grace": None})

    assert found.lease == 4_000_000
    assert found.grace == 3_000_000
    assert found.concurrency == 2
    assert found.listen is False


def test_django_that_is_not_configured_is_left_alone(monkeypatch):
    class Unconfigured:
        configured = False

        def __getattr__(self, name):
            raise AssertionError(f"asked for {name}")

    conf = types.ModuleType("django.conf")
    conf.settings = Unconfigured()
    monkeypatch.setitem(sys.modules, "django.conf", conf)

    assert settings_from({}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("LEASE", "500ms", 500_000),
        ("LEASE", "2", 2_000_000),
        ("LEASE", "1.5", 1_500_000),
        ("POLL_INTERVAL", "1m", 60_000_000),
        ("GRACE", "10s", 10_000_000),
        ("CONCURRENCY", "7", 7),
        ("LISTEN", "no", False),
        ("LISTEN", "ON", True),
        ("EMBEDDED", "0", False),
        ("WORKER_NAME", "seven", "seven"),
        ("QUEUES", "default, slow", frozenset({"default", "slow"})),
        ("REDACT", "token", frozenset({"token"})),
    ],
)
def test_the_environment_has_only_text(monkeypatch, name, text, value):
    monkeypatch.setenv("ACTIVE_WORKFLOW_" + name, text)

    assert getattr(settings_from({}), name.lower()) == value


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"lease": 0}, "lease"),
        ({"lease": "0s"}, "lease"),
        ({"lease": "-1s"}, "lease"),
        ({"lease": "soon"}, "lease"),
        ({"poll_interval": timedelta(0)}, "poll_interval"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "many"}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"listen": "perhaps"}, "listen"),
        ({"embedded": 7}, "embedded"),
    ],
)
def test_what_can_t_be_used_says_which(given, word):
    with pytest.raises(aw.ConfigurationError, match=word):
        settings_from(given)


def test_an_unknown_name_in_pyproject_lists_those_there_are(folder):
    pyproject(folder, "leese = 1\n")
    with pytest.raises(aw.ConfigurationError, match=r"leese.*lease"):
        configured()


def test_a_broken_pyproject_says_so(folder):
    (folder / "pyproject.toml").write_text("[tool.active_workflow\n")
    with pytest.raises(aw.ConfigurationError, match=r"pyproject\.toml"):
        configured()


def test_a_pyproject_of_others_is_no_matter(folder):
    (folder / "pyproject.toml").write_text('[tool.other]\nlease = "1s"\n')
    assert settings_from({}) == Settings()


def test_the_store_comes_from_the_same_places(folder, monkeypatch):
    pyproject(folder, 'store = "sqlite:///from_pyproject.db"\n')
    with aw.Engine(embedded=False) as engine:
        list(engine.find())
    assert (folder / "from_pyproject.db").exists()
    monkeypatch.setenv("ACTIVE_WORKFLOW_STORE", "sqlite:///from_environment.db")
    with aw.Engine(embedded=False) as engine:
        list(engine.find())
    assert (folder / "from_environment.db").exists()
    with aw.Engine("sqlite:///from_code.db", embedded=False) as engine:
        list(engine.find())
    assert (folder / "from_code.db").exists()


def test_unconfigured_it_is_a_file_here_told_in_the_log(folder, caplog):
    with caplog.at_level("INFO", "active_workflow"), aw.Engine(embedded=False) as engine:
        list(engine.find())

    assert (folder / "active_workflow.db").exists()
    assert caplog.text.count("sqlite:///active_workflow.db") == 1


def test_making_an_engine_touches_nothing(folder):
    aw.Engine("sqlite:///untouched.db")

    assert list(folder.iterdir()) == []


def test_a_clock_must_be_aware():
    assert clock_in_micros(None) is None
    micros = clock_in_micros(lambda: datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert micros is not None
    assert micros() == 1_000_000
    with pytest.raises(aw.ConfigurationError, match="clock"):
        clock_in_micros(lambda: datetime(1970, 1, 1))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize("wrong", ["pickle", 7, object()])
def test_a_serializer_that_is_none(wrong):
    with pytest.raises(aw.ConfigurationError, match="serializer"):
        aw.Engine("memory://", serializer=wrong)


def test_a_misspelt_variable_is_told_once_with_the_nearest_name(monkeypatch, caplog):
    monkeypatch.setenv("ACTIVE_WORKFLOW_POL_INTERVAL", "2s")
    monkeypatch.setenv("ACTIVE_WORKFLOW_DEMO_SHOP", "ours")
    monkeypatch.setenv("ACTIVE_WORKFLOW_GRACE", "2s")
    for _ in range(2):
        settings_from({})
    [told] = caplog.messages
    assert told == (
        "the environment variable ACTIVE_WORKFLOW_POL_INTERVAL is none of ours "
        '(did you mean "ACTIVE_WORKFLOW_POLL_INTERVAL"?) and has no effect'
    )
