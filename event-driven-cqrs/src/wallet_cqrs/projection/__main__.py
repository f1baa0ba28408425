"""`python -m wallet_cqrs.projection` runs it; `… replay --partition N` lets a stopped partition go on."""

import sys

from wallet_cqrs.projection import main, replay

if sys.argv[1:2] == ["replay"]:
    replay.main(sys.argv[2:])
else:
    main.main()
