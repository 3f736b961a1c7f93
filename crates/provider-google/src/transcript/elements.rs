//! The pieces of an answer: one, the events of a stream, the elements of an array.

use keygate_domain::Streaming;
use serde_json::{Deserializer, Value};

/// The pieces that are whole, and whether all are.
pub(super) fn of(streaming: Streaming, answered: &[u8]) -> (Vec<Value>, bool) {
    match streaming {
        Streaming::Whole | Streaming::File => one(answered),
        // A stream that was asked for without `alt=sse` may come as an array, and an error as one object.
        Streaming::Events | Streaming::JsonArray => {
            if answered.trim_ascii_start().starts_with(b"[") || answered.trim_ascii_start().starts_with(b"{")
            {
                array(answered)
            } else {
                events(answered)
            }
        }
    }
}

fn one(answered: &[u8]) -> (Vec<Value>, bool) {
    if answered.is_empty() {
        return (Vec::new(), true);
    }
    let read: Option<Value> = serde_json::from_slice(answered).ok();
    let is_whole = read.is_some();
    (read.into_iter().flat_map(flattened).collect(), is_whole)
}

/// Errors on the OpenAI-compatible surface come as arrays of one.
fn flattened(value: Value) -> Vec<Value> {
    match value {
        Value::Array(elements) => elements,
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![one]
        }
    }
}

fn events(answered: &[u8]) -> (Vec<Value>, bool) {
    let mut is_whole = true;
    let lines = answered.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.filter_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii);
    let read = data.filter(|data| !data.is_empty() && *data != b"[DONE]").filter_map(|data| {
        let value = serde_json::from_slice(data).ok();
        is_whole &= value.is_some();
        value
    });
    (read.collect(), is_whole)
}

/// Element by element, so that one that was cut off costs itself alone.
fn array(answered: &[u8]) -> (Vec<Value>, bool) {
    let mut read = Vec::new();
    let mut rest = answered;
    loop {
        let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b',' | b']');
        rest = &rest[rest.iter().take_while(|byte| between(byte)).count()..];
        if rest.is_empty() {
            return (read, true);
        }
        let mut values = Deserializer::from_slice(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { return (read, false) };
        rest = &rest[values.byte_offset()..];
        read.push(value);
    }
}
