//! Where the configuration and the provider disagree.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use keygate_domain::{BucketName, GroupId, KeyId, Metric};

/// A key, as operators find it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct KeyPlace {
    /// Its position in the configuration, from 0. Sentences count from 1.
    pub index: usize,
    /// Its public id.
    pub id: KeyId,
    /// What operators call it.
    pub label: Arc<str>,
}

/// Something an operator should put right, or know: it is told once when it is noticed, and shown as
/// long as it is so. `Display` says it in one sentence, without any secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Warning {
    /// Keys that the configuration does not put together are one project of the provider's, and one
    /// quota group from here on.
    OneProject {
        /// The group they are.
        group: GroupId,
        /// Every key of it.
        keys: Vec<KeyPlace>,
        /// How many quota groups the pool is.
        budgets: usize,
        /// How many it is by the configuration.
        configured: usize,
    },
    /// Keys that the configuration puts together are of different projects. They stay together.
    SeveralProjects {
        /// The group.
        group: GroupId,
        /// Keys of it, and their projects.
        keys: Vec<(KeyPlace, GroupId)>,
    },
    /// Groups that the configuration keeps apart are one project. They stay apart.
    DeclaredApart {
        /// A group.
        group: GroupId,
        /// The one that was found to be the same.
        same_as: GroupId,
        /// What the provider calls them.
        project: GroupId,
    },
    /// A configured budget is not the limit that the provider states. The stricter one holds.
    BudgetDiffers {
        /// The group.
        group: GroupId,
        /// The bucket.
        bucket: BucketName,
        /// What is counted.
        metric: Metric,
        /// As configured.
        configured: u64,
        /// As stated.
        stated: u64,
    },
}

impl Warning {
    /// Its name in status: `one_project`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OneProject { .. } => "one_project",
            Self::SeveralProjects { .. } => "several_projects",
            Self::DeclaredApart { .. } => "declared_apart",
            Self::BudgetDiffers { .. } => "budget_differs",
        }
    }

    /// The group it is about.
    pub fn group(&self) -> &GroupId {
        match self {
            Self::OneProject { group, .. }
            | Self::SeveralProjects { group, .. }
            | Self::DeclaredApart { group, .. }
            | Self::BudgetDiffers { group, .. } => group,
        }
    }

    /// The keys it names; none where it is about all of the group.
    pub fn keys(&self) -> impl Iterator<Item = &KeyPlace> {
        let (together, apart): (&[KeyPlace], &[(KeyPlace, GroupId)]) = match self {
            Self::OneProject { keys, .. } => (keys, &[]),
            Self::SeveralProjects { keys, .. } => (&[], keys),
            Self::DeclaredApart { .. } | Self::BudgetDiffers { .. } => (&[], &[]),
        };
        together.iter().chain(apart.iter().map(|(key, _)| key))
    }

    /// The same without what changes when others join or leave the pool, or change places.
    pub(crate) fn topic(mut self) -> Self {
        match &mut self {
            Self::OneProject { keys, budgets, configured, group: _ } => {
                (*budgets, *configured) = (0, 0);
                for key in keys.iter_mut() {
                    key.index = 0;
                }
                keys.sort_unstable();
            }
            Self::SeveralProjects { keys, group: _ } => {
                for (key, _) in keys.iter_mut() {
                    key.index = 0;
                }
                keys.sort_unstable();
            }
            Self::DeclaredApart { .. } | Self::BudgetDiffers { .. } => {}
        }
        self
    }

    /// The same of a group that goes by another name.
    pub(crate) fn of_group(mut self, name: &GroupId) -> Self {
        let (Self::OneProject { group, .. }
        | Self::SeveralProjects { group, .. }
        | Self::DeclaredApart { group, .. }
        | Self::BudgetDiffers { group, .. }) = &mut self;
        group.clone_from(name);
        self
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneProject { keys, budgets, configured, group: _ } => {
                let numbers = keys.iter().map(|key| (key.index + 1).to_string()).collect();
                let budgets = counted(*budgets, "budget");
                write!(
                    f,
                    "keys {} are one project: this pool is {budgets}, not {configured}",
                    listed(numbers)
                )
            }
            Self::SeveralProjects { group, keys } => {
                let told = keys.iter().map(|(key, project)| format!("key {} of {project}", key.index + 1));
                write!(f, "the keys of {group} are not one project: {}", listed(told.collect()))
            }
            Self::DeclaredApart { group, same_as, project } => {
                write!(f, "{group} and {same_as} are one project, {project}: what one uses, the other lacks")
            }
            Self::BudgetDiffers { group, bucket, metric, configured, stated } => {
                let metric = metric.as_str();
                write!(f, "{group} has {metric}: {configured} for {bucket}, the provider states {stated}")
            }
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `1, 2 and 3`; of many the first few.
fn listed(mut all: Vec<String>) -> String {
    const MOST: usize = 8;
    if all.len() > MOST {
        let others = all.len() - (MOST - 1);
        all.truncate(MOST - 1);
        all.push(format!("{others} others"));
    }
    match all.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => all.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: usize) -> KeyPlace {
        KeyPlace { index, id: "abc".into(), label: "k".into() }
    }

    fn one_project(keys: &[usize], budgets: usize, configured: usize) -> String {
        let keys = keys.iter().map(|index| key(*index)).collect();
        Warning::OneProject { group: "projects/1".into(), keys, budgets, configured }.to_string()
    }

    #[test]
    fn sentences_count_keys_from_one_and_end() {
        assert_eq!(one_project(&[0, 2], 2, 3), "keys 1 and 3 are one project: this pool is 2 budgets, not 3");
        assert_eq!(
            one_project(&(0..100).collect::<Vec<_>>(), 1, 100),
            "keys 1, 2, 3, 4, 5, 6, 7 and 93 others are one project: this pool is 1 budget, not 100"
        );
        let keys = vec![(key(0), "projects/1".into()), (key(1), "projects/2".into())];
        assert_eq!(
            Warning::SeveralProjects { group: "team".into(), keys }.to_string(),
            "the keys of team are not one project: key 1 of projects/1 and key 2 of projects/2"
        );
    }
}
