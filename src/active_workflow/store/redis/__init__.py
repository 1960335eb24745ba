"""Redis and Valkey: one Lua script for each call, through redis-py."""

from importlib import import_module

from active_workflow.errors import ConfigurationError

try:
    import_module("redis")
except ImportError as error:
    raise ConfigurationError(
        f"Redis needs its driver ({error}): pip install 'active-workflow[redis]'"
    ) from error
