//! The smallest quota that meets an objective: of a bigger tier first, then of more groups.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::Metric;
use serde::Serialize;

use crate::quota::{changes, limited, scaled, with_groups};
use crate::rehearsal::{Rehearsal, run};
use crate::{Progress, Report, Scenario, Traffic, Window};

/// The share of requests which their users may make that has to get a key, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Objective(pub f64);

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The scenario as it is; so far since its beginning.
    Rehearsing(Duration),
    /// So many other quotas were tried.
    Searching(u32),
}

/// A rehearsal, and what follows from it.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// What was found.
    pub report: Report,
    /// What to do, if an objective was given.
    pub advice: Option<Advice>,
}

/// The smallest quota that meets the objective.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Advice {
    /// The share of requests that has to get a key.
    pub objective: f64,
    /// Whether it is met as it is.
    pub is_met: bool,
    /// What to do.
    pub recommendation: Recommendation,
    /// The smallest limits that are enough for the present groups, smaller than today's where the objective is
    /// met already; `None` if no others do.
    pub tier: Option<TierAdvice>,
    /// More groups with the present limits; `None` if the objective is met, or no number of them does.
    pub more_groups: Option<GroupAdvice>,
    /// Where the part of the traffic begins that was searched with: where most was refused.
    pub searched_from: Timestamp,
    /// How long that part is, in seconds.
    pub searched_seconds: u64,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    /// The quota is enough.
    Nothing,
    /// Raise the limits of the groups there are.
    BiggerTier,
    /// Add groups; no limit of the present ones is enough.
    MoreGroups,
    /// No quota meets the objective: requests are refused for something else.
    NoQuotaHelps,
}

/// The present groups with other limits.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TierAdvice {
    /// How much of the limits in the way is needed, of what there is.
    pub factor: f64,
    /// The limits that change.
    pub limits: Vec<LimitChange>,
    /// [`Report::p_refused`] with them.
    pub p_refused: f64,
}

/// A limit that changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LimitChange {
    /// `every model`, a model's name, or `group` and its name.
    pub of: String,
    /// Which limit.
    pub metric: Metric,
    /// Today; milliseconds for an interval.
    pub now: u64,
    /// What is needed of each group.
    pub needed: u64,
}

/// More groups with the present limits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct GroupAdvice {
    /// Today.
    pub now: usize,
    /// As many as are needed.
    pub needed: usize,
    /// [`Report::p_refused`] with them.
    pub p_refused: f64,
}

/// The longest part of a traffic that is searched with: it holds every month whole or in its greater part,
/// and a search costs a fraction of a year.
const LONGEST_SEARCH_DAYS: usize = 35;

/// How close the factor is to the smallest that is enough.
const CLOSE: f64 = 1.03;

/// A thousand times the quota is not a plan any more.
const LARGEST_FACTOR: f64 = 1024.0;
const SMALLEST_FACTOR: f64 = 1.0 / 64.0;
const MOST_TIMES_THE_GROUPS: usize = 64;
const MOST_GROUPS: usize = 4096;

/// Runs a scenario, and finds the quota that an objective needs. `watch` is told what is being done.
pub fn plan(
    scenario: &Scenario,
    traffic: &dyn Traffic,
    objective: Option<Objective>,
    watch: &mut dyn FnMut(Step),
) -> Plan {
    let mut told = |progress: Progress| {
        watch(Step::Rehearsing(progress.at));
        ControlFlow::Continue(())
    };
    let rehearsal = run(scenario, traffic, scenario.window(), &mut told);
    let report = rehearsal.report();
    let advice = objective.map(|objective| {
        let mut search = Search::new(scenario, traffic, objective, &rehearsal, watch);
        search.advise(report.p_refused)
    });
    Plan { report, advice }
}

/// What a trial of another quota came to.
enum Trial {
    Enough {
        p_refused: f64,
    },
    /// These metrics refused.
    TooLittle {
        refusing: BTreeSet<Metric>,
    },
}

