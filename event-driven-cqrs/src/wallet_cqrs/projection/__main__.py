"""`python -m wallet_cqrs.projection` runs a projection; `… replay --partition N` resumes a stopped partition."""

import sys

from wallet_cqrs.projection import main, replay

if sys.argv[1:2] == ["replay"]:
    replay.main(sys.argv[2:])
else:
    main.main()
