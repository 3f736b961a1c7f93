-- Client tokens, by their SHA-256 only. Scopes are a list separated by commas, models one of JSON; times are
-- milliseconds since 1970. A token that was revoked or has expired keeps its row: it is part of what happened.
CREATE TABLE tokens (
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL UNIQUE,
    scopes     TEXT NOT NULL,
    models     TEXT,
    plan       TEXT,
    keeper     TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (id)
);

-- Counts changes of the table above, so that a gateway sees with one look at one row that there is something
-- to be read.
CREATE TABLE tokens_changed (
    only_row BIGINT NOT NULL,
    changes  BIGINT NOT NULL,
    PRIMARY KEY (only_row)
);
INSERT INTO tokens_changed (only_row, changes) VALUES (1, 0);
