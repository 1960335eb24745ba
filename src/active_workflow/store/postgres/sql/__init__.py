"""The statements of the PostgreSQL store, as text; ``names`` puts the tables' real names in."""

from collections.abc import Mapping

from active_workflow.store.statements import statements

SQL: Mapping[str, str] = statements("active_workflow.store.postgres")
