"""Starting flow runs from the product, without importing the orchestrator."""
