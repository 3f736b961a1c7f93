//! What a request asks of the pool.

use std::time::Duration;

use keygate_domain::{
    Access, ClientId, GroupId, KeyId, ModelName, Moment, Operation, Placement, Resource, Spend, UserId,
};

/// One request's wish for a key. Asked again, with a longer [`Ask::tried`], for each attempt.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which of the provider's operations.
    pub operation: Operation,
    /// The model, if the operation names one; decides the quota bucket.
    pub model: Option<ModelName>,
    /// Whether it occupies one of the group's concurrent sessions.
    pub opens_session: bool,
    /// Resources it names; their owner group decides where it may go (KP-11).
    pub references: Vec<Resource>,
    /// Which group serves it where no owner does.
    pub placement: Placement,
    /// The client that asks; it may only use its own resources.
    pub client: ClientId,
    /// The person it is for; users take turns where there is a queue (KP-9).
    pub user: UserId,
    /// What lets it in. But for a client's token, showing it is the right to use what it names, so no
    /// client is compared then.
    pub access: Access,
    /// What this request tried already.
    pub tried: Vec<Tried>,
    /// What it will cost, roughly.
    pub estimate: Spend,
    /// How long it may wait for a key at most: what its deadline leaves. Zero: a key at once or
    /// none.
    pub patience: Duration,
    /// After this long an unsettled lease counts as lost.
    pub hold: Duration,
}

/// A key that this request used already, in vain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// The key.
    pub key: KeyId,
    /// Its group.
    pub group: GroupId,
    /// When it failed.
    pub at: Moment,
    /// How it failed.
    pub how: TriedHow,
}

/// How an attempt failed, as far as the choice of the next key is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TriedHow {
    /// The key (or its group, or bucket) was refused: never again in this request, unless the
    /// rest that the refusal caused has passed in the meantime.
    Refused,
    /// The provider failed: another group comes first, then another key of this group, then
    /// this key again if nothing else is left.
    Failed,
}
