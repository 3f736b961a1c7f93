//! What those ask who put a list together from the parts of several groups, or look for what was lost.

use actix::{Context, Handler};
use keygate_domain::{Binding, ClientId, GroupId, Keepsake, Resource};
use keygate_pool::Whose;

use super::actor::KeySupervisorActor;
use super::handle::KeySupervisor;
use super::messages::{GroupOf, GroupsHaving, KeptOf, Notice, WhoseAre};
use crate::Unavailable;

impl KeySupervisor {
    /// The groups with keys, in the order of the configuration; with a `client`, those only in which
    /// something of `kind` is its own.
    ///
    /// # Errors
    /// When the supervisor restarts or too many asks wait.
    pub async fn groups_having(
        &self,
        kind: &'static str,
        client: Option<ClientId>,
    ) -> Result<Vec<GroupId>, Unavailable> {
        self.ask_for_caller(|permit| GroupsHaving { kind, client, permit }).await?
    }

    /// Whose each of `resources` is, as far as `client` is concerned.
    ///
    /// # Errors
    /// When the supervisor restarts or too many asks wait.
    pub async fn whose(&self, resources: Vec<Resource>, client: ClientId) -> Result<Vec<Whose>, Unavailable> {
        self.ask_for_caller(|permit| WhoseAre { resources, client, permit }).await?
    }

    /// What is kept of a resource, if anything is.
    ///
    /// # Errors
    /// When the supervisor restarts or too many asks wait.
    pub async fn keepsake_of(&self, resource: Resource) -> Result<Option<Keepsake>, Unavailable> {
        self.ask_for_caller(|permit| KeptOf { resource, permit }).await?
    }

    /// The group that has a thing, if anybody knows; with a `client`, if it is not another client's.
    ///
    /// # Errors
    /// When the supervisor restarts or too many asks wait.
    pub async fn group_of(
        &self,
        resource: Resource,
        client: Option<ClientId>,
    ) -> Result<Option<GroupId>, Unavailable> {
        self.ask_for_caller(|permit| GroupOf { resource, client, permit }).await?
    }

    /// Tells that a group was seen to have this, and that nobody knows who made it. What is known stays as it
    /// is. Tells, never waits.
    pub fn found(&self, group: GroupId, binding: Binding) {
        self.tell(Notice::Find { group, binding });
    }
}

impl Handler<GroupsHaving> for KeySupervisorActor {
    type Result = Result<Vec<GroupId>, Unavailable>;

    fn handle(&mut self, question: GroupsHaving, ctx: &mut Context<Self>) -> Self::Result {
        let GroupsHaving { kind, client, permit: _permit } = question;
        self.call(ctx, |pool, _, now| pool.groups_having(kind, client.as_ref(), now))
    }
}

impl Handler<GroupOf> for KeySupervisorActor {
    type Result = Result<Option<GroupId>, Unavailable>;

    fn handle(&mut self, question: GroupOf, ctx: &mut Context<Self>) -> Self::Result {
        let GroupOf { resource, client, permit: _permit } = question;
        self.call(ctx, |pool, _, now| pool.group_of(&resource, client.as_ref(), now))
    }
}

impl Handler<WhoseAre> for KeySupervisorActor {
    type Result = Result<Vec<Whose>, Unavailable>;

    fn handle(&mut self, question: WhoseAre, ctx: &mut Context<Self>) -> Self::Result {
        let WhoseAre { resources, client, permit: _permit } = question;
        self.call(ctx, |pool, _, now| pool.whose(&resources, &client, now))
    }
}

impl Handler<KeptOf> for KeySupervisorActor {
    type Result = Result<Option<Keepsake>, Unavailable>;

    fn handle(&mut self, question: KeptOf, ctx: &mut Context<Self>) -> Self::Result {
        let KeptOf { resource, permit: _permit } = question;
        self.call(ctx, |pool, _, now| pool.keepsake_of(&resource, now))
    }
}
