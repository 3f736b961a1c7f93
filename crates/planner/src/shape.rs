//! Traffic by a shape: so many users, so many requests a day, by the hours of their day.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use keygate_domain::ModelName;

use crate::dice::Dice;
use crate::{Arrival, Traffic};

/// How the requests of a day spread over its hours: a weight for each, only their proportions count.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile([f64; 24]);

/// A text that is no [`Profile`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not even, office or evening, and not 24 weights from 0 up, such as 0,0,1,2,…, with one above 0")]
pub struct InvalidProfile;

impl Profile {
    /// At any hour the same.
    pub const EVEN: Self = Self([1.0; 24]);
    /// People at work: from 8 to 18 o'clock, less at noon.
    pub const OFFICE: Self = Self([
        0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.5, 4.0, 6.0, 6.5, 6.0, 4.0, 5.0, 6.0, 6.0, 5.0, 3.5, 1.5, 0.8,
        0.5, 0.4, 0.3, 0.2,
    ]);
    /// People at home: most from 19 to 22 o'clock, few at night.
    pub const EVENING: Self = Self([
        2.0, 1.0, 0.6, 0.4, 0.4, 0.6, 1.2, 2.2, 3.2, 3.8, 4.2, 4.6, 5.0, 4.8, 4.6, 4.6, 4.8, 5.2, 6.0, 7.0,
        7.6, 7.4, 6.0, 3.8,
    ]);

    /// The weight of an hour against the mean of all.
    fn weight(&self, hour: usize) -> f64 {
        self.0[hour] * 24.0 / self.0.iter().sum::<f64>()
    }
}

impl FromStr for Profile {
    type Err = InvalidProfile;

    fn from_str(text: &str) -> Result<Self, InvalidProfile> {
        match text {
            "even" => return Ok(Self::EVEN),
            "office" => return Ok(Self::OFFICE),
            "evening" => return Ok(Self::EVENING),
            _ => {}
        }
        let weights: Result<Vec<f64>, _> = text.split(',').map(|weight| weight.trim().parse()).collect();
        let weights: [f64; 24] =
            weights.map_err(|_| InvalidProfile)?.try_into().map_err(|_| InvalidProfile)?;
        let is_sound = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        let sum = weights.iter().sum::<f64>();
        if is_sound && sum > 0.0 && sum.is_finite() { Ok(Self(weights)) } else { Err(InvalidProfile) }
    }
}

/// A traffic that is drawn. Visits are independent of each other; a visit is one request, or a burst.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Users, named `user 1` and so on.
    pub users: Vec<Arc<str>>,
    /// Requests of each in a day, on the average.
    pub requests_per_user_per_day: f64,
    /// Requests in a row.
    pub burst: u32,
    /// Time between two requests of a burst.
    pub burst_gap: Duration,
    /// The hours of the day.
    pub profile: Profile,
    /// Whose hours they are.
    pub zone: TimeZone,
    /// The models.
    pub models: Vec<ModelName>,
    /// The share of each model in all requests; only proportions count.
    pub shares: Vec<f64>,
    /// Tokens sent, on the average.
    pub input_tokens: u64,
    /// Tokens of an answer, on the average.
    pub output_tokens: u64,
    /// When it begins.
    pub starts: Timestamp,
    /// How long it lasts.
    pub span: Duration,
    /// Another seed is another traffic of the same shape.
    pub seed: u64,
}

impl Shape {
    /// Names for so many users.
    pub fn users(count: u32) -> Vec<Arc<str>> {
        (1..=count).map(|number| format!("user {number}").into()).collect()
    }

    /// Visits a second in an hour of the mean weight.
    fn visits_per_second(&self) -> f64 {
        let requests = self.users.len() as f64 * self.requests_per_user_per_day;
        requests / f64::from(self.burst.max(1)) / 86_400.0
    }

