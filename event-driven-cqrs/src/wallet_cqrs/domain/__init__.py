"""The wallet as a decider, in two pure functions: a command gives events, and an event gives the next state.

    decide(wallets, command) -> events, or a refusal
    evolve(wallet, event, at) -> wallet

No I/O, no clock, no randomness. A transfer is one decision about two wallets: it has both events or none.
The pattern: J. Chassaing, "Functional Event Sourcing Decider" (2021).
"""
