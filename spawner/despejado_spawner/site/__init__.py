"""What a site configures of its labs: homes, network, mounts, sizes, storage."""
