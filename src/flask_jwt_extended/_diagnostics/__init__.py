"""What flask jwt check, routes, inspect and config report."""
