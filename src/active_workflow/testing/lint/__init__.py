"""Looks at definitions for what will hurt once something crashes: ``active-workflow check``.

``source`` finds out what the code of a step does to ctx, ``rules`` has the findings, ``checking`` runs them.
"""

from active_workflow.testing.lint.checking import Finding, check

__all__ = ["Finding", "check"]
