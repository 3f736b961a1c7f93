"""Every command and every configuration of the tutorial and the how-tos, done as the page says; of other pages the
configurations."""

import pytest

import house
import pages
import reader


@pytest.mark.parametrize("path", pages.all_pages(), ids=lambda path: path.stem)
def test_the_page_says_what_happens(path, tmp_path, request):
    page = pages.read(path)
    with providers(page, tmp_path) as variables:
        folder = reader.home(tmp_path)
        somebody = reader.Reader(page, folder, reader.environment(folder, variables))
        try:
            for block in page.blocks:
                follow(somebody, page, block)
        finally:
            somebody.close()
    for skipped in somebody.skipped:
        request.node.add_report_section("call", "skipped", skipped)


def test_every_configuration_of_the_other_pages_is_one(tmp_path):
    for path in pages.other_pages():
        page = pages.read(path)
        folder = tmp_path / path.stem
        folder.mkdir()
        somebody = reader.Reader(page, folder, reader.environment(folder, page.needs.get("variables", {})))
        try:
            for block in page.blocks:
                if block.language == "yaml":
                    follow(somebody, page, block)
        finally:
            somebody.close()


def follow(somebody, page, block):
    try:
        return somebody.follow(block)
    except reader.Wrong as wrong:
        said = f"{page.place(block)}: {wrong}"
    pytest.fail(said, pytrace=False)


class providers:
    """The simulated providers in the place of the real ones, where the page needs any: what it calls a key is
    one there, and its base URL is told by a variable."""

    def __init__(self, page, tmp_path):
        self.needs, self.folder, self.process = page.needs, tmp_path, None

    def __enter__(self):
        variables = dict(self.needs.get("variables", {}))
        if "google" not in self.needs and "anam" not in self.needs:
            return variables
        self.process = house.running("simulator", ["keygate-simulator"], self.folder / "simulator.log")
        urls = self.process.__enter__()
        simulator = house.Simulator(urls["google"], urls["anam"], urls["engine"])
        simulator.keys(population(self.needs))
        if "google" in self.needs:
            variables["KEYGATE__PROVIDERS__GOOGLE__BASE_URL"] = simulator.google
        if "anam" in self.needs:
            variables["KEYGATE__PROVIDERS__ANAM__BASE_URL"] = simulator.anam
        variables["SIMULATOR"] = simulator.google
        return variables

    def __exit__(self, *error):
        if self.process:
            self.process.__exit__(*error)


def population(needs):
    def owners(names):
        return [{"name": name, "keys": [{"key": key} for key in keys]} for name, keys in names.items()]

    return {
        "google": {"projects": owners(needs.get("google", {}))},
        "anam": {"organizations": owners(needs.get("anam", {}))},
    }
