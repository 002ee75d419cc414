//! The uploads that left the memory of this process and that their sessions keep going.

use std::collections::VecDeque;

use zot_contract::UploadId;

/// The most uploads that go on from their sessions alone; each costs a session of up to 17 KiB, and what is staged of it.
pub(super) const UPLOADS_LEFT_MAX: usize = 65_536;

/// An upload, and the revision of its session when it left. One that somebody went on with has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftUpload {
    pub(super) id: UploadId,
    pub(super) revision: u64,
}

/// Those that left, in the order in which they did.
#[derive(Debug)]
pub(super) struct LeftUploads {
    left: VecDeque<LeftUpload>,
    left_max: usize,
}

impl LeftUploads {
    /// Room for so many.
    pub(super) fn limited(left_max: usize) -> Self {
        Self { left: VecDeque::new(), left_max }
    }

    /// Notes that an upload left. Returns the one for which there is no room any more.
    pub(super) fn add(&mut self, upload: LeftUpload) -> Option<LeftUpload> {
        self.left.push_back(upload);
        if self.left.len() > self.left_max { self.left.pop_front() } else { None }
    }
}
