"""``python -m active_workflow`` is the command ``active-workflow``."""

from active_workflow.cli import main

if __name__ == "__main__":
    main()
