"""Other people's queues and pools on the workload of `bench peers`, each a program of its own.

Each module has a `main`, which is called with TASKS, WORKERS and TASK_S as arguments in an empty folder, and
prints `{"seconds", "version"}` as its last line: the seconds between the first result and the last, starting
up left out. None is imported into this program.
"""
