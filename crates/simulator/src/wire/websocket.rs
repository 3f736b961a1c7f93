//! The server's side of a WebSocket over an upgraded connection.

use std::io;

use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Answer, Call};

/// The largest message taken: audio and video come in frames.
const LARGEST_MESSAGE_BYTES: usize = 64 << 20;

/// A connection about to become a WebSocket.
pub(crate) struct Upgrade(OnUpgrade);

/// The answer to a handshake and the connection to come, or a refusal of what is none.
pub(crate) fn handshake(call: &mut Call) -> Result<(Answer, Upgrade), Answer> {
    let (Some(key), Some(upgrade)) = (websocket_key(&call.headers), call.upgrade.take()) else {
        return Err(Answer::new(426, "text/plain", "upgrade required").with("upgrade", "websocket"));
    };
    let answer = Answer::new(101, "text/plain", "")
        .with("connection", "Upgrade")
        .with("upgrade", "websocket")
        .with("sec-websocket-accept", &derive_accept_key(key.as_bytes()));
    Ok((answer, Upgrade(upgrade)))
}

fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let is_websocket = headers.get("upgrade")?.to_str().ok()?.eq_ignore_ascii_case("websocket");
    let key = headers.get("sec-websocket-key")?.to_str().ok()?;
    is_websocket.then(|| key.to_owned())
}

impl Upgrade {
    /// Waits until the connection is one.
    pub(crate) async fn open(self) -> io::Result<Frames> {
        let upgraded = self.0.await.map_err(io::Error::other)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE_BYTES))
            .max_frame_size(Some(LARGEST_MESSAGE_BYTES));
        Ok(Frames(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await))
    }
}

/// An open WebSocket.
pub(crate) struct Frames(WebSocketStream<TokioIo<Upgraded>>);

impl Frames {
    /// The next message with content; `None` when the client is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        while let Some(Ok(message)) = self.0.next().await {
            match message {
                Message::Text(text) => return Some(text.into()),
                Message::Binary(bytes) => return Some(bytes),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        None
    }

    /// Sends JSON as text. A client that is gone shows at the next read.
    pub(crate) async fn send_text(&mut self, value: &impl Serialize) {
        let text = serde_json::to_string(value).unwrap_or_default();
        let _ = self.0.send(Message::Text(text.into())).await;
    }

    /// Sends JSON as bytes, as Gemini does; false when the client is gone.
    pub(crate) async fn send_binary(&mut self, value: &impl Serialize) -> bool {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        self.0.send(Message::Binary(bytes.into())).await.is_ok()
    }

    /// Closes with code and reason, then reads until the client has closed as well.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        // A control frame holds 125 bytes, two of them the code.
        let reason: String = reason
            .chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 123).then_some(c)
            })
            .collect();
        let _ = self.0.close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })).await;
        while let Some(Ok(_)) = self.0.next().await {}
    }
}
