"""Why a pod is not up, and how one ended (pure)."""
