//! Files on their way in and out: uploads begun with a key and continued by their id, and downloads.
//!
//! Google's upload has two steps (facts/gemini.md §1). The first is asked for with a key and answered with the
//! address of a session; the second sends the bytes there, and SDKs send no credential with them. So the
//! address is made to point at this gateway, and whoever knows the id in it is let in.

mod address;
mod extent;
mod links;
mod meter;
mod request;
mod route;

pub(crate) use address::{bindings, rewrite};
pub(crate) use extent::extent;
pub(crate) use meter::meter;
pub(crate) use request::{judge, note_refusal, request};
pub(crate) use route::{claims, is_served, onward, streams_body, understand};
