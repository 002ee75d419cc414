//! What any process needs: logs, TLS with reload, named tasks, drain.
