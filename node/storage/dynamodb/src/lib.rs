//! Metadata rows in tables of DynamoDB.
