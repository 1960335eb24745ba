import sys
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

from active_workflow.dsl import Workflow, program_of, registry, task
from active_workflow.errors import DefinitionError, UnknownWorkflow

SOURCE = """
from active_workflow.dsl import Workflow, task
class {name}(Workflow{keywords}):
    a = task(lambda ctx: None)
"""


def module(name: str, workflow: str, keywords: str = "") -> ModuleType:
    made = ModuleType(name)
    exec(compile(SOURCE.format(name=workflow, keywords=keywords), f"{name}.py", "exec"), made.__dict__)
    return made


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_programs", {})


def test_workflows_are_found_by_name_and_version() -> None:
    one, two = module("shop", "Pay"), module("shop", "Pay", ", version=2")
    assert registry.find("Pay") is program_of(two.Pay)
    assert registry.find("Pay", 1) is registry.lookup("Pay", 1) is program_of(one.Pay)
    assert registry.lookup("Pay", 3) is program_of(two.Pay)
    assert registry.lookup("Nobody", 1) is None
    assert registry.programs() == [program_of(one.Pay), program_of(two.Pay)]
    with pytest.raises(
        UnknownWorkflow, match=r"'Payy' is defined here \(did you mean \"Pay\"\?\).*Defined: Pay"
    ):
        registry.find("Payy")
    with pytest.raises(UnknownWorkflow, match="'Pay version 9'"):
        registry.find("Pay", 9)


def test_two_modules_can_t_have_one_workflow() -> None:
    module("shop", "Pay")
    with pytest.raises(
        DefinitionError, match=r"billing\.py:3: Pay: shop\.Pay and billing\.Pay are both workflow 'Pay'"
    ) as e:
        module("billing", "Pay")
    assert "another name=" in str(e.value)
    module("billing", "Pay", ", name='billing.pay'")
    module("billing", "Pay", ", version=2")


def test_the_same_module_and_functions_replace() -> None:
    old, new = module("shop", "Pay"), module("shop", "Pay")
    assert registry.find("Pay") is program_of(new.Pay) is not program_of(old.Pay)

    def local() -> Any:
        class Pay(Workflow):
            a = task(lambda ctx: None)

        return Pay

    assert registry.find("Pay") is not program_of(local())
    assert registry.programs() == [registry.find("Pay")]


def test_main_and_its_module_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    main = ModuleType("__main__")
    main.__file__ = str(Path("somewhere") / "shop.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    module("__main__", "Pay")
    again = module("shop", "Pay")
    assert registry.find("Pay") is program_of(again.Pay)


def test_threads_may_define_workflows() -> None:
    threads = [Thread(target=module, args=("shop", f"Pay{n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.programs()) == 8
