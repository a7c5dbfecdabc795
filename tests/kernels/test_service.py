"""Queries through ``despejado.tap()`` and through stock pyvo."""

from __future__ import annotations

import json
import os
from pathlib import Path

import despejado
import pytest
import pyvo
from despejado.errors import DespejadoError, QueryError
from despejado.service import TapQueryError, tables_in

from tests.kernels.conftest import TOKEN, StandIn


def test_rows_come_with_units(lab: Path) -> None:
    table = despejado.tap().search("SELECT * FROM sample.stars").to_table()
    assert list(table["hip"]) == [17702, 17499, 17847]
    assert table["ra"].unit == "deg"
    assert table["ra"].description == "Right ascension (ICRS)"


def test_a_tap_service_is_pyvos(lab: Path) -> None:
    assert isinstance(despejado.tap(), pyvo.dal.TAPService)
    assert isinstance(despejado.tap("sample").run_sync("SELECT 1"), pyvo.dal.TAPResults)


def test_async_leaves_no_job_behind(lab: Path, service: StandIn) -> None:
    assert len(despejado.tap().run_async("SELECT 1")) == 3
    assert [job.phase for job in service.jobs.values()] == ["DELETED"]


def test_job_by_hand(lab: Path) -> None:
    job = despejado.tap().submit_job("SELECT 1", maxrec=5)
    job.run().wait()
    job.raise_if_error()
    assert job.fetch_result().to_table()["name"][1] == "Electra"


def test_stock_pyvo_works_in_a_lab(lab: Path, service: StandIn, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("EXTERNAL_TAP_URL", service.url)
    stock = pyvo.dal.TAPService(os.environ["EXTERNAL_TAP_URL"])
    assert stock.search("SELECT * FROM sample.stars").to_table()["name"][0] == "Alcyone"
    assert len(stock.run_async("SELECT 1")) == 3
    assert {(r.authorization or "").split(" ")[0] for r in service.requests} == {"Basic"}


def test_stock_pyvo_without_netrc_is_refused(
    lab: Path, service: StandIn, clean: pytest.MonkeyPatch
) -> None:
    clean.setenv("NETRC", str(lab / "none"))
    with pytest.raises(pyvo.dal.DALServiceError, match="token wanted"):
        pyvo.dal.TAPService(service.url).submit_job("SELECT 1")


def test_the_services_message_is_kept(lab: Path, service: StandIn) -> None:
    service.refusal = "Something is wrong at line 1, column 8."
    with pytest.raises(pyvo.dal.DALQueryError, match="Something is wrong at line 1, column 8"):
        despejado.tap().search("SELECT wrong FROM sample.stars")
    with pytest.raises(TapQueryError, match="Something is wrong at line 1, column 8"):
        despejado.tap().run_async("SELECT wrong FROM sample.stars")


def test_unknown_table_gets_the_nearest(lab: Path, service: StandIn) -> None:
    service.refusal = "Unknown table."
    with pytest.raises(TapQueryError, match=r"Unknown table\. Did you mean sample\.stars\?"):
        despejado.tap().search("SELECT wrong FROM sample.star")


def test_unknown_column_gets_the_nearest(lab: Path, service: StandIn) -> None:
    service.refusal = "There is no column 'paralax'."
    with pytest.raises(TapQueryError, match=r"Did you mean parallax\?"):
        despejado.tap().search("SELECT wrong, paralax FROM sample.stars")


def test_suggestions_of_the_service_are_enough(lab: Path, service: StandIn) -> None:
    service.refusal = "Unknown table. Did you mean x?"
    with pytest.raises(TapQueryError, match=r"Did you mean x\?$"):
        despejado.tap().search("SELECT wrong FROM sample.star")


def test_failure_of_the_service(lab: Path, service: StandIn) -> None:
    service.status = 507
    with pytest.raises(QueryError, match=r"failed: 507 .*the service says no"):
        despejado.tap().search("SELECT 1")
    with pytest.raises(QueryError, match=r"failed: 507 .*the service says no"):
        despejado.tap().submit_job("SELECT 1")


def test_overflow_warns(lab: Path, service: StandIn) -> None:
    service.overflow = True
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        despejado.tap().search("SELECT 1")


def test_sample_lists_tables(lab: Path) -> None:
    found = despejado.sample()
    assert list(found["name"][found["kind"] == "table"]) == ["sample.stars", "ivoa.ObsCore"]
    assert found["description"][0] == "The stars of the sample"


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT * FROM a.b", ["a.b"]),
        ("select x from a, b as c, d.e f where x in (select y from g)", ["a", "b", "d.e", "g"]),
        ("SELECT * FROM a JOIN s.b ON a.x = b.x -- FROM c", ["a", "s.b"]),
        ("SELECT 'FROM q' FROM \"A b\" . c", ["A b.c"]),
        ("SELECT * FROM (SELECT * FROM inner_one) AS t", ["inner_one"]),
        ("nothing", []),
    ],
)
def test_tables_of_a_query(query: str, tables: list[str]) -> None:
    assert tables_in(query) == tables


def test_another_archive_is_asked_without_the_platforms_token(
    lab: Path, service: StandIn, other_service: StandIn
) -> None:
    """An operator may list another archive's TAP; it must not learn who may do what here."""
    file = lab / "discovery" / "v1.json"
    document = json.loads(file.read_text())
    document["despejado"]["external_services"] = {"empty": {"tap": {"url": other_service.url}}}
    file.chmod(0o644)
    file.write_text(json.dumps(document))
    with pytest.raises(DespejadoError):
        despejado.tap("empty").search("SELECT * FROM sample.stars")
    assert {request.authorization for request in other_service.requests} == {None}
    despejado.tap("sample").search("SELECT * FROM sample.stars")
    assert service.requests[-1].authorization == f"Bearer {TOKEN}"
