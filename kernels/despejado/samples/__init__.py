"""The sample Butler repository: real images, and simulated visits of the real Pleiades.

Nothing here is imported by ``import despejado``. ``python -m despejado.samples build`` makes the
repository in an environment that has the Rubin middleware (``lsst.daf.butler``), in a process of
its own.
"""
