"""From what a caller gives as ``connection=`` to its driver's module. No driver is imported to find out."""

import sqlite3
import sys
from importlib import import_module

from active_workflow.errors import ConfigurationError
from active_workflow.store.joining.caller import Caller
from active_workflow.store.joining.lent import Lent
from active_workflow.store.joining.with_sqlite3 import SqliteCaller
from active_workflow.store.transactions import StepSession

_TAKEN = (
    "a sqlite3, psycopg or PyMySQL connection, a SQLAlchemy Connection or Session (or their async kinds), or "
    "an alias of Django's databases"
)


def open_caller(given: object) -> Caller:
    """Give what scripts need of a caller's connection.

    Raises:
        ConfigurationError: It is no connection of a known kind.
    """
    if isinstance(given, sqlite3.Connection):
        return SqliteCaller(given)
    family = {cls.__module__.partition(".")[0] for cls in type(given).__mro__}
    caller: Caller
    if "sqlalchemy" in family:
        caller = import_module("active_workflow.store.joining.with_sqlalchemy").open_sqlalchemy(given)
    elif "psycopg" in family:
        caller = import_module("active_workflow.store.postgres.with_psycopg").open_psycopg(given)
    elif "pymysql" in family:
        caller = import_module("active_workflow.store.mysql.with_pymysql").open_pymysql(given)
    elif "django" in family and isinstance(alias := getattr(given, "alias", None), str):
        caller = _of_django(alias)
    elif isinstance(given, str):
        caller = _of_django(given)
    else:
        raise ConfigurationError(f"connection= is a {type(given).__name__}: give {_TAKEN}")
    return caller


def _of_django(alias: str) -> Caller:
    if "django.db" not in sys.modules:
        raise ConfigurationError(
            f"connection={alias!r} is text, which names a database of Django's, and Django isn't loaded "
            f"here: give {_TAKEN}"
        )
    caller: Caller = import_module("active_workflow.store.joining.with_django").DjangoCaller(alias)
    return caller


def open_session(connection: Lent, vendor: str, where: str) -> StepSession:
    """Give a session of SQLAlchemy's on a connection that is lent to a step.

    Raises:
        ConfigurationError: SQLAlchemy isn't installed.
    """
    try:
        found = import_module("active_workflow.store.joining.with_sqlalchemy")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'transactional="session" needs SQLAlchemy: pip install "active-workflow[sqlalchemy]", or say '
            "transactional=True for a plain connection"
        ) from error
    session: StepSession = found.SessionOfStep(connection, vendor, where)
    return session
