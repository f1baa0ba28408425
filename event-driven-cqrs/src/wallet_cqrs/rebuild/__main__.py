"""`python -m wallet_cqrs.rebuild` builds and swaps; with `--verify` it builds and compares."""

import sys

try:
    from wallet_cqrs.rebuild.main import main

    main()
except KeyboardInterrupt:  # what is half built is wiped by the next one
    sys.exit(130)
