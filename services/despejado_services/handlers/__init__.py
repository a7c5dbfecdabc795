"""The HTTP face of the services: parse, call one function, answer."""
