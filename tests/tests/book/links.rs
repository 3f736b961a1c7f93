//! Every page is in the summary, and every link that stays in the house leads somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use super::markdown::{anchors, house, links, pages, prose};

/// Pages outside of the book whose links are checked, too.
const BESIDE_THE_BOOK: [&str; 5] =
    ["README.md", "CHANGELOG.md", "bench/README.md", "tests/clients/README.md", "examples/README.md"];

fn docs() -> PathBuf {
    house().join("docs")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_page_is_in_the_summary_once() {
    let summary = text(&docs().join("SUMMARY.md"));
    let mut listed: Vec<PathBuf> =
        summary.lines().flat_map(links).map(|target| docs().join(target)).collect();
    listed.sort();
    let mut written = pages(&docs());
    written.retain(|page| !page.ends_with("SUMMARY.md"));
    assert_eq!(listed, written, "docs/SUMMARY.md (left) has each page of docs/ (right) once");
}

#[test]
fn every_link_leads_somewhere() {
    let mut written = pages(&docs());
    written.extend(BESIDE_THE_BOOK.map(|page| house().join(page)));
    let broken: Vec<String> = written.iter().flat_map(|page| broken_links(page)).collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

fn broken_links(page: &Path) -> Vec<String> {
    let text = text(page);
    let mut broken = Vec::new();
    for (line, prose) in prose(&text) {
        for target in links(prose) {
            if let Some(why) = what_is_wrong(page, &target) {
                broken.push(format!("{}:{line}: {target}: {why}", page.display()));
            }
        }
    }
    broken
}

fn what_is_wrong(page: &Path, target: &str) -> Option<&'static str> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let there = if path.is_empty() { page.to_path_buf() } else { page.parent().unwrap().join(path) };
    if !there.exists() {
        return Some("there is no such file");
    }
    let is_known = anchor.is_empty() || anchors(&text(&there)).iter().any(|known| known == anchor);
    (!is_known).then_some("the page has no such heading")
}

#[test]
fn the_printer_finds_its_pages() {
    let settings = text(&docs().join("book.toml"));
    let expected = ["[book]", "title = \"Keygate\"", "src = \".\""];
    for line in expected {
        assert!(settings.lines().any(|written| written == line), "docs/book.toml lacks {line}");
    }
}
