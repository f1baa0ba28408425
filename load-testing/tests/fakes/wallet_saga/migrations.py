"""Fake migrations, which only require the owner's URL."""

import os
import sys

if "wallet_owner:" not in os.environ["WALLET_DATABASE_URL"]:
    sys.exit("migrations need the owner's role")
