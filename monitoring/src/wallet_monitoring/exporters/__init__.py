"""Exporters of the resources that each component of a stack uses, natively and on Docker."""
