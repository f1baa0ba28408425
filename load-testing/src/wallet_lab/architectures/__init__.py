"""One folder for each architecture: its components, their addresses, and their starting order."""
