//! The user limiter as everyone else sees it.

use std::net::IpAddr;
use std::sync::Arc;

use actix::Addr;
use async_trait::async_trait;
use keygate_domain::{Moment, PlanName, UserId};
use keygate_limits::{PlanStanding, Plans, Used, UserPolicy, UserStanding};

use super::actor::UserLimiterActor;
use super::admission::{Admission, LimiterRefusal};
use super::call::UserCall;
use super::crowd::Crowd;
use super::messages::{
    Admit, FailedLogin, Leave, LookAtPlan, LookAtUser, Ping, ReadNotices, Restore, SetPlans, SetPolicy,
};
use crate::gate::Gate;
use crate::tray::{SOON, Tray, tray};
use crate::{Chaos, Home, Unavailable, Vital, Vitals};

/// Starts the limiter; `gate` asks may wait in its mailbox at once, one more is refused.
pub fn start_limiter(
    policy: UserPolicy,
    plans: Plans,
    used: Vec<(UserId, Used)>,
    gate: usize,
    home: &Home,
) -> UserLimiter {
    start(policy, plans, used, gate, None, home)
}

pub(super) fn start(
    policy: UserPolicy,
    plans: Plans,
    used: Vec<(UserId, Used)>,
    gate: usize,
    chaos: Option<Chaos>,
    home: &Home,
) -> UserLimiter {
    let gate = Gate::new(gate);
    let vitals = Vitals::new("users", gate.clone());
    let its_vitals = vitals.clone();
    let crowd = Arc::<Crowd>::default();
    let its_crowd = Arc::clone(&crowd);
    let (tray, notices) = tray(SOON);
    let address = home
        .start(move || UserLimiterActor::new(policy, plans, used, notices, chaos, (its_vitals, its_crowd)));
    UserLimiter { desk: Arc::new(Desk { address, tray, gate, vitals, crowd }) }
}

/// Limits what each user may do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserLimiter {
    desk: Arc<Desk>,
}

/// Where the limiter is reached; admissions hold on to it to find their way back.
#[derive(Debug)]
pub(crate) struct Desk {
    address: Addr<UserLimiterActor>,
    tray: Tray<Leave>,
    gate: Gate,
    vitals: Vitals,
    crowd: Arc<Crowd>,
}

impl Desk {
    /// Leaves a notice.
    pub(crate) fn tell(&self, notice: Leave) {
        self.tray.lay(notice, || {
            let address = self.address.clone();
            move || address.do_send(ReadNotices)
        });
    }
}

impl UserLimiter {
    /// Admits a call of a user. Keep the admission while the call is served.
    ///
    /// # Errors
    /// [`LimiterRefusal`] says why not, and when asking again makes sense.
    pub async fn admit(&self, call: UserCall) -> Result<Admission, LimiterRefusal> {
        let permit = self.desk.gate.enter()?;
        let message = Admit { call, desk: Arc::clone(&self.desk), permit };
        let answer = self.desk.address.send(message).await.map_err(Unavailable::from)?;
        answer.map(Admission::new)
    }

    /// How a user's minute stands, and what would become of this call. Counts nothing.
    ///
    /// # Errors
    /// When the limiter restarts or too many asks wait.
    pub async fn look(&self, call: UserCall) -> Result<UserStanding, Unavailable> {
        let permit = self.desk.gate.enter()?;
        self.desk.address.send(LookAtUser { call, permit }).await?
    }

    /// How a user stands with the plan.
    ///
    /// # Errors
    /// When the limiter restarts or too many asks wait.
    pub async fn look_at_plan(
        &self,
        user: UserId,
        plan: Option<PlanName>,
    ) -> Result<PlanStanding, Unavailable> {
        let permit = self.desk.gate.enter()?;
        self.desk.address.send(LookAtPlan { user, plan, permit }).await?
    }

    /// Puts other plans in force; what users had already counts on. Where there were none before it says from when on
    /// is counted: what ended earlier is to be [restored](Self::restore).
    ///
    /// # Errors
    /// When the limiter restarts; it does so with the new plans.
    pub async fn set_plans(&self, plans: Plans) -> Result<Option<Moment>, Unavailable> {
        self.desk.address.send(SetPlans(plans)).await?
    }

    /// Adds what users had before plans were counted.
    ///
    /// # Errors
    /// When the limiter restarts; nothing is added then.
    pub async fn restore(&self, used: Vec<(UserId, Used)>) -> Result<(), Unavailable> {
        self.desk.address.send(Restore(used)).await?
    }

    /// Counts a failed login of `peer`.
    ///
    /// # Errors
    /// When it failed too often and should be told "later" instead of "wrong".
    pub async fn failed_login(&self, peer: IpAddr) -> Result<(), LimiterRefusal> {
        let permit = self.desk.gate.enter()?;
        self.desk.address.send(FailedLogin { peer, permit }).await.map_err(Unavailable::from)?
    }

    /// Puts other limits in force; what users did already counts on.
    ///
    /// # Errors
    /// When the limiter restarts; it does so with the new limits.
    pub async fn set_policy(&self, policy: UserPolicy) -> Result<(), Unavailable> {
        self.desk.address.send(SetPolicy(policy)).await?
    }

    /// How many users it remembers, and how many it could; read without asking it.
    pub fn crowd(&self) -> (usize, usize) {
        self.desk.crowd.read()
    }

    /// Its signs of life; read without asking it.
    pub fn vitals(&self) -> &Vitals {
        &self.desk.vitals
    }
}

#[async_trait]
impl Vital for UserLimiter {
    fn vitals(&self) -> &Vitals {
        &self.desk.vitals
    }

    async fn answers(&self) -> bool {
        let Ok(permit) = self.desk.gate.enter() else { return false };
        self.desk.address.send(Ping { permit }).await.is_ok()
    }
}
