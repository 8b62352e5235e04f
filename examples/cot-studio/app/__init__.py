"""COT Studio: people write, review and export chains of thought over their documents."""
