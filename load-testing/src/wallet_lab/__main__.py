"""Entry point of `python -m wallet_lab`, which `./lab` runs."""

import sys

try:
    from wallet_lab.cli import main

    main()
except KeyboardInterrupt:  # also during the imports, which take a moment
    sys.exit(130)
