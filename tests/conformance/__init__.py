"""The contract (DESIGN §1, CONTRACT.md), rule by rule, over HTTP alone."""
