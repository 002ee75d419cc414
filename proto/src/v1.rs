//! The messages and services of `zot/v1/*.proto`, generated. Only this crate sees them.
#![expect(unreachable_pub, clippy::large_enum_variant, clippy::too_many_lines, reason = "the code is generated")]

tonic::include_proto!("zot.v1");
