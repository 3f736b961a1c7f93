-- Sums of whole days of UTC by user, kept with the ledger like those of `usage_days`. A day's users lie together:
-- an index of all attempts by user was written to in a thousand places with each batch of rows.
CREATE TABLE usage_user_days (
    day              BIGINT NOT NULL,
    client           TEXT   NOT NULL,
    user_name        TEXT   NOT NULL,
    requests         BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    errors           BIGINT NOT NULL,
    input_tokens     BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    thought_tokens   BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL,
    total_tokens     BIGINT NOT NULL,
    estimated_tokens BIGINT NOT NULL,
    PRIMARY KEY (day, client, user_name)
);

INSERT INTO usage_user_days
SELECT time_ms / 86400000, client, user_name,
       CAST(SUM(CASE WHEN attempt = 1 THEN 1 ELSE 0 END) AS BIGINT), COUNT(*),
       CAST(SUM(CASE WHEN fault = '' THEN 0 ELSE 1 END) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT),
       CAST(SUM(output_tokens) AS BIGINT), CAST(SUM(thought_tokens) AS BIGINT),
       CAST(SUM(cached_tokens) AS BIGINT), CAST(SUM(total_tokens) AS BIGINT),
       CAST(SUM(is_estimated * total_tokens) AS BIGINT)
FROM ledger
GROUP BY 1, 2, 3;

DROP INDEX ledger_by_user;
