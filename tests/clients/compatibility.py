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

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"

HEAD = """# Compatibility

What clients do through Keygate, unchanged but for their base URL. This page is made of test results: `./test` runs every
row against the real gateway and simulated providers, and fails if the page does not say what came out.

*Straight* is the same client without the gateway: what works there works through Keygate too. A row without it is about
something only the gateway does. `tests/clients/README.md` says how to run one of them.
"""

# What a file of tests is about, and whose version that is. A file that is not here goes by its name.
SUBJECTS = {
    "python/test_google_genai": ("google-genai (Python)", "google-genai"),
    "python/test_google_genai_interactions": ("google-genai (Python): Interactions", "google-genai"),
    "older/test_google_genai": ("google-genai 2 (Python)", "google-genai"),
    "python/test_openai": ("openai (Python)", "openai"),
    "older/test_langchain": ("langchain-google-genai (Python)", "langchain-google-genai"),
    "python/test_anam": ("anam (Python)", "anam"),
    "python/test_plain_http": ("Plain HTTP, as PHP or curl send it", None),
    "python/test_assistant": ("The assistant, over plain HTTP", None),
    "python/test_stored_answers": ("Stored answers (Python)", None),
    "python/test_openapi": ("The gateway's own OpenAPI document", "schemathesis"),
    "js/google-genai.test": ("@google/genai (JavaScript)", "@google/genai"),
    "js/google-genai-interactions.test": ("@google/genai (JavaScript): Interactions", "@google/genai"),
    "js/openai.test": ("openai (JavaScript)", "openai"),
    "js/ai-sdk.test": ("ai with @ai-sdk/google (JavaScript)", "@ai-sdk/google"),
    "js/anam.test": ("@anam-ai/js-sdk (JavaScript)", "@anam-ai/js-sdk"),
}

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
    """(file, what, door, passed) of each test that ran."""
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
            yield (f"{folder}/{module.removeprefix('older.').split('.')[0]}", *python(name), passed)


def python(name):
    """`test_streams_every_chunk[direct-v1]` → what, and at which door. What is tried in several ways is one row."""
    what, _, parameters = name.partition("[")
    door = "direct" if "direct" in re.split(r"[-\]]", parameters) else "keygate"
    return what.removeprefix("test_").replace("_", " "), door


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
    for file in sorted(files, key=lambda file: (list(SUBJECTS).index(file) if file in SUBJECTS else 99, file)):
        rows = files[file]
        title, package = SUBJECTS.get(file, (file.rsplit("/", 1)[-1], None))
        version = pinned.get(f"{file.split('/')[0]}/{package}", "")
        summary.append(f"| {title} | {version} | {score(rows, 'direct')} | {score(rows, 'keygate')} |")
        details += ["", f"## {title}{f' {version}' if version else ''}", "", "| | straight | through Keygate |", "|---|---|---|"]
        details += [f"| {what} | {row.shown('direct')} | {row.shown('keygate')} |" for what, row in rows.items()]
    return "\n".join([HEAD, *summary, *details]) + "\n"


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
    text = page(files, versions())
    if failed:
        print("these failed, and no page is made of failures:", *failed, sep="\n  ", file=sys.stderr)
        return 1
    if check and (not PAGE.exists() or PAGE.read_text() != text):
        print(f"{PAGE.name} is not what the results say: run {Path(__file__).name} without --check and commit it", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
