//! An HTTP/1.1 client that costs as little as one can: a blocking socket kept alive, one write a
//! request, bodies thrown away as they arrive. The load shares its cores with the server measured,
//! so what the client does not spend, the server can.

mod connection;
mod request;
mod response;

pub(crate) use connection::Connection;
pub(crate) use request::{Body, Request};
pub(crate) use response::Response;
