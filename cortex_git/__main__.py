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
    run()


if __name__ == "__main__":
    main()
