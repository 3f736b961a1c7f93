//! The simulated world: everything that is remembered between two requests, and its one owner.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::anam::AnamWorld;
use crate::clock::SimClock;
use crate::config::{KeyState, Population, SimConfig};
use crate::google::GoogleWorld;
use crate::journal::{Counts, Journal};
use crate::script::Script;
use crate::simulator::Endpoints;

/// A simulated provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Gemini.
    Google,
    /// Anam.
    Anam,
}

/// Everything remembered.
pub(crate) struct World {
    pub(crate) google: GoogleWorld,
    pub(crate) anam: AnamWorld,
    pub(crate) script: Script,
    pub(crate) journal: Journal,
    born_with: Population,
}

/// The world as the tasks of the simulator's one thread share it.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: SimClock,
    pub(crate) endpoints: Rc<Endpoints>,
    world: Rc<RefCell<World>>,
}

impl Shared {
    /// A world as configured, or what is wrong with the configuration.
    pub(crate) fn new(config: &SimConfig, endpoints: Endpoints) -> Result<Self, String> {
        let mut world = World {
            google: GoogleWorld::default(),
            anam: AnamWorld::default(),
            script: Script::default(),
            journal: Journal::default(),
            born_with: config.population.clone(),
        };
        world.declare(&config.population)?;
        Ok(Self {
            clock: SimClock::new(config.speed, config.starts_at),
            endpoints: Rc::new(endpoints),
            world: Rc::new(RefCell::new(world)),
        })
    }

    /// Looks at or changes the world; never across a wait.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.borrow_mut())
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> Counts {
        let now = self.clock.now();
        self.with(|world| {
            let avatars = world.anam.sessions.active(now);
            world.journal.counts(world.google.live.open(), avatars)
        })
    }
}

impl World {
    /// Adds or replaces projects and organisations, and changes states of keys; says what it does not know.
    pub(crate) fn declare(&mut self, population: &Population) -> Result<(), String> {
        population.google.projects.iter().try_for_each(|project| self.google.declare(project))?;
        population.anam.organizations.iter().try_for_each(|organization| self.anam.declare(organization))?;
        population.states.iter().try_for_each(|(key, state)| self.set_state(key, *state))
    }

    fn set_state(&mut self, key: &str, state: KeyState) -> Result<(), String> {
        if self.google.set_state(key, state) || self.anam.set_state(key, state) {
            return Ok(());
        }
        Err("states names a key that no project or organisation has".to_owned())
    }

    /// Back to the population of the start; script, counts, records and resources are forgotten.
    pub(crate) fn reset(&mut self, now: Timestamp) -> Result<(), String> {
        self.google.forget();
        self.anam.sessions.end_all(now);
        self.anam = AnamWorld::default();
        self.script.clear();
        self.journal.clear();
        let population = self.born_with.clone();
        self.declare(&population)
    }
}
