-- What key pools remember. One row for each key, group, model and binding, so that only what
-- changed is written. `value` is JSON; keepsakes and secrets are never part of it.
--
-- BIGINT, DOUBLE PRECISION and TEXT are the only types: they mean the same in SQLite and PostgreSQL.
CREATE TABLE pool_state (
    provider TEXT NOT NULL,
    part     TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (provider, part, name)
);
