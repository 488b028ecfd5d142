"""The descriptive analyses of one model on one cohort, on disk: checked strictly, impossible figures refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

from validation.descriptive import KINDS
from validation.descriptive.quantities import BOUNDS, LINES, TESTS, axis_range
from validation.descriptive.tile_classification import TileClassification
from validation.documents import encode, read_json
from validation.errors import InputError
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

_KEYS = (ABOUT - {"endpoint"}) | frozenset(("patients", "analyses", "methods", "digests"))
_ANALYSIS_KEYS = frozenset(("id", "kind", "reason", "rows", "figures", "table"))
_OF_METHOD = ("method", "level", "scale")  # written once for all rows that share them
_NULLABLE = frozenset(
    ("value", "p_value", "statistic", "events", "group", "horizon", "standard_error")
)  # not written where null
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
_SERIES_TEXT = frozenset(("name", "step"))
# An object without objects in it, a list without either. No text of JSON holds a line break: both ends are its own.
_INNERMOST = re.compile(r"\{\n[^{}]*\n\s*\}|\[\n[^][{}]*\n\s*\]")


def encode_description(document: Mapping[str, Any]) -> bytes:
    """Return descriptive analyses as canonical text, that of `encode` with one line per row, series, method and list.

    Raises:
        ValueError: The document holds NaN or an infinity.
    """

    def on_one_line(found: re.Match[str]) -> str:
        text = re.sub(r"\n\s*", " ", found[0])
        return text[0] + text[1:-1].strip() + text[-1]

    return _INNERMOST.sub(on_one_line, encode(document).decode()).encode()


def compact(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return descriptive analyses as they are written: every method once, by a key that rows name; no null in rows.

    Args:
        document: Whose analyses are as `Descriptive.to_dict` returned them. `whole` is the way back.
    """
    methods: dict[str, dict[str, Any]] = {}
    keys: dict[tuple[Any, ...], str] = {}

    def named(row: Mapping[str, Any]) -> dict[str, Any]:
        if "method" not in row:
            return dict(row)
        method = {key: row[key] for key in _OF_METHOD if key in row}
        name = keys.setdefault(tuple(method.values()), f"m{len(keys) + 1}")
        methods[name] = method
        return {**{key: value for key, value in row.items() if key not in _OF_METHOD}, "method": name}

    def written(row: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in named(row).items() if value is not None}

    analyses = [
        {**analysis, "rows": [written(row) for row in analysis["rows"]], "table": _with_tests(analysis["table"], named)}
        for analysis in document["analyses"]
    ]
    return {**document, "analyses": analyses, "methods": methods}


def whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return descriptive analyses as `Descriptive.to_dict` did: every row with its method, and null for what it lacks.

    Raises:
        InputError: A row of no known quantity, with other keys than its kind has, or whose method is not listed.
    """
    methods = document["methods"]

    def with_method(test: Mapping[str, Any]) -> dict[str, Any]:
        return _with_method(test, methods, _GROUP_TEST_KEYS, "table")

    analyses = [
        {
            **analysis,
            "rows": [_whole_row(row, methods, f"{analysis['id']} rows") for row in analysis["rows"]],
            "table": _with_tests(analysis["table"], with_method),
        }
        for analysis in document["analyses"]
    ]
    return {**{key: value for key, value in document.items() if key != "methods"}, "analyses": analyses}


def _with_tests(
    table: Mapping[str, Any] | None, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    if table is None:
        return None
    return {**table, "rows": [{**row, "test": row["test"] and change(row["test"])} for row in table["rows"]]}


def _whole_row(row: Any, methods: Mapping[str, Any], where: str) -> dict[str, Any]:
    quantity = row.get("quantity") if isinstance(row, Mapping) else row
    if not isinstance(quantity, str) or quantity not in {*BOUNDS, *TESTS}:
        raise InputError(f"{where} key quantity", repr(quantity), "a known quantity", REMEDY)
    if quantity in TESTS:
        expected = _UNDEFINED_TEST_KEYS if "reason" in row else _TEST_KEYS
    else:
        expected = _UNDEFINED_KEYS if "reason" in row else _DEFINED_KEYS
    filled = {**dict.fromkeys(expected & _NULLABLE), **row}
    require_exactly(filled, expected - {"level", "scale"}, where)
    return filled if "reason" in row else _with_method(filled, methods, expected, where)


def _with_method(
    row: Mapping[str, Any], methods: Mapping[str, Any], expected: frozenset[str], where: str
) -> dict[str, Any]:
    """Return a row with the method it names: of an estimate with level and scale, of a test without."""
    name = row["method"]
    if not isinstance(name, str) or name not in methods:
        raise InputError(f"{where} key method", repr(name), "a key of `methods`", REMEDY)
    found = {**row, **methods[name]}
    require_exactly(found, expected, f"{where} with method {name}")
    return found


def read_description(path: Path) -> dict[str, Any]:
    """Read and check the descriptive analyses of one model on one cohort; they are returned `whole`.

    Raises:
        InputError: No such file; as `read_json` and `check_description`.
    """
    document = read_json(path)
    if document is None:
        raise InputError(str(path), "no such file", "descriptive analyses", "Evaluate the model on the cohort.")
    check_description(document, str(path))
    return whole(document)


def check_description(document: Mapping[str, Any], where: str) -> None:
    """Refuse descriptive analyses that are not exactly of the present schema, or that hold an impossible figure.

    Args:
        document: What `describe_cohort` returned, or a file.
        where: Its file, for the message.

    Raises:
        InputError: A missing or unknown key, a method that is missing, given twice or no row's, a value outside its
            interval or its quantity's range, a P value outside [0, 1], a table of characteristics that does not add up,
            series of unequal lengths, a point outside its interval or the range of its axis, more patients or events at
            a point than there are, a number at risk that rises, an axis of no known label, an id given twice.
    """
    require_exactly(document, _KEYS, where)
    check_about(document, where)
    analyses = list_of(document, "analyses", where)
    methods = _checked_methods(document, where)
    patients = document["patients"]
    for number, analysis in enumerate(analyses):
        of_all = isinstance(analysis, Mapping) and analysis.get("kind") == TileClassification.kind
        whole_cohort = patients["declared" if of_all else "predicted"]  # named tiles are of failed slides too
        _check_analysis(analysis, methods, f"{where} analyses[{number}]", whole_cohort)
    named = {row.get("method") for analysis in analyses for row in _rows_and_tests(analysis)}
    if unused := sorted(set(methods) - named):
        raise InputError(f"{where} methods", f"{unused[0]}, which no row names", "methods of rows alone", REMEDY)
    ids = [analysis["id"] for analysis in analyses]
    if len(set(ids)) != len(ids):
        raise InputError(f"{where} analyses", "an id given twice", "every id once", REMEDY)


def _rows_and_tests(analysis: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tests = [] if analysis["table"] is None else [row["test"] for row in analysis["table"]["rows"]]
    return [*analysis["rows"], *(test for test in tests if test is not None)]


def _check_analysis(analysis: Any, methods: Mapping[str, Any], where: str, predicted: int) -> None:
    require_exactly(analysis, _ANALYSIS_KEYS, where)
    require_text(analysis, "id", where)
    if analysis["kind"] not in KINDS:
        raise InputError(f"{where} key kind", repr(analysis["kind"]), f"one of {', '.join(KINDS)}", REMEDY)
    where = f"{where} {analysis['id']}"
    content = [*list_of(analysis, "rows", where), *list_of(analysis, "figures", where), analysis["table"]]
    if analysis["reason"] is not None and any(part is not None for part in content):
        raise InputError(where, "a reason why it is undefined, and content", "one of both", REMEDY)
    for number, row in enumerate(analysis["rows"]):
        here = f"{where} rows[{number}]"
        _check_row(_whole_row(row, methods, here), here, predicted)
    for number, figure in enumerate(analysis["figures"]):
        _check_figure(figure, analysis["kind"], f"{where} figures[{number}]", predicted)
    if analysis["table"] is not None:
        _check_table(analysis["table"], methods, f"{where} table", predicted)


def _checked_methods(document: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the methods by key, each of them once: of a test its text alone, of an estimate level and scale too."""
    methods = document["methods"]
    if not isinstance(methods, Mapping):
        raise InputError(f"{where} key methods", f"a {type(methods).__name__}", "a mapping", REMEDY)
    for key, method in methods.items():
        of_estimate = isinstance(method, Mapping) and len(method) > 1
        require_exactly(method, frozenset(_OF_METHOD if of_estimate else ("method",)), f"{where} methods {key}")
        require_text(method, "method", f"{where} methods {key}")
    if len({tuple(sorted(method.items())) for method in methods.values()}) != len(methods):
        raise InputError(f"{where} methods", "one given twice", "every method once", REMEDY)
    return methods


