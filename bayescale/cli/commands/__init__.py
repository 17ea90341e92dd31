"""One file a command: its options, its steps, and how its result is printed."""
