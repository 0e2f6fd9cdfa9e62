"""The coordination repository: tasks, claims, results, and the one way to change a ref."""
