//! The book in `docs/`, checked without its printer: nothing in it is left out of the summary, no link leads nowhere,
//! and what it says of settings and routes is made of the schema and of the `OpenAPI` document.
//!
//! What its commands print is tried elsewhere (`tests/docs`).
#![expect(clippy::unwrap_used, reason = "helpers of tests report by panicking, as tests do")]

mod book {
    mod api;
    mod configuration;
    mod generated;
    mod links;
    mod markdown;
    mod schema;
}
