"""`python -m wallet_cqrs.rebuild` builds and swaps the read models; with `--verify` it builds and compares."""

import sys

try:
    from wallet_cqrs.rebuild.main import main

    main()
except KeyboardInterrupt:  # the next rebuild drops the incomplete model
    sys.exit(130)
