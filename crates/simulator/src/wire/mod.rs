//! The wire: listeners, sockets that can be reset, answers and streams that can break.

mod answer;
mod call;
mod flow;
mod intake;
mod listener;
mod serve;
mod socket;
mod websocket;

pub(crate) use answer::{Answer, Events, Framing};
pub(crate) use call::Call;
pub(crate) use listener::{Door, accept};
pub(crate) use serve::Asker;
pub(crate) use websocket::{Frames, handshake};
