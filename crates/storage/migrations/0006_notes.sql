-- What the house notes of itself, by topic: since when keys are in use, which alerts were told to whom, which bot
-- needs a human.
CREATE TABLE notes (
    topic TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (topic, name)
);
