//! Faults by script: which calls they meet, in which order, how often, and what happens then.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact as text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::anam::AnamRow;
use crate::google::GoogleRow;
use crate::world::Provider;

/// Faults kept at a time; further ones are refused.
const MOST_FAULTS: usize = 10_000;

/// One scripted fault. What it does not name, it does not ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this provider.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Only calls with this key: the secret or its label.
    #[serde(default)]
    pub key: Option<String>,
    /// Only this project or organisation.
    #[serde(default)]
    pub project: Option<String>,
    /// Only this model (without `models/`).
    #[serde(default)]
    pub model: Option<String>,
    /// Only this operation, as `/__sim/requests` names it.
    #[serde(default)]
    pub operation: Option<String>,
    /// How many calls it meets; `null` is every one. One when absent.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// How many calls it lets pass first.
    #[serde(default)]
    pub after: u64,
    /// Real time to wait before acting.
    #[serde(default, with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// What happens.
    pub action: Action,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field it is the default of")]
fn once() -> Option<u64> {
    Some(1)
}

/// What a fault does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Nothing but the delay: the call is then served.
    Pass,
    /// Answers with this instead of serving.
    Answer(ScriptedAnswer),
    /// Answers an HTML page of a proxy, 502.
    Html502,
    /// Never answers; ends when the client leaves.
    Hang,
    /// Resets the connection (RST) before any byte of an answer.
    Reset,
    /// Closes the connection (FIN) before any byte of an answer.
    Close,
    /// Serves, but resets the connection right after the head.
    ResetAfterHeaders,
    /// Serves so many events of the stream (or half of a whole body), then breaks.
    HalfStream(HalfStream),
    /// Serves so many events of the stream, then an error inside the stream.
    ErrorInStream(StreamError),
    /// Serves with a pause (real time) before each event.
    SlowChunks {
        /// The pause.
        #[serde(with = "text::required")]
        pause: Duration,
    },
    /// Reads the body of an upload with a pause (real time) before each piece, then serves.
    SlowReader {
        /// The pause.
        #[serde(with = "text::required")]
        pause: Duration,
    },
    /// Reads so many bytes of the body of an upload, then breaks.
    HalfBody(HalfBody),
}

/// How reading a body breaks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfBody {
    /// Bytes read before.
    pub bytes: u64,
    /// How it ends; `end` answers without reading on.
    pub ending: StreamEnding,
}

/// An answer by script: a named row of the error tables, or status and body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedAnswer {
    /// A named row; gives status and body in the shape of the surface asked.
    pub row: Option<Row>,
    /// The wait the row names, where it names one.
    #[serde(with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Duration>,
    /// The limit the row names, where it names one.
    pub limit: Option<u64>,
    /// The status; replaces the row's. 200 when neither is given.
    pub status: Option<u16>,
    /// The body: a JSON value, or a string to be sent as it is. Replaces the row's.
    pub body: Option<Value>,
    /// Headers to add or replace.
    pub headers: BTreeMap<String, String>,
}

/// A named row of a provider's error tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// Gemini's.
    Google(GoogleRow),
    /// Anam's.
    Anam(AnamRow),
}

/// How a stream breaks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfStream {
    /// Events served before.
    pub events: usize,
    /// How it ends.
    pub ending: StreamEnding,
}

/// The end of a broken stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnding {
    /// The body ends as if it were complete.
    End,
    /// The connection closes (FIN) without the end of the body.
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Half of the next event, then the connection closes.
    MidEvent,
    /// Silence, until the client leaves.
    Hang,
}

/// An error inside a stream that had begun with 200.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// Events served before.
    pub events: usize,
    /// The row; 503 overloaded when absent.
    #[serde(default)]
    pub row: Option<GoogleRow>,
    /// As bare JSON lines without `data:`, as old backends do.
    #[serde(default)]
    pub bare: bool,
}

impl Fault {
    /// A fault that meets the next call of anyone, once.
    pub fn new(action: Action) -> Self {
        Self {
            provider: None,
            key: None,
            project: None,
            model: None,
            operation: None,
            times: Some(1),
            after: 0,
            delay: None,
            action,
        }
    }

    /// A fault that answers with a named row of Gemini's tables.
    pub fn google(row: GoogleRow) -> Self {
        let answer = ScriptedAnswer { row: Some(Row::Google(row)), ..ScriptedAnswer::default() };
        Self::new(Action::Answer(answer)).provider(Provider::Google)
    }

