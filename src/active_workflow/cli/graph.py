"""``graph``: a workflow as a diagram."""

import click

from active_workflow.cli.opening import import_modules, program_named
from active_workflow.cli.options import with_json, with_modules
from active_workflow.cli.text import print_json
from active_workflow.core.diagram import plan_diagram


@click.command("graph")
@click.argument("workflow")
@with_modules
@with_json
def graph_command(*, workflow: str, modules: tuple[str, ...], as_json: bool) -> None:
    """Print a workflow's plan as a Mermaid diagram."""
    import_modules(modules)
    plan = program_named(workflow, modules).plan
    drawn = plan_diagram(plan)
    if as_json:
        print_json({"workflow": plan.workflow, "version": plan.version, "mermaid": drawn})
    else:
        click.echo(drawn, nl=False)
