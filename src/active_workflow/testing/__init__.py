"""What tests of workflows, stores and dispatchers need."""

import pytest

# The contract's asserts explain themselves only if pytest rewrites them, before they are imported.
pytest.register_assert_rewrite("active_workflow.testing.store_contract")
