//! The whole house under fault: the real binary in front of simulated providers, over real sockets.
//!
//! Each test starts a gateway and a simulator of its own and tells what the caller was answered, how the keys stand
//! afterwards, and how many requests the provider counted. At the end of each, no lease is outstanding, nothing was
//! restarted unexpectedly, and the log holds no secret.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests report by panicking")]

mod house {
    mod acme;
    mod admin;
    mod answer;
    mod assistant;
    mod audit;
    mod avatar_belongings;
    mod avatar_engines;
    mod avatar_losses;
    mod avatar_management;
    mod avatar_silence;
    mod avatars;
    mod bad_keys;
    mod belongings;
    mod broken_connections;
    mod budgets;
    mod cache;
    mod caller_mistakes;
    mod chaos;
    mod chaos_backends;
    mod chosen_names;
    mod client_limits;
    mod client_models;
    mod client_tokens;
    mod continuations;
    mod credentials;
    mod cut_secrets;
    mod database;
    mod database_commands;
    mod database_server;
    mod deploying;
    mod documents;
    mod doors;
    mod explaining;
    mod files;
    mod flows;
    mod framings;
    mod half_streams;
    mod hangs;
    mod hostile_paths;
    mod interactions;
    mod kept_tokens;
    mod key_changes;
    mod key_commands;
    mod large_bodies;
    mod learning;
    mod leaving;
    mod ledger;
    mod lists;
    mod live;
    mod live_flow;
    mod mints_abroad;
    mod model_fallback;
    mod openai_jobs;
    mod openai_surface;
    mod owners;
    mod plan;
    mod plans;
    mod pool;
    mod probing;
    mod process;
    mod provider_trouble;
    mod quotas;
    mod reload_refused;
    mod reloading;
    mod remembering;
    mod scaled_time;
    mod secrets;
    mod signalling;
    mod socket;
    mod stage;
    mod stalling;
    mod stalls;
    mod status;
    mod stored_answers;
    mod strategies;
    mod stream_errors;
    mod streams;
    mod supervisor_panics;
    mod tls;
    mod traces;
    mod traps;
    mod uploads;
    mod user_limits;
    mod waiting;
    mod wire;
}