    /// A fault that answers with a named row of Anam's tables.
    pub fn anam(row: AnamRow) -> Self {
        let answer = ScriptedAnswer { row: Some(Row::Anam(row)), ..ScriptedAnswer::default() };
        Self::new(Action::Answer(answer)).provider(Provider::Anam)
    }

    /// Only this provider.
    #[must_use]
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Only this key (secret or label).
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only this project or organisation.
    #[must_use]
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Only this model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Only this operation.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Meets so many calls.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Meets every call, until the script is cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets so many calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Waits before it acts (real time).
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    fn meets(&self, target: &Target<'_>) -> bool {
        let asks = |wanted: &Option<String>, got: Option<&str>| {
            wanted.as_deref().is_none_or(|name| Some(name) == got)
        };
        self.provider.is_none_or(|provider| provider == target.provider)
            && (asks(&self.key, target.key) || asks(&self.key, target.label))
            && asks(&self.project, target.project)
            && asks(&self.model, target.model)
            && asks(&self.operation, Some(target.operation))
    }
}

/// A call as the script sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) provider: Provider,
    pub(crate) key: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) operation: &'a str,
}

/// What happens to one call.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) action: Action,
}

/// The faults still to come, in order.
#[derive(Debug, Default)]
pub(crate) struct Script(Vec<Fault>);

impl Script {
    /// Appends faults, or says why not.
    pub(crate) fn add(&mut self, faults: Vec<Fault>) -> Result<usize, String> {
        if self.0.len() + faults.len() > MOST_FAULTS {
            return Err(format!("the script holds at most {MOST_FAULTS} faults"));
        }
        self.0.extend(faults);
        Ok(self.0.len())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// The first fault that meets the call; it is used up by that.
    pub(crate) fn meet(&mut self, target: &Target<'_>) -> Option<Plan> {
        let at = self.0.iter_mut().position(|fault| fault.meets(target) && due(fault))?;
        let fault = &mut self.0[at];
        let plan = Plan { delay: fault.delay, action: fault.action.clone() };
        if let Some(times) = fault.times.as_mut() {
            *times = times.saturating_sub(1);
        }
        if fault.times == Some(0) {
            self.0.remove(at);
        }
        Some(plan)
    }
}

/// Whether the calls to let pass are used up; counts this one if not.
fn due(fault: &mut Fault) -> bool {
    let due = fault.after == 0;
    fault.after = fault.after.saturating_sub(1);
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> Target<'_> {
        Target {
            provider: Provider::Google,
            key: Some("secret"),
            label: Some("first"),
            project: Some("alpha"),
            model: Some("m"),
            operation,
        }
    }

    #[test]
    fn faults_are_used_in_order_and_counted() {
        let mut script = Script::default();
        let faults = vec![
            Fault::new(Action::Hang).key("first").times(2).after(1),
            Fault::new(Action::Reset).operation("embedContent"),
            Fault::new(Action::Close).model("other").always(),
        ];
        script.add(faults).unwrap();
        assert!(script.meet(&call("generateContent")).is_none());
        assert!(matches!(script.meet(&call("embedContent")).unwrap().action, Action::Hang));
        assert!(matches!(script.meet(&call("embedContent")).unwrap().action, Action::Hang));
        assert!(matches!(script.meet(&call("embedContent")).unwrap().action, Action::Reset));
        assert!(script.meet(&call("embedContent")).is_none());
        assert_eq!(script.faults().len(), 1);
    }

    #[test]
    fn json_names_rows_durations_and_endings() {
        let text = r#"[
            {"action": {"answer": {"row": "day_requests", "retry": "22s"}}, "times": null},
            {"action": {"half_stream": {"events": 2, "ending": "reset"}}, "delay": "250ms"},
            {"action": "hang", "provider": "anam"},
            {"action": {"answer": {"row": "concurrent_sessions"}}}
        ]"#;
        let faults: Vec<Fault> = serde_json::from_str(text).unwrap();
        assert_eq!(faults[0].times, None);
        assert_eq!(faults[1].delay, Some(Duration::from_millis(250)));
        assert_eq!(faults[2].provider, Some(Provider::Anam));
        assert!(serde_json::from_str::<Fault>(r#"{"action": {"answer": {"row": "no_such_row"}}}"#).is_err());
    }
}
