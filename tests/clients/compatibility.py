#!/usr/bin/env python3
"""Writes docs/compatibility.md from the results of the SDK tests.

    compatibility.py [--check] RESULTS.xml…

The results are JUnit files of pytest and of node:test; of the latter one for each file of tests, named
`js-openai.test.xml`: it does not say in them where a test is from. With --check nothing is written: it fails if the page is not
what these results make of it. A test that failed fails it too.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from subjects import GRIDS, OWN_WAYS, SUBJECTS, TRIALS

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"

HEAD = """# Compatibility

What clients do through Keygate, unchanged but for their base URL. This page is made of test results: `./test` runs every
row against the real gateway and simulated providers, and fails if the page does not say what came out.
"""

GRID = """## Each client through the same trials

- *pool exhausted*: every key is out for the day. What the client raises with its own settings, and how many requests it made
  of one call: SDKs ask again by themselves, and no key is touched by that.
- *a key dies between calls*, *in a burst of calls*: the provider calls a key invalid that it served a moment before. Nobody
  notices.
- *a stream breaks half-way*: the connection to the provider is gone after two pieces. The client has those two, is told, and
  nothing is sent twice.
- A *stream* of files is an upload in several chunks, one of avatars their signalling.
"""

EVERYTHING = """## Everything that is tried

*Straight* is the same client without the gateway: what works there works through Keygate too. A row without it is about
something only the gateway does. `tests/clients/README.md` says how to run one of them.
"""

DOORS = ("direct", "keygate")


@dataclass
class Row:
    """One thing a client does, at the doors where it was tried: False once it failed."""

    doors: dict = field(default_factory=dict)

    def add(self, door, passed):
        self.doors[door] = self.doors.get(door, True) and passed

    def shown(self, door):
        return {None: "", True: "✔", False: "✘"}[self.doors.get(door)]


def results(path):
    """(file, what, door, passed) of each test that ran. In a grid, what is `trial | client | what it is told`."""
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("skipped") is not None:
            continue
        passed = case.find("failure") is None and case.find("error") is None
        name = case.get("name")
        if case.get("file", "").endswith(".js"):
            yield (f"js/{Path(path).stem.removeprefix('js-')}", *javascript(name), passed)
        else:
            # `older.test_x` with --junit-prefix=older, else `test_x`.
            module = case.get("classname", "")
            folder = "older" if module.startswith("older.") else "python"
            file = f"{folder}/{module.removeprefix('older.').split('.')[0]}"
            yield (file, *(python_cell(name) if file in GRIDS else python(name)), passed)


def python(name):
    """`test_streams_every_chunk[direct-v1]` → what, and at which door. What is tried in several ways is one row."""
    what, _, parameters = name.partition("[")
    door = "direct" if "direct" in re.split(r"[-\]]", parameters) else "keygate"
    return words(what), door


def python_cell(name):
    """`test_stream[direct | openai 3.52.0 (Python)]`"""
    trial, _, parameters = name.partition("[")
    door, _, rest = parameters.removesuffix("]").partition(" | ")
    return (f"{words(trial)} | {rest}", door) if door in DOORS else (f"{words(trial)} | {door} | {rest}", "keygate")


def words(function):
    return function.removeprefix("test_").replace("_", " ")


def javascript(name):
    """`streams every chunk [direct]`"""
    found = re.fullmatch(r"(.*) \[(direct|keygate)\]", name)
    return found.groups() if found else (name, "keygate")


def versions():
    pinned = {}
    for requirements in sorted((HERE / "python").glob("requirements*.txt")):
        folder = "older" if "older" in requirements.name else "python"
        for line in requirements.read_text().splitlines():
            if "==" in line and not line.startswith("#"):
                name, version = line.split("==")
                pinned[f"{folder}/{name}"] = version.strip()
    package = json.loads((HERE / "js" / "package.json").read_text())
    pinned.update({f"js/{name}": version for name, version in package["devDependencies"].items()})
    return pinned


def page(files, pinned):
    summary = ["| client | version | straight | through Keygate |", "|---|---|---|---|"]
    details = []
    known = [file for file in files if file not in GRIDS]
    for file in sorted(known, key=lambda file: (list(SUBJECTS).index(file) if file in SUBJECTS else 99, file)):
        rows = files[file]
        title, package = SUBJECTS.get(file, (file.rsplit("/", 1)[-1], None))
        version = pinned.get(f"{file.split('/')[0]}/{package}", "")
        summary.append(f"| {title} | {version} | {score(rows, 'direct')} | {score(rows, 'keygate')} |")
        details += ["", f"### {title}{f' {version}' if version else ''}", "", "| | straight | through Keygate |", "|---|---|---|"]
        details += [f"| {what} | {row.shown('direct')} | {row.shown('keygate')} |" for what, row in rows.items()]
    return "\n".join([HEAD, GRID, *grid(files, pinned), "", EVERYTHING, *summary, *details]) + "\n"


def grid(files, pinned):
    clients = {}
    for file in GRIDS:
        for what, row in files.get(file, {}).items():
            trial, client, *told = what.split(" | ")
            clients.setdefault(client, {})[trial] = filled(row, *filter(None, told))
    for client, package, cells in OWN_WAYS:
        for trial, (file, what, *told) in cells.items():
            row = files.get(file, {}).get(what)
            if row is None:
                raise LookupError(f"{file} has no test `{what}`, which is to fill {trial} of {client}")
            clients.setdefault(client.format(pinned.get(package, "")), {})[trial] = filled(row, *told)
    yield "| client | " + " | ".join(TRIALS.values()) + " |"
    yield "|---" * (1 + len(TRIALS)) + "|"
    for client, cells in sorted(clients.items(), key=lambda row: row[0].casefold()):
        yield f"| {client} | " + " | ".join(cells.get(trial, "–") for trial in TRIALS) + " |"


def filled(row, told=""):
    """A mark, and what the client is told: `ClientError, 1 request` → ✔ `ClientError`, 1 request."""
    error, comma, rest = told.partition(", ")
    shown = f"`{error}`{comma}{rest}" if re.fullmatch(r"\w+", error) else told
    return f"{row.shown('keygate')} {shown}".strip()


def score(rows, door):
    tried = [row.doors[door] for row in rows.values() if door in row.doors]
    return f"{sum(tried)} of {len(tried)}" if tried else ""


def main(arguments):
    check = "--check" in arguments
    paths = [argument for argument in arguments if argument != "--check"]
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 64
    files = {}
    for path in paths:
        for file, what, door, passed in results(path):
            files.setdefault(file, {}).setdefault(what, Row()).add(door, passed)
    failed = [f"{file}: {what}" for file, rows in files.items() for what, row in rows.items() if False in row.doors.values()]
    if failed:
        print("these failed, and no page is made of failures:", *failed, sep="\n  ", file=sys.stderr)
        return 1
    try:
        text = page(files, versions())
    except LookupError as missing:
        print(missing, file=sys.stderr)
        return 1
    if check and (not PAGE.exists() or PAGE.read_text() != text):
        print(f"{PAGE.name} is not what the results say: run {Path(__file__).name} without --check and commit it", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
