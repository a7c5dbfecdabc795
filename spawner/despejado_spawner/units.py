"""Amounts of memory and CPU as Kubernetes writes them."""

from __future__ import annotations

import re

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL = {"": 1, "K": 10**3, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|[kKMGT]?)B?", re.ASCII)
_CPU = re.compile(r"(\d+)m|(\d+(?:\.\d{1,3})?)", re.ASCII)


def parse_memory(text: str | int) -> int:
    """Bytes of ``12K``, ``12Ki``, ``12MiB``, ``1Gi`` or plain digits.

    Raises
    ------
    ValueError
        If the text is not an amount of memory; the message names it.
    """
    match = _MEMORY.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is not an amount of memory (examples: 3Gi, 512Mi, 2000000000)")
    number, unit = match.groups()
    return round(float(number) * (_BINARY | _DECIMAL)[unit])


def format_memory(amount: int) -> str:
    """Bytes as the shortest exact binary amount: ``3Gi``, ``768Mi``, ``1000``."""
    for unit, factor in reversed(_BINARY.items()):
        if amount >= factor and amount % factor == 0:
            return f"{amount // factor}{unit}"
    return str(amount)


def parse_cpu(text: str | float) -> float:
    """Cores of ``450m``, ``0.45`` or a number; at most three decimals.

    Raises
    ------
    ValueError
        If the text is not an amount of CPU; the message names it.
    """
    match = _CPU.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is not an amount of CPU (examples: 1, 0.5, 250m)")
    milli, cores = match.groups()
    return int(milli) / 1000 if milli else float(cores)
