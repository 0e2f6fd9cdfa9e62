"""Dask: a scheduler and workers on this machine. It keeps nothing: a result is gone with the scheduler."""

from distributed import Client, LocalCluster

from cortex_git.analysis.bench.peer_programs.told import asked, between, tell, work


def main() -> None:
    wanted = asked()
    with (
        LocalCluster(n_workers=wanted.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(wanted.workers)
        futures = client.map(work, [wanted.task_s] * wanted.tasks, pure=False)
        seconds = between(lambda: sum(future.done() for future in futures), wanted.tasks)
    tell("distributed", seconds)
