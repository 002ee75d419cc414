//! Where clients arrive: HTTP, TLS and the OCI distribution API over any registry.
