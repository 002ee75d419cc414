//! The server loop from outside: how it waits, when it stops waiting, and how it ends.

mod drain;
mod expect;
mod held;
mod tls;
mod waiting;
