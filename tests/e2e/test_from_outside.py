"""A laptop, a token from the hub's token page, and stock pyvo."""

from __future__ import annotations

import pytest
import pyvo
import requests

from tests.e2e.demo import Demo, HubUser

PLEIADES = (
    "SELECT TOP 3 hip, mag FROM sample.stars "
    "WHERE CONTAINS(POINT(ra, dec), CIRCLE(56.75, 24.12, 1)) = 1 ORDER BY mag"
)


@pytest.fixture(scope="module")
def session(demo: Demo) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {HubUser(demo, 'laptop').token}"
    return session


def tap_url(demo: Demo) -> str:
    return str(demo.ready["services"]["tap"])


def test_sync_query_with_a_token_from_the_token_page(demo: Demo, session: requests.Session) -> None:
    rows = pyvo.dal.TAPService(tap_url(demo), session=session).search(PLEIADES)
    assert rows["hip"].tolist() == [17702, 17847, 17499]


def test_async_query_with_a_token_from_the_token_page(
    demo: Demo, session: requests.Session
) -> None:
    service = pyvo.dal.TAPService(tap_url(demo), session=session)
    job = service.submit_job(PLEIADES)
    job.run().wait(timeout=60)
    job.raise_if_error()
    assert job.fetch_result()["hip"].tolist() == [17702, 17847, 17499]
    job.delete()


def test_without_a_token_it_is_refused(demo: Demo) -> None:
    with pytest.raises(pyvo.dal.DALQueryError, match=r"needs a token.*token page"):
        pyvo.dal.TAPService(tap_url(demo)).search(PLEIADES)


def test_obscore_is_there_from_the_start(demo: Demo, session: requests.Session) -> None:
    service = pyvo.dal.TAPService(tap_url(demo), session=session)
    assert service.search("SELECT COUNT(*) AS n FROM ivoa.ObsCore")["n"][0] in (0, 25)
