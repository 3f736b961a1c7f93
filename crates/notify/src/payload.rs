//! A letter as each kind of receiver reads it.

use std::fmt::Write as _;

use keygate_alerts::{Letter, Notice, Phase, Severity};
use serde_json::{Value, json};

/// Longest message of a chat room, in characters; Discord takes 2000.
const LONGEST_MESSAGE: usize = 1900;

/// For programs.
pub(crate) fn webhook(letter: &Letter, id: &str) -> Value {
    let alerts: Vec<Value> = letter.notices.iter().map(alert).collect();
    json!({
        "id": id,
        "at": letter.at.to_string(),
        "title": letter.title(),
        "alerts": alerts,
        "more": letter.more,
    })
}

fn alert(notice: &Notice) -> Value {
    let condition = &notice.condition;
    json!({
        "event": condition.id.kind,
        "state": notice.phase.as_str(),
        "severity": condition.id.kind.severity(),
        "provider": condition.provider,
        "subject": condition.subject,
        "about": condition.id.of,
        "text": condition.text,
        "remedy": condition.remedy,
        "since": notice.since.to_string(),
        "times": notice.times,
    })
}

/// For a room of Slack, or of what understands its messages.
pub(crate) fn slack(letter: &Letter) -> Value {
    // Three characters mean something there; nobody may be called by what a provider says.
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": message(letter, "*", escaped) })
}

/// For a room of Discord.
pub(crate) fn discord(letter: &Letter) -> Value {
    json!({
        "content": message(letter, "**", str::to_owned),
        "allowed_mentions": { "parse": [] },
    })
}

/// The subject and the text of a mail.
pub(crate) fn mail(letter: &Letter) -> (String, String) {
    let text = lines(letter, "", str::to_owned).join("\n\n");
    (format!("[keygate] {}", letter.title()), format!("{text}\n"))
}

fn message(letter: &Letter, bold: &str, escaped: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let lines = lines(letter, bold, escaped);
    for (number, line) in lines.iter().enumerate() {
        if text.chars().count() + line.chars().count() > LONGEST_MESSAGE {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n… and {} more", lines.len() - number);
            break;
        }
        if number > 0 {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

fn lines(letter: &Letter, bold: &str, escaped: impl Fn(&str) -> String) -> Vec<String> {
    let line = |notice: &Notice| {
        let condition = &notice.condition;
        let word = match (notice.phase, condition.id.kind.severity()) {
            (Phase::Recovered, _) => "RECOVERED",
            (Phase::Open, Severity::Critical) => "CRITICAL",
            (Phase::Open, Severity::Warning) => "WARNING",
            (Phase::Open, Severity::Info) => "INFO",
        };
        let text = escaped(&condition.text);
        let since = notice.since.strftime("%Y-%m-%d %H:%M:%S UTC");
        match notice.phase {
            Phase::Open => format!("{bold}{word}{bold} {text}. What to do: {}.", escaped(&condition.remedy)),
            Phase::Recovered => format!("{bold}{word}{bold} {text} (since {since})."),
        }
    };
    let mut lines: Vec<String> = letter.notices.iter().map(line).collect();
    if letter.more > 0 {
        lines.push(format!("… and {} more: see /api/alerts.", letter.more));
    }
    lines
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use keygate_alerts::{AlertKind, Condition};

    use super::*;

    fn letter(text: &str, count: usize) -> Letter {
        let notice = |phase| Notice {
            phase,
            condition: Condition::of_house(AlertKind::Storage, "database", text, "look at the disk"),
            since: Timestamp::UNIX_EPOCH,
            times: 1,
        };
        let mut notices = vec![notice(Phase::Open); count];
        notices.push(notice(Phase::Recovered));
        Letter { number: 1, at: Timestamp::UNIX_EPOCH, notices, more: 3 }
    }

    #[test]
    fn programs_read_fields() {
        let body = webhook(&letter("the disk is full", 1), "id-1");
        assert_eq!((&body["id"], &body["more"]), (&json!("id-1"), &json!(3)));
        let first = &body["alerts"][0];
        assert_eq!((&first["event"], &first["state"]), (&json!("storage"), &json!("open")));
        assert_eq!((&first["severity"], &first["subject"]), (&json!("critical"), &json!("database")));
        assert_eq!(body["alerts"][1]["state"], "recovered");
    }

    #[test]
    fn nobody_is_called_by_what_a_provider_says() {
        let letter = letter("<!channel> & @everyone", 1);
        let text = slack(&letter)["text"].as_str().unwrap().to_owned();
        assert!(text.contains("&lt;!channel&gt; &amp; @everyone"), "{text}");
        assert_eq!(discord(&letter)["allowed_mentions"]["parse"], json!([]));
    }

    #[test]
    fn messages_fit_into_the_room() {
        let letter = letter(&"x".repeat(300), 20);
        for text in [slack(&letter)["text"].clone(), discord(&letter)["content"].clone()] {
            let text = text.as_str().unwrap().to_owned();
            assert!(text.chars().count() <= 2000, "{}", text.len());
            assert!(text.contains("more"), "{text}");
        }
    }

    #[test]
    fn a_mail_says_what_to_do() {
        let (subject, text) = mail(&letter("the disk is full", 1));
        assert_eq!(subject, "[keygate] the disk is full (and 4 more)");
        assert!(text.contains("CRITICAL the disk is full. What to do: look at the disk."), "{text}");
        assert!(text.contains("RECOVERED the disk is full (since 1970-01-01"), "{text}");
    }
}
