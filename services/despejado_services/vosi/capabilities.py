"""VOSI capabilities with the TAP extension (VOSI 1.1 §2.2, TAPRegExt 1.0)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from despejado_services.config import Limits
from despejado_services.formats.choice import Format, FormatTable
from despejado_services.xml import DECLARATION, Markup, element, lines

_REGEXT = "ivo://ivoa.net/std/TAPRegExt"


@dataclass(frozen=True)
class Language:
    """What of ADQL the engine understands beyond the core."""

    geometry: tuple[str, ...]
    """Geometry functions of ADQL 2.1 §4.2."""
    functions: tuple[tuple[str, str], ...]
    """User-defined functions: signature as in TAPRegExt §2.3, and what it does."""
    optional: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Other optional features: type (``features-adql-...``) and their forms."""


def _security() -> Markup:
    # A client that holds credentials looks here for how to send them; tokens in an Authorization
    # header need no entry, but pyvo's AuthSession sends a password only where BasicAA is listed.
    return element("securityMethod", {"standardID": "ivo://ivoa.net/sso#BasicAA"})


def _interface(url: str, *, protected: bool, version: str | None = None) -> Markup:
    # use="base" where a token is needed: for use="full" without a known method pyvo 1.9 sends no
    # token to exactly that address
    return element(
        "interface",
        {"xsi:type": "vs:ParamHTTP", "role": "std", "version": version},
        lines(
            element("accessURL", {"use": "base" if protected else "full"}, url),
            _security() if protected else None,
        ),
    )


def _plain(standard: str, url: str, *, protected: bool) -> Markup:
    return element(
        "capability",
        {"standardID": standard},
        lines(_interface(url, protected=protected)),
    )


def _features(kind: str, forms: Iterable[tuple[str, str | None]]) -> Markup:
    return element(
        "languageFeatures",
        {"type": kind},
        lines(
            *(
                element(
                    "feature",
                    None,
                    lines(
                        element("form", None, form),
                        element("description", None, what) if what else None,
                    ),
                )
                for form, what in forms
            )
        ),
    )


def _language(language: Language) -> Markup:
    features = []
    if language.geometry:
        features.append(
            _features(f"{_REGEXT}#features-adqlgeo", [(name, None) for name in language.geometry])
        )
    if language.functions:
        features.append(_features(f"{_REGEXT}#features-udf", language.functions))
    features += [
        _features(f"{_REGEXT}#{kind}", [(form, None) for form in forms])
        for kind, forms in language.optional
    ]
    return element(
        "language",
        None,
        lines(
            element("name", None, "ADQL"),
            element("version", {"ivo-id": "ivo://ivoa.net/std/ADQL#v2.0"}, "2.0"),
            element("version", {"ivo-id": "ivo://ivoa.net/std/ADQL#v2.1"}, "2.1"),
            element("description", None, "Astronomical Data Query Language"),
            *features,
        ),
    )


def _output(form: Format) -> Markup:
    return element(
        "outputFormat",
        {"ivo-id": form.ivo_id},
        lines(
            element("mime", None, form.content_type),
            *(element("alias", None, alias) for alias in form.aliases),
        ),
    )


def _seconds(name: str, value: int) -> Markup:
    return element(
        name,
        None,
        lines(element("default", None, str(value)), element("hard", None, str(value))),
    )


def _tap(url: str, limits: Limits, language: Language, formats: FormatTable) -> Markup:
    rows = str(limits.maxrec)
    return element(
        "capability",
        {"standardID": "ivo://ivoa.net/std/TAP", "xsi:type": "tr:TableAccess"},
        lines(
            _interface(url, protected=True, version="1.1"),
            element("dataModel", {"ivo-id": "ivo://ivoa.net/std/ObsCore#core-1.1"}, "ObsCore-1.1"),
            _language(language),
            *(_output(form) for form in formats),
            _seconds("retentionPeriod", limits.result_retention_seconds),
            _seconds("executionDuration", limits.execution_seconds),
            element(
                "outputLimit",
                None,
                lines(
                    element("default", {"unit": "row"}, rows),
                    element("hard", {"unit": "row"}, rows),
                ),
            ),
        ),
    )


def capabilities_document(
    url: str, limits: Limits, language: Language, formats: FormatTable
) -> str:
    """Everything the service offers; ``url`` is its root. No upload method: none is offered."""
    vosi = "ivo://ivoa.net/std/VOSI"
    document = element(
        "vosi:capabilities",
        {
            "xmlns:vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
            "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
            "xmlns:tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        },
        lines(
            _plain(f"{vosi}#capabilities", f"{url}/capabilities", protected=False),
            _plain(f"{vosi}#availability", f"{url}/availability", protected=False),
            _plain(f"{vosi}#tables-1.1", f"{url}/tables", protected=True),
            _plain("ivo://ivoa.net/std/DALI#examples", f"{url}/examples", protected=True),
            _tap(url, limits, language, formats),
        ),
    )
    return f"{DECLARATION}{document.text}\n"
