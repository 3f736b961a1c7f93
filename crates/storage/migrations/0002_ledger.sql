-- What every attempt that could have cost something did cost. Nothing that a user wrote is part of it.
--
-- Times are milliseconds since 1970, flags 0 or 1, and what is not there an empty text. `first_byte_ms`
-- alone may be NULL: 0 is a time.
CREATE TABLE ledger (
    id             TEXT   NOT NULL PRIMARY KEY,
    time_ms        BIGINT NOT NULL,
    request_id     TEXT   NOT NULL,
    client         TEXT   NOT NULL,
    user_name      TEXT   NOT NULL,
    provider       TEXT   NOT NULL,
    model          TEXT   NOT NULL,
    key_id         TEXT   NOT NULL,
    key_group      TEXT   NOT NULL,
    operation      TEXT   NOT NULL,
    status         BIGINT NOT NULL,
    outcome        TEXT   NOT NULL,
    fault          TEXT   NOT NULL,
    attempt        BIGINT NOT NULL,
    input_tokens   BIGINT NOT NULL,
    output_tokens  BIGINT NOT NULL,
    thought_tokens BIGINT NOT NULL,
    cached_tokens  BIGINT NOT NULL,
    total_tokens   BIGINT NOT NULL,
    is_estimated   BIGINT NOT NULL,
    latency_ms     BIGINT NOT NULL,
    first_byte_ms  BIGINT,
    source         TEXT   NOT NULL
);

CREATE INDEX ledger_by_time ON ledger (time_ms);

-- Everything that sums by user need: a year of a million attempts is summed up from this alone.
CREATE INDEX ledger_by_user ON ledger (
    client, user_name, time_ms, attempt, fault, input_tokens, output_tokens, thought_tokens, cached_tokens,
    total_tokens, is_estimated
);

-- Sums of whole days of UTC by client, key and model, kept with the ledger. Days are counted from 1970.
CREATE TABLE usage_days (
    day              BIGINT NOT NULL,
    client           TEXT   NOT NULL,
    key_id           TEXT   NOT NULL,
    model            TEXT   NOT NULL,
    requests         BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    errors           BIGINT NOT NULL,
    input_tokens     BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    thought_tokens   BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL,
    total_tokens     BIGINT NOT NULL,
    estimated_tokens BIGINT NOT NULL,
    PRIMARY KEY (day, client, key_id, model)
);
