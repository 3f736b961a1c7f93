//! WebSockets (RFC 6455) over a connection that is open already, on either side of it.
//!
//! One implementation for both: the provider's side over an upgraded HTTP connection, the caller's side
//! over whatever the front reads and writes. Pings are answered by themselves while somebody reads. A
//! message is passed on as it came, without being copied; nothing is buffered beyond one message.

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use keygate_provider::{Closing, Frame, OwnFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message as Wire, Utf8Bytes};

/// The largest message that passes: audio and pictures come in messages, and one is held at a time in
/// each direction.
pub const MOST_MESSAGE_BYTES: usize = 16 << 20;

/// What is read from a socket at once. There are many, and each holds such a buffer as long as it lives.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// Longest reason of a close frame: a control frame holds 125 bytes, two of them the code (§5.5).
const MOST_REASON_BYTES: usize = 123;

/// Anything to read from and to write to.
trait Line: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Line for T {}

type Stream = WebSocketStream<Box<dyn Line>>;

/// An open WebSocket.
pub struct WebSocket(Stream);

/// The messages that come.
pub struct Incoming(SplitStream<Stream>);

/// The way for messages to go.
pub struct Outgoing(SplitSink<Stream, Wire>);

/// A message with content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// UTF-8.
    Text(Text),
    /// Anything.
    Binary(Bytes),
}

/// Bytes that are known to be UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text(Utf8Bytes);

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// A sign of life without content.
    Alive,
    /// The other side closes; without a code if it gave none.
    Closed(Option<Closing>),
    /// Nothing comes any more.
    Lost(Lost),
}

/// Why nothing comes any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The connection broke.
    Broken,
    /// A message was larger than [`MOST_MESSAGE_BYTES`].
    TooLarge,
    /// What came is no WebSocket's, or text that is none.
    Malformed,
}

/// The other side takes nothing any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the connection is closed")]
pub struct Gone;

/// The answer to the key of a handshake (§4.2.2).
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

/// A fresh key for a handshake, and the answer that belongs to it.
pub(crate) fn handshake_key() -> (String, String) {
    let key = generate_key();
    let accept = derive_accept_key(key.as_bytes());
    (key, accept)
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocket").finish_non_exhaustive()
    }
}

impl WebSocket {
    /// The side that was connected to.
    pub async fn of_server(line: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Self {
        Self::over(Box::new(line), Role::Server).await
    }

    /// The side that connected.
    pub(crate) async fn of_client(line: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Self {
        Self::over(Box::new(line), Role::Client).await
    }

    async fn over(line: Box<dyn Line>, role: Role) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            // Each message is written as it is sent.
            .write_buffer_size(0)
            .max_message_size(Some(MOST_MESSAGE_BYTES))
            .max_frame_size(Some(MOST_MESSAGE_BYTES));
        Self(WebSocketStream::from_raw_socket(line, role, Some(config)).await)
    }

    /// What comes next, while nothing is to be sent.
    pub async fn next(&mut self) -> Heard {
        heard(self.0.next().await)
    }

    /// Both directions apart, so that neither waits for the other.
    pub fn split(self) -> (Incoming, Outgoing) {
        let (outgoing, incoming) = self.0.split();
        (Incoming(incoming), Outgoing(outgoing))
    }

    /// Closes, and waits for the other side to do the same. Whoever calls it bounds the wait.
    pub async fn close(self, closing: Option<&Closing>) {
        let (mut incoming, mut outgoing) = self.split();
        outgoing.close(closing).await;
        incoming.drain().await;
    }
}

impl Incoming {
    /// What comes next. Nothing is lost when the wait for it is given up.
    pub async fn next(&mut self) -> Heard {
        heard(self.0.next().await)
    }

