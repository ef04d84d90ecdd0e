"""Originals of data cards: fetched from a server on this machine, checked, cached, read in their layouts."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pandas as pd
import pytest

from tsgap.cards import Original
from tsgap.errors import DataError
from tsgap.readers import fetching
from tsgap.readers.assemble import assemble
from tsgap.readers.options import ReadOptions
from tsgap.readers.originals import READERS, read_original

TEXT = b"date,a,b\n2024-01-01 00:00:00,1,2\n2024-01-01 01:00:00,3,4\n"
SHA = hashlib.sha256(TEXT).hexdigest()


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/x")
            self.end_headers()
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/x.csv")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "x.csv").write_bytes(TEXT)
    _Handler.asked.clear()
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}"
        found.shutdown()
        thread.join()


def test_a_file_is_fetched_once_and_kept_under_its_hash(server, tmp_path):
    cache = tmp_path / "cache"
    for _ in range(2):
        path = fetching.fetch(f"{server}/x.csv", sha256=SHA, folder=cache)
        assert path.read_bytes() == TEXT
        assert path.name == f"{SHA}.csv"
    assert _Handler.asked == ["/x.csv"]


def test_other_bytes_than_the_card_means_are_refused_and_not_kept(server, tmp_path):
    cache = tmp_path / "cache"
    with pytest.raises(
        DataError, match=f"/x.csv: sha256 {SHA[:16]}…, the card says 0000000000000000…: the file at that"
    ):
        fetching.fetch(f"{server}/x.csv", sha256="0" * 64, folder=cache)
    assert list(cache.iterdir()) == []


def test_a_cached_file_that_was_changed_is_refused(server, tmp_path):
    path = fetching.fetch(f"{server}/x.csv", sha256=SHA, folder=tmp_path)
    path.write_bytes(TEXT + b"2024-01-01 02:00:00,9,9\n")
    with pytest.raises(DataError, match="the cached copy was changed; delete it"):
        fetching.fetch(f"{server}/x.csv", sha256=SHA, folder=tmp_path)


def test_a_file_that_is_too_large_is_refused(server, tmp_path):
    with pytest.raises(DataError, match="more than 10 bytes"):
        fetching.fetch(f"{server}/x.csv", sha256=SHA, folder=tmp_path / "cache", largest=10)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_is_not_there_says_how_to_go_on(server, tmp_path):
    with pytest.raises(DataError, match=r"/y\.csv: cannot be fetched .*404.*; fetch it yourself .* --data-dir"):
        fetching.fetch(f"{server}/y.csv", sha256=SHA, folder=tmp_path)


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot be fetched"):
        fetching.fetch("http://127.0.0.1:9/x.csv", sha256=SHA, folder=tmp_path)


def test_redirects_are_followed_to_safe_addresses_alone(server, tmp_path):
    assert fetching.fetch(f"{server}/moved", sha256=SHA, folder=tmp_path).read_bytes() == TEXT
    with pytest.raises(DataError, match=r"ftp://127\.0\.0\.1/x: only https addresses are fetched"):
        fetching.fetch(f"{server}/away", sha256="1" * 64, folder=tmp_path)


@pytest.mark.parametrize("url", ["http://example.org/x.csv", "ftp://example.org/x", "file:///etc/hostname", "x.csv"])
def test_only_https_is_spoken_with_others(url, tmp_path):
    with pytest.raises(DataError, match="only https addresses are fetched"):
        fetching.fetch(url, sha256=SHA, folder=tmp_path)


def test_a_local_folder_is_looked_at_first(tmp_path, monkeypatch):
    wanted = Original(url="https://example.org/a/x%20y.csv", sha256=SHA, bytes=len(TEXT))
    monkeypatch.setattr(fetching, "fetch", lambda *a, **k: pytest.fail("the network was asked"))
    (tmp_path / "x y.csv").write_bytes(TEXT)
    assert fetching.original(wanted, id="some", data_dir=tmp_path) == tmp_path / "x y.csv"
    monkeypatch.setenv(fetching.FOLDER, str(tmp_path))
    assert fetching.original(wanted, id="some") == tmp_path / "x y.csv"
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "x y.csv").write_bytes(b"other")
    with pytest.raises(DataError, match="it is not the version that the card 'some' was written for"):
        fetching.original(wanted, id="some")
    with pytest.raises(DataError, match="there is no such folder"):
        fetching.original(wanted, id="some", data_dir=tmp_path / "absent")


def test_what_no_folder_has_is_fetched_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv(fetching.FOLDER, raising=False)
    asked = {}
    monkeypatch.setattr(fetching, "fetch", lambda url, **k: asked.update(url=url, **k) or tmp_path)
    wanted = Original(url="https://example.org/x.csv", sha256=SHA, bytes=len(TEXT))
    assert fetching.original(wanted, id="some", data_dir=tmp_path) == tmp_path
    assert asked == {"url": wanted.url, "sha256": SHA, "folder": fetching.cache()}


LAYOUTS = {
    "wide-csv": (["date,b,a\n2024-01-01 00:00:00,1,2\n2024-01-01 01:00:00,3,4\n"], "h",
                 {"b": [1, 3], "a": [2, 4]}, "2024-01-01"),
    "births-csv": (["year,month,date_of_month,day_of_week,births\n2000,1,31,1,9\n2000,2,1,2,8\n"], "D",
                   {"births": [9, 8]}, "2000-01-31"),
    "energy-prices-csv": (["Date,Price\r\n2024-01-05,1\r\n2024-01-08,2\r\n", "Date,Price\n2024-01-05,3\n2024-01-07,9\n",
                           "Date,Price\n2024-01-05,5\n2024-01-09,\n"], "B",
                          {"brent": [1, 2], "henry_hub": [5, np.nan, np.nan], "wti": [3]}, "2024-01-05"),
    "world-bank-csv": (['Country Name,Country Code,Year,Value\n"B, a",BBB,1960,1\n"B, a",BBB,1961,2\nA,AAA,1960,3\n'],
                       "YS-JAN", {"AAA": [3], "BBB": [1, 2]}, "1960-01-01"),
    "sensors-csv": (["773869,767541\n1.5,2\n3,4\n"], "5min", {"773869": [1.5, 3], "767541": [2, 4]}, "2012-03-01"),
    "m4-csv": (['"V1","V2","V3"\n"H2",1,2\n"H10",3,\n', '"V1","V2","V3"\n"H2",5,6\n"H10",7,8\n'], "h",
               {"H10": [3, 7, 8], "H2": [1, 2, 5, 6]}, "1970-01-01"),
    "tsf": (["@attribute series_name string\n@attribute start_timestamp date\n@frequency daily\n@data\n"
             "T2:2015-07-01 00-00-00:1,2\nT1:2015-07-01 00-00-00:3,4\n"], "D",
            {"T2": [1, 2], "T1": [3, 4]}, "2015-07-01"),
}  # fmt: skip


@pytest.mark.parametrize("reader", LAYOUTS)
def test_every_layout_becomes_series(reader, tmp_path):
    texts, freq, expected, first = LAYOUTS[reader]
    paths = [tmp_path / f"{i}.csv" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    data = assemble(read_original(reader, paths, freq), name="x", options=ReadOptions(season_length=(1,)), freq=freq)
    assert data.keys == tuple(expected)
    for i, values in enumerate(expected.values()):
        np.testing.assert_array_equal(data[i], values)
    assert data.starts[0] == np.datetime64(first)
    assert any("1 rows on weekends" in n for n in data.notes) == (reader == "energy-prices-csv")


def test_no_layout_is_without_a_test_and_others_are_refused(tmp_path):
    assert set(LAYOUTS) == set(READERS)
    with pytest.raises(DataError, match=r"no reader is called 'xls'\. There are: births-csv"):
        read_original("xls", [tmp_path], "D")


def test_weekly_m4_series_begin_on_a_monday(tmp_path):
    (tmp_path / "a").write_text('"V1","V2"\n"W1",1,2\n')
    long = read_original("m4-csv", [tmp_path / "a"], "W-MON")
    data = assemble(long, name="x", options=ReadOptions(season_length=(1,)), freq="W-MON")
    assert [t.day_name() for t in data.stamps(0)] == ["Monday", "Monday"]
    (tmp_path / "b").write_text('"V1","V2"\n"W1",x\n')
    with pytest.raises(DataError, match="could not convert"):
        read_original("m4-csv", [tmp_path / "b"], "W-MON")
    (tmp_path / "c").write_text('"V1","V2"\n')
    with pytest.raises(DataError, match="there is no series in it"):
        read_original("m4-csv", [tmp_path / "c"], "W-MON")


def test_dates_of_births_agree_with_pandas(tmp_path):
    days = pd.date_range("1999-12-01", periods=400)
    rows = "".join(f"{d.year},{d.month},{d.day},{d.isoweekday()},{i}\n" for i, d in enumerate(days))
    (tmp_path / "x.csv").write_text("year,month,date_of_month,day_of_week,births\n" + rows)
    data = assemble(read_original("births-csv", [tmp_path / "x.csv"], "D"), name="x", options=ReadOptions())
    assert list(data.stamps(0)) == list(days)


def test_many_sensors_are_read_as_one_table(tmp_path):
    names = [str(700_000 + i) for i in range(207)]
    (tmp_path / "x.csv").write_text(",".join(names) + "\n" + ",".join(["1.5"] * 207) + "\n")
    assert read_original("sensors-csv", [tmp_path / "x.csv"], "5min").ids == tuple(names)