def _check_row(row: Mapping[str, Any], where: str, patients: int) -> None:
    test, undefined = row["quantity"] in TESTS, "reason" in row
    require_text(row, "subject", where)
    if undefined:
        require_text(row, "reason", where)
    require_counts(row, ("n",) if test and row["events"] is None else ("n", "events"), where)
    if not (row["events"] or 0) <= row["n"] <= patients:
        found = f"{row['events']} events among {row['n']} of {patients} patients"
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


def _check_figure(figure: Any, kind: str, where: str, predicted: int) -> None:
    require_exactly(figure, frozenset(("x", "y", "series")), where)
    ranges = {axis: _axis_range(figure, axis, kind, where) for axis in ("x", "y")}
    for number, series in enumerate(list_of(figure, "series", where)):
        here = f"{where} series[{number}]"
        keys = frozenset(series) if isinstance(series, Mapping) else frozenset()
        require_exactly(series, keys | {"name"}, here)
        arrays = {key: list_of(series, key, here) for key in series if key not in _SERIES_TEXT}
        if not {"x", "y"} <= set(arrays) or len({len(values) for values in arrays.values()}) != 1:
            found = ", ".join(f"{key}: {len(values)}" for key, values in sorted(arrays.items()))
            raise InputError(here, found, "x and y, and arrays of one length", REMEDY)
        _check_points(arrays, ranges, "x" if figure["y"] == LINES else "y", here)
        _check_patients_at(arrays, here, predicted)


def _axis_range(figure: Mapping[str, Any], axis: str, kind: str, where: str) -> tuple[float, float]:
    require_text(figure, axis, where)
    possible = axis_range(kind, figure[axis])
    if possible is None:
        raise InputError(f"{where} key {axis}", figure[axis], f"the label of an axis of {kind}", REMEDY)
    return possible


def _check_patients_at(arrays: Mapping[str, Sequence[Any]], where: str, predicted: int) -> None:
    """Refuse more patients at a point than there are, and patients who come back to risk."""
    for key in sorted({"at_risk", "n", "events"} & set(arrays)):
        for place, number in enumerate(arrays[key]):
            require_counts({key: number}, (key,), f"{where} point {place}")
            if number > predicted:
                expected = f"no more than the {predicted} predicted patients"
                raise InputError(f"{where} point {place} key {key}", str(number), expected, REMEDY)
    for place, (n, events) in enumerate(zip(arrays.get("n", ()), arrays.get("events", ()), strict=False)):
        if events > n:
            raise InputError(f"{where} point {place}", f"{events} events among {n}", "no more than patients", REMEDY)
    at_risk = [(x, n) for x, n in zip(arrays["x"], arrays.get("at_risk", ()), strict=False) if x is not None]
    if any(later > earlier for (_, earlier), (_, later) in pairwise(sorted(at_risk, key=itemgetter(0)))):
        raise InputError(f"{where} key at_risk", "a number that rises", "fewer at risk, or as many, later", REMEDY)


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
        if point.get("standard_error", 0) < 0:
            found = str(point["standard_error"])
            raise InputError(f"{where} point {place} key standard_error", found, "0 or more", REMEDY)
        limits = [point[key] for key in ("lower", estimated, "upper") if key in point]
        if limits != sorted(limits):
            found = " > ".join(str(limit) for limit in limits)
            raise InputError(f"{where} point {place}", found, "a value inside its interval", REMEDY)


def _check_table(table: Any, methods: Mapping[str, Any], where: str, predicted: int) -> None:
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
        _check_comparison(row, methods, here)


def _check_comparison(row: Mapping[str, Any], methods: Mapping[str, Any], where: str) -> None:
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
        _with_method(row["test"], methods, _GROUP_TEST_KEYS, f"{where} test")


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
