"""The rule that a store answers any calls in any order as the memory store does."""

from importlib.util import find_spec

import pytest

from active_workflow.testing.store_contract.base import Rules


class ModelRules(Rules):
    """Random calls, side by side with the memory store. Needs hypothesis.

    Attributes:
        model_examples: How many stories, of up to 40 calls each.
    """

    model_examples = 60

    def test_any_calls_are_answered_as_the_model_does(self) -> None:
        if find_spec("hypothesis") is None:
            pytest.skip("hypothesis is missing: pip install hypothesis")
        from active_workflow.testing.store_contract.model import (  # noqa: PLC0415 - needs an extra
            run_side_by_side,
        )

        run_side_by_side(self.make_store_at, self.model_examples)
