//! The meters of one group.

use std::borrow::Borrow;

use keygate_domain::BucketName;

use super::Meter;

/// A meter per bucket, in the order of their names. Most groups have one or two, at most a few dozen: side by
/// side they are found sooner than in a tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(Vec<(BucketName, Meter)>);

impl Meters {
    pub(crate) fn get<B: Borrow<str> + ?Sized>(&self, bucket: &B) -> Option<&Meter> {
        self.place(bucket.borrow()).map(|place| &self.0[place].1)
    }

    pub(crate) fn get_mut<B: Borrow<str> + ?Sized>(&mut self, bucket: &B) -> Option<&mut Meter> {
        self.place(bucket.borrow()).map(|place| &mut self.0[place].1)
    }

    pub(crate) fn contains_key(&self, bucket: &BucketName) -> bool {
        self.place(bucket.as_str()).is_some()
    }

    /// Puts a meter in the place of the one known.
    pub(crate) fn insert(&mut self, bucket: BucketName, meter: Meter) {
        match self.0.binary_search_by(|(name, _)| name.cmp(&bucket)) {
            Ok(place) => self.0[place].1 = meter,
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, (bucket, meter));
            }
        }
    }

    pub(crate) fn remove(&mut self, bucket: &BucketName) -> Option<Meter> {
        self.place(bucket.as_str()).map(|place| self.0.remove(place).1)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&BucketName, &Meter)> {
        self.0.iter().map(|(bucket, meter)| (bucket, meter))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&BucketName, &mut Meter)> {
        self.0.iter_mut().map(|(bucket, meter)| (&*bucket, meter))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &BucketName> {
        self.0.iter().map(|(bucket, _)| bucket)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Meter> {
        self.0.iter().map(|(_, meter)| meter)
    }

    fn place(&self, bucket: &str) -> Option<usize> {
        self.0.iter().position(|(name, _)| name.as_str() == bucket)
    }
}

impl IntoIterator for Meters {
    type Item = (BucketName, Meter);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
