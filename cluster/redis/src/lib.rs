//! A connection to Redis, whatever form it has: one server, sentinels or a cluster, with or without TLS.
