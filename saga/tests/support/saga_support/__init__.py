"""The support code of the saga's tests: a payer and a payee on two shards of a running stack."""
