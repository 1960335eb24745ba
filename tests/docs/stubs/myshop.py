"""The services that the documentation's examples talk to. They remember what was asked, by key."""

from typing import Any


class Service:
    """Any call ``service.verb(…, key=…)`` gives an id; the same key gives the same one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.done: dict[Any, str] = {}

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("__"):
            raise AttributeError(verb)

        def call(*args: Any, key: Any = None, **_more: Any) -> str:
            return self.done.setdefault((verb, key or args), f"{self._name}_{len(self.done) + 1}")

        return call

    def find(self, *, key: str) -> str | None:
        """Give the id of what was charged, reserved or booked under a key."""
        return next((id for (_verb, known), id in self.done.items() if known == key), None)


psp = Service("pay")
stock = Service("res")
courier = Service("par")
mailer = Service("msg")


class RateLimited(Exception):
    """The service has had enough of us for now."""
