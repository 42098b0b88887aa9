"""The relay that owns long research runs."""
