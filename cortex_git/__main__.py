"""Entry point: `cortex-git` and `python -m cortex_git`."""


def main() -> None:
    """Run the command line. Most of its start is imports, during which Ctrl-C leaves at once."""
    try:
        from cortex_git.cli.leaving import hold

        hold()
        from cortex_git.cli.main import main as run
    except KeyboardInterrupt:
        import os

        os._exit(130)
    try:
        run()
    finally:
        import gc

        # All that was imported lives to the end, where it would be looked through for garbage once more:
        # a fifth of a short command's time, and a third of the start of one that talks to a model.
        gc.freeze()


if __name__ == "__main__":
    main()
