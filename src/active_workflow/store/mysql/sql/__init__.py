"""The statements of the MariaDB and MySQL store, as text; ``statement`` puts names and values in."""

from collections.abc import Mapping

from active_workflow.store.statements import statements

SQL: Mapping[str, str] = statements("active_workflow.store.mysql")
