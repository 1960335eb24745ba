"""MariaDB and MySQL: hand-written statements, few messages for each batch, through PyMySQL."""

from importlib import import_module

from active_workflow.errors import ConfigurationError

try:
    import_module("pymysql")
except ImportError as error:
    raise ConfigurationError(
        f"MariaDB and MySQL need their driver ({error}): pip install 'active-workflow[mysql]'"
    ) from error
