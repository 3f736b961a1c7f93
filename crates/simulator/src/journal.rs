//! What came in and what became of it: counts since the start, and the last requests in full.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::credential::CredentialSeen;
use crate::record::{RequestRecord, StreamEnd};
use crate::world::Provider;

/// Requests remembered in full.
const MOST_RECORDS: usize = 1000;
/// Names counted per map; further ones are counted as `other`.
const MOST_NAMES: usize = 1000;

/// Counts of both providers since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Gemini.
    pub google: ProviderCounts,
    /// Anam, its engine included.
    pub anam: ProviderCounts,
}

/// Counts of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProviderCounts {
    /// Requests received (not those of `/__sim`).
    pub requests: u64,
    /// By label of the key; `unknown` and `none` for others.
    pub by_key: BTreeMap<String, u64>,
    /// By project or organisation.
    pub by_project: BTreeMap<String, u64>,
    /// By model named.
    pub by_model: BTreeMap<String, u64>,
    /// By operation.
    pub by_operation: BTreeMap<String, u64>,
    /// By status answered.
    pub by_status: BTreeMap<u16, u64>,
    /// By key and status, as `label 429`.
    pub by_key_and_status: BTreeMap<String, u64>,
    /// Answers with 429: a pool that knows its budgets has none.
    pub refused_429: u64,
    /// Requests that met a fault of the script.
    pub faults_met: u64,
    /// Requests whose client left before the head of an answer, or that the script left without one.
    pub unanswered: u64,
    /// Streams whose head was sent.
    pub streams_begun: u64,
    /// Streams sent to their end.
    pub streams_finished: u64,
    /// Streams the client left.
    pub streams_cut_by_client: u64,
    /// Streams the script broke.
    pub streams_cut_by_script: u64,
    /// Streams under way.
    pub streams_open: u64,
    /// Tokens of answers, in the provider's own count.
    pub tokens: TokenCounts,
    /// Sessions (Live connections, avatar sessions) started.
    pub sessions_started: u64,
    /// Sessions active now.
    pub sessions_active: u64,
}

/// Tokens, as usage tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenCounts {
    /// Of prompts, those from caches included.
    pub prompt: u64,
    /// Of answers, without thoughts.
    pub candidates: u64,
    /// Of thoughts.
    pub thoughts: u64,
    /// Of prompts, from caches.
    pub cached: u64,
    /// All but `cached`, which is part of `prompt`.
    pub total: u64,
}

/// Counts and records.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    counts: Counts,
    records: VecDeque<RequestRecord>,
    last_number: u64,
}

impl Journal {
    /// Files a request and gives it a number.
    pub(crate) fn begin(&mut self, mut record: RequestRecord) -> u64 {
        self.last_number += 1;
        record.number = self.last_number;
        let counts = self.of(record.provider);
        counts.requests += 1;
        count(&mut counts.by_key, label(&record.credentials));
        count(&mut counts.by_operation, &record.operation);
        record.project.iter().for_each(|name| count(&mut counts.by_project, name));
        record.model.iter().for_each(|name| count(&mut counts.by_model, name));
        if self.records.len() == MOST_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.last_number
    }

    /// An answer was made that is billed with these tokens.
    pub(crate) fn billed(&mut self, provider: Provider, tokens: TokenCounts) {
        let sums = &mut self.of(provider).tokens;
        sums.prompt += tokens.prompt;
        sums.candidates += tokens.candidates;
        sums.thoughts += tokens.thoughts;
        sums.cached += tokens.cached;
        sums.total += tokens.total;
    }

    /// The head of an answer goes out.
    pub(crate) fn answered(&mut self, provider: Provider, number: u64, status: u16) {
        let key = self.record(number).map(|record| {
            record.status = Some(status);
            label(&record.credentials).to_owned()
        });
        let counts = self.of(provider);
        *counts.by_status.entry(status).or_default() += 1;
        counts.refused_429 += u64::from(status == 429);
        if let Some(key) = key {
            count(&mut counts.by_key_and_status, &format!("{key} {status}"));
        }
    }

    /// The body of a request that was read after it was filed.
    pub(crate) fn took_in(&mut self, number: u64, bytes: usize, sha256: String) {
        if let Some(record) = self.record(number) {
            record.body_bytes = bytes;
            record.body_sha256 = sha256;
        }
    }

    pub(crate) fn unanswered(&mut self, provider: Provider) {
        self.of(provider).unanswered += 1;
    }

    pub(crate) fn fault_met(&mut self, provider: Provider) {
        self.of(provider).faults_met += 1;
    }

    pub(crate) fn stream_begun(&mut self, provider: Provider) {
        let counts = self.of(provider);
        counts.streams_begun += 1;
        counts.streams_open += 1;
    }

    pub(crate) fn stream_ended(&mut self, provider: Provider, number: u64, end: StreamEnd) {
        if let Some(record) = self.record(number) {
            record.stream = Some(end);
        }
        let counts = self.of(provider);
        counts.streams_open = counts.streams_open.saturating_sub(1);
        match end {
            StreamEnd::Finished => counts.streams_finished += 1,
            StreamEnd::CutByClient => counts.streams_cut_by_client += 1,
            StreamEnd::CutByScript => counts.streams_cut_by_script += 1,
        }
    }

    pub(crate) fn session_started(&mut self, provider: Provider) {
        self.of(provider).sessions_started += 1;
    }

    /// The counts; the sessions active now are the world's to say.
    pub(crate) fn counts(&self, live: u64, avatars: u64) -> Counts {
        let mut counts = self.counts.clone();
        counts.google.sessions_active = live;
        counts.anam.sessions_active = avatars;
        counts
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }

    /// Forgets counts and records; numbers go on, so that late ends of old streams meet nobody.
    pub(crate) fn clear(&mut self) {
        self.counts = Counts::default();
        self.records.clear();
    }

    fn of(&mut self, provider: Provider) -> &mut ProviderCounts {
        match provider {
            Provider::Google => &mut self.counts.google,
            Provider::Anam => &mut self.counts.anam,
        }
    }

    fn record(&mut self, number: u64) -> Option<&mut RequestRecord> {
        let newest = self.records.back()?.number;
        let from_end = usize::try_from(newest.checked_sub(number)?).ok()?;
        let at = self.records.len().checked_sub(from_end + 1)?;
        self.records.get_mut(at)
    }
}

fn label(credentials: &[CredentialSeen]) -> &str {
    credentials.first().map_or("none", |seen| seen.label.as_str())
}

fn count(map: &mut BTreeMap<String, u64>, name: &str) {
    let name = if map.len() >= MOST_NAMES && !map.contains_key(name) { "other" } else { name };
    *map.entry(name.to_owned()).or_default() += 1;
}
