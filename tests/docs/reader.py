"""Does what a page says, as its reader would: files are written, commands typed, terminals left open."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import house
from pages import pattern

PATIENCE = 60  # seconds a command may take
LOOK = 30  # seconds until a terminal shows what it should
# Addresses of the pages, which a test gives other ports.
ADDRESS = re.compile(r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):(\d{4,5})\b")
RUNNABLE = ("sh", "yaml", "env", "python", "js", "php", "json", "csv", "html", "toml")


class Wrong(Exception):
    """What a page says is not what happens."""


class Reader:
    """Somebody at a machine of their own: a folder, a shell, terminals, and no port that is taken."""

    def __init__(self, page, folder, environment):
        self.page, self.folder, self.ports, self.terminals = page, folder, {}, {}
        self.environment = environment
        self.environment.setdefault("KEYGATE__SERVER__BIND", self.moved("127.0.0.1:8080"))
        self.skipped = []
        self.shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.typed = 0

    def close(self):
        for name in list(self.terminals):
            self.interrupt(name)
        self.shell.kill()
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()

    def moved(self, text):
        """The text with ports that are free here, also where it names one of its addresses' ports alone."""
        written = {port for _, port in ADDRESS.findall(text)}
        text = ADDRESS.sub(lambda found: f"{found[1]}:{self.port(found[2])}", text)
        for port in written:
            text = re.sub(rf"(?<![\w.:]){port}\b", str(self.port(port)), text)
        return text

    def as_written(self, text):
        """What was printed, with the ports of the page."""
        for page, here in self.ports.items():
            text = text.replace(f":{here}", f":{page}")
        return text

    def port(self, written):
        if written not in self.ports:
            self.ports[written] = house.free_port()
        return self.ports[written]

    # === blocks

    def follow(self, block):
        if block.language == "text" and "terminal" in block.options:
            self.look(block.options["terminal"], "…\n" + block.text)
            return
        if block.language not in RUNNABLE:
            return
        missing = block.options.get("needs")
        if "skip" in block.options or (missing and not shutil.which(missing)):
            self.skipped.append(f"{self.page.place(block)}: {block.options.get('skip') or f'no {missing} here'}")
            return
        if "file" in block.options:
            self.write(block)
        elif block.language == "sh":
            self.type(block)
        elif block.language == "yaml":
            self.check(block)
        elif block.language != "json":
            raise Wrong("the block has neither file= nor skip=: nobody tries it")

    def write(self, block):
        path = self.folder / block.options["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.moved(block.text))
        if path.name.startswith("keygate") and path.suffix == ".yaml":
            self.checked(path)

    def check(self, block):
        path = self.folder / f"line-{block.line}.yaml"
        path.write_text(self.moved(block.text))
        self.checked(path)
        path.unlink()

    def checked(self, path):
        command = [house.BINARIES / "keygate", "check", "--allow-empty", "--config", path]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"keygate check:\n{done.stderr}")

    def type(self, block):
        if "terminal" in block.options:
            self.open(block)
            return
        deadline = time.monotonic() + int(block.options.get("within", 0))
        while True:
            try:
                return self.run(block)
            except Wrong:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def run(self, block):
        self.typed += 1
        script, output = self.folder / f".typed-{self.typed}", self.folder / f".typed-{self.typed}.out"
        script.write_text(self.moved(block.text))
        self.shell.stdin.write(
            f"failed=0; set -E; trap 'failed=$?' ERR; source {script} >{output} 2>&1 </dev/null; "
            "trap - ERR; echo $failed\n"
        )
        self.shell.stdin.flush()
        status = self.told(block)
        printed = self.as_written(output.read_text(errors="replace"))
        expected = int(block.options.get("exit", 0))
        if status != expected:
            raise Wrong(f"exit code {status} instead of {expected}:\n{printed}")
        if block.output is not None:
            compare(block.output, printed)

    def told(self, block):
        """The exit code that the shell prints when the commands are done."""
        timer = house.threading.Timer(PATIENCE, self.shell.kill)
        timer.start()
        try:
            line = self.shell.stdout.readline().strip()
        finally:
            timer.cancel()
        if not line:
            raise Wrong(f"the commands did not end within {PATIENCE} s:\n{block.text}")
        return int(line)

    # === terminals

    def open(self, block):
        name = block.options["terminal"]
        self.interrupt(name)
        log = self.folder / f".terminal-{name}"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["bash", "--norc", "-ec", self.moved(block.text)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.terminals[name] = process
        deadline = time.monotonic() + PATIENCE
        while not self.is_up(block, log):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Wrong(f"it does not come up:\n{self.as_written(log.read_text(errors='replace'))}")
            time.sleep(0.05)
        if block.output is not None:
            self.look(name, block.output)

    def is_up(self, block, log):
        """Whether what runs in the terminal answers on the ports it was told, or has said what the page shows."""
        ports = [self.ports[port] for _, port in ADDRESS.findall(block.text) if port in self.ports]
        if "keygate serve" in block.text and not any("--bind" in line for line in block.text.splitlines()):
            ports = [self.port("8080")]
        return all(listens(port) for port in ports)

    def look(self, name, written):
        """Waits until the terminal shows this, whatever comes behind it."""
        log, deadline = self.folder / f".terminal-{name}", time.monotonic() + LOOK
        while True:
            try:
                return compare(written.rstrip() + "\n…\n", self.as_written(log.read_text(errors="replace")))
            except Wrong:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def interrupt(self, name):
        """Ctrl-C, and patience."""
        process = self.terminals.pop(name, None)
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(house.PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def compare(written, printed):
    lines = "".join(line.rstrip() + "\n" for line in printed.splitlines())
    if not pattern(written).fullmatch(lines.rstrip("\n") + "\n"):
        raise Wrong(f"the page shows\n\n{written}\nbut this is printed\n\n{lines}")


def home(tmp_path):
    """A folder as the reader has it: with the JavaScript packages that the page has installed."""
    folder = tmp_path / "reader"
    folder.mkdir()
    packages = house.ROOT / "tests" / "clients" / "js" / "node_modules"
    if packages.exists():
        (folder / "node_modules").symlink_to(packages)
    return folder


def environment(folder, needs):
    venv = house.ROOT / ".venv" / "bin"
    path = os.pathsep.join(str(part) for part in (house.BINARIES, venv, *os.environ["PATH"].split(os.pathsep)))
    return {
        "PATH": path,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "KEYGATE_SOURCES": str(Path(house.ROOT)),
        **needs,
    }
