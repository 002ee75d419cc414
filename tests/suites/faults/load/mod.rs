//! Writers that push, move and delete at the same time until they are told to stop or the registry is gone, and tell the model of everything.

mod attempt;
mod content;
mod upload;
mod writer;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::JoinSet;
use zot_tests::Client;

use crate::{model::Model, random::Random};

use self::writer::Writer;
pub(crate) use self::{
    upload::{AfterFailure, offset},
    writer::WhenGone,
};

/// Writers at a time.
const WRITERS: u64 = 4;

/// All writers of a test. They keep what they know over failures.
pub(crate) struct Load {
    pub(crate) model: Model,
    writers: Vec<Writer>,
}

/// Writers at work.
pub(crate) struct Running {
    model: Model,
    stop: Arc<AtomicBool>,
    writers: JoinSet<Writer>,
}

impl Load {
    pub(crate) fn new(random: &Random) -> Self {
        Self::with(random, WhenGone::Stop)
    }

    /// A load whose writers do `when_gone` when a connection breaks.
    pub(crate) fn with(random: &Random, when_gone: WhenGone) -> Self {
        let model = Model::default();
        let writers = (0..WRITERS).map(|number| Writer::new(number, random.fork(number), model.clone(), when_gone)).collect();
        Self { model, writers }
    }

    /// Lets all writers work on the registry at `url`, each with connections of its own.
    pub(crate) fn start(self, url: &str) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for mut writer in self.writers {
            let (client, stop) = (Client::new(url), stop.clone());
            writers.spawn(async move {
                writer.work(&client, &stop).await;
                writer
            });
        }
        Running { model: self.model, stop, writers }
    }

    /// Finishes every upload that was under way when the registry failed, from where the registry says it is. Returns how many went on.
    pub(crate) async fn resume_uploads(&mut self, client: &Client, after: AfterFailure) -> usize {
        let mut resumed = 0;
        for writer in &mut self.writers {
            resumed += usize::from(writer.resume_upload(client, after).await);
        }
        resumed
    }

    /// Gives up the uploads that are under way.
    pub(crate) fn abandon_uploads(&mut self) {
        self.writers.iter_mut().for_each(Writer::abandon_upload);
    }
}

impl Running {
    /// Waits until every writer has noticed that the registry is gone, or has done its last request.
    pub(crate) async fn stopped(self) -> Load {
        self.stop.store(true, Ordering::Relaxed);
        let mut writers = self.writers.join_all().await;
        writers.sort_by_key(Writer::number);
        Load { model: self.model, writers }
    }
}
