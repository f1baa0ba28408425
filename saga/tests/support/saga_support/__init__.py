"""What several of the saga's tests need: a payer and a payee on two shards of a running stack."""
