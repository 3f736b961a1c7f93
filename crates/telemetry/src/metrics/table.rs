//! Every name a scraper can meet. `docs/metrics.md` is the same table for people; a test compares them.

/// What kind of numbers a family holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only ever grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often a value fell into which range.
    Histogram,
}

impl Kind {
    /// As scrapers are told: `counter`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// All samples of one name.
#[derive(PartialEq, Eq, Debug)]
pub struct Family {
    /// The name; a counter's ends in `_total`.
    pub name: &'static str,
    /// What kind of numbers.
    pub kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            #[doc = $help]
            #[allow(clippy::doc_markdown, reason = "scrapers read the same text, and no backticks")]
            pub static $constant: Family =
                Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )+

        /// All families, in the order of a page.
        pub static ALL: &[&Family] = &[$(&$constant),+];
    };
}

families! {
    // --- traffic
    REQUESTS = Counter "keygate_requests_total" ["provider", "operation", "status"]
        "Requests of callers that have ended, by the status they were answered with; 499 is a caller that left before it was answered.";
    REQUEST_DURATION = Histogram "keygate_request_duration_seconds" ["provider", "operation"]
        "Time from a request's head to the last byte of its answer.";
    FIRST_BYTE = Histogram "keygate_first_byte_seconds" ["provider", "operation"]
        "Time from a request's head until the first bytes of its streamed answer went to the caller.";
    OVERHEAD = Histogram "keygate_overhead_seconds" ["provider"]
        "The gateway's own part of the time to an answer: without the provider, the queue, pauses and the caller's body.";
    REQUESTS_RUNNING = Gauge "keygate_requests_running" ["provider"]
        "Requests under way.";
    STREAMS_RUNNING = Gauge "keygate_streams_running" ["provider"]
        "Streamed answers and connections under way.";
    REFUSALS = Counter "keygate_refusals_total" ["provider", "reason"]
        "Requests that the gateway itself refused, by the value of x-keygate-error.";
    // --- the provider
    UPSTREAM_ATTEMPTS = Counter "keygate_upstream_attempts_total" ["provider", "fault"]
        "Requests sent to a provider that have ended; fault is none where it served, abandoned where the caller left.";
    UPSTREAM_DURATION = Histogram "keygate_upstream_duration_seconds" ["provider"]
        "Time from sending a request to a provider to the last byte of its answer.";
    UPSTREAM_429 = Counter "keygate_upstream_429_total" ["provider"]
        "Answers of a provider with the status 429.";
    TOKENS = Counter "keygate_tokens_total" ["provider", "model", "type"]
        "Tokens that providers reported: input (cached among them), output, thought, cached.";
    // --- the pool
    KEYS = Gauge "keygate_keys" ["provider", "state"]
        "Keys by state: available, cooling_down, exhausted, disabled.";
    GROUPS = Gauge "keygate_quota_groups" ["provider"]
        "Quota groups that the keys make.";
    KEYS_DRAINING = Gauge "keygate_keys_draining" ["provider"]
        "Keys taken out of the configuration whose last requests still run.";
    KEY_AVAILABLE = Gauge "keygate_key_available" ["provider", "key", "label", "group"]
        "Whether a key can be used; the first 100 keys of a provider.";
    KEY_COOLDOWN = Gauge "keygate_key_cooldown_seconds" ["provider", "key", "label"]
        "Time until a key can be used again, where time cures it.";
    KEY_HEALTH = Gauge "keygate_key_health" ["provider", "key", "label"]
        "How well a key fares, from 0 to 100.";
    KEY_ATTEMPTS = Counter "keygate_key_attempts_total" ["provider", "key", "label", "outcome"]
        "Attempts under a key: served, failed (not its fault), refused (took it out), lost, unsent.";
    BUDGET_USED = Gauge "keygate_budget_used" ["provider", "group", "bucket", "metric"]
        "How much of a budget counts now, reservations included; the 200 fullest of a provider.";
    BUDGET_LIMIT = Gauge "keygate_budget_limit" ["provider", "group", "bucket", "metric"]
        "How much of a budget may be used.";
    BUDGET_RATIO = Gauge "keygate_budget_used_ratio" ["provider", "group", "bucket", "metric"]
        "The used share of a budget, 1 is all of it.";
    BUDGET_RUNS_OUT = Gauge "keygate_budget_runs_out_seconds" ["provider", "group", "bucket", "metric"]
        "Time until a budget of a day or a month is used up if it goes on like lately; absent where it lasts.";
    BREAKERS = Gauge "keygate_breakers" ["provider", "state"]
        "Breakers that keep requests from a provider in trouble: open, half_open, recovering.";
    QUEUE_WAITING = Gauge "keygate_queue_waiting" ["provider"]
        "Requests that wait for a key.";
    QUEUE_WAIT = Histogram "keygate_queue_wait_seconds" ["provider"]
        "How long requests waited that had to wait for a key, and got one.";
    BINDINGS = Gauge "keygate_bindings" ["provider"]
        "Resources of a provider whose owning group and client are remembered.";
    BINDINGS_MOST = Gauge "keygate_bindings_capacity" ["provider"]
        "How many of them are remembered at most; beyond that the oldest are forgotten.";
    LEASES = Counter "keygate_leases_total" ["provider", "outcome"]
        "Leases of keys that came back: settled, refunded, lost. Starts over when a pool restarts.";
    LEASES_OUT = Gauge "keygate_leases_outstanding" ["provider"]
        "Leases of keys in use.";
    POOL_UP = Gauge "keygate_pool_up" ["provider"]
        "Whether a provider's pool answers.";
    LIMITER_USERS = Gauge "keygate_limiter_users" []
        "Users of whom something counts, so that the limiter remembers them.";
    LIMITER_USERS_MOST = Gauge "keygate_limiter_users_capacity" []
        "How many users the limiter remembers at most; beyond that new ones are refused for a moment.";
    ACTOR_RESTARTS = Counter "keygate_actor_restarts_total" ["actor"]
        "How often an actor was restarted after a panic.";
    ACTOR_WAITING = Gauge "keygate_actor_waiting" ["actor"]
        "Asks that wait for an actor's answer; beyond 4096 requests are refused.";
    // --- house-keeping
    LEDGER_ATTEMPTS = Counter "keygate_ledger_attempts_total" []
        "Attempts entered in the ledger.";
    LEDGER_OUTCOMES = Counter "keygate_ledger_outcomes_total" ["outcome"]
        "What became of them: settled, refunded, lost.";
    LEDGER_OPEN = Gauge "keygate_ledger_open" []
        "Attempts of the ledger under way.";
    LEDGER_ROWS = Counter "keygate_ledger_rows_total" ["place"]
        "Rows of the ledger in the database, and rows dropped because nothing had room for them.";
    LEDGER_PENDING = Gauge "keygate_ledger_pending" ["place"]
        "Rows of the ledger on their way: waiting in memory, or in the spool beside a database in trouble.";
    LEDGER_BALANCED = Gauge "keygate_ledger_balanced" []
        "Whether every attempt that ended has its row in one place; 0 for a moment is no trouble.";
    STORAGE_UP = Gauge "keygate_storage_up" ["part"]
        "Whether what is kept reaches the disk: state, ledger, audit.";
    CACHE_REQUESTS = Counter "keygate_cache_requests_total" ["result"]
        "Requests by what the response cache had to do with them: hit, miss, bypass.";
    CACHE_ANSWERS = Gauge "keygate_cache_answers" []
        "Answers in the response cache.";
    CACHE_BYTES = Gauge "keygate_cache_bytes" []
        "Memory that they take.";
    STORED_ANSWERS = Counter "keygate_stored_answers_total" []
        "Requests answered with a stored answer because nobody else could.";
    ALERTS_OPEN = Gauge "keygate_alerts_open" ["severity"]
        "Things that are wrong at the moment.";
    ALERT_CHANNELS = Gauge "keygate_alert_channels" ["state"]
        "Alert channels that take what they are told (ok), do not (failing), or were told nothing yet (unused).";
    KEEPERS_NEED_LOGIN = Gauge "keygate_session_keepers_need_login" []
        "Session keepers that only a human can help.";
    CONFIG_RELOADS = Counter "keygate_config_reloads_total" ["result"]
        "Configurations read again: applied, refused (invalid), failed (could not be put in force).";
    CONFIG_UP = Gauge "keygate_config_up" []
        "Whether the configuration in the files is the one in force.";
    CONFIG_LOADED = Gauge "keygate_config_loaded_timestamp_seconds" []
        "When the configuration in force was read.";
    CONFIG_NEEDS_RESTART = Gauge "keygate_config_needs_restart" []
        "Settings that were changed and wait for a restart.";
    OTLP_BATCHES = Counter "keygate_otlp_batches_total" ["signal", "result"]
        "Batches of traces and metrics that were sent by OTLP: ok, failed (the receiver did not take them).";
    SERIES = Gauge "keygate_metrics_series" []
        "Sets of labels that are counted one by one, over all workers.";
    BUILD_INFO = Gauge "keygate_build_info" ["version"]
        "Always 1; the version is the label.";
    // --- the process
    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Time of processors used, by users and system.";
    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" []
        "Memory in use.";
    PROCESS_FILES = Gauge "process_open_fds" []
        "Files and sockets that are open.";
    PROCESS_THREADS = Gauge "process_threads" []
        "Threads.";
    PROCESS_STARTED = Gauge "process_start_time_seconds" []
        "When the process began.";
    // --- OpenTelemetry's conventions for generative AI (1.41), as Prometheus writes their names
    GEN_AI_DURATION = Histogram "gen_ai_client_operation_duration_seconds"
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"]
        "Time of one request to a provider to the last byte of its answer; error_type is empty where it served.";
    GEN_AI_TOKENS = Histogram "gen_ai_client_token_usage"
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"]
        "Tokens of one request: input, and output with what was thought.";
    GEN_AI_FIRST_CHUNK = Histogram "gen_ai_client_operation_time_to_first_chunk_seconds"
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]
        "Time from sending a request to the first bytes of its streamed answer.";
    // --- names of existing dashboards
    GEMINI_REQUESTS = Counter "gemini_requests_total" ["status"]
        "Requests for Gemini that have ended: success, rate_limited (429), error.";
    GEMINI_AVAILABLE = Gauge "gemini_available_keys" []
        "Gemini's keys that can be used.";
}
