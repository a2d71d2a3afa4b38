"""Promotion, rollback, archive, import and export of models."""
