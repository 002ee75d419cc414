//! Bytes in files.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::fd::AsFd,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    buffer::spare_capacity,
    fs::sendfile,
    io::{ReadWriteFlags, pread, preadv2},
};

use super::ended;

/// A part of a file that does not change any more.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file.
    pub file: Arc<File>,
    /// The offset of the first byte.
    pub first: u64,
    /// How many bytes there are.
    pub length: u64,
}

impl FilePart {
    /// Whether its first `most` bytes can be had without waiting for the disk. Files are read ahead in order, so their end tells.
    pub fn is_cached(&self, most: u64) -> bool {
        let Some(last) = self.length.min(most).checked_sub(1) else { return true };
        preadv2(&self.file, &mut [IoSliceMut::new(&mut [0])], self.first + last, ReadWriteFlags::NOWAIT) == Ok(1)
    }

    /// Takes away its first `most` bytes, or all if it has fewer.
    #[must_use]
    pub fn split_to(&mut self, most: u64) -> Self {
        let taken = Self { length: self.length.min(most), ..self.clone() };
        self.skip(taken.length);
        taken
    }

    /// Takes its first bytes into `memory`, which is empty, as many as that has room for. Waits for the disk if it must.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before them; whatever reading says.
    pub fn take(&mut self, memory: Vec<u8>) -> io::Result<Bytes> {
        let mut bytes = memory;
        let most = self.at_most(bytes.capacity());
        while bytes.len() < most {
            let at = self.first + bytes.len() as u64;
            match pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(ended()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(most);
        self.skip(bytes.len() as u64);
        Ok(bytes.into())
    }

    pub(super) fn send(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let mut at = self.first;
        match sendfile(socket, &self.file, Some(&mut at), self.at_most(most))? {
            0 if self.length > 0 => Err(ended()),
            sent => {
                self.skip(sent as u64);
                Ok(sent)
            }
        }
    }

    fn at_most(&self, most: usize) -> usize {
        usize::try_from(self.length).map_or(most, |length| length.min(most))
    }

    fn skip(&mut self, count: u64) {
        self.first += count;
        self.length -= count;
    }
}
