import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from report_text import (
    ACCOUNT,
    HEADER,
    MADE,
    OTHER,
    name_users,
    parse,
    read_table,
    root_row,
    user_row,
    write_report,
)

from scanner.credentials import (
    BOOLEAN_COLUMNS,
    MAX_REPORT_BYTES,
    NO_INFORMATION,
    NOT_SUPPORTED,
    REPORT_COLUMNS,
    TEXT_COLUMNS,
    TIME_COLUMNS,
    TIME_DTYPE,
    build_table,
    is_false,
    is_true,
    is_uninterpretable,
    parse_report,
    says,
)
from scanner.errors import ReportError
from scanner.model import AccountId

ANN = user_row("ann", password_enabled="true", mfa_active="true")
BOB = user_row("bob", password_enabled="true")


def refuse(content: bytes, account: AccountId = ACCOUNT) -> ReportError:
    """
    Parse a report that must be refused, and return the refusal.
    """
    with pytest.raises(ReportError) as caught:
        parse_report(content, account, MADE)
    return caught.value


def type_cell(column: str, value: str):
    """
    Return the typed row of one user with one cell changed.
    """
    return read_table(user_row("ann", **{column: value})).set_index("user").loc["ann"]


# What is accepted


def test_a_live_report_becomes_one_row_for_root_and_each_user():
    """
    A report in AWS's own form: root is a row and not a user, and nothing is lost on the way.
    """
    report = parse_report(write_report(root_row(), ANN, BOB), ACCOUNT, MADE)

    assert name_users([report]) == ["<root_account>", "ann", "bob"]
    assert report.users == 2
    assert (report.account_id, report.generated_time) == (ACCOUNT, MADE)


def test_the_columns_are_those_of_a_live_report():
    """
    All 22 columns are known, in AWS's order, and each has one type.
    """
    typed = {"user", "arn", *BOOLEAN_COLUMNS, *TIME_COLUMNS, *TEXT_COLUMNS}

    assert REPORT_COLUMNS == HEADER
    assert typed == set(HEADER)
    assert len(HEADER) == 2 + len(BOOLEAN_COLUMNS) + len(TIME_COLUMNS) + len(TEXT_COLUMNS)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_a_byte_order_mark_make_no_difference(end, start, last):
    """
    LF or CRLF, with a byte order mark or without, with a last line end or without: the same rows.
    """
    content = start + write_report(root_row(), BOB, end=end) + (end.encode() if last else b"")

    report = parse_report(content, ACCOUNT, MADE)

    assert report == parse_report(write_report(root_row(), BOB), ACCOUNT, MADE)


def test_columns_are_read_by_name():
    """
    The order of the columns makes no difference.
    """
    content = write_report(root_row(), ANN, BOB, header=HEADER[::-1])

    report = parse_report(content, ACCOUNT, MADE)

    assert report == parse_report(write_report(root_row(), ANN, BOB), ACCOUNT, MADE)


def test_columns_nobody_knows_are_kept():
    """
    A column that AWS adds is kept as it is, beside the typed ones.
    """
    header = (*HEADER, "additional_credentials_info", "new")
    rows = [row | {"additional_credentials_info": 'a, "b"', "new": ""} for row in (root_row(), ANN)]

    table = build_table([parse_report(write_report(*rows, header=header), ACCOUNT, MADE)])

    kept = [json.loads(text) for text in table["other_columns"]]
    assert kept == [{"additional_credentials_info": 'a, "b"', "new": ""}] * 2


def test_a_report_without_other_columns_has_none():
    """
    No unknown column is a missing value and not empty text.
    """
    assert read_table(ANN)["other_columns"].isna().all()


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("smith,john", "/"),
        (",", "/"),
        ("a,b,c", "/x,y/"),
        ("ann", '/"quoted"/'),
        ("ann", '/a"b,c"/'),
        ("ann", '/x,"y,z",/'),
        ("ann", "/arn:aws:iam::999999999999:user,x/"),
        ("ann", "/;|<>'&{}\\`/"),
        ("=1+1", "/"),
        ("@root", "/root/"),
    ],
)
def test_commas_and_quotation_marks_in_names_and_paths(name, path, quoted):
    """
    A legal name or path is read whole, whether AWS quotes it or not, and the next row with it.
    """
    row = user_row(name, path=path, password_enabled="true")

    report = parse_report(write_report(root_row(), row, BOB, quoted=quoted), ACCOUNT, MADE)

    assert [list(cells[:4]) for cells in report.rows[1:]] == [
        [name, row["arn"], row["user_creation_time"], "true"],
        ["bob", BOB["arn"], BOB["user_creation_time"], "true"],
    ]


