"""
`python -m scanner.cli` is the command `orgproof` too.
"""

from scanner.cli import main

if __name__ == "__main__":
    main()
