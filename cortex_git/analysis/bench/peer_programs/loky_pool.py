"""loky: a process pool on one machine. It keeps nothing: a result is gone with the program."""

from loky import get_reusable_executor

from cortex_git.analysis.bench.peer_programs.told import asked, between, tell, work


def main() -> None:
    wanted = asked()
    pool = get_reusable_executor(max_workers=wanted.workers, timeout=60)
    list(pool.map(work, [0.0] * wanted.workers))
    futures = [pool.submit(work, wanted.task_s) for _ in range(wanted.tasks)]
    seconds = between(lambda: sum(future.done() for future in futures), wanted.tasks)
    pool.shutdown(wait=True)
    tell("loky", seconds)