struct Search<'a> {
    scenario: &'a Scenario,
    traffic: &'a dyn Traffic,
    objective: Objective,
    window: Window,
    /// More than so many refusals are too many in the window, whatever else happens.
    too_many: u64,
    refusing: BTreeSet<Metric>,
    is_met_there: bool,
    tried: u32,
    watch: &'a mut dyn FnMut(Step),
}

impl<'a> Search<'a> {
    fn new(
        scenario: &'a Scenario,
        traffic: &'a dyn Traffic,
        objective: Objective,
        whole: &Rehearsal<'_>,
        watch: &'a mut dyn FnMut(Step),
    ) -> Self {
        let window = worst(whole.tally.days(), scenario.window());
        let part;
        let there = if window == scenario.window() {
            whole
        } else {
            part = run(scenario, traffic, window, &mut |_| ControlFlow::Continue(()));
            &part
        };
        let report = there.report();
        let asked = report.requests - report.refused_by_user.total;
        Self {
            scenario,
            traffic,
            objective,
            window,
            too_many: allowed(objective, asked),
            refusing: there.tally.refusing().collect(),
            is_met_there: report.p_refused <= 1.0 - objective.0,
            tried: 0,
            watch,
        }
    }

    fn advise(&mut self, p_refused: f64) -> Advice {
        let is_met = p_refused <= 1.0 - self.objective.0;
        // What is met on the whole may be missed where most is refused; the whole is what was asked for.
        let (tier, more_groups) = if is_met {
            (if self.is_met_there { self.smaller_tier() } else { None }, None)
        } else {
            (self.bigger_tier(), self.more_groups())
        };
        let recommendation = match (is_met, &tier, &more_groups) {
            (true, ..) => Recommendation::Nothing,
            (false, Some(_), _) => Recommendation::BiggerTier,
            (false, None, Some(_)) => Recommendation::MoreGroups,
            (false, None, None) => Recommendation::NoQuotaHelps,
        };
        let from = jiff::SignedDuration::try_from(self.window.from).unwrap_or_default();
        Advice {
            objective: self.objective.0,
            is_met,
            recommendation,
            tier,
            more_groups,
            searched_from: self.scenario.starts.saturating_add(from).unwrap_or(Timestamp::MAX),
            searched_seconds: self.window.until.saturating_sub(self.window.from).as_secs(),
        }
    }

    /// More of what refuses; whatever refuses next is raised with it.
    fn bigger_tier(&mut self) -> Option<TierAdvice> {
        let limited = limited(self.scenario);
        let mut metrics: BTreeSet<Metric> = self.refusing.intersection(&limited).copied().collect();
        if metrics.is_empty() {
            return None;
        }
        let (mut too_little, mut enough) = (1.0, 2.0);
        let mut p_refused = loop {
            if enough > LARGEST_FACTOR {
                return None;
            }
            match self.try_factor(&metrics, enough) {
                Trial::Enough { p_refused } => break p_refused,
                Trial::TooLittle { refusing } => {
                    metrics.extend(refusing.intersection(&limited));
                    (too_little, enough) = (enough, enough * 2.0);
                }
            }
        };
        while enough / too_little > CLOSE {
            let middle = f64::sqrt(enough * too_little);
            match self.try_factor(&metrics, middle) {
                Trial::Enough { p_refused: refused } => (enough, p_refused) = (middle, refused),
                Trial::TooLittle { .. } => too_little = middle,
            }
        }
        Some(self.tier_of(&metrics, enough, p_refused))
    }

    /// Less of everything, while it is enough.
    fn smaller_tier(&mut self) -> Option<TierAdvice> {
        let metrics = limited(self.scenario);
        if metrics.is_empty() {
            return None;
        }
        let (mut too_little, mut enough) = (SMALLEST_FACTOR, 1.0);
        let mut p_refused = None;
        while enough / too_little > CLOSE {
            let middle = f64::sqrt(enough * too_little);
            match self.try_factor(&metrics, middle) {
                Trial::Enough { p_refused: refused } => (enough, p_refused) = (middle, Some(refused)),
                Trial::TooLittle { .. } => too_little = middle,
            }
        }
        p_refused.map(|p_refused| self.tier_of(&metrics, enough, p_refused))
    }

