"""Reads the pages of the book: their fenced blocks, and what they need around them. Runs nothing."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
NEEDS = re.compile(r"<!-- tested with (\{.*?\}) -->", re.DOTALL)


@dataclass
class Block:
    """A fenced block: `sh,terminal=gateway` is the language `sh` with an option."""

    language: str
    options: dict
    text: str
    line: int
    # What stands below it as ```text, if that comes next.
    output: "str | None" = None


@dataclass
class Page:
    path: Path
    blocks: list
    # Of the comment `<!-- tested with {…} -->`: keys of the simulated providers by project, variables.
    needs: dict = field(default_factory=dict)

    def place(self, block):
        return f"docs/{self.path.relative_to(DOCS)}:{block.line}"


def all_pages():
    """The pages whose every command is run."""
    return [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]


def other_pages():
    """The pages whose configurations are checked, and whose commands are not run."""
    return [path for path in sorted(DOCS.rglob("*.md")) if path not in all_pages()]


def read(path):
    text = path.read_text()
    needs = NEEDS.search(text)
    return Page(path, list(blocks(text)), json.loads(needs[1]) if needs else {})


def blocks(text):
    """The fenced blocks, each output with the commands above it."""
    block, fence, between = None, None, False
    for number, line in enumerate(text.splitlines(), 1):
        if fence is None and line.lstrip().startswith("```"):
            fence = line[: len(line) - len(line.lstrip())]
            info = line.strip()[3:].split(",", 1)
            opened = Block(info[0], options(info[1:]), "", number + 1)
        elif fence is not None and line.strip() == "```":
            fence = None
            if is_output(opened) and block is not None and not between:
                block.output = opened.text
            else:
                if block is not None:
                    yield block
                block, between = opened, False
        elif fence is not None:
            opened.text += line.removeprefix(fence) + "\n"
        elif line.strip():
            between = True
    if block is not None:
        yield block


def is_output(block):
    """Whether it shows what the commands above it print; what a terminal shows by now stands for itself."""
    return block.language == "text" and not block.options


def options(rest):
    pairs = (option.partition("=") for option in rest[0].split(",")) if rest else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


def pattern(output):
    """What a page shows as a regular expression: `…` is anything in a line, a line of its own anything at all."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    expression = ""
    for line in lines:
        if line.strip() == "…":
            expression += r"(?:.*\n)*?"
        else:
            expression += ".*?".join(re.escape(part) for part in line.split("…")) + r"[ ]*\n"
    return re.compile(expression)
