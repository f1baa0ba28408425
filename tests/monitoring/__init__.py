"""The dashboards and rules that everything is watched with."""
