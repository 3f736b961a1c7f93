//! What the frames of a session tell: that it is set up, what it used, and by which handle it can be resumed.

use std::borrow::Cow;
use std::time::Duration;

use keygate_domain::{Binding, Failure, Spend, Usage};
use keygate_provider::{Closing, Ended, Frame, Metered, OwnFrame, Parting, Watcher};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{closes, setup};
use crate::bindings::Latest;
use crate::usage::Count;

/// A handle is valid for two hours after the session's last connection ended (facts/gemini.md §6), which
/// is ten minutes after it was given at most, and an hour more does no harm.
const HANDLE_LIFETIME: Duration = Duration::from_hours(3);

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
    prompt: Count,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use: Count,
    #[serde(rename = "responseTokenCount")]
    response: Count,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: Count,
    #[serde(rename = "cachedContentTokenCount")]
    cached: Count,
    #[serde(rename = "totalTokenCount")]
    total: Count,
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
    /// What was told of all that.
    told: Usage,
    has_news: bool,
    /// A new one is given with every turn, and it is the last one that is used.
    handles: Latest,
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
            told: Usage::default(),
            has_news: false,
            handles: Latest::new(HANDLE_LIFETIME),
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
            self.has_news = true;
        }
        self.is_turn_over |= told.server_content.as_ref().is_some_and(|content| content.turn_complete);
    }

    fn close_turn(&mut self) {
        self.is_turn_over = false;
        if let Some(turn) = self.turn.take() {
            self.used = Some(each(self.used.unwrap_or_default(), turn, u64::saturating_add));
        }
    }
}

/// Two usages, count by count.
fn each(one: Usage, other: Usage, both: impl Fn(u64, u64) -> u64) -> Usage {
    Usage {
        input_tokens: both(one.input_tokens, other.input_tokens),
        output_tokens: both(one.output_tokens, other.output_tokens),
        thought_tokens: both(one.thought_tokens, other.thought_tokens),
        cached_tokens: both(one.cached_tokens, other.cached_tokens),
        total_tokens: both(one.total_tokens, other.total_tokens),
    }
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        Self {
            input_tokens: counts.prompt.0 + counts.tool_use.0,
            output_tokens: counts.response.0,
            thought_tokens: counts.thoughts.0,
            cached_tokens: counts.cached.0,
            total_tokens: counts.total.0,
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
            self.created.extend(self.handles.add(setup::handle_resource(&handle)));
        }
    }

    fn is_taken_in(&self) -> bool {
        self.is_set_up
    }

    fn created(&mut self) -> Vec<Binding> {
        std::mem::take(&mut self.created)
    }

    fn used(&mut self) -> Option<Usage> {
        if !std::mem::take(&mut self.has_news) {
            return None;
        }
        let (before, turn) = (self.used.unwrap_or_default(), self.turn.unwrap_or_default());
        let all = each(before, turn, u64::saturating_add);
        let more = each(all, self.told, u64::saturating_sub);
        // Should a count become smaller, what was told of it is not told again when it grows.
        self.told = each(all, self.told, u64::max);
        (more != Usage::default()).then_some(more)
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
