"""Jupyter-first toolkit for OpenAI-compatible gateways."""
