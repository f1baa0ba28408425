"""`python -m wallet_lab` is what `./lab` runs."""

import sys

try:
    from wallet_lab.cli import main

    main()
except KeyboardInterrupt:  # also while it is being imported, which takes a moment
    sys.exit(130)