    fn draw_model(&self, dice: &mut Dice) -> u16 {
        if self.shares.len() < 2 {
            return 0;
        }
        let mut left = dice.fraction() * self.shares.iter().sum::<f64>();
        let drawn = self.shares.iter().position(|share| {
            left -= share;
            left <= 0.0
        });
        drawn.unwrap_or(self.shares.len() - 1) as u16
    }
}

impl Traffic for Shape {
    fn users(&self) -> &[Arc<str>] {
        &self.users
    }

    fn models(&self) -> &[ModelName] {
        &self.models
    }

    fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + '_> {
        let mut visits = Visits::new(self);
        Box::new(Arrivals {
            shape: self,
            dice: Dice::new(self.seed, 1),
            next_visit: visits.next(),
            visits,
            bursts: BinaryHeap::new(),
            number: 0,
        })
    }
}

/// The moments at which visits begin: a Poisson process whose rate is that of the hour.
struct Visits<'a> {
    shape: &'a Shape,
    dice: Dice,
    /// Seconds since the beginning.
    at: f64,
    /// How long the rate stays as it is, in seconds since the beginning.
    until: f64,
    rate: f64,
}

/// Whoever changes the hour does so at a quarter of UTC.
const QUARTER_SECONDS: i64 = 900;

impl<'a> Visits<'a> {
    fn new(shape: &'a Shape) -> Self {
        Self { shape, dice: Dice::new(shape.seed, 2), at: 0.0, until: 0.0, rate: 0.0 }
    }

    fn next(&mut self) -> Option<Duration> {
        let end = self.shape.span.as_secs_f64();
        let mut due = self.dice.exponential();
        loop {
            if self.at >= end || self.shape.users.is_empty() {
                return None;
            }
            if self.at >= self.until {
                self.enter_slice();
            }
            let reach = (self.until - self.at) * self.rate;
            if due < reach {
                self.at += due / self.rate;
                return (self.at < end).then(|| Duration::from_secs_f64(self.at));
            }
            due -= reach;
            self.at = self.until;
        }
    }

    fn enter_slice(&mut self) {
        let since = SignedDuration::try_from_secs_f64(self.at).unwrap_or(SignedDuration::MAX);
        let wall = self.shape.starts.saturating_add(since).unwrap_or(Timestamp::MAX);
        let left = QUARTER_SECONDS - wall.as_second().rem_euclid(QUARTER_SECONDS);
        let hour = wall.to_zoned(self.shape.zone.clone()).hour();
        self.rate =
            self.shape.visits_per_second() * self.shape.profile.weight(usize::from(hour.unsigned_abs()));
        // Whole seconds of the wall clock, so that slices do not creep.
        self.until = self.at.floor() + left as f64;
    }
}

struct Arrivals<'a> {
    shape: &'a Shape,
    dice: Dice,
    visits: Visits<'a>,
    next_visit: Option<Duration>,
    /// Bursts that go on: when, in which order, whose, and how many requests of it are left.
    bursts: BinaryHeap<Reverse<(Duration, u64, u32, u32)>>,
    number: u64,
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let burst = self.bursts.peek().map(|Reverse((at, ..))| *at);
        match (self.next_visit, burst) {
            (Some(visit), burst) if burst.is_none_or(|burst| visit < burst) => {
                self.next_visit = self.visits.next();
                let user = self.dice.below(self.shape.users.len() as u32);
                Some(self.request(visit, user, self.shape.burst.max(1)))
            }
            (_, Some(_)) => {
                let Reverse((at, _, user, left)) = self.bursts.pop()?;
                Some(self.request(at, user, left))
            }
            (_, None) => None,
        }
    }
}

