//! Starting a simulator, and the handle to a running one.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::config::{Population, SimConfig};
use crate::control;
use crate::google::GeneratedFile;
use crate::journal::Counts;
use crate::record::RequestRecord;
use crate::script::Fault;
use crate::wire::{Door, accept};
use crate::world::Shared;

/// Something the handle wants done on the simulator's thread. Their queue is as long as there are
/// callers at most: each waits for its answer.
type Errand = Box<dyn FnOnce(&Shared) + Send>;

/// Where a running simulator is reached, as base URLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// Gemini, and `/__sim`.
    pub google: String,
    /// Anam's API.
    pub anam: String,
    /// Anam's engines, as `engineHost` names them.
    pub engine: String,
}

/// Starts simulators.
pub struct Simulator;

impl Simulator {
    /// Binds the listeners and serves them on a thread of its own until the handle is dropped.
    ///
    /// Fails when an address cannot be bound or the population contradicts itself.
    pub fn start(config: SimConfig) -> io::Result<RunningSimulator> {
        let listeners = Listeners::bind(&config)?;
        let endpoints = listeners.endpoints()?;
        let (errands, inbox) = mpsc::unbounded_channel();
        let (ready, started) = sync_channel(1);
        let thread_endpoints = endpoints.clone();
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = runtime.and_then(|runtime| {
                let _inside = runtime.enter();
                let world = Shared::new(&config, thread_endpoints).map_err(io::Error::other)?;
                Ok((runtime.handle().clone(), world, listeners.into_tokio()?, runtime))
            });
            match outcome {
                Ok((_, world, listeners, runtime)) => {
                    let _ = ready.send(Ok(()));
                    LocalSet::new().block_on(&runtime, live(world, listeners, inbox));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(RunningSimulator { endpoints, errands: Some(errands), thread: Some(thread) })
    }
}

struct Listeners<L> {
    google: L,
    anam: L,
    engine: L,
}

impl Listeners<StdListener> {
    fn bind(config: &SimConfig) -> io::Result<Self> {
        let engine = SocketAddr::new(config.anam_bind.ip(), 0);
        Ok(Self {
            google: bound(config.google_bind)?,
            anam: bound(config.anam_bind)?,
            engine: bound(engine)?,
        })
    }

    fn endpoints(&self) -> io::Result<Endpoints> {
        let url = |listener: &StdListener| listener.local_addr().map(|address| format!("http://{address}"));
        Ok(Endpoints { google: url(&self.google)?, anam: url(&self.anam)?, engine: url(&self.engine)? })
    }

    fn into_tokio(self) -> io::Result<Listeners<TcpListener>> {
        Ok(Listeners {
            google: TcpListener::from_std(self.google)?,
            anam: TcpListener::from_std(self.anam)?,
            engine: TcpListener::from_std(self.engine)?,
        })
    }
}

fn bound(address: SocketAddr) -> io::Result<StdListener> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The simulator's life: listeners and errands, until the handle is gone.
async fn live(world: Shared, listeners: Listeners<TcpListener>, mut inbox: mpsc::UnboundedReceiver<Errand>) {
    tokio::task::spawn_local(accept(listeners.google, Door::Google, world.clone()));
    tokio::task::spawn_local(accept(listeners.anam, Door::Anam, world.clone()));
    tokio::task::spawn_local(accept(listeners.engine, Door::Engine, world.clone()));
    while let Some(errand) = inbox.recv().await {
        errand(&world);
    }
}

/// A running simulator; it stops when this is dropped. Its methods block for microseconds and
/// may be called from anywhere but the simulator's own thread.
#[derive(Debug)]
pub struct RunningSimulator {
    endpoints: Endpoints,
    errands: Option<mpsc::UnboundedSender<Errand>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningSimulator {
    /// The base URL of Gemini, without a slash at the end.
    pub fn google_url(&self) -> &str {
        &self.endpoints.google
    }

    /// The base URL of Anam's API, without a slash at the end.
    pub fn anam_url(&self) -> &str {
        &self.endpoints.anam
    }

    /// All base URLs.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Appends faults to the script. Fails when the script is full.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) -> io::Result<()> {
        let faults: Vec<Fault> = faults.into_iter().collect();
        self.ask(move |world| control::add_faults(world, faults)).map(drop).map_err(io::Error::other)
    }

    /// Forgets the faults still to come.
    pub fn clear_script(&self) {
        self.ask(control::clear_script);
    }

    /// Adds or replaces projects and organisations, and sets states of keys. Fails when the
    /// population contradicts itself or the world.
    pub fn declare(&self, population: Population) -> io::Result<()> {
        self.ask(move |world| control::declare(world, &population)).map_err(io::Error::other)
    }

    /// Makes a file of the service's own, as models and batches do; says its name.
    pub fn make_file(&self, file: GeneratedFile) -> String {
        self.ask(move |world| control::make_file(world, &file))
    }

    /// The counts since the start or the last reset.
    pub fn counts(&self) -> Counts {
        self.ask(Shared::counts)
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.ask(control::requests)
    }

    /// Moves the simulated clock forward.
    pub fn advance(&self, by: Duration) {
        self.ask(move |world| control::advance(world, by));
    }

    /// Back to the population of the start, without script, counts, records and resources.
    pub fn reset(&self) -> io::Result<()> {
        self.ask(control::reset).map_err(io::Error::other)
    }

    #[expect(clippy::expect_used, reason = "the thread lives as long as this handle, unless it panicked")]
    fn ask<T: Send + 'static>(&self, errand: impl FnOnce(&Shared) -> T + Send + 'static) -> T {
        let (answer, answered) = sync_channel(1);
        let errand: Errand = Box::new(move |world| drop(answer.send(errand(world))));
        self.errands
            .as_ref()
            .expect("taken only by drop")
            .send(errand)
            .expect("the simulator's thread panicked");
        answered.recv().expect("the simulator's thread panicked")
    }
}

impl Drop for RunningSimulator {
    fn drop(&mut self) {
        drop(self.errands.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by the thread.
            let _ = thread.join();
        }
    }
}
