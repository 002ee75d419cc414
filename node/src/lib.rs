//! Where data lives: assembles the storage engine, its decorators and its jobs from the configuration.
