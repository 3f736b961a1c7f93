//! Markdown as far as links need it: headings, anchors, and what stands outside of code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The Markdown files below `folder`, in order.
pub(super) fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines outside of fenced blocks, with their numbers.
pub(super) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The anchors of a page as GitHub and mdBook make them of its headings.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).into_iter().filter_map(|(_, line)| {
        let hashes = line.len() - line.trim_start_matches('#').len();
        (1..=6).contains(&hashes).then(|| line[hashes..].strip_prefix(' ')).flatten()
    });
    headings
        .map(|heading| {
            let slug = slug(heading);
            let times = seen.entry(slug.clone()).and_modify(|times| *times += 1).or_insert(0);
            if *times == 0 { slug } else { format!("{slug}-{times}") }
        })
        .collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where the links of a line lead: `[words](here)`, outside of inline code.
pub(super) fn links(line: &str) -> Vec<String> {
    let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    plain
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split_whitespace().next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# How it *thinks*\n## `x-keygate-error`: what, and why?\n```sh\n# no heading\n```\n## Twice\n## Twice\n";
    assert_eq!(anchors(page), ["how-it-thinks", "x-keygate-error-what-and-why", "twice", "twice-1"]);
}

#[test]
fn links_in_code_are_no_links() {
    assert_eq!(links("see [a](b.md#c), `[x](y)` and [`d`](e.md \"title\")"), ["b.md#c", "e.md"]);
}