def test_every_field_may_be_quoted():
    """
    A report that quotes all its fields is the same report.
    """
    plain = write_report(root_row(), BOB)
    lines = plain.decode().split("\n")
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in lines)

    report = parse_report(quoted.encode(), ACCOUNT, MADE)

    assert report == parse_report(plain, ACCOUNT, MADE)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"])
def test_every_partition_is_read(partition):
    """
    The ARN's partition may be any of AWS's.
    """
    report = parse(root_row(partition=partition), user_row("ann", partition=partition))

    assert report.users == 1


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "NULL", "00123", "1E5"])
def test_names_that_look_like_nothing_or_like_numbers_stay_text(name):
    """
    A user called NA, null, nan or 00123 stays that user.
    """
    table = read_table(user_row(name))

    assert table["user"].tolist() == ["<root_account>", name]
    assert table["user"].dtype == "str"


def test_an_account_id_keeps_its_zero():
    """
    012345678901 stays twelve digits of text.
    """
    table = read_table(ANN)

    assert table["account_id"].tolist() == ["012345678901", "012345678901"]


# What is refused


@pytest.mark.parametrize("content", [b"", b" ", b"\n", b"\r\n\r\n", b"\t \n", b"\xef\xbb\xbf\n\n"])
def test_an_empty_report_is_refused(content):
    """
    Nothing, or nothing but blanks, is no report.
    """
    assert refuse(content).foreign is False


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_header_alone_is_refused(end):
    """
    Even an account without users has a root row, so a header alone is not an empty account.
    """
    error = refuse(write_report() + end)

    assert "a header and no rows" in str(error)


def test_a_report_without_root_is_refused():
    """
    Users without a root row are half a report.
    """
    error = refuse(write_report(ANN, BOB))

    assert "no <root_account> row among 2 rows" in str(error)


def test_root_in_other_letters_is_not_root():
    """
    A user whose name differs from root's only by case does not stand for the root row.
    """
    error = refuse(write_report(user_row("<ROOT_ACCOUNT>"), ANN))

    assert error.foreign is False


def test_a_second_root_row_is_refused():
    """
    One account has one root user.
    """
    error = refuse(write_report(root_row(), ANN, root_row()))

    assert (error.line, error.column) == (4, "user")


@pytest.mark.parametrize("column", HEADER)
def test_each_column_is_required(column):
    """
    A report that lacks one of the 22 columns is refused, and the message names the column.
    """
    header = tuple(name for name in HEADER if name != column)

    error = refuse(write_report(root_row(), BOB, header=header))

    assert (error.line, error.column) == (1, column)


@pytest.mark.parametrize("changed", ["MFA_ACTIVE", "mfa_active ", "mfa", ""])
def test_a_column_of_another_name_does_not_stand_in(changed):
    """
    Column names are compared exactly: what is called otherwise is missing.
    """
    content = write_report(root_row(), BOB).replace(b"mfa_active", changed.encode())

    assert refuse(content).column == "mfa_active"


def test_several_missing_columns_are_named_together():
    """
    Whoever reads the message learns of every missing column at once.
    """
    header = tuple(name for name in HEADER if not name.startswith("cert_"))

    error = refuse(write_report(root_row(), header=header))

    assert str(error).startswith(
        "line 1, column cert_1_active, cert_1_last_rotated, cert_2_active, cert_2_last_rotated: "
    )


def test_a_column_that_appears_twice_is_refused():
    """
    With two columns called mfa_active nobody can say which one counts.
    """
    error = refuse(write_report(root_row(), BOB, header=(*HEADER, "mfa_active")))

    assert (error.line, error.column) == (1, "mfa_active")


def test_an_unknown_column_that_appears_twice_is_refused():
    """
    Of two unknown columns with one name, one would be lost.
    """
    rows = [row | {"new": "x"} for row in (root_row(), BOB)]

    error = refuse(write_report(*rows, header=(*HEADER, "new", "new")))

    assert (error.line, error.column) == (1, "new")


