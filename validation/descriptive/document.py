"""The descriptive analyses of one model on one cohort, on disk: checked strictly, impossible figures refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validation.descriptive.quantities import AXES, BOUNDS, LINES, TESTS
from validation.documents import read_json
from validation.errors import InputError
from validation.estimators.catalogue.entry import ANY
from validation.evidence import (
    ABOUT,
    REMEDY,
    check_about,
    list_of,
    require_counts,
    require_exactly,
    require_interval,
    require_numbers,
    require_text,
)

_KEYS = (ABOUT - {"endpoint"}) | frozenset(("patients", "analyses", "digests"))
_ANALYSIS_KEYS = frozenset(("id", "kind", "reason", "rows", "figures", "table"))
_ROW_KEYS = frozenset(("quantity", "subject", "group", "n", "events"))
_DEFINED_KEYS = _ROW_KEYS | frozenset(
    ("value", "lower", "upper", "level", "method", "scale", "horizon", "standard_error", "p_value")
)
_UNDEFINED_KEYS = _ROW_KEYS | frozenset(("value", "reason", "too_few", "horizon"))
_TEST_KEYS = _ROW_KEYS | frozenset(("p_value", "statistic", "degrees_of_freedom", "method"))
_UNDEFINED_TEST_KEYS = _ROW_KEYS | frozenset(("p_value", "reason", "too_few"))
_CHARACTERISTIC_KEYS = frozenset(
    ("name", "kind", "categories", "overall", "groups", "test", "undefined", "standardised_difference")
)
_GROUP_TEST_KEYS = frozenset(("name", "statistic", "degrees_of_freedom", "p_value", "method"))


def read_description(path: Path) -> dict[str, Any]:
    """Read and check the descriptive analyses of one model on one cohort.

    Raises:
        InputError: No such file; as `read_json` and `check_description`.
    """
    document = read_json(path)
    if document is None:
        raise InputError(str(path), "no such file", "descriptive analyses", "Evaluate the model on the cohort.")
    check_description(document, str(path))
    return document


def check_description(document: Mapping[str, Any], where: str) -> None:
    """Refuse descriptive analyses that are not exactly of the present schema, or that hold an impossible figure.

    Args:
        document: What `describe_cohort` returned, or a file.
        where: Its file, for the message.

    Raises:
        InputError: A missing or unknown key, a value outside its interval or its quantity's range, a P value outside
            [0, 1], a table of characteristics that does not add up, series of unequal lengths, a point outside its
            interval or the range of its axis, an id given twice.
    """
    require_exactly(document, _KEYS, where)
    check_about(document, where)
    analyses = list_of(document, "analyses", where)
    for number, analysis in enumerate(analyses):
        _check_analysis(analysis, f"{where} analyses[{number}]", document["patients"]["predicted"])
    ids = [analysis["id"] for analysis in analyses]
    if len(set(ids)) != len(ids):
        raise InputError(f"{where} analyses", "an id given twice", "every id once", REMEDY)


def _check_analysis(analysis: Any, where: str, predicted: int) -> None:
    require_exactly(analysis, _ANALYSIS_KEYS, where)
    require_text(analysis, "id", where)
    where = f"{where} {analysis['id']}"
    content = [*list_of(analysis, "rows", where), *list_of(analysis, "figures", where), analysis["table"]]
    if analysis["reason"] is not None and any(part is not None for part in content):
        raise InputError(where, "a reason why it is undefined, and content", "one of both", REMEDY)
    for number, row in enumerate(analysis["rows"]):
        _check_row(row, f"{where} rows[{number}]", predicted)
    for number, figure in enumerate(analysis["figures"]):
        _check_figure(figure, f"{where} figures[{number}]")
    if analysis["table"] is not None:
        _check_table(analysis["table"], f"{where} table", predicted)


def _check_row(row: Any, where: str, predicted: int) -> None:
    if not isinstance(row, Mapping) or row.get("quantity") not in {*BOUNDS, *TESTS}:
        raise InputError(f"{where} key quantity", repr(row.get("quantity")), "a known quantity", REMEDY)
    test, undefined = row["quantity"] in TESTS, "reason" in row
    if test:
        require_exactly(row, _UNDEFINED_TEST_KEYS if undefined else _TEST_KEYS, where)
    else:
        require_exactly(row, _UNDEFINED_KEYS if undefined else _DEFINED_KEYS, where)
    require_text(row, "subject", where)
    require_counts(row, tuple(key for key in ("n", "events") if row[key] is not None), where)
    if not (row["events"] or 0) <= row["n"] <= predicted:
        found = f"{row['events']} events among {row['n']} of {predicted} predicted patients"
        raise InputError(where, found, "parts no larger than the whole", REMEDY)
    if undefined:
        return
    if test:
        require_numbers(row, ("p_value",), where)
        _require_p_value(row, where)
    else:
        require_interval(row, BOUNDS[row["quantity"]], where)


def _require_p_value(row: Mapping[str, Any], where: str) -> None:
    if not 0 <= row["p_value"] <= 1:
        raise InputError(f"{where} key p_value", repr(row["p_value"]), "a number from 0 to 1", REMEDY)


def _check_figure(figure: Any, where: str) -> None:
    require_exactly(figure, frozenset(("x", "y", "series")), where)
    for number, series in enumerate(list_of(figure, "series", where)):
        here = f"{where} series[{number}]"
        arrays = {key: values for key, values in series.items() if key not in ("name", "step")}
        if not {"x", "y"} <= set(arrays) or len({len(values) for values in arrays.values()}) != 1:
            found = ", ".join(f"{key}: {len(values)}" for key, values in sorted(arrays.items()))
            raise InputError(here, found, "x and y, and arrays of one length", REMEDY)
        ranges = {axis: AXES.get(figure[axis], ANY) for axis in ("x", "y")}
        _check_points(arrays, ranges, "x" if figure["y"] == LINES else "y", here)


def _check_points(
    arrays: Mapping[str, Sequence[Any]], ranges: Mapping[str, tuple[float, float]], estimated: str, where: str
) -> None:
    """Refuse points that are no numbers, outside the range of their axis, or outside their own interval."""
    for place in range(len(arrays["x"])):
        point = {key: values[place] for key, values in arrays.items() if values[place] is not None}
        require_numbers(point, tuple(point), f"{where} point {place}")
        for axis, (low, high) in ranges.items():
            if axis in point and not low <= point[axis] <= high:
                found = f"{point[axis]}, which is impossible"
                raise InputError(f"{where} point {place} key {axis}", found, f"{low:g} to {high:g}", REMEDY)
        limits = [point[key] for key in ("lower", estimated, "upper") if key in point]
        if limits != sorted(limits):
            found = " > ".join(str(limit) for limit in limits)
            raise InputError(f"{where} point {place}", found, "a value inside its interval", REMEDY)


def _check_table(table: Any, where: str, predicted: int) -> None:
    """Refuse a table whose groups, rows or tests cannot be."""
    require_exactly(table, frozenset(("by", "groups", "sizes", "left_out", "rows")), where)
    sizes, left_out = list_of(table, "sizes", where), table["left_out"]
    require_counts(table, ("left_out",), where)
    if len(sizes) != len(table["groups"]) or sum(sizes) + left_out != predicted:
        found = f"groups of {sizes} and {left_out} left out"
        raise InputError(where, found, f"{predicted} patients in {table['groups']} and out of them", REMEDY)
    for row in list_of(table, "rows", where):
        require_exactly(row, _CHARACTERISTIC_KEYS, where)
        here = f"{where} row {row['name']}"
        _check_summary(row, row["overall"], sum(sizes), f"{here} overall")
        if len(row["groups"]) != len(sizes):
            raise InputError(here, f"{len(row['groups'])} groups", f"{len(sizes)}", REMEDY)
        for group, size, summary in zip(table["groups"], sizes, row["groups"], strict=True):
            _check_summary(row, summary, size, f"{here} group {group}")
        for key in ("n", "missing"):
            if sum(summary[key] for summary in row["groups"]) != row["overall"][key]:
                raise InputError(f"{here} key {key}", "groups that do not add up", str(row["overall"][key]), REMEDY)
        _check_comparison(row, here)


def _check_comparison(row: Mapping[str, Any], where: str) -> None:
    """Refuse categories that do not add up over the groups, a test without P value, or neither test nor reason."""
    if row["kind"] == "categorical":
        columns = zip(*(summary["values"] for summary in row["groups"]), strict=True)
        if list(map(sum, columns)) != list(row["overall"]["values"]):
            raise InputError(where, "categories that do not add up over the groups", "those of all patients", REMEDY)
    if (row["test"] is None) == (row["undefined"] is None):
        raise InputError(where, "neither or both of test and reason", "one of both", REMEDY)
    if row["test"] is not None:
        require_exactly(row["test"], _GROUP_TEST_KEYS, f"{where} test")
        require_numbers(row["test"], ("p_value",), f"{where} test")
        _require_p_value(row["test"], f"{where} test")


def _check_summary(row: Mapping[str, Any], summary: Mapping[str, Any], size: int, where: str) -> None:
    require_exactly(summary, frozenset(("n", "missing", "values")), where)
    require_counts(summary, ("n", "missing"), where)
    if summary["n"] + summary["missing"] != size:
        found = f"{summary['n']} known and {summary['missing']} missing"
        raise InputError(where, found, f"{size} patients in all", REMEDY)
    values = list_of(summary, "values", where)
    require_numbers({str(k): value for k, value in enumerate(values)}, tuple(map(str, range(len(values)))), where)
    wrong = {
        "categorical": sum(values) != summary["n"] or min(values, default=0) < 0,
        "continuous": len(values) == 2 and values[1] < 0,
        "skewed": len(values) == 3 and not values[1] <= values[0] <= values[2],
    }
    if row["kind"] not in wrong or wrong[row["kind"]]:
        expected = f"{summary['n']} patients by category, mean and SD, or median and quartiles"
        raise InputError(where, f"{row['kind']} values {values}", expected, REMEDY)
