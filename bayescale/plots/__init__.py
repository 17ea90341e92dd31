"""plot_*: figures of finished results; each takes a result and optional axes, and returns the axes."""