@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>Sign in</body></html>\n<p>to the proxy</p>",
        b'{"Content": "dXNlcixhcm4="}\n{}',
        b"user;arn;mfa_active\n<root_account>;arn:aws:iam::012345678901:root;true",
        b"dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1l\ncGFzc3dvcmRfZW5hYmxlZA==",
    ],
)
def test_what_is_no_report_is_called_so(content):
    """
    A web page, JSON, another separator or base64 is told apart from a report that lacks a column.
    """
    error = refuse(content)

    assert "not a credential report" in str(error)
    assert error.line == 1


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("change", [",", ",,", ",x"])
def test_a_row_with_more_fields_than_the_header_is_refused(number, change):
    """
    A row that is too long is refused with its line, rather than shifted.
    """
    lines = write_report(root_row(), BOB).decode().split("\n")
    lines[number - 1] += change

    error = refuse("\n".join(lines).encode())

    assert error.line == number
    assert "fields where the header has 22" in str(error)


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("fields", [0, 1, 2, 21])
def test_a_row_with_fewer_fields_than_the_header_is_refused(number, fields):
    """
    A row that is too short is refused with its line, rather than filled.
    """
    lines = write_report(root_row(), BOB).decode().split("\n")
    lines[number - 1] = ",".join(lines[number - 1].split(",")[:fields])

    error = refuse("\n".join([*lines, "x"]).encode())

    assert error.line == number
    assert "fields where the header has 22" in str(error)


def test_a_field_too_many_in_the_middle_is_refused():
    """
    An extra field is not taken for a comma in a path when the ARN would not end in the user.
    """
    content = write_report(root_row(), BOB).replace(b"user/bob,", b"user/bob,true,")

    assert refuse(content).line == 3


def test_a_blank_line_between_rows_is_refused():
    """
    A blank line is a row without fields, and the place where something may be missing.
    """
    content = write_report(root_row(), BOB).replace(b"\nbob", b"\n\nbob")

    assert refuse(content).line == 3


def test_two_line_ends_at_the_end_are_refused():
    """
    One last line end is forgiven, a second is a blank row.
    """
    assert refuse(write_report(root_row(), BOB) + b"\n\n").line == 4


@pytest.mark.parametrize("quote", ['"bob', 'bob"', '"bob"x', '"bob""'])
def test_a_stray_quotation_mark_is_refused(quote):
    """
    A quotation mark that does not close its field swallows no later rows: the line is refused.
    """
    content = write_report(root_row(), BOB, ANN).replace(b"\nbob", f"\n{quote}".encode())

    assert refuse(content).line == 3


@pytest.mark.parametrize("cell", ['"tru"e', '"true" ', '"true'])
def test_a_cell_that_is_half_quoted_is_refused(cell):
    """
    A lenient reader would make true of it: what is not well quoted is not read at all.
    """
    lines = write_report(root_row(), BOB).decode().split("\n")
    lines[2] = lines[2].replace(",true,", f",{cell},", 1)

    assert refuse("\n".join(lines).encode()).line == 3


def test_a_quotation_mark_that_never_closes_is_refused():
    """
    A report whose last cell was opened and not closed was cut.
    """
    content = write_report(root_row(), BOB).removesuffix(b"N/A") + b'"N/A'

    assert refuse(content).line == 3


def test_an_unquoted_comma_is_not_guessed_in_another_order_of_columns():
    """
    Only where user and ARN come first can a row with an unquoted comma be read in one way alone.
    """
    row = user_row("smith,john")

    error = refuse(write_report(root_row(), row, header=HEADER[::-1], quoted=False))

    assert error.line == 3


