"""``despejado check``: try what a platform file names, and say what is wrong and what to do."""
