"""The baselines: plain wallets behind the same contract, as a comparison for a saga and for event sourcing."""
