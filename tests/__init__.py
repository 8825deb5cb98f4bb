"""Tests: they mirror the tree; what they share is imported as tests.NAME."""
