"""Harnesses that do what users, disks and attackers do, with figures of how often it went well."""
