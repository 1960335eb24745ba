import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from active_workflow.core.retry import SECOND, RetryPolicy
from active_workflow.dsl.names import qualified_names
from active_workflow.dsl.retry import Retry, retry_policies
from active_workflow.errors import ConfigurationError, DefinitionError


class PspError(Exception):
    pass


class Declined(PspError, ValueError):
    pass


def test_a_retry_becomes_names_and_microseconds() -> None:
    retry = Retry(
        max=6, backoff="fixed", first_delay="2s", delay=timedelta(minutes=1), max_delay="1h", jitter=True,
        on=(PspError, TimeoutError), max_elapsed="1d",
    )  # fmt: skip
    assert retry.policy == RetryPolicy(
        max=6, backoff="fixed", first_delay=2 * SECOND, delay=60 * SECOND, max_delay=3600 * SECOND,
        jitter=True,
        on=(f"{__name__}.PspError", "builtins.TimeoutError"), max_elapsed=86_400 * SECOND,
    )  # fmt: skip


def test_the_defaults_are_the_law_s_own() -> None:
    assert Retry().policy == RetryPolicy()
    assert Retry(max=None).policy.max is None


def test_a_policy_covers_subclasses() -> None:
    policy = Retry(on=PspError).policy
    assert policy.covers(qualified_names(Declined))
    assert not policy.covers(qualified_names(ValueError))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"max": 0}, "no number of attempts"),
        ({"max": True}, "no number of attempts"),
        ({"max": 2.5}, "no number of attempts"),
        ({"backoff": "linear"}, "exponential"),
        ({"first_delay": "soon"}, "first_delay"),
        ({"delay": -1}, "negative"),
        ({"max_delay": None}, "max_delay"),
        ({"jitter": "yes"}, "neither True nor False"),
        ({"on": "ValueError"}, "no error class"),
        ({"on": (ValueError, int)}, "no error class"),
        ({"max_elapsed": float("nan")}, "max_elapsed"),
    ],
)
def test_an_impossible_retry_says_where_it_was_written(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as raised:
        Retry(**arguments)  # type: ignore[arg-type]
    assert __file__ in str(raised.value)


def test_the_option_takes_several_forms() -> None:
    assert retry_policies(None) == ()
    assert retry_policies(3) == (Retry(max=3).policy,)
    assert retry_policies({"max": 2, "strategy": "fixed"}) == (Retry(max=2, backoff="fixed").policy,)
    first = Retry(on=PspError, max=2)
    assert retry_policies([first, {"max": 4}]) == (first.policy, Retry(max=4).policy)


def test_the_option_refuses_other_things() -> None:
    with pytest.raises(ConfigurationError, match=r"'first_dely' \(did you mean \"first_delay\"\?\)"):
        retry_policies({"first_dely": 1})
    for nonsense in (True, "5", 2.5):
        with pytest.raises(ConfigurationError, match="no policy"):
            retry_policies(nonsense)


def test_a_class_of_main_has_the_name_it_would_have_when_imported(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "from active_workflow.dsl.names import qualified_names\n"
        "class Declined(Exception): pass\n"
        "print(*qualified_names(Declined))\n"
    )
    names = [
        subprocess.run(
            [sys.executable, *how], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for how in (["app.py"], ["-m", "app"], ["-c", "import app"])
    ]
    assert set(names) == {"app.Declined builtins.Exception builtins.BaseException\n"}
