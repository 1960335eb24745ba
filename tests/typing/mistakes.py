# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers must refuse: every line marked here is an error to mypy and to pyright.

An ignore that isn't needed is an error itself, so a mistake that passes unnoticed is noticed. Never run.
"""

from dataclasses import dataclass

import active_workflow as aw


@dataclass
class Order(aw.CtxInfo):
    order_id: int


class Misspelt(aw.Workflow[Order]):
    @aw.step
    def charge(self) -> int:
        self.ctx.attempt = 3  # type: ignore[misc]
        self.ctx.order_id = "x"  # type: ignore[assignment]
        return self.ctx.ordr_id  # type: ignore[attr-defined, no-any-return]

    @aw.step
    def again(self) -> None:
        self.charge()  # type: ignore[operator]

    unknown = aw.task(print, retires=3)  # type: ignore[call-overload]
    number = aw.task(print, timeout=[3])  # type: ignore[call-overload]
    nap = aw.sleep("1h", retry=3)  # type: ignore[call-overload]
    wait = aw.wait_for_signal(3)  # type: ignore[arg-type]
    late = aw.wait_for_signal(on_timeout="stop")  # type: ignore[arg-type]


class Keyword(aw.Workflow[Order], idempotency="k"):  # type: ignore[call-arg]
    pass


class Option(aw.Workflow[Order], defaults={"name": "x"}):  # type: ignore[arg-type]
    pass


class Odd(aw.Task, externl=True):  # type: ignore[call-arg]
    pass


aw.Retry(5)  # type: ignore[call-arg]
aw.Retry(backoff="linear")  # type: ignore[arg-type]
Misspelt.charge()  # type: ignore[operator]
Misspelt.start(Order(1), idempotencykey="k")  # type: ignore[call-overload]
Misspelt.start(Order(1), key_reuse="always")  # type: ignore[call-overload]
Misspelt.start(3)  # type: ignore[call-overload]
