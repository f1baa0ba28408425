"""Says in a few words whether the figures can be trusted: how many audits passed, and which saw no books. Pure."""

from wallet_lab.report.model import Report
from wallet_lab.report.selection import audited


def proof(report: Report) -> str:
    """Return the number of audits, how many of them failed, and which ones used the API alone."""
    return " ".join(filter(None, (_verdicts(report), api_alone(report))))


def _verdicts(report: Report) -> str:
    found = [each.audit for each in audited(report) if each.audit]
    failed = sum(not audit.passed for audit in found)
    if not found:
        return "No run was audited."
    if failed:
        return f"{failed} of {len(found)} audits failed. The figures of their loads are withheld and do not count."
    return f"All {len(found)} audits passed: no run lost, created or duplicated money."


def api_alone(report: Report) -> str:
    """Return a sentence about the architectures whose books the lab cannot read; empty if there are none."""
    found = [each.architecture for each in audited(report) if each.audit and each.audit.is_through_api]
    if not found:
        return ""
    names = " and ".join(dict.fromkeys(found))
    return (
        f"The audits of {names} used the API alone, because the lab cannot read these books. "
        "They did not check the rules about storage."
    )
