//! The meters of one group.

use std::borrow::Borrow;

use keygate_domain::BucketName;

use super::Meter;

/// A meter per bucket, in the order of their names. Nearly every group has one, which stands in the group
/// itself: it is what every lease looks at next. Others are side by side: there are at most a few dozen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters {
    first: Option<(BucketName, Meter)>,
    others: Vec<(BucketName, Meter)>,
}

impl Meters {
    pub(crate) fn get<B: Borrow<str> + ?Sized>(&self, bucket: &B) -> Option<&Meter> {
        self.iter().find(|(name, _)| name.as_str() == bucket.borrow()).map(|(_, meter)| meter)
    }

    pub(crate) fn get_mut<B: Borrow<str> + ?Sized>(&mut self, bucket: &B) -> Option<&mut Meter> {
        self.iter_mut().find(|(name, _)| name.as_str() == bucket.borrow()).map(|(_, meter)| meter)
    }

    pub(crate) fn contains_key(&self, bucket: &BucketName) -> bool {
        self.get(bucket.as_str()).is_some()
    }

    /// Puts a meter in the place of the one known.
    pub(crate) fn insert(&mut self, bucket: BucketName, meter: Meter) {
        let mut new = (bucket, meter);
        let Some(first) = &mut self.first else {
            self.first = Some(new);
            return;
        };
        if new.0 == first.0 {
            *first = new;
            return;
        }
        if new.0 < first.0 {
            std::mem::swap(first, &mut new);
        }
        match self.others.binary_search_by(|(name, _)| name.cmp(&new.0)) {
            Ok(place) => self.others[place] = new,
            Err(place) => {
                self.others.reserve_exact(1);
                self.others.insert(place, new);
            }
        }
    }

    pub(crate) fn remove(&mut self, bucket: &BucketName) -> Option<Meter> {
        let removed = if let Some(first) = self.first.take_if(|(name, _)| name == bucket) {
            self.first = (!self.others.is_empty()).then(|| self.others.remove(0));
            first
        } else {
            let place = self.others.iter().position(|(name, _)| name == bucket)?;
            self.others.remove(place)
        };
        Some(removed.1)
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&BucketName, &Meter)> {
        self.first.iter().chain(&self.others).map(|(bucket, meter)| (bucket, meter))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&BucketName, &mut Meter)> {
        self.first.iter_mut().chain(&mut self.others).map(|(bucket, meter)| (&*bucket, meter))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &BucketName> {
        self.iter().map(|(bucket, _)| bucket)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Meter> {
        self.iter().map(|(_, meter)| meter)
    }
}

impl IntoIterator for Meters {
    type Item = (BucketName, Meter);
    type IntoIter = std::iter::Chain<std::option::IntoIter<Self::Item>, std::vec::IntoIter<Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::Timestamp;
    use keygate_domain::{Allowance, Moment};
    use proptest::prelude::*;

    use super::*;
    use crate::Budgets;

    proptest! {
        /// As a map would do it.
        #[test]
        fn meters_are_kept_by_name(steps in prop::collection::vec((any::<bool>(), 0_u64..6), 1..60)) {
            let now = Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
            let (mut meters, mut model) = (Meters::default(), BTreeMap::new());
            for (number, (comes, name)) in steps.into_iter().enumerate() {
                let bucket = BucketName::new(format!("bucket {name}"));
                if comes {
                    let limit = Allowance { requests_per_day: Some(number as u64), ..Allowance::default() };
                    let meter = Meter::new(&limit, &Budgets::default(), now);
                    meters.insert(bucket.clone(), meter.clone());
                    model.insert(bucket, meter);
                } else {
                    prop_assert_eq!(meters.remove(&bucket), model.remove(&bucket));
                }
                prop_assert!(meters.iter().eq(model.iter()));
                prop_assert_eq!(meters.len(), model.len());
                prop_assert!(model.iter().all(|(name, meter)| meters.get(name.as_str()) == Some(meter)));
            }
            prop_assert!(meters.into_iter().eq(model));
        }
    }
}
