"""Shows by function where a load's CPU time goes in the Python services."""
