"""Entry point: `cortex-git` and `python -m cortex_git`."""

from cortex_git.cli.main import main

if __name__ == "__main__":
    main()
