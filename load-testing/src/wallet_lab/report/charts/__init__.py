"""The report's figures: one function per figure, from a report to an exhibit."""
