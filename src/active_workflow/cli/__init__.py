"""The command line: thin commands over the engine. Only this folder knows click and rich."""

from active_workflow.cli.app import main as main
