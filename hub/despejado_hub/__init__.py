"""The configuration, identity, pages and command of the Despejado platform."""
