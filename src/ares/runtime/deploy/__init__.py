"""Packages into production by restart."""
