"""Planning: which runs to do next, and whether they are worth their compute."""
