"""Tables of another generation of the library than this one: what is said of them."""

from active_workflow.errors import SchemaError


def refuse_later(where: str, version: int, newest: int) -> None:
    """Raise SchemaError for tables of a version that this library doesn't know."""
    if version > newest:
        raise SchemaError(
            f"{where} has tables of version {version}, made by a later active-workflow; this one knows "
            f"{newest}: upgrade this process"
        )


def refuse_earlier(where: str, version: int, newest: int) -> None:
    """Raise SchemaError for tables that are missing (version 0), or behind this library."""
    if version < newest:
        has = f"tables of version {version}, this version needs {newest}" if version else "no tables of ours"
        raise SchemaError(f"{where} has {has}: run `active-workflow migrate`")
