"""The menu of a laptop: environments as images."""

from __future__ import annotations

from despejado_images.environments import EnvironmentChoice

from despejado_spawner.options import ImageChoice


def image_choice(choice: EnvironmentChoice) -> ImageChoice:
    """An environment as a line of the image menu."""
    return ImageChoice(
        tag=choice.tag,
        title=choice.title,
        state=choice.state,
        recommended=choice.recommended,
        phase=choice.phase,
        fraction=choice.fraction,
        expected_seconds=choice.expected_seconds,
        size_bytes=choice.size_bytes,
        reason=choice.reason,
    )