def test_a_byte_that_is_not_utf_8_is_refused():
    """
    A damaged byte is refused with its line and position, and not replaced.
    """
    content = write_report(root_row(), BOB, ANN).replace(b"\nann", b"\nan\xff")

    error = refuse(content)

    assert error.line == 4
    assert f"byte {content.index(0xFF)} is not UTF-8" in str(error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused(encoding):
    """
    A report in UTF-16 or UTF-32 is none.
    """
    refuse(write_report(root_row(), BOB).decode().encode(encoding))


def test_a_report_beyond_the_limits_of_iam_is_refused():
    """
    Something far larger than 5,000 users can need is refused before it is read.
    """
    error = refuse(b"x" * (MAX_REPORT_BYTES + 1))

    assert "more than IAM's limits allow" in str(error)


@pytest.mark.parametrize("second", ["bob", "BOB", "Bob"])
def test_a_user_who_appears_twice_is_refused(second):
    """
    User names are unique in an account whatever their case, so a second one is another row's damage.
    """
    error = refuse(write_report(root_row(), BOB, ANN, user_row(second, path="/x/")))

    assert (error.line, error.column) == (5, "user")


@pytest.mark.parametrize(
    "rows",
    [
        (root_row(OTHER), user_row("ann", OTHER)),
        (root_row(), ANN, user_row("eve", OTHER)),
        (root_row(OTHER), ANN),
    ],
    ids=["every row", "one user", "root alone"],
)
def test_a_row_of_another_account_is_refused(rows):
    """
    One foreign row is enough: the report is refused whole, and marked as another account's.
    """
    error = refuse(write_report(*rows))

    assert error.foreign is True
    assert error.column == "arn"
    assert str(OTHER) in str(error)


def test_a_zero_less_is_another_account():
    """
    Account ids are compared as text: one that lost its zero is not the same.
    """
    refuse(write_report(root_row("12345678901")))
    refuse(write_report(root_row("12345678901")), AccountId("12345678901"))


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "bob",
        "arn:aws:iam::012345678901:role/bob",
        "arn:aws:sts::012345678901:assumed-role/x/bob",
        "arn:aws:iam::012345678901:user/",
        "arn:aws:iam:us-east-1:012345678901:user/bob",
        " arn:aws:iam::012345678901:user/bob",
        "ARN:AWS:IAM::012345678901:USER/bob",
        "arn:aws:iam::\u066012345678901:user/bob",
    ],
)
def test_what_is_not_the_arn_of_a_user_is_refused(arn):
    """
    A row must carry the ARN of a user or of root.
    """
    error = refuse(write_report(root_row(), BOB | {"arn": arn}))

    assert (error.line, error.column) == (3, "arn")
    assert error.foreign is False


@pytest.mark.parametrize(
    ("user", "resource"),
    [
        ("bob", "user/ann"),
        ("bob", "user/xbob"),
        ("bob", "user/bob/x"),
        ("bob", "user/Bob"),
        ("bob", "root"),
        ("root", "root"),
        ("", "user/x/"),
        ("<root_account>", "user/<root_account>"),
        ("<root_account>", "user/bob"),
        ("<root_account>", "user/bob:root"),
        ("x/bob", "user/x/bob"),
    ],
)
def test_an_arn_that_does_not_end_in_the_row_s_user_is_refused(user, resource):
    """
    User and ARN say the same of each row, or the row was put together from two.
    """
    row = BOB | {"user": user, "arn": f"arn:aws:iam::{ACCOUNT}:{resource}"}
    others = [] if user == "<root_account>" else [root_row()]

    error = refuse(write_report(*others, row))

    assert (error.line, error.column) == (len(others) + 2, "arn")


# A report that was cut


def test_a_cut_report_is_refused_or_shows_it():
    """
    Cut at any byte, a report is refused, or its last row is marked, or the cut lies between two lines.

    The last case alone cannot be seen in the bytes; `scanner.evidence.replay` compares with IAM's count.
    """
    content = write_report(
        root_row(),
        user_row("ann", cert_2_last_rotated="2025-01-02T03:04:05Z"),
        user_row("ann,x", path='/"a,b"/', cert_2_last_rotated="2025-01-02T03:04:05+00:00"),
        BOB,
    )
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    between = [place + after for place in ends[1:] for after in (0, 1)]
    unseen = []

    for place in range(len(content)):
        try:
            report = parse_report(content[:place], ACCOUNT, MADE)
        except ReportError:
            continue
        last = build_table([report]).set_index("user").loc[name_users([report])[-1]]
        if last["uninterpretable"] != "cert_2_last_rotated":
            unseen.append(place)

    assert unseen == between


# Typing


@pytest.mark.parametrize(
    ("value", "meaning"),
    [("true", True), ("TRUE", True), ("True", True), ("false", False), ("FALSE", False)],
)
@pytest.mark.parametrize("column", BOOLEAN_COLUMNS)
def test_booleans_are_read_in_any_case(column, value, meaning):
    """
    The live report writes true, the guide TRUE: both are true.
    """
    row = type_cell(column, value)

    assert bool(row[column]) is meaning
    assert pd.isna(row["uninterpretable"])


