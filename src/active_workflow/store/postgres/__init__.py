"""PostgreSQL: hand-written statements, one for each batch, through psycopg 3."""

from importlib import import_module

from active_workflow.errors import ConfigurationError

try:
    import_module("psycopg")
except ImportError as error:
    raise ConfigurationError(
        f"PostgreSQL needs its driver ({error}): pip install 'active-workflow[postgres]'"
    ) from error
