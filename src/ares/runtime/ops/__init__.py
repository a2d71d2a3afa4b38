"""Supervision: processes kept running, silence as an alarm, recovery, backup, drills."""
