//! Tables that are there and ours: created when absent, waited for, and refused when something else has their name.

use std::{fmt, time::Duration};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{create_table::builders::CreateTableFluentBuilder, describe_table::DescribeTableError},
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus},
};
use futures::future::try_join_all;
use tokio::time::Instant;
use zot_storage::{Error, Result, metadata::Key};

use crate::{
    DynamoMetadata,
    calls::Operation,
    item::{self, PARTITION, SORT},
    place::Place,
};

/// How often a table that is being created is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a table is like.
#[derive(Debug)]
enum State {
    Ready,
    Absent,
    /// It is being created or deleted.
    Changing,
    /// Its keys are not ours.
    Foreign(String),
}

impl DynamoMetadata {
    /// Makes sure that every table can be used.
    pub(crate) async fn provide_tables(&self) -> Result<()> {
        try_join_all(self.tables.names().into_iter().map(|name| self.provide_table(name))).await.map(drop)
    }

    async fn provide_table(&self, name: &str) -> Result<()> {
        let give_up = Instant::now() + self.connection.options.table_timeout;
        let mut created = false;
        loop {
            match self.state(name).await? {
                State::Ready => return Ok(()),
                State::Foreign(keys) => return Err(foreign(name, &keys)),
                State::Absent if !created => {
                    self.create(name).await?;
                    created = true;
                    continue;
                }
                State::Absent | State::Changing => {}
            }
            if Instant::now() > give_up {
                return Err(Error::remote(format!("wait for table `{name}` of DynamoDB"), "it is still being created"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn state(&self, name: &str) -> Result<State> {
        let request = self.connection.client.describe_table().table_name(name);
        let mut attempts = self.connection.attempts(Operation::DescribeTable);
        loop {
            match attempts.make(request.clone().send()).await? {
                Ok(answer) => return Ok(answer.table.as_ref().map_or(State::Absent, described)),
                Err(error) if is_absent(&error) => return Ok(State::Absent),
                // Whoever may not look at tables may still use them.
                Err(error) if error.code() == Some("AccessDeniedException") => return self.probe(name).await,
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    /// What reading a row tells of a table.
    async fn probe(&self, name: &str) -> Result<State> {
        let request = self.connection.client.get_item().table_name(name).set_key(Some(item::key(&Place::of(&Key::Schema))));
        let mut attempts = self.connection.attempts(Operation::GetItem);
        loop {
            match attempts.make(request.clone().send()).await? {
                Ok(_) => return Ok(State::Ready),
                Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(State::Absent),
                Err(error) if error.code() == Some("ValidationException") => return Ok(State::Foreign("others".to_owned())),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    async fn create(&self, name: &str) -> Result<()> {
        let request = self.create_request(name)?;
        let mut attempts = self.connection.attempts(Operation::CreateTable);
        loop {
            match attempts.make(request.clone().send()).await? {
                Ok(_) => {
                    tracing::info!(table = name, "created a table in DynamoDB");
                    return Ok(());
                }
                // Another process was first, or an attempt was heard and not answered.
                Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    fn create_request(&self, name: &str) -> Result<CreateTableFluentBuilder> {
        let mut request = self.connection.client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        for (attribute, key_type) in [(PARTITION, KeyType::Hash), (SORT, KeyType::Range)] {
            let definition = AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build();
            let element = KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build();
            let built = definition.and_then(|definition| Ok((definition, element?)));
            let (definition, element) = built.map_err(|error| Error::remote("build a table of DynamoDB", error))?;
            request = request.attribute_definitions(definition).key_schema(element);
        }
        Ok(request)
    }
}

fn is_absent(error: &SdkError<DescribeTableError>) -> bool {
    error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception)
}

fn described(table: &TableDescription) -> State {
    let keys = Keys::of(table).to_string();
    match table.table_status() {
        Some(TableStatus::Creating | TableStatus::Deleting) => State::Changing,
        _ if keys != Keys::OURS => State::Foreign(keys),
        _ => State::Ready,
    }
}

fn foreign(name: &str, keys: &str) -> Error {
    let reason = format!("it has the keys {keys}, not {}: it is not one of ours, so choose another name in `cacheDriver`", Keys::OURS);
    Error::remote(format!("use table `{name}` of DynamoDB"), reason)
}

/// The keys of a table: name, type of attribute, kind of key.
struct Keys(Vec<String>);

impl Keys {
    const OURS: &str = "Partition (S, HASH), Sort (S, RANGE)";

    fn of(table: &TableDescription) -> Self {
        let kind = |name: &str| {
            let found = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
            found.map_or("?", |definition| definition.attribute_type().as_str())
        };
        let shown = |element: &KeySchemaElement| {
            format!("{} ({}, {})", element.attribute_name(), kind(element.attribute_name()), element.key_type().as_str())
        };
        Self(table.key_schema().iter().map(shown).collect())
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_keys_are_those_we_create() {
        assert_eq!(Keys::OURS, format!("{PARTITION} (S, HASH), {SORT} (S, RANGE)"));
    }
}
