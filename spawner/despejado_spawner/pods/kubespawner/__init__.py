"""What a hub that was made for KubeSpawner finds again."""
