"""``python -m ares``: the same as the command ``ares``."""

from ares.cli.main import main

if __name__ == "__main__":
    main()
