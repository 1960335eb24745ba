"""What the code of this process would do with the executions that are in flight: asked before a deploy."""
