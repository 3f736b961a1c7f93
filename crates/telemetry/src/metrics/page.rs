//! What a scraper is told, and how it is written.
//!
//! Written by hand: the two formats are a page of rules, and the libraries that know them either keep their
//! own atomics on the hot path or write one of the two only. Real parsers read it in the tests.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::histogram::{Distribution, Exemplar};
use super::table::{ALL, Family, Kind};

/// How a page is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus' text, which every scraper reads.
    Text,
    /// `OpenMetrics`, which has exemplars.
    OpenMetrics,
}

impl Format {
    /// The one a scraper asks for.
    pub fn asked(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Samples of one moment.
#[derive(Debug, Default)]
pub struct Page {
    families: BTreeMap<&'static str, BTreeMap<Vec<String>, Sample>>,
}

/// What is told under one set of labels.
#[derive(Debug)]
pub(super) enum Sample {
    Number(f64),
    Distribution(Distribution),
}

impl Page {
    /// Tells a number; what has the same labels is added up. Labels are in the family's order.
    pub fn tell(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        let sample = self.sample(family, labels, || Sample::Number(0.0));
        if let Sample::Number(number) = sample {
            *number += value;
        }
    }

    /// The same for a whole number.
    pub fn count(&mut self, family: &'static Family, labels: &[&str], value: u64) {
        self.tell(family, labels, value as f64);
    }

    /// The same for yes and no.
    pub fn flag(&mut self, family: &'static Family, labels: &[&str], value: bool) {
        self.tell(family, labels, f64::from(u8::from(value)));
    }

    pub(crate) fn distribution(&mut self, family: &'static Family, labels: &[&str], told: &Distribution) {
        let empty = || {
            Sample::Distribution(Distribution { counts: vec![0; told.counts.len()], sum: 0, ..told.clone() })
        };
        if let Sample::Distribution(distribution) = self.sample(family, labels, empty) {
            distribution.add(told);
        }
    }

    fn sample(
        &mut self,
        family: &'static Family,
        labels: &[&str],
        empty: impl FnOnce() -> Sample,
    ) -> &mut Sample {
        debug_assert_eq!(labels.len(), family.labels.len(), "labels of {}", family.name);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.families.entry(family.name).or_default().entry(labels).or_insert_with(empty)
    }

    /// The families that anything is told of, in the order of a page, with their samples by labels.
    pub(super) fn families(&self) -> impl Iterator<Item = (&'static Family, &BTreeMap<Vec<String>, Sample>)> {
        ALL.iter().filter_map(|family| Some((*family, self.families.get(family.name)?)))
    }

    /// The page as text.
    pub fn written(&self, format: Format) -> String {
        let mut text = String::with_capacity(32 * 1024);
        for (family, samples) in self.families() {
            head(&mut text, family, format);
            for (labels, sample) in samples {
                let labels = Labels { names: family.labels, values: labels };
                match sample {
                    Sample::Number(number) => line(&mut text, family.name, "", &labels, None, *number),
                    Sample::Distribution(told) => buckets(&mut text, family.name, &labels, told, format),
                }
            }
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

struct Labels<'a> {
    names: &'static [&'static str],
    values: &'a [String],
}

fn head(text: &mut String, family: &Family, format: Format) {
    let name = match (format, family.kind) {
        (Format::OpenMetrics, Kind::Counter) => family.name.trim_end_matches("_total"),
        (Format::OpenMetrics | Format::Text, _) => family.name,
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind.as_str());
}

fn buckets(text: &mut String, name: &str, labels: &Labels<'_>, told: &Distribution, format: Format) {
    let mut below = 0;
    for (place, count) in told.counts.iter().enumerate() {
        below += count;
        let end = told.ranges.ends.get(place).map(|end| told.ranges.unit.told(*end));
        let le = end.map_or_else(|| "+Inf".to_owned(), |end| format!("{end:?}"));
        line(text, name, "_bucket", labels, Some(&le), below as f64);
        let exemplar = told.exemplars.get(place).copied().flatten();
        if let (Some(exemplar), Format::OpenMetrics) = (exemplar, format) {
            text.pop();
            tell_exemplar(text, told, &exemplar);
        }
    }
    line(text, name, "_sum", labels, None, told.ranges.unit.told(told.sum));
    line(text, name, "_count", labels, None, below as f64);
}

fn tell_exemplar(text: &mut String, told: &Distribution, exemplar: &Exemplar) {
    let Exemplar { trace, value, at_ms } = exemplar;
    let (value, at) = (told.ranges.unit.told(*value), *at_ms as f64 / 1e3);
    let _ = writeln!(text, " # {{trace_id=\"{trace}\"}} {value} {at:.3}");
}

fn line(text: &mut String, name: &str, suffix: &str, labels: &Labels<'_>, le: Option<&str>, value: f64) {
    let _ = write!(text, "{name}{suffix}");
    let pairs = labels.names.iter().copied().zip(labels.values.iter().map(String::as_str));
    let mut before = '{';
    for (label, value) in pairs.chain(le.map(|le| ("le", le))) {
        let _ = write!(text, "{before}{label}=\"");
        escaped(text, value);
        text.push('"');
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

fn escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}