    /// Reads until the other side has closed as well, and forgets what it reads.
    pub async fn drain(&mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

impl Outgoing {
    /// Sends a message, and waits until it is written.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes it.
    pub async fn send(&mut self, message: Message) -> Result<(), Gone> {
        self.put(message.into_wire()).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes it.
    pub async fn ping(&mut self) -> Result<(), Gone> {
        self.put(Wire::Ping(Bytes::new())).await
    }

    /// Closes. Whether that arrives is of no importance: the connection ends either way.
    pub async fn close(&mut self, closing: Option<&Closing>) {
        let _ = self.put(Wire::Close(closing.and_then(close_frame))).await;
    }

    async fn put(&mut self, wire: Wire) -> Result<(), Gone> {
        self.0.send(wire).await.map_err(|_closed| Gone)
    }
}

impl Message {
    /// The message as adapters see it.
    pub fn frame(&self) -> Frame<'_> {
        match self {
            Self::Text(text) => Frame::Text(text.0.as_str()),
            Self::Binary(bytes) => Frame::Binary(bytes),
        }
    }

    /// The same message with other bytes in place of these. What is no text any more goes as bytes.
    #[must_use]
    pub fn with(self, bytes: Bytes) -> Self {
        match self {
            Self::Text(_) => {
                Utf8Bytes::try_from(bytes.clone()).map_or(Self::Binary(bytes), |text| Self::Text(Text(text)))
            }
            Self::Binary(_) => Self::Binary(bytes),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Text(text) => text.0.clone().into(),
            Self::Binary(bytes) => bytes.clone(),
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.frame().bytes().len()
    }

    fn into_wire(self) -> Wire {
        match self {
            Self::Text(text) => Wire::Text(text.0),
            Self::Binary(bytes) => Wire::Binary(bytes),
        }
    }
}

impl From<OwnFrame> for Message {
    fn from(frame: OwnFrame) -> Self {
        match frame {
            OwnFrame::Text(text) => Self::Text(Text(text.into())),
            OwnFrame::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

fn heard(wire: Option<Result<Wire, Error>>) -> Heard {
    match wire {
        Some(Ok(Wire::Text(text))) => Heard::Message(Message::Text(Text(text))),
        Some(Ok(Wire::Binary(bytes))) => Heard::Message(Message::Binary(bytes)),
        Some(Ok(Wire::Ping(_) | Wire::Pong(_) | Wire::Frame(_))) => Heard::Alive,
        Some(Ok(Wire::Close(frame))) => Heard::Closed(frame.as_ref().map(closing_of)),
        Some(Err(error)) => Heard::Lost(lost(&error)),
        None => Heard::Lost(Lost::Broken),
    }
}

fn closing_of(frame: &CloseFrame) -> Closing {
    Closing { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
}

/// What may not be sent (§7.4.1: codes that only stand for "there was none") is left out.
fn close_frame(closing: &Closing) -> Option<CloseFrame> {
    let code = CloseCode::from(closing.code);
    let end = (0..=MOST_REASON_BYTES.min(closing.reason.len())).rev();
    let end = end.into_iter().find(|at| closing.reason.is_char_boundary(*at)).unwrap_or_default();
    code.is_allowed().then(|| CloseFrame { code, reason: closing.reason[..end].into() })
}

fn lost(error: &Error) -> Lost {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Lost::TooLarge,
        Error::Utf8(_) | Error::Protocol(_) | Error::Capacity(_) => Lost::Malformed,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => Lost::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_where_a_character_ends() {
        let long = Closing::new(1008, "ü".repeat(100));
        let frame = close_frame(&long).unwrap();
        assert_eq!(frame.reason.as_str(), "ü".repeat(61));
        assert_eq!(close_frame(&Closing::new(Closing::NO_CODE, "")), None);
    }

    #[tokio::test]
    async fn both_sides_understand_each_other() {
        let (one, other) = tokio::io::duplex(64);
        let (server, client) = tokio::join!(WebSocket::of_server(one), WebSocket::of_client(other));
        let ((mut at_server, mut from_server), (mut at_client, mut from_client)) =
            (server.split(), client.split());
        let text = Message::from(OwnFrame::Text("grüße".to_owned()));
        let bytes = Message::from(OwnFrame::Binary(vec![7; 1000]));
        let talk = async {
            from_client.send(text.clone()).await.unwrap();
            from_client.send(bytes.clone()).await.unwrap();
            from_client.ping().await.unwrap();
            from_client.close(Some(&Closing::new(4000, "done"))).await;
        };
        let listen = async {
            assert_eq!(at_server.next().await, Heard::Message(text.clone()));
            assert_eq!(at_server.next().await, Heard::Message(bytes.clone()));
            assert_eq!(at_server.next().await, Heard::Alive);
            assert_eq!(at_server.next().await, Heard::Closed(Some(Closing::new(4000, "done"))));
            at_server.drain().await;
        };
        tokio::join!(talk, listen);
        assert_eq!(at_client.next().await, Heard::Alive, "the ping was answered");
        assert_eq!(from_server.send(text).await, Err(Gone));
    }
}
