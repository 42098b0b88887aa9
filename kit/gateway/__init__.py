"""Talking to a gateway."""
