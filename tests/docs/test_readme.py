"""The screen that the README shows is one of `keygate demo`."""

import subprocess

import house
import pages
import reader


def test_the_demo_prints_what_the_readme_shows(tmp_path):
    page = pages.read(house.ROOT / "README.md")
    (screen,) = [block.output for block in page.blocks if "demo" in block.text and block.output]
    command = [house.BINARIES / "keygate", "demo", "--once"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=reader.PATIENCE)
    assert done.returncode == 0, done.stderr
    reader.compare(screen, done.stdout)
