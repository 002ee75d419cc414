//! Starting a registry that may refuse to.

use std::process::ExitStatus;

use super::Sandbox;
use crate::wait;

impl Sandbox {
    /// Waits until it is ready, or has ended; then this says how.
    pub async fn ready_or_ended(&mut self) -> Option<ExitStatus> {
        let client = self.client();
        let mut process = self.process.take().expect("a running registry");
        let decided = async || !process.is_running() || client.get("/readyz").try_send().await.is_ok_and(|reply| reply.status == 200);
        wait::until("the registry is ready or ends", decided).await;
        if !process.is_running() {
            return Some(process.ended().await);
        }
        self.process = Some(process);
        None
    }
}
