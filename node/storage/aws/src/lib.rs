//! What the stores in services of AWS share: the time that their requests are signed with.

mod clock;

pub use clock::Clock;
