-- Stored answers: what users are told when nobody can be asked. An empty text stands for "any".
CREATE TABLE answers (
    id       TEXT NOT NULL PRIMARY KEY,
    language TEXT NOT NULL,
    reply    TEXT NOT NULL,
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    enabled  BIGINT NOT NULL
);
-- The phrases each of them answers, and how much the words of a phrase say together.
CREATE TABLE answer_phrases (
    answer_id TEXT NOT NULL,
    position  BIGINT NOT NULL,
    phrase    TEXT NOT NULL,
    weight    BIGINT NOT NULL,
    PRIMARY KEY (answer_id, position)
);
-- The words of each phrase, folded (`keygate_domain::words`), and how much each says: the index by which
-- phrases are found. An index of our own finds and ranks the same in every database.
CREATE TABLE answer_words (
    word      TEXT NOT NULL,
    answer_id TEXT NOT NULL,
    position  BIGINT NOT NULL,
    weight    BIGINT NOT NULL,
    PRIMARY KEY (word, answer_id, position)
);
CREATE INDEX answer_words_by_answer ON answer_words (answer_id);
