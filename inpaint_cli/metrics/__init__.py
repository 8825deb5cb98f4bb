"""Metrics of completions: features, mergeable states, the protocol, the report."""
