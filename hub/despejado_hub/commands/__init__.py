"""What each ``despejado`` command does; one module a command, each with ``main(options)``."""
