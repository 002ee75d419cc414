//! The way of a blob's bytes that the system holds to a client, past the memory of this process.
//!
//! The HTTP library writes bytes, and the handlers give it some: for what the system holds they take *stand-ins*, as many bytes of a memory that
//! nothing else is in, and the connection's end of the outlet puts in their place what they stand for. So the library counts, frames and
//! waits as for any other body.
//! Only a connection whose bytes nobody changes on the way has an outlet: HTTP/1 without TLS. The library is told to write what it is given
//! where it is (`writev`): copies of stand-ins would be sent as they are.

use std::{collections::VecDeque, io, os::fd::AsFd, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use zot_contract::{HELD_BYTES_MAX, Held};

/// What stand-ins are parts of. Nobody reads it.
static STAND_INS: [u8; HELD_BYTES_MAX] = [0; HELD_BYTES_MAX];

/// The outlet of one connection. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlet(Arc<Mutex<VecDeque<Held>>>);

impl Outlet {
    /// Puts `held` behind what waits already. Returns the bytes to write in its place; `held` itself if it is too large to be stood in for.
    pub(crate) fn put(&self, held: Held) -> Result<Bytes, Held> {
        match usize::try_from(held.length()).ok().and_then(|length| STAND_INS.get(..length)) {
            Some(stand_ins) => {
                self.0.lock().push_back(held);
                Ok(Bytes::from_static(stand_ins))
            }
            None => Err(held),
        }
    }

    /// Whether `bytes` stand for what was put, and are not to be written themselves.
    pub(crate) fn is_stand_in(bytes: &[u8]) -> bool {
        !bytes.is_empty() && STAND_INS.as_ptr_range().contains(&bytes.as_ptr())
    }

    /// Sends to `socket` some of what the next `count` stand-ins stand for, which were put together. Returns how much went.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing now; whatever the socket says; an error if they stand for nothing.
    pub(crate) fn send(&self, socket: impl AsFd, count: usize) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        let first = waiting.front_mut().filter(|held| held.length() == count as u64);
        let first = first.ok_or_else(|| io::Error::other("a connection lost count of the bytes that the system holds for it"))?;
        let sent = first.send(socket, count)?;
        if first.length() == 0 {
            waiting.pop_front();
        }
        Ok(sent)
    }

    /// Whether nothing waits: all that was put has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::net::UnixStream};

    use zot_contract::FilePart;

    use super::*;

    fn part(content: &[u8], length: u64) -> Held {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        Held::File(FilePart { file: Arc::new(file), first: 0, length })
    }

    #[test]
    fn what_was_put_goes_in_place_of_its_stand_ins() {
        let (outlet, (near, mut far)) = (Outlet::default(), UnixStream::pair().unwrap());
        let stand_ins = [outlet.put(part(b"first", 5)).unwrap(), outlet.put(part(b"second", 6)).unwrap()];
        assert_eq!(stand_ins.each_ref().map(Bytes::len), [5, 6]);
        assert!(stand_ins.iter().all(|bytes| Outlet::is_stand_in(bytes)));
        assert_eq!(outlet.send(&near, 5).unwrap(), 5);
        assert_eq!(outlet.send(&near, 6).unwrap(), 6);
        assert!(outlet.is_empty());
        drop(near);
        let mut came = String::new();
        far.read_to_string(&mut came).unwrap();
        assert_eq!(came, "firstsecond");
    }

    #[test]
    fn other_bytes_stand_for_themselves() {
        assert!(!Outlet::is_stand_in(&[0; 5]));
        assert!(!Outlet::is_stand_in(b""));
        assert!(!Outlet::is_stand_in(&STAND_INS[..0]));
    }

    #[test]
    fn bytes_that_were_not_put_are_not_made_up() {
        let (outlet, (near, _far)) = (Outlet::default(), UnixStream::pair().unwrap());
        outlet.send(&near, 1).unwrap_err();
        let _ = outlet.put(part(b"first", 5)).unwrap();
        outlet.send(&near, 4).unwrap_err();
    }

    #[test]
    fn what_is_too_large_is_given_back() {
        let outlet = Outlet::default();
        let length = HELD_BYTES_MAX as u64 + 1;
        assert_eq!(outlet.put(part(b"", length)).unwrap_err().length(), length);
        assert!(outlet.is_empty());
    }
}
