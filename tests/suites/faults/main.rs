//! What the registry keeps of its promises when the process, the power or the disk fails under it.
