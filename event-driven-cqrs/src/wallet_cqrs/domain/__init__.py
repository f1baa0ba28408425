"""The wallet as a decider: pure functions from state and command to events, and from state and event to state.

    decide(wallets, command) -> events, or a refusal
    evolve(wallet, event, at) -> wallet

No I/O, no clock, no randomness. A transfer is one decision over two wallets: both events, or neither.
The pattern: J. Chassaing, "Functional Event Sourcing Decider" (2021).
"""
