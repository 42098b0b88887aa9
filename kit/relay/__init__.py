"""Talking to a relay: what goes over the wire, and the tool that a model calls for research."""