@pytest.mark.parametrize(
    "value", ["MAYBE", "", " true", "true ", "1", "yes", "tru", "t", "fal\u017fe"]
)
@pytest.mark.parametrize("column", BOOLEAN_COLUMNS)
def test_another_word_is_neither_true_nor_false(column, value):
    """
    A value that AWS does not document is missing and named, and costs no other row anything.
    """
    table = read_table(user_row("ann", **{column: value}), BOB).set_index("user")

    assert pd.isna(table.loc["ann", column])
    assert table.loc["ann", "uninterpretable"] == column
    assert table["uninterpretable"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    "value", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"], ids=["Z", "offset"]
)
@pytest.mark.parametrize("column", TIME_COLUMNS)
def test_times_are_read_in_both_forms(column, value):
    """
    New reports write Z, older ones +00:00: the same moment in UTC.
    """
    row = type_cell(column, value)

    assert row[column] == pd.Timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+02:00",
        "2026-01-02T03:04:05-00:00",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-02T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-02T03:04:05Z",
        " 2026-01-02T03:04:05Z",
        "n/a",
        "true",
        "1767323045",
    ],
)
@pytest.mark.parametrize("column", ["user_creation_time", "password_last_used"])
def test_what_is_not_a_time_is_named_and_no_error(column, value):
    """
    A bad date leaves its own cell open and names it; the account's other cells are as good as before.
    """
    row = type_cell(column, value)

    assert pd.isna(row[column])
    assert row["uninterpretable"] == column


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("password_last_used", "0001-01-01T00:00:00Z"),
        ("password_next_rotation", "9999-12-31T23:59:59Z"),
    ],
)
def test_far_times_are_still_times(column, value):
    """
    A legal time far from now is kept, and breaks no column type.
    """
    row = type_cell(column, value)

    assert row[column].isoformat().startswith(value[:19])
    assert pd.isna(row["uninterpretable"])


@pytest.mark.parametrize("column", sorted(set(TIME_COLUMNS) - {"password_next_rotation"}))
def test_nothing_happened_long_after_the_report(column):
    """
    A time more than a day after the report's own is none that anything happened at: garbage is no use.
    """
    row = type_cell(column, f"{MADE + timedelta(days=1, seconds=1):%Y-%m-%dT%H:%M:%SZ}")
    late = type_cell(column, f"{MADE + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")

    assert pd.isna(row[column])
    assert row["uninterpretable"] == column
    assert late[column] == MADE + timedelta(days=1)


def test_aws_own_words_are_kept_apart():
    """
    N/A, no_information, not_supported and nonsense are four different things.
    """
    rows = [
        user_row("a-not-applicable", password_last_used="N/A"),
        user_row("b-never", password_last_used=NO_INFORMATION),
        user_row("c-unsupported", password_last_used=NOT_SUPPORTED),
        user_row("d-odd", password_last_used="often"),
    ]

    table = read_table(*rows).iloc[1:]

    assert table["password_last_used"].isna().all()
    assert says(table, "password_last_used", NO_INFORMATION).tolist() == [False, True, False, False]
    assert says(table, "password_last_used", NOT_SUPPORTED).tolist() == [False, False, True, False]
    assert is_uninterpretable(table, "password_last_used").tolist() == [False, False, False, True]


def test_a_sentinel_in_a_boolean_column_is_missing_and_not_odd():
    """
    AWS's own words are understood wherever they stand; they are neither true nor false.
    """
    table = read_table(root_row(password_enabled=NOT_SUPPORTED, mfa_active="N/A"))

    assert table[["password_enabled", "mfa_active"]].isna().all(axis=None)
    assert table["sentinels"].tolist() == [
        "password_enabled=not_supported; password_next_rotation=not_supported"
    ]
    assert table["uninterpretable"].isna().all()


@pytest.mark.parametrize("value", ["NO_INFORMATION", "Not_Supported", "n/a", "none"])
def test_only_aws_own_words_are_sentinels(value):
    """
    A sentinel in other letters is not one of AWS's words, and is named as odd.
    """
    row = type_cell("password_last_used", value)

    assert pd.isna(row["sentinels"])
    assert row["uninterpretable"] == "password_last_used"


def test_a_note_is_not_mistaken_for_another_column_s():
    """
    password_last_used does not match a note on access_key_1_last_used_date, nor the other way round.
    """
    table = read_table(user_row("ann", access_key_1_last_used_date=NO_INFORMATION))

    assert says(table, "access_key_1_last_used_date", NO_INFORMATION).tolist() == [False, True]
    assert not says(table, "last_used_date", NO_INFORMATION).any()
    assert not says(table, "password_last_used", NO_INFORMATION).any()
    assert not is_uninterpretable(table, "access_key_1_last_used_date").any()


