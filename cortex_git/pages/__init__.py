"""Self-contained HTML pages: shell, sections, tables and plots. Knows nothing of what it shows."""
