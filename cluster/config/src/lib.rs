//! The one configuration file all binaries read: as written, checked, and every problem reported at once.
