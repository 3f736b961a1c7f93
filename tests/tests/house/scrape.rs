//! A page of metrics as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use keygate_tests::eventually;

use super::answer::Answer;
use super::stage::House;

/// One line.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Scrape(pub(crate) Vec<Sample>);

impl Scrape {
    /// Reads the page of this moment.
    pub(crate) async fn of(house: &House) -> Self {
        let answer = Answer::to(house.get("/metrics")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        Self(answer.text().lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }

    /// Reads pages until one of them tells this.
    pub(crate) async fn until(house: &House, name: &str, labels: &[(&str, &str)], value: f64) -> Self {
        eventually(&format!("{name}{labels:?} is {value}"), async || {
            let scrape = Self::of(house).await;
            scrape.value(name, labels).is_some_and(|told| (told - value).abs() < 1e-9).then_some(scrape)
        })
        .await
    }

    /// The sum of all samples of this name that have these labels; nothing if there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|told| told == value))
        };
        let mut found = self.0.iter().filter(|sample| sample.name == name).filter(has).peekable();
        found.peek()?;
        Some(found.map(|sample| sample.value).sum())
    }

    #[track_caller]
    pub(crate) fn tells(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let told = self.value(name, labels);
        assert!(
            told.is_some_and(|told| (told - value).abs() < 1e-9),
            "{name}{labels:?} is {told:?} and not {value}"
        );
    }

    /// All names, and the labels of each. Parts of a histogram have its name too.
    pub(crate) fn families(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for sample in &self.0 {
            families.entry(sample.name.clone()).or_default().extend(sample.labels.keys().cloned());
        }
        families
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let mut told = BTreeMap::new();
    let mut rest = labels.trim_end_matches('}');
    while let Some((label, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end of a label: {line}"));
        told.insert(label.to_owned(), value.to_owned());
        rest = after.trim_start_matches(',');
    }
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels: told, value }
}
