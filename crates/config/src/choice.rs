//! Settings that are one of a few names.

use keygate_alerts::AlertKind;
use keygate_domain::{Right, Role};
use keygate_pool::Strategy;
use schemars::{Schema, json_schema};

use crate::config::{LogFormat, OtlpProtocol};
use crate::schema::{ChannelKind, KeeperKindChoice, OverageChoice};
use crate::setting::Scalar;

/// Makes a type a choice between names.
macro_rules! choice {
    ($type:ty { $($name:literal => $value:path),+ $(,)? }) => {
        impl Scalar for $type {
            const EXPECTED: &'static str = "one of a few names";
            const CHOICES: &'static [&'static str] = &[$($name),+];

            fn read(text: &str) -> Option<Self> {
                match text {
                    $($name => Some($value),)+
                    _ => None,
                }
            }

            fn shown(&self) -> serde_json::Value {
                match self {
                    $($value => $name.into(),)+
                }
            }

            fn schema() -> Schema {
                json_schema!({ "type": "string", "enum": Self::CHOICES })
            }
        }
    };
}

/// `clients.auth` as it is written; what it means depends on the bind address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Auth {
    #[default]
    Auto,
    Required,
    Open,
}

choice!(Auth { "auto" => Self::Auto, "required" => Self::Required, "open" => Self::Open });

choice!(Strategy {
    "round_robin" => Self::RoundRobin,
    "weighted" => Self::Weighted,
    "primary_backup" => Self::PrimaryBackup,
    "least_recently_used" => Self::LeastRecentlyUsed,
    "health" => Self::Health,
    "headroom" => Self::Headroom,
});

choice!(OverageChoice { "block" => Self::Block, "allow" => Self::Allow });

choice!(ChannelKind {
    "webhook" => Self::Webhook,
    "slack" => Self::Slack,
    "discord" => Self::Discord,
    "smtp" => Self::Smtp,
});

choice!(AlertKind {
    "pool_empty" => Self::PoolEmpty,
    "pool_low" => Self::PoolLow,
    "key_disabled" => Self::KeyDisabled,
    "group_disabled" => Self::GroupDisabled,
    "key_exhausted" => Self::KeyExhausted,
    "group_exhausted" => Self::GroupExhausted,
    "runs_out" => Self::RunsOut,
    "key_old" => Self::KeyOld,
    "session_keeper" => Self::SessionKeeper,
    "storage" => Self::Storage,
    "channel" => Self::Channel,
    "too_many" => Self::TooMany,
});

choice!(KeeperKindChoice { "http" => Self::Http, "zalo_oa" => Self::ZaloOa });

choice!(LogFormat { "pretty" => Self::Pretty, "json" => Self::Json });

choice!(OtlpProtocol { "grpc" => Self::Grpc, "http" => Self::Http });

choice!(Role { "primary" => Self::Primary, "backup" => Self::Backup });

choice!(Right {
    "chat" => Self::Chat,
    "embed" => Self::Embed,
    "files" => Self::Files,
    "live" => Self::Live,
    "avatar" => Self::Avatar,
    "manage" => Self::Manage,
    "status" => Self::Status,
    "admin" => Self::Admin,
});

/// How much is logged: a level, or directives such as `info,keygate_pool=debug`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogLevel(pub(crate) String);

impl LogLevel {
    const LEVELS: [&'static str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
}

impl Scalar for LogLevel {
    const EXPECTED: &'static str = "a log level (off, error, warn, info, debug, trace) or a list of directives, such as info,keygate=debug";

    /// `WARNING` and capitals are what other programs that read `LOG_LEVEL` take. A lone word
    /// must be a level, because a misspelled one would silence everything; span filters
    /// (`[span{field=1}]`) are taken as they are.
    fn read(text: &str) -> Option<Self> {
        let is_level = |word: &str| Self::LEVELS.contains(&word.trim().to_ascii_lowercase().as_str());
        let is_directive = |part: &str| {
            let (target, level) = part.rsplit_once('=').map_or((part, None), |(t, level)| (t, Some(level)));
            !target.trim().is_empty() && level.is_none_or(is_level)
        };
        if text.eq_ignore_ascii_case("warning") {
            return Some(Self("warn".to_owned()));
        }
        if is_level(text) {
            return Some(Self(text.to_ascii_lowercase()));
        }
        let is_list = text.contains(['=', ',', ':']) && text.split(',').all(is_directive);
        (is_list || text.contains('[')).then(|| Self(text.to_owned()))
    }

    fn shown(&self) -> serde_json::Value {
        self.0.as_str().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": Self::LEVELS })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("info", Some("info"))]
    #[case("WARNING", Some("warn"))]
    #[case("info,keygate_pool=debug", Some("info,keygate_pool=debug"))]
    #[case("Debug", Some("debug"))]
    #[case("warn,keygate_pool,hyper=OFF", Some("warn,keygate_pool,hyper=OFF"))]
    #[case("keygate::pool=debug", Some("keygate::pool=debug"))]
    #[case("[request{id=1,user=2}]=debug", Some("[request{id=1,user=2}]=debug"))]
    #[case("loud", None)]
    #[case("keygate=loud", None)]
    #[case("info,=debug", None)]
    #[case("", None)]
    fn log_levels(#[case] text: &str, #[case] level: Option<&str>) {
        assert_eq!(LogLevel::read(text), level.map(|level| LogLevel(level.to_owned())));
    }

    #[test]
    fn every_kind_of_alert_can_be_chosen_by_its_name() {
        let names = AlertKind::ALL.map(AlertKind::as_str);
        assert_eq!(names.as_slice(), AlertKind::CHOICES);
    }

    #[test]
    fn every_choice_is_shown_as_it_is_read() {
        fn check<T: Scalar>() {
            for name in T::CHOICES {
                assert_eq!(T::read(name).unwrap().shown(), *name);
            }
        }
        check::<Auth>();
        check::<Strategy>();
        check::<OverageChoice>();
        check::<ChannelKind>();
        check::<AlertKind>();
        check::<KeeperKindChoice>();
        check::<LogFormat>();
        check::<OtlpProtocol>();
        check::<Role>();
        check::<Right>();
    }
}
