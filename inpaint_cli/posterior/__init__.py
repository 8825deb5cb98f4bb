"""What samples of a posterior are for: intervals that hold, where to look next, what is foreign."""