    fn more_groups(&mut self) -> Option<GroupAdvice> {
        let now = self.scenario.groups().len();
        let (mut too_few, mut needed) = (now, now * 2);
        if now == 0 || self.refusing.is_empty() {
            return None;
        }
        let mut p_refused = loop {
            if needed > (now * MOST_TIMES_THE_GROUPS).min(MOST_GROUPS) {
                return None;
            }
            match self.try_groups(needed) {
                Trial::Enough { p_refused } => break p_refused,
                Trial::TooLittle { .. } => (too_few, needed) = (needed, needed * 2),
            }
        };
        while needed - too_few > 1 {
            let middle = usize::midpoint(too_few, needed);
            match self.try_groups(middle) {
                Trial::Enough { p_refused: refused } => (needed, p_refused) = (middle, refused),
                Trial::TooLittle { .. } => too_few = middle,
            }
        }
        Some(GroupAdvice { now, needed, p_refused })
    }

    fn tier_of(&self, metrics: &BTreeSet<Metric>, factor: f64, p_refused: f64) -> TierAdvice {
        let limits = changes(self.scenario, &scaled(self.scenario, metrics, factor));
        TierAdvice { factor, limits, p_refused }
    }

    fn try_factor(&mut self, metrics: &BTreeSet<Metric>, factor: f64) -> Trial {
        self.attempt(&scaled(self.scenario, metrics, factor))
    }

    fn try_groups(&mut self, count: usize) -> Trial {
        self.attempt(&with_groups(self.scenario, count))
    }

    /// Runs a scenario until it is over, or refuses too much.
    fn attempt(&mut self, scenario: &Scenario) -> Trial {
        self.tried += 1;
        (self.watch)(Step::Searching(self.tried));
        let too_many = self.too_many;
        let mut look = |progress: Progress| {
            if progress.refused > too_many { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let trial = run(scenario, self.traffic, self.window, &mut look);
        let p_refused = trial.report().p_refused;
        if trial.tally.refused() <= too_many && p_refused <= 1.0 - self.objective.0 {
            return Trial::Enough { p_refused };
        }
        Trial::TooLittle { refusing: trial.tally.refusing().collect() }
    }
}

/// So many requests may be refused.
#[expect(clippy::cast_sign_loss, reason = "an objective is from 0 to 1")]
fn allowed(objective: Objective, asked: u64) -> u64 {
    ((1.0 - objective.0) * asked as f64).floor() as u64
}

/// The part of the plan in which most was refused, and of such the one in which most came.
fn worst(days: &[(u64, u64)], whole: Window) -> Window {
    let day = Duration::from_hours(24);
    if whole.until <= day * LONGEST_SEARCH_DAYS as u32 {
        return whole;
    }
    let sum =
        |days: &[(u64, u64)]| days.iter().fold((0, 0), |(refused, all), day| (refused + day.0, all + day.1));
    let parts = days.windows(LONGEST_SEARCH_DAYS.min(days.len().max(1)));
    let worst = parts.enumerate().max_by_key(|(first, part)| (sum(part), std::cmp::Reverse(*first)));
    let from = day * worst.map_or(0, |(first, _)| first as u32);
    Window { from, until: (from + day * LONGEST_SEARCH_DAYS as u32).min(whole.until) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_searched_is_where_most_is_refused() {
        let day = Duration::from_hours(24);
        let short = Window { from: Duration::ZERO, until: day * 30 };
        assert_eq!(worst(&[(1, 9); 30], short), short);
        let mut days = vec![(0, 100); 365];
        let year = Window { from: Duration::ZERO, until: day * 365 };
        assert_eq!(worst(&days, year).from, Duration::ZERO);
        days[200] = (5, 100);
        days[230] = (5, 100);
        let part = worst(&days, year);
        assert!(part.from <= day * 200 && part.until > day * 230, "{part:?}");
        assert_eq!(part.until, part.from + day * 35);
    }
}
