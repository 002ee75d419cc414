//! One test binary for all topics: the sandbox is linked once, and a topic is a file with a line here.

mod base;
