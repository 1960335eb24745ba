"""The smallest workflow: ``python examples/quickstart.py`` runs it, and ``active-workflow list`` shows it."""

import active_workflow as aw


class Greet(aw.Workflow):
    @aw.step
    def hello(self) -> None:
        print("hello", self.ctx.who)


if __name__ == "__main__":
    Greet.start(who="Ada").wait()
