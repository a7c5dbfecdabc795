"""The bundled tutorials, executed by the tests of every release."""