def test_several_odd_cells_of_a_row_are_all_named():
    """
    Each column that cannot be interpreted is named, in the report's order.
    """
    row = user_row("ann", mfa_active="?", password_enabled="?", cert_1_last_rotated="?")

    table = read_table(row).set_index("user")

    assert (
        table.loc["ann", "uninterpretable"] == "password_enabled; mfa_active; cert_1_last_rotated"
    )


@pytest.mark.parametrize("value", ["N/A", ""])
@pytest.mark.parametrize("column", TEXT_COLUMNS)
def test_text_that_is_not_applicable_is_missing(column, value):
    """
    N/A in a text column is a missing value.
    """
    assert pd.isna(type_cell(column, value)[column])


@pytest.mark.parametrize("value", ["us-east-1", "NA", "nan", "null", "no_information"])
@pytest.mark.parametrize("column", TEXT_COLUMNS)
def test_other_text_is_kept(column, value):
    """
    Text columns keep what AWS wrote.
    """
    assert type_cell(column, value)[column] == value


def test_the_masks_for_known_values_leave_the_unknown_out():
    """
    A missing boolean is neither known to be true nor known to be false.
    """
    column = pd.Series([True, False, None], dtype="boolean")

    assert is_true(column).tolist() == [True, False, False]
    assert is_false(column).tolist() == [False, True, False]


# The table


def test_the_columns_have_the_documented_types():
    """
    Whatever the values, booleans are nullable and times are UTC, even when every cell is odd.
    """
    odd = dict.fromkeys(HEADER[2:], "?")

    for table in (build_table([]), read_table(ANN), read_table(root_row(**odd), ANN | odd)):
        assert {str(table[name].dtype) for name in BOOLEAN_COLUMNS} == {"boolean"}
        assert {table[name].dtype for name in (*TIME_COLUMNS, "generated_time")} == {TIME_DTYPE}
        assert table["is_root"].dtype == bool
        assert {str(table[name].dtype) for name in TEXT_COLUMNS} == {"str"}


def test_no_reports_make_an_empty_table_with_all_columns():
    """
    A batch without readable accounts is an empty table, not an error.
    """
    table = build_table([])

    assert len(table) == 0
    assert set(HEADER) < set(table.columns)


def test_rows_are_sorted_by_account_and_arn():
    """
    The order of accounts and rows that come in makes no difference.
    """
    early = parse(user_row("zoe"), user_row("Ann"), user_row("ann.b", path="/a/"))
    late = parse(user_row("ann", OTHER), account=OTHER)

    table = build_table([late, early])

    assert table["arn"].tolist() == [
        "arn:aws:iam::012345678901:root",
        "arn:aws:iam::012345678901:user/Ann",
        "arn:aws:iam::012345678901:user/a/ann.b",
        "arn:aws:iam::012345678901:user/zoe",
        "arn:aws:iam::999999999999:root",
        "arn:aws:iam::999999999999:user/ann",
    ]
    pd.testing.assert_frame_equal(table, build_table([early, late]))


def test_cells_stay_with_their_user_when_rows_are_sorted():
    """
    Notes and other columns move with their row.
    """
    header = (*HEADER, "new")
    rows = [
        row | {"new": row["user"]}
        for row in (
            root_row(),
            user_row("zoe", mfa_active="?", password_last_used=NO_INFORMATION),
            user_row("ann", cert_1_active="?"),
        )
    ]

    table = build_table([parse_report(write_report(*rows, header=header), ACCOUNT, MADE)])

    by_user = table.set_index("user")
    assert by_user["uninterpretable"].astype("str").fillna("").to_dict() == {
        "<root_account>": "",
        "ann": "cert_1_active",
        "zoe": "mfa_active",
    }
    assert by_user.loc["zoe", "sentinels"] == "password_last_used=no_information"
    assert [json.loads(text)["new"] for text in table["other_columns"]] == table["user"].tolist()


def test_each_row_carries_its_own_report_s_time():
    """
    Ages are measured against the report a row came from.
    """
    later = MADE.replace(hour=11)
    second = parse_report(write_report(root_row(OTHER)), OTHER, later)

    table = build_table([second, parse(ANN)])

    assert table["generated_time"].tolist() == [MADE, MADE, later]


def test_root_is_marked():
    """
    The root row, and no other, is root's.
    """
    table = read_table(user_row("root"), user_row("root_account"))

    assert dict(zip(table["user"], table["is_root"], strict=True)) == {
        "<root_account>": True,
        "root": False,
        "root_account": False,
    }
