-- Who did what. Rows are only ever added; `hash` is the SHA-256 of a row's fields and of the hash before it.
CREATE TABLE audit (
    number     BIGINT NOT NULL,
    entry      TEXT NOT NULL UNIQUE,
    at_ms      BIGINT NOT NULL,
    who        TEXT NOT NULL,
    action     TEXT NOT NULL,
    details    TEXT NOT NULL,
    peer       TEXT,
    request_id TEXT,
    happened   BIGINT NOT NULL,
    hash       TEXT NOT NULL,
    PRIMARY KEY (number)
);

-- The last row once more: what is cut off at the end is missed by it. Whoever adds a row takes this one first,
-- so that two programs never add behind the same.
CREATE TABLE audit_head (
    only_row BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (only_row)
);
INSERT INTO audit_head (only_row, number, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