impl Arrivals<'_> {
    /// A request, `left` of its burst included.
    fn request(&mut self, at: Duration, user: u32, left: u32) -> Arrival {
        if left > 1 {
            self.number += 1;
            self.bursts.push(Reverse((at.saturating_add(self.shape.burst_gap), self.number, user, left - 1)));
        }
        Arrival {
            at,
            user,
            model: self.shape.draw_model(&mut self.dice),
            input_tokens: self.dice.amount(self.shape.input_tokens),
            output_tokens: self.dice.amount(self.shape.output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            users: Shape::users(100),
            requests_per_user_per_day: 50.0,
            burst: 1,
            burst_gap: Duration::ZERO,
            profile: Profile::OFFICE,
            zone: TimeZone::get("Asia/Kolkata").unwrap(),
            models: vec!["flash".into(), "pro".into()],
            shares: vec![3.0, 1.0],
            input_tokens: 500,
            output_tokens: 300,
            starts: "2026-03-01T00:00:00Z".parse().unwrap(),
            span: Duration::from_hours(24 * 10),
            seed: 7,
        }
    }

    fn hour_in_kolkata(at: Duration) -> i8 {
        let shape = shape();
        (shape.starts + SignedDuration::try_from(at).unwrap()).to_zoned(shape.zone).hour()
    }

    #[test]
    fn there_are_as_many_as_told_at_the_hours_told() {
        let arrivals: Vec<Arrival> = shape().arrivals().collect();
        assert!((48_500..51_500).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        let share = |is_in: &dyn Fn(&Arrival) -> bool| {
            arrivals.iter().filter(|arrival| is_in(arrival)).count() * 1000 / arrivals.len()
        };
        let weights = Profile::OFFICE.0;
        let expected = weights[9] / weights.iter().sum::<f64>() * 1000.0;
        let at_nine = share(&|arrival| hour_in_kolkata(arrival.at) == 9);
        assert!((at_nine as f64 - expected).abs() < 6.0, "{at_nine} of 1000 at nine, expected {expected}");
        assert!((740..760).contains(&share(&|arrival| arrival.model == 0)));
        assert!(arrivals.iter().any(|arrival| arrival.user == 99));
    }

    #[test]
    fn a_burst_is_so_many_in_a_row_of_one_user() {
        let gap = Duration::from_millis(200);
        let shape = Shape { burst: 5, burst_gap: gap, users: Shape::users(1), ..shape() };
        let arrivals: Vec<Arrival> = shape.arrivals().collect();
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        assert_eq!(arrivals.len() % 5, 0);
        let gaps = arrivals.windows(2).filter(|pair| pair[0].at + gap == pair[1].at).count();
        assert!(gaps >= arrivals.len() / 5 * 3, "{gaps} of {}", arrivals.len());
    }

    #[test]
    fn the_same_seed_is_the_same_traffic() {
        let take = |shape: &Shape| shape.arrivals().take(500).collect::<Vec<_>>();
        assert_eq!(take(&shape()), take(&shape()));
        assert_ne!(take(&shape()), take(&Shape { seed: 8, ..shape() }));
    }

    #[test]
    fn nobody_and_nothing_are_a_traffic_too() {
        assert_eq!(Shape { users: Vec::new(), ..shape() }.arrivals().count(), 0);
        assert_eq!(Shape { requests_per_user_per_day: 0.0, ..shape() }.arrivals().count(), 0);
        assert_eq!(Shape { span: Duration::ZERO, ..shape() }.arrivals().count(), 0);
    }

    #[test]
    fn profiles_are_names_or_24_weights() {
        assert_eq!("even".parse(), Ok(Profile::EVEN));
        let only_noon = (0..24).map(|hour| if hour == 12 { "1" } else { "0" }).collect::<Vec<_>>().join(",");
        let profile: Profile = only_noon.parse().unwrap();
        assert!((profile.weight(12) - 24.0).abs() < 1e-9);
        for bad in ["", "noon", "1,2,3", &["0"; 24].join(","), &["-1"; 24].join(","), &["inf"; 24].join(",")]
        {
            assert_eq!(bad.parse::<Profile>(), Err(InvalidProfile), "{bad}");
        }
    }
}
