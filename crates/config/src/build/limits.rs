//! `limits:`.

use keygate_limits::UserPolicy;

use super::Judge;
use crate::config::LimitsConfig;
use crate::schema::LimitsSection;

pub(super) fn build(section: &mut LimitsSection, judge: &mut Judge<'_>) -> LimitsConfig {
    let header = section.user_header.0.clone();
    judge.require(
        is_header_name(&header),
        "limits.user_header",
        "is not the name of a header",
        "use letters, digits and -, such as X-User-Id",
    );
    let is_credential = ["authorization", "cookie", "x-goog-api-key", "host"]
        .iter()
        .any(|name| header.eq_ignore_ascii_case(name));
    judge.require(
        !is_credential,
        "limits.user_header",
        "carries something else already",
        "use a header of its own, such as X-User-Id",
    );
    let per_user = &mut section.per_user;
    let burst = *per_user.burst.0.get_or_insert(per_user.requests_per_minute.0);
    LimitsConfig {
        per_user: UserPolicy {
            requests_per_minute: per_user.requests_per_minute.0.get(),
            burst: burst.get(),
            max_concurrent: per_user.max_concurrent.0.get(),
            max_users: usize::try_from(section.max_users.0.get()).unwrap_or(usize::MAX),
            failed_logins_per_minute: section.failed_logins_per_minute.0.get(),
        },
        user_header: header,
    }
}

/// A token by RFC 9110 §5.6.2.
fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(is_token)
}
