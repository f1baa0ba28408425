"""The baselines: plain wallets behind the same contract, to show what a saga and event sourcing cost and buy."""
