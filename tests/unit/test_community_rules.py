"""Each rule that results must keep, broken one by one; and files from people who mean no good."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

from schema.community.csv_files import shown
from schema.community.households import Household, one_each, read_households, write_households
from schema.community.job import Job
from schema.community.results_files import ENERGY_COLUMNS, RESULT_COLUMNS, write_results
from schema.community.rules import judge_file
from schema.errors import InputError
from tasks.community.simulation import simulate

NOON = datetime(2026, 6, 21, 11, 0, tzinfo=UTC)
STAMP = "2026-06-21T11:00:00Z"
JOB = Job(timestamp=NOON)
HOUSES = [
    Household(
        f"00000000-0000-4000-8000-{number:012x}",
        panel_count=5 * number,
        battery_capacity_kwh=5.0 * number,
        battery_soc_kwh=2.0 * number,
        battery_power_kw=2.5 * number,
    )
    for number in range(3)
]
ALICE, BOB, CAROL = (house.user_id for house in HOUSES)


@pytest.fixture
def table(tmp_path):
    """Rows of a valid file as lists, and a way to judge them after they were changed."""
    path = tmp_path / "results_20260621_1100.csv"
    write_results(path, simulate(HOUSES, JOB))
    header, *lines = [line.split(",") for line in path.read_text().splitlines()]

    class Table:
        rows = lines

        def set(self, row, column, value):
            self.rows[row][header.index(column)] = value

        def get(self, row, column):
            return float(self.rows[row][header.index(column)])

        def add(self, row, column, amount):
            self.set(row, column, f"{self.get(row, column) + amount:.6f}")

        def findings(self, job=JOB, houses=HOUSES, header=header):
            path.write_text("\n".join(",".join(row) for row in [header, *self.rows]) + "\n")
            return [
                (finding.path, finding.line, finding.message)
                for finding in judge_file(path, job, houses).findings
            ]

        @property
        def columns(self):
            return header

    return Table()


def test_what_the_simulation_writes_keeps_all_rules(table) -> None:
    assert table.findings() == []


def test_numbers_have_six_decimals_and_columns_their_order(table) -> None:
    assert tuple(table.columns) == RESULT_COLUMNS
    assert all(len(cell.partition(".")[2]) == 6 for row in table.rows for cell in row[2:])


@pytest.mark.parametrize("user_id", ["=cmd|' /C calc'!A0", "alice@example.org", "../../etc/passwd", "", "1"])
def test_a_user_id_that_is_no_uuid_is_told(table, user_id) -> None:
    table.set(1, "user_id", user_id)
    assert ("user_id", 3) in [finding[:2] for finding in table.findings()]
    assert any("is missing" in message and BOB in message for _, _, message in table.findings())


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-06-21T11:05:00Z",
        "2026-06-21 11:00",
        "21.06.2026",
        "2026-06-21T11:15:00Z",
        "2026-06-21T13:00:00+02:00",
    ],
)
def test_another_time_than_the_jobs_is_told(table, stamp) -> None:
    table.set(0, "timestamp", stamp)
    assert ("timestamp", 2) in [finding[:2] for finding in table.findings()]


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e3", "", "0x10", "=1+1", "1,5", "1_000", "٣", "+1", " 1"]
)
def test_what_is_no_plain_decimal_number_is_told(table, text) -> None:
    table.set(2, "generation_kwh", f'"{text}"' if "," in text else text)
    assert ("generation_kwh", 4) in [finding[:2] for finding in table.findings()]


@pytest.mark.parametrize("column", ENERGY_COLUMNS[:-1])
def test_a_negative_energy_is_told(table, column) -> None:
    table.set(2, column, "-0.500000")
    assert any("must not be negative" in m for path, _, m in table.findings() if path == column)


def test_surplus_may_be_negative_and_must_be_generation_less_consumption(table) -> None:
    assert table.get(0, "surplus_kwh") < 0
    table.add(0, "surplus_kwh", 0.0009)
    assert table.findings() == []
    table.add(0, "surplus_kwh", 0.0002)
    assert [finding[:2] for finding in table.findings()] == [("surplus_kwh", 2)]


def test_a_household_whose_balance_is_broken_is_told(table) -> None:
    table.add(1, "grid_export_kwh", 0.002)
    assert any("breaks the balance" in message for _, line, message in table.findings() if line == 3)


def test_a_level_that_does_not_follow_from_the_one_before_is_told(table) -> None:
    table.add(1, "battery_soc_kwh", -0.01)
    assert [finding[:2] for finding in table.findings()] == [("battery_soc_kwh", 3)]


def test_a_battery_that_is_fuller_than_it_can_be_is_told(table) -> None:
    table.set(1, "battery_soc_kwh", "5.100000")
    assert any("more than the battery holds" in message for _, _, message in table.findings())


def test_a_user_twice_a_user_missing_and_a_stranger_are_told(table) -> None:
    table.set(2, "user_id", ALICE)
    messages = " ".join(message for _, _, message in table.findings())
    assert "stands twice, first in line 2" in messages
    assert f"user {CAROL} is missing" in messages
    table.set(2, "user_id", "ffffffff-0000-4000-8000-000000000000")
    assert any("is no user of this job" in message for _, _, message in table.findings())


def test_small_errors_that_all_lean_to_one_side_break_the_communitys_balance(tmp_path) -> None:
    houses = [Household(f"00000000-0000-4000-8000-{number:012x}", panel_count=5) for number in range(50)]
    path = tmp_path / "results.csv"
    write_results(
        path, ((user, stamp, (*e[:6], e[6] + 900, e[7])) for user, stamp, e in simulate(houses, JOB))
    )
    (finding,) = judge_file(path, JOB, houses).findings
    assert "community's balance is off by 0.045" in finding.message


def test_all_errors_of_a_file_are_told_at_once(table) -> None:
    table.set(0, "user_id", "x")
    table.set(1, "generation_kwh", "nan")
    table.set(2, "timestamp", "now")
    assert {finding[0] for finding in table.findings()} >= {"user_id", "generation_kwh", "timestamp"}


def test_several_ticks_are_each_held_to_the_rules(tmp_path) -> None:
    job = Job(timestamp=NOON, ticks=3)
    path = tmp_path / "results.csv"
    write_results(path, simulate(HOUSES, job))
    assert judge_file(path, job, HOUSES).findings == []
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[6:]))
    assert any(
        "is missing at 2026-06-21T11:15:00Z" in f.message for f in judge_file(path, job, HOUSES).findings
    )


# -- the form of files


def judged(tmp_path, data: bytes):
    path = tmp_path / "results.csv"
    path.write_bytes(data)
    return [finding.message for finding in judge_file(path, JOB, HOUSES).findings]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the column user_id is missing"),
        (b"user_id,timestamp\n", "the column generation_kwh is missing"),
        (",".join([*RESULT_COLUMNS, "email"]).encode(), "unknown column 'email'"),
        (",".join([*RESULT_COLUMNS, "user_id"]).encode(), "the column 'user_id' stands twice"),
        ("µ".encode("latin-1"), "not UTF-8"),
        ("user_id,timestamp".encode("utf-16"), "not UTF-8"),
        (b"user_id\0,timestamp", "NUL"),
        (b'"user_id', "not valid CSV"),
        (b"PK\x03\x04\xff\xfe", "not UTF-8"),
        (b"x" * 100_000, "larger than"),
    ],
)
def test_a_file_of_another_form_is_refused_in_plain_words(tmp_path, data, message) -> None:
    assert any(message in told for told in judged(tmp_path, data))


def test_a_huge_cell_more_cells_and_more_rows_than_there_are_users_are_told(table) -> None:
    table.set(0, "user_id", "a" * 500)
    table.rows[1].append("more")
    told = [message for _, _, message in table.findings()]
    assert any("500 characters long" in message for message in told)
    assert any("11 cells where the header has 10" in message for message in told)
    table.rows[:] = table.rows * 4
    assert any("more than the 3 rows" in message for _, _, message in table.findings())


def test_what_others_wrote_cannot_break_a_line_or_hide_in_a_message() -> None:
    assert shown("a\nERROR fake\x1b[31m") == "a\\nERROR fake\\x1b[31m"
    assert len(shown("x" * 1000)) == 60


# -- households


def test_households_written_are_the_households_read(tmp_path) -> None:
    write_households(tmp_path / "users.csv", HOUSES)
    assert read_households(tmp_path / "users.csv") == HOUSES


def test_missing_values_get_their_defaults(tmp_path) -> None:
    path = tmp_path / "users.csv"
    path.write_text(
        "user_id,panel_wattage,panel_count,battery_capacity_kwh,inverter_capacity_kw,household_size\n"
        f"{ALICE},,,,,\n{BOB.upper()},400,10,8,6,2\n"
    )
    assert read_households(path) == [
        Household(ALICE, 350.0, 0, 0.0, 5.0, 3),
        Household(BOB, 400.0, 10, 8.0, 6.0, 2, battery_soc_kwh=4.0, battery_power_kw=4.0),
    ]


def test_wrong_households_are_refused_with_all_that_is_wrong(tmp_path) -> None:
    path = tmp_path / "users.csv"
    path.write_text(
        "user_id,panel_wattage,panel_count,battery_capacity_kwh,inverter_capacity_kw,household_size\n"
        f"=HYPERLINK(1),350,1,0,5,3\n{ALICE},nan,1.5,-1,1e9,0\n{BOB},350,1,0,5,3\n{BOB},350,1,0,5,3\n"
    )
    with pytest.raises(InputError) as refused:
        read_households(path)
    wrong = [(finding.path, finding.line) for finding in refused.value.findings]
    assert wrong == [
        ("user_id", 2),
        ("panel_wattage", 3), ("panel_count", 3), ("battery_capacity_kwh", 3),
        ("inverter_capacity_kw", 3), ("household_size", 3),
        ("user_id", 5),
    ]  # fmt: skip


def test_one_users_wrong_system_does_not_stop_the_others() -> None:
    raw = [
        {"user_id": ALICE, "panel_count": 5},
        {"user_id": BOB, "panel_count": float("nan")},
        {"user_id": CAROL, "panel_count": 5},
        {"user_id": CAROL, "panel_count": 6},
    ]
    households, left_out = one_each(raw, "user_systems")
    assert [household.user_id for household in households] == [ALICE]
    assert {finding.path for finding in left_out} == {"panel_count", "user_id"}
