"""What the READMEs show is what happens: the tour of the first page command by command, and every coffer command named anywhere."""
import pathlib
import re
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
from bench import run_coffer


def fences(text):
    return re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)


def steps(text):
    """(command, what it prints) of every `$ ...` in the fences, in order."""
    found = []
    for fence in fences(text):
        for part in re.split(r"^\$ ", fence, flags=re.M)[1:]:
            command, printed = re.match(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.S).groups()
            found.append((command.replace("\\\n", " ").strip(), printed.splitlines()))
    return found


def shape(line):
    """A line without what differs from run to run: times, numbers, ids, widths of columns."""
    line = re.sub(r"mhsm-hsm1-\d+", "FOLDER", line)
    line = re.sub(r"\b[0-9a-f]{16,64}\b", "ID", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line)
    return re.sub(r" +", " ", re.sub(r"\d+", "N", line)).strip()


class Tour(bench.Case):
    def test_each_step_of_the_tour_prints_what_the_page_shows(self):
        text = (bench.ROOT / "README.md").read_text()
        walk = steps(text[text.index("## A short tour"):])
        self.assertGreater(len(walk), 10)
        self.place, self.port, self.made = self.folder / "hsm", bench.free_port(), ""
        self.addCleanup(lambda: run_coffer("bench", "down", "--dir", str(self.place)))
        for command, printed in walk:
            if command.startswith("export "):
                continue
            self.check(command, printed, self.run_step(command))

    def run_step(self, command):
        """The tour's folder, port and backup are examples; here are the real ones. Everything printed."""
        words = shlex.split(command.replace("/tmp/hsm", str(self.place)))
        words = [re.sub(r"mhsm-hsm1-\d+", self.made, word) if self.made else word for word in words]
        if words[0] == "coffer":
            words[0] = bench.COFFER
        if "up" in words:
            words += ["--port", str(self.port)]
        words = [str(self.folder / word) if word == "receipt.bin" else word for word in words]
        done = subprocess.run(words, cwd=bench.ROOT, capture_output=True, text=True, timeout=120, check=False)
        said = (done.stdout + done.stderr).replace(str(self.place), "/tmp/hsm")
        folder = re.search(r"mhsm-hsm1-\d+", said)
        if folder and not self.made:
            self.made = folder.group(0)
        return said.splitlines()

    def check(self, command, shown, said):
        """The lines shown come in this order, the first one first; what `...` stands for may be between or behind."""
        lines, whole = [shape(line) for line in said], "\n".join([command, *said])
        at, gap = 0, False
        for line in shown:
            if line == "...":
                gap = True
                continue
            wanted = shape(line)
            while gap and at < len(lines) and lines[at] != wanted:
                at += 1
            self.assertLess(at, len(lines), f"'{line}' is missing in:\n{whole}")
            self.assertEqual(wanted, lines[at], whole)
            at, gap = at + 1, False
        if not gap:
            self.assertEqual(len(lines), at, f"more is printed than shown:\n{whole}")


class Commands(bench.Case):
    """In pages and code spans: `coffer key create --name`. Capitals and ellipses stand for something; `|` and `/` for choices."""

    def test_every_coffer_command_named_in_a_page_exists_with_its_flags(self):
        helps, seen = {}, 0
        verbs = re.findall(r"^  ([a-z][a-z -]*?)  +\S", run_coffer("--help").stdout, re.M)
        for page in sorted(bench.ROOT.glob("**/*.md")):
            if "build" in page.relative_to(bench.ROOT).parts:
                continue
            for command in self.named(page.read_text()):
                verb = next((v for v in verbs if (command + " ").startswith(v + " ")), None)
                with self.subTest(page=str(page.relative_to(bench.ROOT)), command=command):
                    seen += 1
                    group = command.split()[0] if command else ""
                    if not verb and (not group or group.startswith("-") or group.isupper()):
                        continue
                    self.assertIsNotNone(verb, "no such verb")
                    if verb not in helps:
                        helps[verb] = run_coffer(*verb.split(), "--help").stdout
                    for flag in re.findall(r"(?<![\w-])--[a-zA-Z][\w-]*", command):
                        self.assertRegex(helps[verb], rf"(?m)^ *(-\?, )?{flag}\b")
        self.assertGreater(seen, 20)

    def named(self, text):
        spans = re.findall(r"`coffer ([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
        lines = [line for fence in fences(text)
                 for line in re.findall(r"^\$ coffer (.*)" if "\n$ " in "\n" + fence else r"^coffer (.*)",
                                        fence.replace("\\\n", " "), re.M)]
        for command in spans + lines:
            for one in command.split(" && coffer "):
                words = one.split()
                if words and "|" in words[-1] or "/" in words[-1] and len(words) < 3:  # `coffer job status|wait|cancel`
                    for choice in re.split(r"[|/]", words[-1]):
                        yield " ".join(words[:-1] + [choice])
                else:
                    yield " ".join(words)


if __name__ == "__main__":
    bench.main()
