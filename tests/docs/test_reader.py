"""That a page which is wrong is found to be wrong."""

import pytest

import pages
import reader


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("```sh\nfalse\n```\n", "exit code 1 instead of 0"),
        ("```sh\nfalse; true\n```\n", "exit code 1 instead of 0"),
        ("```sh,exit=2\ntrue\n```\n", "exit code 0 instead of 2"),
        ("```sh\necho one\n```\n```text\ntwo\n```\n", "the page shows"),
        ("```sh\necho one; echo two\n```\n```text\none\n```\n", "the page shows"),
        ("```yaml\nserver: { prot: 1 }\n```\n", "`prot` is not known"),
        ("```yaml,file=keygate.yaml\nserver: { prot: 1 }\n```\n", "`prot` is not known"),
        ("```sh,terminal=a\necho started; exit 3\n```\n```text\nlistening\n```\n", "the page shows"),
        ("```python\nprint()\n```\n", "nobody tries it"),
    ],
)
def test_it_is_told(page, why, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "LOOK", 0.5)
    with pytest.raises(reader.Wrong, match=why):
        read(page, tmp_path)


@pytest.mark.parametrize(
    "page",
    [
        "```sh\nwho=ada\n```\nand then\n```sh\necho hello $who\n```\n```text\nhello ada\n```\n",
        "```sh\necho one 7; echo two; echo three\n```\n```text\none …\n…\nthree\n```\n",
        "```sh\necho one\n```\n```text\none\n…\n```\n",
        "```sh\necho 127.0.0.1:8080\n```\n```text\n127.0.0.1:8080\n```\n",
        "```sh\nat=127.0.0.1:8080; test ${at#*:} = 8080\n```\n",
        "```env,file=a/b.env\nA=1\n```\n```sh\ncat a/b.env\n```\n```text\nA=1\n```\n",
        "```sh,skip=it would fail\nfalse\n```\n",
        "```sh,within=20\necho x >> x; test $(wc -l < x) = 3\n```\n",
    ],
)
def test_it_is_done(page, tmp_path):
    read(page, tmp_path)


def read(text, tmp_path):
    path = pages.DOCS / "page.md"
    page = pages.Page(path, list(pages.blocks(text)))
    folder = reader.home(tmp_path)
    somebody = reader.Reader(page, folder, reader.environment(folder, {}))
    try:
        for block in page.blocks:
            somebody.follow(block)
    finally:
        somebody.close()
