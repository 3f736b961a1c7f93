//! What the frames of a session tell: that it is set up, what it used, and by which handle it can be resumed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use keygate_domain::{Binding, Failure, Resource, Spend, Usage};
use keygate_provider::{Closing, Ended, Frame, Metered, OwnFrame, Parting, Watcher};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{closes, setup};

/// A handle is valid for two hours after the session's last connection ended (facts/gemini.md §6), which
/// is ten minutes after it was given at most, and an hour more does no harm.
const HANDLE_LIFETIME: Duration = Duration::from_hours(3);

/// How many of a session's handles are remembered: the provider gives a new one with every turn, and it is
/// the last one that is used. Those before are let go, or a long talk would push out everybody's files.
const HANDLES: usize = 4;

/// How much longer one that is let go is known.
const LET_GO: Duration = Duration::from_mins(1);

/// What is read of a frame of Google's.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    setup_complete: Option<IgnoredAny>,
    #[serde(borrow)]
    session_resumption_update: Option<Resumption<'a>>,
    server_content: Option<Content>,
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resumption<'a> {
    #[serde(borrow)]
    new_handle: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    model_turn: Option<IgnoredAny>,
    #[serde(default)]
    turn_complete: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(rename = "promptTokenCount")]
    prompt: u64,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use: u64,
    #[serde(rename = "responseTokenCount")]
    response: u64,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: u64,
    #[serde(rename = "cachedContentTokenCount")]
    cached: u64,
    #[serde(rename = "totalTokenCount")]
    total: u64,
}

/// Watches one session.
pub(super) struct LiveWatcher {
    estimate: Spend,
    is_set_up: bool,
    /// What the turns before used.
    used: Option<Usage>,
    /// What this turn used, by its last word on it.
    turn: Option<Usage>,
    is_turn_over: bool,
    handles: VecDeque<Resource>,
    created: Vec<Binding>,
}

impl LiveWatcher {
    pub(super) fn new(estimate: Spend) -> Self {
        Self {
            estimate,
            is_set_up: false,
            used: None,
            turn: None,
            is_turn_over: false,
            handles: VecDeque::new(),
            created: Vec::new(),
        }
    }

    /// Each turn is billed for itself, with everything that was said before as its prompt; inside a turn
    /// the counts run, and the last one holds.
    fn count(&mut self, told: &Told<'_>) {
        let speaks = told.server_content.as_ref().is_some_and(|content| content.model_turn.is_some());
        if speaks && self.is_turn_over {
            self.close_turn();
        }
        if let Some(counts) = told.usage_metadata {
            self.turn = Some(counts.into());
        }
        self.is_turn_over |= told.server_content.as_ref().is_some_and(|content| content.turn_complete);
    }

    fn close_turn(&mut self) {
        self.is_turn_over = false;
        let Some(turn) = self.turn.take() else { return };
        let used = self.used.unwrap_or_default();
        self.used = Some(Usage {
            input_tokens: used.input_tokens.saturating_add(turn.input_tokens),
            output_tokens: used.output_tokens.saturating_add(turn.output_tokens),
            thought_tokens: used.thought_tokens.saturating_add(turn.thought_tokens),
            cached_tokens: used.cached_tokens.saturating_add(turn.cached_tokens),
            total_tokens: used.total_tokens.saturating_add(turn.total_tokens),
        });
    }

    fn remember(&mut self, handle: &str) {
        let resource = setup::handle_resource(handle);
        if self.handles.contains(&resource) {
            return;
        }
        if self.handles.len() == HANDLES
            && let Some(oldest) = self.handles.pop_front()
        {
            self.created.push(Binding { resource: oldest, lifetime: LET_GO, keepsake: None });
        }
        self.handles.push_back(resource.clone());
        self.created.push(Binding { resource, lifetime: HANDLE_LIFETIME, keepsake: None });
    }
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        Self {
            input_tokens: counts.prompt.saturating_add(counts.tool_use),
            output_tokens: counts.response,
            thought_tokens: counts.thoughts,
            cached_tokens: counts.cached,
            total_tokens: counts.total,
        }
    }
}

impl Watcher for LiveWatcher {
    fn received(&mut self, frame: Frame<'_>) {
        let Ok(told) = serde_json::from_slice::<Told<'_>>(frame.bytes()) else { return };
        self.is_set_up |= told.setup_complete.is_some();
        self.count(&told);
        let handle = told.session_resumption_update.and_then(|update| update.new_handle);
        if let Some(handle) = handle.filter(|handle| !handle.is_empty()) {
            self.remember(&handle);
        }
    }

    fn is_taken_in(&self) -> bool {
        self.is_set_up
    }

    fn created(&mut self) -> Vec<Binding> {
        std::mem::take(&mut self.created)
    }

    fn failure(&self, closing: Option<&Closing>) -> Option<Failure> {
        closes::failure(closing, self.estimate)
    }

    fn told(&self, parting: Parting<'_>) -> Closing {
        match parting {
            Parting::Closed(Some(closing)) => closing.clone(),
            Parting::Closed(None) => Closing::new(Closing::NO_CODE, ""),
            Parting::Broken => {
                Closing::new(Closing::INTERNAL, "UNAVAILABLE: the provider's connection broke.")
            }
            Parting::Leaving => {
                Closing::new(Closing::GOING_AWAY, "The gateway restarts; resume on another connection.")
            }
            Parting::TooLong => Closing::new(Closing::GOING_AWAY, "The connection lasted too long."),
        }
    }

    /// As Gemini announces its own end: SDKs have an event for it.
    fn farewell(&self, within: Duration) -> Option<OwnFrame> {
        let frame = format!(r#"{{"goAway":{{"timeLeft":"{}s"}}}}"#, within.as_secs());
        self.is_set_up.then(|| OwnFrame::Binary(frame.into_bytes()))
    }

    fn finish(mut self: Box<Self>, _ended: Ended) -> Metered {
        self.close_turn();
        Metered { usage: self.used, ..Metered::default() }
    }
}
