//! The key supervisor as everyone else sees it.

use std::sync::Arc;

use actix::{Addr, Handler, Message};
use async_trait::async_trait;
use keygate_domain::{GroupId, KeyId, KeySpec, ProviderName, Resource};
use keygate_pool::{Ask, Decision, Policy, PoolSnapshot, Reloaded};

use super::SupervisorSpec;
use super::actor::KeySupervisorActor;
use super::lease::{Delivery, GroupPass, LeaseRefused, Leased};
use super::messages::{
    ExplainAsk, LeaseKey, Notice, ObservePool, Ping, ReadNotices, ReloadKeys, ResetKeys, SwitchKey,
};
use crate::gate::{Gate, Permit};
use crate::tray::{SOON, Tray, tray};
use crate::{Home, Unavailable, Vital, Vitals};

/// Questions of operators that may wait at once. They have a gate of their own, so that one can
/// look inside while traffic is being refused.
const QUESTIONS: usize = 32;

/// Starts the supervisor of one provider's keys.
pub fn start_supervisor(spec: SupervisorSpec, home: &Home) -> KeySupervisor {
    let (leases, questions) = (Gate::new(spec.gate), Gate::new(QUESTIONS));
    let vitals = Vitals::new(format!("keys:{}", spec.provider), leases.clone());
    let provider = spec.provider;
    let (its_vitals, its_questions) = (vitals.clone(), questions.clone());
    let (tray, notices) = tray(SOON);
    let address = home.start(move || KeySupervisorActor::new(spec, notices, its_vitals, its_questions));
    KeySupervisor { desk: Arc::new(Desk { provider, address, tray, leases, questions, vitals }) }
}

/// Leases the keys of one provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeySupervisor {
    desk: Arc<Desk>,
}

/// Where a supervisor is reached; leases hold on to it to find their way back.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) provider: ProviderName,
    address: Addr<KeySupervisorActor>,
    tray: Tray<Notice>,
    leases: Gate,
    questions: Gate,
    vitals: Vitals,
}

impl Desk {
    /// Leaves a notice.
    pub(crate) fn tell(&self, notice: Notice) {
        self.tray.lay(notice, || {
            let address = self.address.clone();
            move || address.do_send(ReadNotices)
        });
    }
}

impl KeySupervisor {
    /// Whose keys.
    pub fn provider(&self) -> ProviderName {
        self.desk.provider
    }

    /// Asks for a key; waits for one in the pool's queue, if the pool says so. If the caller leaves
    /// meanwhile its place is given up, and a lease under way to it goes back unsent.
    ///
    /// # Errors
    /// [`LeaseRefused`] says why not, and when asking again makes sense.
    pub async fn lease(&self, ask: Ask) -> Result<Leased, LeaseRefused> {
        let permit = self.desk.leases.enter()?;
        let message = LeaseKey { ask, desk: Arc::clone(&self.desk), permit };
        let answer = self.desk.address.send(message).await.map_err(Unavailable::from)?;
        Ok(match answer? {
            Delivery::Key(parcel) => Leased::Key(parcel.open()),
            Delivery::NotOurs => Leased::NotOurs,
            Delivery::Pass(group) => Leased::Pass(GroupPass::new(group, Arc::clone(&self.desk))),
            Delivery::Wait(place) => place.leased().await?,
        })
    }

    /// Tells that a session of a group ended, whoever found out. Tells, never waits.
    pub fn session_ended(&self, group: GroupId, session: Resource) {
        self.tell(Notice::SessionEnded { group, session });
    }

    pub(super) fn tell(&self, notice: Notice) {
        self.desk.tell(notice);
    }

    /// The pool as status pages show it.
    ///
    /// # Errors
    /// When the supervisor restarts or too many questions wait.
    pub async fn observe(&self) -> Result<PoolSnapshot, Unavailable> {
        self.ask(|permit| ObservePool { permit }).await?
    }

    /// What the pool would answer, and why, key by key.
    ///
    /// # Errors
    /// When the supervisor restarts or too many questions wait.
    pub async fn explain(&self, ask: Ask) -> Result<Decision, Unavailable> {
        self.ask(|permit| ExplainAsk { ask, permit }).await?
    }

    /// Ends the rests of all keys, or of those named, and brings failed ones back. Says how many
    /// gained.
    ///
    /// # Errors
    /// When the supervisor restarts or too many questions wait.
    pub async fn reset(&self, ids: Option<Vec<KeyId>>) -> Result<usize, Unavailable> {
        self.ask(|permit| ResetKeys { ids, permit }).await?
    }

    /// Takes a key out until it is enabled. False if there is no such key.
    ///
    /// # Errors
    /// When the supervisor restarts or too many questions wait.
    pub async fn disable(&self, id: KeyId) -> Result<bool, Unavailable> {
        self.ask(|permit| SwitchKey { id, is_enabled: false, permit }).await?
    }

    /// Brings a disabled key back. False if there is no such key.
    ///
    /// # Errors
    /// When the supervisor restarts or too many questions wait.
    pub async fn enable(&self, id: KeyId) -> Result<bool, Unavailable> {
        self.ask(|permit| SwitchKey { id, is_enabled: true, permit }).await?
    }

    /// Puts other keys and another policy in force. Keys that stay keep all that is known of them;
    /// leases of keys that go are settled like any other.
    ///
    /// # Errors
    /// When the supervisor restarts; it does so with the new keys.
    pub async fn reload(&self, keys: Vec<KeySpec>, policy: Policy) -> Result<Reloaded, Unavailable> {
        self.desk.address.send(ReloadKeys { keys, policy }).await?
    }

    /// Its signs of life; read without asking it.
    pub fn vitals(&self) -> &Vitals {
        &self.desk.vitals
    }

    /// Asks on behalf of a caller: through the gate of leases, so that callers cannot take the operators' places.
    pub(super) async fn ask_for_caller<M>(
        &self,
        message: impl FnOnce(Permit) -> M,
    ) -> Result<M::Result, Unavailable>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        KeySupervisorActor: Handler<M>,
    {
        let permit = self.desk.leases.enter()?;
        Ok(self.desk.address.send(message(permit)).await?)
    }

    async fn ask<M>(&self, message: impl FnOnce(Permit) -> M) -> Result<M::Result, Unavailable>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        KeySupervisorActor: Handler<M>,
    {
        let permit = self.desk.questions.enter()?;
        Ok(self.desk.address.send(message(permit)).await?)
    }
}

#[async_trait]
impl Vital for KeySupervisor {
    fn vitals(&self) -> &Vitals {
        &self.desk.vitals
    }

    async fn answers(&self) -> bool {
        self.ask(|permit| Ping { permit }).await.is_ok()
    }
}
