//! Which quota bucket a request counts in.

use std::collections::BTreeMap;

use keygate_domain::{BucketName, ModelName, Operation};

/// What was learned of models that share a bucket, and bucket names made before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// Models whose bucket the provider named.
    learned: BTreeMap<ModelName, BucketName>,
    /// Other models seen lately, so that a lease need not make the name again.
    own: BTreeMap<ModelName, BucketName>,
    /// How often a model turned out to count elsewhere.
    changes: u64,
}

impl Buckets {
    const MOST: usize = 1024;

    /// The bucket's name: the one learned for the model, else the model's own; an operation
    /// without a model counts by itself.
    pub(crate) fn name<'a>(&'a self, model: Option<&'a ModelName>, operation: Operation) -> &'a str {
        model.map_or(operation.0, |model| self.learned.get(model).map_or(model.as_str(), BucketName::as_str))
    }

    /// The bucket that the provider named for a model.
    pub(crate) fn learned_name(&self, model: &ModelName) -> Option<&BucketName> {
        self.learned.get(model)
    }

    /// The bucket of a model.
    pub(crate) fn of_model(&mut self, model: &ModelName) -> BucketName {
        if let Some(known) = self.learned.get(model).or_else(|| self.own.get(model)) {
            return known.clone();
        }
        let own = BucketName::new(model.as_str());
        // Model names are the callers' words: whoever makes up many must not fill the memory.
        if self.own.len() < Self::MOST {
            self.own.insert(model.clone(), own.clone());
        }
        own
    }

    /// The bucket of a lease.
    pub(crate) fn of(&mut self, model: Option<&ModelName>, operation: Operation) -> BucketName {
        match model {
            Some(model) => self.of_model(model),
            None => BucketName::new(operation.0),
        }
    }

    /// The provider counts `model` in `bucket`. Returns the bucket it was thought to be in, if
    /// that is another.
    pub(crate) fn learn(&mut self, model: &ModelName, bucket: &BucketName) -> Option<BucketName> {
        let before = self.of_model(model);
        let has_room = self.learned.len() < Self::MOST || self.learned.contains_key(model);
        if before == *bucket || !has_room {
            return None;
        }
        self.own.remove(model);
        self.changes += 1;
        self.learned.insert(model.clone(), bucket.clone());
        Some(before)
    }

    /// How often a model turned out to count elsewhere than was thought: a name found before holds as long
    /// as this stays.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Everything learned.
    pub(crate) fn learned(&self) -> impl Iterator<Item = (&ModelName, &BucketName)> {
        self.learned.iter()
    }
}
