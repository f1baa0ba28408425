"""A stack of the user: any HTTP service that answers the contract, described by a file in its folder."""
